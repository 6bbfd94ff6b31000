package script_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// soon is how long the tests of members wait for what must happen.
const soon = 20 * time.Second

// A bed is a running server on a unix socket and on TCP, with an engine.
type bed struct {
	t         *testing.T
	srv       *session.Server
	e         *script.Engine
	unix, tcp string
}

func newBed(t *testing.T, change ...func(*session.Options)) *bed {
	t.Helper()
	dir, err := os.MkdirTemp("", "bed") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &bed{t: t, unix: filepath.Join(dir, "s")}
	opt := session.Options{
		WS: ws.Options{
			Loops:      2,
			Mounts:     []*ws.Mount{{Origins: []string{"*"}, Subprotocols: []string{"chat"}, Limits: ws.Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 1024}}},
			QueueBytes: 1 << 20, CloseTimeout: 5 * time.Second,
		},
		Mode: "handlers", Keepalive: true, Interval: 20 * time.Second, Drop: true, Grace: 10 * time.Second,
		AskTimeout: soon, MaxPending: 64, TrustedProxies: []string{"unix"}, VerifyTimeout: soon,
	}
	for _, f := range change {
		f(&opt)
	}
	if b.srv, err = session.NewServer(opt); err != nil {
		t.Fatal(err)
	}
	listeners := []*ws.Listener{b.listen("unix", b.unix), b.listen("tcp", "127.0.0.1:0")}
	b.e = script.New(script.Options{
		Sessions: b.srv,
		Config:   map[string]any{"keepaliveInterval": opt.Interval.Milliseconds(), "subprotocols": []string{"chat"}},
		Listeners: func() []script.Listener {
			return []script.Listener{{Network: "unix", Address: b.unix}, {Network: "tcp", Address: b.tcp}}
		},
		Listen: func(address string, _ *tls.Config) error { return b.srv.Listen(b.listen("unix", address)) },
	})
	if err := b.srv.Start(listeners); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := b.srv.Shutdown(ctx, ws.CloseGoingAway, "over"); err != nil {
			t.Error(err)
		}
		if err := b.e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// listen opens a listener that ends with the test.
func (b *bed) listen(network, address string) *ws.Listener {
	b.t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		b.t.Fatal(err)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { f.Close(); ln.Close() })
	if network == "tcp" {
		b.tcp = ln.Addr().String()
	}
	return &ws.Listener{FD: int(f.Fd()), Network: network}
}

func (b *bed) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	b.t.Cleanup(cancel)
	return ctx
}

// js runs what would be typed at the prompt, and gives what would be printed.
func (b *bed) js(text string) string {
	b.t.Helper()
	r, err := b.e.Eval(b.context(), text, script.EvalOptions{})
	if err != nil {
		b.t.Fatalf("%s\n%v", text, err)
	}
	return r.Text
}

// is runs an expression that must be true.
func (b *bed) is(text string) {
	b.t.Helper()
	if got := b.js(text); got != "true" {
		b.t.Errorf("%s is %s", text, got)
	}
}

// prints runs something and compares what is printed.
func (b *bed) prints(text, want string) {
	b.t.Helper()
	if got := b.js(text); got != want {
		b.t.Errorf("%s prints %s, want %s", text, got, want)
	}
}

// fails runs something that must throw what contains want.
func (b *bed) fails(text, want string) {
	b.t.Helper()
	r, err := b.e.Eval(b.context(), text, script.EvalOptions{})
	if err == nil || !strings.Contains(err.Error(), want) {
		b.t.Errorf("%s gives %q and %v, want an error with %q", text, r.Text, err, want)
	}
}

// A guest is a client, and what it was sent.
type guest struct {
	*client.Conn
	b   *bed
	id  string
	got chan string
}

// join connects a client over the unix socket, and waits for its session.
func (b *bed) join(opts ...client.Option) *guest {
	b.t.Helper()
	return b.joinAt("ws+unix://"+b.unix+":/room?user=7", opts...)
}

