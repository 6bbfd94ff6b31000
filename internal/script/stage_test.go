package script

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nvsess/nvsess/internal/leak"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// TestMain fails when a goroutine or a socket outlives the tests.
func TestMain(m *testing.M) {
	if os.Getenv(childScript) != "" {
		os.Exit(runChild())
	}
	os.Exit(leak.Main(m, "nvsess/"))
}

// A stage is a running server on a unix socket, with an engine.
type stage struct {
	*Engine
	t    testing.TB
	srv  *session.Server
	path string
	log  *observer.ObservedLogs
}

func newStage(t testing.TB, change ...func(*session.Options, *Options)) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "stage") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	st := &stage{t: t, path: filepath.Join(dir, "s")}
	core, log := observer.New(zap.InfoLevel)
	st.log = log
	so := session.Options{
		WS: ws.Options{
			Loops: 2, Mounts: []*ws.Mount{{Origins: []string{"*"}, Limits: ws.Limits{Frame: 4 << 20, Message: 4 << 20, Fragments: 1024}}},
			QueueBytes: 4 << 20, CloseTimeout: 5 * time.Second,
		},
		AskTimeout: 10 * time.Second, MaxPending: 64, VerifyTimeout: 10 * time.Second,
	}
	eo := Options{Log: zap.New(core), Timeout: 10 * time.Second, MaxHeap: 1 << 30} // the heap is that of all tests at once
	for _, f := range change {
		f(&so, &eo)
	}
	if st.srv, err = session.NewServer(so); err != nil {
		t.Fatal(err)
	}
	eo.Sessions = st.srv
	st.Engine = New(eo)
	ln, err := net.Listen("unix", st.path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); ln.Close() })
	if err := st.srv.Start([]*ws.Listener{{FD: int(f.Fd()), Network: "unix"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := st.srv.Shutdown(ctx, ws.CloseGoingAway, "over"); err != nil {
			t.Error(err)
		}
		if err := st.Close(ctx); err != nil {
			t.Error(err)
		}
		if n := st.srv.Stats().HandlerWaiting; n != 0 {
			t.Errorf("%d events were never done", n)
		}
	})
	return st
}

// script changes the engine's options.
func script(f func(*Options)) func(*session.Options, *Options) {
	return func(_ *session.Options, o *Options) { f(o) }
}

// sessions changes the server's options.
func sessions(f func(*session.Options)) func(*session.Options, *Options) {
	return func(o *session.Options, _ *Options) { f(o) }
}

// js evaluates what must work, and returns how the console shows it.
func (st *stage) js(text string) string {
	st.t.Helper()
	r, err := st.try(text)
	if err != nil {
		st.t.Fatalf("%s\n%v", text, err)
	}
	return r.Text
}

func (st *stage) try(text string) (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return st.Eval(ctx, text, EvalOptions{})
}

// is evaluates what must be shown so.
func (st *stage) is(text, want string) {
	st.t.Helper()
	if got := st.js(text); got != want {
		st.t.Errorf("%s\nis %s\nwant %s", text, got, want)
	}
}

// fails evaluates what must throw, and returns the error.
func (st *stage) fails(text, want string) *Error {
	st.t.Helper()
	r, err := st.try(text)
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
		st.t.Errorf("%s\ngives %q, %v\nwant the error %s", text, r.Text, err, want)
		return &Error{}
	}
	return e
}

// load writes and loads a file of handlers.
func (st *stage) load(text string) error {
	st.t.Helper()
	path := filepath.Join(filepath.Dir(st.path), "handlers.js")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		st.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return st.Load(ctx, path)
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logged waits for a line in the log that has all of words.
func (st *stage) logged(words ...string) {
	st.t.Helper()
	st.eventually("in the log: "+strings.Join(words, ", "), func() bool {
		for _, e := range st.log.All() {
			text := e.Message + " " + fmt.Sprint(e.ContextMap())
			n := 0
			for _, w := range words {
				if strings.Contains(text, w) {
					n++
				}
			}
			if n == len(words) {
				return true
			}
		}
		return false
	})
}

// eventually waits until a condition holds. It is for what nobody is told of.
func (st *stage) eventually(what string, holds func() bool) {
	st.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			st.t.Fatalf("never: %s", what)
		}
		wait, stop := context.WithTimeout(context.Background(), time.Millisecond)
		<-wait.Done()
		stop()
	}
}

// A guest is a client at the level of messages.
type guest struct {
	t    testing.TB
	conn net.Conn
	sess *session.Session
}

// join connects. Its session is the newest.
func (st *stage) join() *guest {
	st.t.Helper()
	g, err := st.tryJoin("/")
	must(st.t, err)
	g.sess = st.srv.Last()
	return g
}

func (st *stage) tryJoin(path string) (*guest, error) {
	d := gobwas.Dialer{
		NetDial: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", st.path) },
		Timeout: patience,
	}
	c, br, _, err := d.Dial(context.Background(), "ws://localhost"+path)
	if err != nil {
		return nil, err
	}
	if br != nil {
		return nil, errors.New("the server speaks first")
	}
	st.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * patience))
	return &guest{t: st.t, conn: c}, nil
}

func (g *guest) text(s string) {
	g.t.Helper()
	must(g.t, wsutil.WriteClientText(g.conn, []byte(s)))
}

// next reads a message.
func (g *guest) next() string {
	g.t.Helper()
	b, _, err := wsutil.ReadServerData(g.conn)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// hears reads a message and compares it.
func (g *guest) hears(want string) {
	g.t.Helper()
	if got := g.next(); got != want {
		g.t.Fatalf("heard %q, want %q", got, want)
	}
}

// handler tells of the handler for a kind.
func (st *stage) handler(k session.Kind) session.HandlerInfo {
	return st.srv.Handlers()[k]
}
