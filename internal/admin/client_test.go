package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// The kernel takes connections for a daemon that is stopped.
func TestSilentDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln := listen(t, path)
	defer ln.Close()
	c := NewClient(path)
	c.patience = 20 * time.Millisecond
	for _, name := range []string{"version", "send_jrr_sreq", "watch"} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := c.Call(ctx, name, nil)
		cancel()
		var silent *NotReachableError
		if !errors.As(err, &silent) || err.Error() != "nvsessd at "+path+" took the connection but does not answer: it is still starting, or stuck; its log says more" {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	c.patience = patience
	if _, err := c.Call(ctx, "version", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own end: %v", err)
	}
}

// What the daemon has taken may last as long as the command does. The time is a bubble's: its hour passes at once.
func TestPatienceWithATakenCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := pipeListener{make(chan net.Conn), make(chan struct{})}
		taken := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // asks for it: 100 Continue
			select {
			case <-time.After(time.Hour):
				_, _ = io.WriteString(w, "7")
			case <-r.Context().Done():
			}
		})}
		go taken.Serve(ends)
		defer taken.Close()
		c := NewClient("pipe")
		c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			ends.conns <- far
			return near, nil
		}
		if a, err := c.Call(t.Context(), "send_jrr_sreq", nil); err != nil || string(a.Result) != "7" {
			t.Errorf("a command without a bound: %s, %v", a.Result, err)
		}
		begun := time.Now()
		if _, err := c.Call(t.Context(), "version", nil); !errors.Is(err, errSilent) || time.Since(begun) != workTimeout {
			t.Errorf("a command that is stuck: %v after %s", err, time.Since(begun))
		}
	})

	for name, want := range map[string]time.Duration{"version": workTimeout, "watch": workTimeout, "ping": 0, "send_jrr_sreq": 0} {
		if got := workTime(name, nil); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := workTime("ping", Args{map[string]any{"timeout": time.Second}}); got != time.Second+waitMargin {
		t.Errorf("ping with a timeout: %s", got)
	}
}

// pipeListener accepts the ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error   { close(l.closed); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