func (b *bed) joinAt(url string, opts ...client.Option) *guest {
	b.t.Helper()
	g := &guest{b: b, got: make(chan string, 100)}
	note := func(format string, args ...any) { g.got <- fmt.Sprintf(format, args...) }
	var err error
	g.Conn, err = client.Dial(b.context(), url, append([]client.Option{
		client.WithKeepalive(0),
		client.WithHandlers(client.Handlers{
			String:  func(_ *client.Conn, s string) { note("string %s", s) },
			JSON:    func(_ *client.Conn, j json.RawMessage) { note("json %s", j) },
			Binary:  func(_ *client.Conn, b []byte) { note("binary %x", b) },
			Request: func(_ *client.Conn, r client.Envelope) { note("sreq %s %s", r.ID, r.Data) },
			Close:   func(_ *client.Conn, e *client.CloseError) { note("close %d %s", e.Code, e.Reason) },
		}),
	}, opts...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = g.CloseNow() })
	if g.id, err = g.WaitSession(b.context()); err != nil {
		b.t.Fatal(err)
	}
	return g
}

// hears waits for what comes next, and compares it.
func (g *guest) hears(want string) {
	g.b.t.Helper()
	if got := g.next(); got != want {
		g.b.t.Errorf("heard %q, want %q", got, want)
	}
}

func (g *guest) next() string {
	g.b.t.Helper()
	select {
	case s := <-g.got:
		return s
	case <-time.After(soon):
		g.b.t.Fatal("nothing came")
		return ""
	}
}

// nothing has come that was not heard, up to an answer to what is sent now.
func (g *guest) nothing() {
	g.b.t.Helper()
	g.b.js(fmt.Sprintf("srv.sess_filter((req, conn, id) => id === %q)[0].conn_.ssend('a mark')", g.id))
	g.hears("string a mark")
}

func (g *guest) sends(s string) {
	g.b.t.Helper()
	if err := g.SendString(g.b.context(), s); err != nil {
		g.b.t.Fatal(err)
	}
}

// answers replies to the request that comes next.
func (g *guest) answers(question string, answer any) {
	g.b.t.Helper()
	words := strings.SplitN(g.next(), " ", 3)
	if words[0] != "sreq" || words[2] != question {
		g.b.t.Fatalf("heard %q, want a request: %s", words, question)
	}
	if err := g.Reply(g.b.context(), words[1], answer); err != nil {
		g.b.t.Fatal(err)
	}
}

// refused connects, which must fail, and gives the status.
func (b *bed) refused() int {
	b.t.Helper()
	c, err := client.Dial(b.context(), "ws+unix://"+b.unix+":/room?user=8")
	if err == nil {
		_ = c.CloseNow()
		b.t.Fatal("it was let in")
	}
	var h *client.HandshakeError
	if !asHandshake(err, &h) {
		b.t.Fatal(err)
	}
	return h.Status
}

// A mute is a connection that reads frames and answers none.
type mute struct {
	b  *bed
	nc net.Conn
	r  *bufio.Reader
}

func (b *bed) mute() *mute {
	b.t.Helper()
	nc, err := net.Dial("unix", b.unix)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(soon)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		b.t.Fatal(err)
	}
	m := &mute{b, nc, bufio.NewReader(nc)}
	res, err := http.ReadResponse(m.r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		b.t.Fatal(res, err)
	}
	if op, cfg := m.frame(); op != 1 || !strings.Contains(cfg, "___cfg___") {
		b.t.Fatalf("first came %d %q", op, cfg)
	}
	return m
}

// frame reads one of at most 125 bytes, or up to 65535.
func (m *mute) frame() (opcode byte, payload string) {
	m.b.t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(m.r, head); err != nil {
		m.b.t.Fatal(err)
	}
	n := int(head[1])
	if n == 126 {
		long := make([]byte, 2)
		if _, err := io.ReadFull(m.r, long); err != nil {
			m.b.t.Fatal(err)
		}
		n = int(long[0])<<8 | int(long[1])
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(m.r, body); err != nil {
		m.b.t.Fatal(err)
	}
	return head[0] & 0x0f, string(body)
}
