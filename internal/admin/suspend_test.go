package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

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
