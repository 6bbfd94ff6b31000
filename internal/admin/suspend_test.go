package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// A call that was too slow to be handed over, where nothing was after all, goes on.
func TestCallSuspendedTooLateGoesOn(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	d := startDaemon(t, func(o *Options) {
		o.Upgrade = func(context.Context, string) (bool, error) {
			close(begun)
			<-release
			return true, session.ErrSuspend
		}
		o.Upgraded = func() (*Upgraded, error) { return nil, errors.New("it came to nothing") }
	})
	answer := make(chan error, 1)
	go func() {
		_, err := d.call("upgrade")
		answer <- err
	}()
	<-begun
	if err := d.server.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if calls, _ := d.server.Suspend(over); len(calls) != 0 {
		t.Fatalf("%+v", calls)
	}
	d.server.Resume()
	close(release)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case err := <-answer:
		if err == nil || !strings.Contains(err.Error(), "it came to nothing") {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Fatal("its caller waits for ever")
	}
}

// Who may command the daemon may not have it run whatever he likes.
func TestUpgradeToABinaryOfAnOperators(t *testing.T) {
	asked := ""
	o := &Options{Upgrade: func(_ context.Context, binary string) (bool, error) {
		asked = binary
		return false, errors.New("asked")
	}}
	for _, c := range []struct {
		uid    uint32
		binary string
		may    bool
	}{{0, "/x", true}, {uint32(os.Geteuid()), "/x", true}, {uint32(os.Geteuid()) + 1, "/x", false}, {uint32(os.Geteuid()) + 1, "", true}} {
		args, err := Lookup("upgrade").decodeArgs(nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.binary != "" {
			args.values["binary"] = c.binary
		}
		asked = "nothing"
		_, err = runUpgrade(t.Context(), &Call{Daemon: o, Args: args, Peer: Peer{UID: c.uid}})
		if may := asked == c.binary; may != c.may || err == nil || !may && asError(err).Code != CodeNotPermitted {
			t.Errorf("uid %d, %q: asked %q, %v", c.uid, c.binary, asked, err)
		}
	}
}

// A connection on which half a request has come is not handed over: the rest would be
// taken for a whole one.
func TestHalfARequestIsNotHandedOver(t *testing.T) {
	d := startDaemon(t, nil)
	half, idle, err := net.Conn(nil), net.Conn(nil), error(nil)
	for _, c := range []*net.Conn{&half, &idle} {
		if *c, err = net.Dial("unix", d.admin); err != nil {
			t.Fatal(err)
		}
		defer (*c).Close()
	}
	if _, err := half.Write([]byte("GET /v1/version HTTP/1.1\r\nHo")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "half a request", func() bool {
		g := d.server.gate
		g.mu.Lock()
		defer g.mu.Unlock()
		begun := 0
		for c, state := range g.conns {
			if state == http.StateNew && c.begun {
				begun++
			}
		}
		return begun == 1 && len(g.conns) == 2
	})
	if err := d.server.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, list := d.server.Suspend(t.Context()); len(list) != 1 {
		t.Errorf("%d connections are handed over", len(list))
	}
	d.server.Resume()
	d.must("version")
}

// Who watches is told of what happens while he is handed over: what he has not been
// told yet before, and what happens until his call goes on after it.
func TestWatchMissesNothing(t *testing.T) {
	d := startDaemon(t, nil)
	begun, told := make(chan struct{}), make(chan string, 200)
	watching, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = d.client.Stream(watching, "watch", map[string]any{"type": []string{"open"}}, func() { close(begun) }, func(l *Line) error {
			if l.Event != nil {
				told <- l.Event.Session
			}
			return nil
		})
	}()
	<-begun
	if err := d.server.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls, _ := d.server.Suspend(t.Context())
	if len(calls) != 1 {
		t.Fatalf("%d calls are handed over", len(calls))
	}
	d.server.Ready(&calls[0])
	d.connect("/", nil) // it is there already when the call goes on
	d.server.Resume()
	d.server.Continue(calls[0])
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("it is not told of a session that was opened meanwhile")
	}
	cancel()
	<-over
}

func TestWatchTellsWhatItHasBeforeItIsSuspended(t *testing.T) {
	d := startDaemon(t, nil)
	const sessions = 50
	call := &SuspendedCall{watch: d.sessions.Watch(session.WatchOptions{Types: []string{session.EventOpen}, Buffer: sessions})}
	for range sessions {
		d.connect("/", nil)
	}
	eventually(t, "all are open", func() bool { return len(call.watch.Events()) == sessions })
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(session.ErrSuspend)
	out := httptest.NewRecorder()
	c := &Call{Sessions: d.sessions, resumed: call, stream: newStreamWriter(out)}
	_, err := runWatch(ctx, c)
	var halted *suspension
	if !errors.As(err, &halted) {
		t.Fatalf("it ended with %v", err)
	}
	_ = c.flush()
	if n := strings.Count(out.Body.String(), `"type":"open"`); n != sessions {
		t.Errorf("of %d sessions %d were told", sessions, n)
	}
}
