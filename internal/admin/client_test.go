package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
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

// A daemon that is none, or is broken, costs its caller little memory and little time.
func TestHostileDaemon(t *testing.T) {
	endless := func(w http.ResponseWriter, part string) {
		for {
			if _, err := io.WriteString(w, part); err != nil {
				return
			}
		}
	}
	answers := map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, r *http.Request) { endless(w, strings.Repeat(" ", 1000)) },
		"endless error": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			endless(w, strings.Repeat("x", 1000))
		},
		"declared huge": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000000000000")
			endless(w, "{")
		},
		"many headers": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", strings.Repeat("x", 20<<20)) },
		"says no more": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"cut": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		},
		"to itself": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		},
		"terminal codes": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "\x1b]0;mine\a\x1b[2J")
		},
		"error": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"error":{"code":"x"}}`)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a")
			hostile := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w, r)
			})}
			served := make(chan error, 1)
			ln := listen(t, path)
			go func() { served <- hostile.Serve(ln) }()
			defer func() { hostile.Close(); <-served }()
			c := NewClient(path)
			c.largest = 1 << 20
			c.patience = patience
			if name == "says no more" {
				c.patience = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
			defer cancel()
			_, err := c.Call(ctx, "stats", nil)
			if err == nil || ctx.Err() != nil || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x1b\a") {
				t.Errorf("a call: %.2000q", err)
			}
			c.patience = patience
			if name == "says no more" {
				return // a stream may be silent
			}
			_, err = c.Stream(ctx, "watch", nil, nil, func(*Line) error { return nil })
			if err == nil || ctx.Err() != nil || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x1b\a") {
				t.Errorf("a stream: %.2000q", err)
			}
		})
	}
}
