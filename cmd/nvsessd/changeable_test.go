package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// A changeable is a daemon whose configuration is changed while it runs.
type changeable struct {
	*process
	path string // of the configuration
}

func changing(t *testing.T, conf string) changeable {
	t.Helper()
	args := configured(t, conf)
	p := launch(t, args)
	p.Logged("ready")
	return changeable{p, args[1]}
}

func (c changeable) url(path string) string {
	return "ws+unix://" + c.socket("nvsess.sock") + ":" + path
}

// write puts it in place as a whole: half a file is a configuration, too.
func (c changeable) write(conf string) {
	c.t.Helper()
	next := c.path + ".next"
	if err := os.WriteFile(next, []byte(conf), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(next, c.path); err != nil {
		c.t.Fatal(err)
	}
}

// tries has the configuration read again.
func (c changeable) tries(args any) (*admin.Reloaded, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	a, err := admin.NewClient(c.socket("admin.sock")).Call(ctx, "reload", args)
	if err != nil {
		return nil, err
	}
	var r admin.Reloaded
	if err := json.Unmarshal(a.Result, &r); err != nil {
		c.t.Fatal(err)
	}
	return &r, nil
}

// becomes changes the configuration, and wants those keys to be told with their
// effects.
func (c changeable) becomes(conf string, want ...string) {
	c.t.Helper()
	c.write(conf)
	r, err := c.tries(nil)
	if err != nil {
		var e *admin.Error
		_ = errors.As(err, &e)
		c.t.Fatalf("%v: %+v", err, e)
	}
	var got []string
	for _, x := range r.Changes {
		what := x.Key + " " + x.Effect
		if x.Content {
			what += " content"
		}
		got = append(got, what)
	}
	if !slices.Equal(got, want) || r.File != c.path || r.DryRun {
		c.t.Errorf("changes: %q, want %q; %+v", got, want, r)
	}
}

// refuses wants the configuration to be refused for problems with these texts, in
// this order.
func (c changeable) refuses(conf string, want ...string) {
	c.t.Helper()
	c.write(conf)
	c.isRefused(want...)
}

func (c changeable) isRefused(want ...string) {
	c.t.Helper()
	for _, args := range []any{nil, map[string]bool{"dry-run": true}} {
		_, err := c.tries(args)
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != admin.CodeBadConfig || len(e.Problems) != len(want) {
			c.t.Errorf("%v %+v, want %q", err, err, want)
			return
		}
		for i, p := range e.Problems {
			if !strings.Contains(p, want[i]) {
				c.t.Errorf("%s, want %s", p, want[i])
			}
		}
	}
}

// opens reports the status of a handshake: 101 when it succeeds.
func (c changeable) opens(path string, opts ...client.Option) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	x, err := client.Dial(ctx, c.url(path), opts...)
	var refused *client.HandshakeError
	switch {
	case err == nil:
		_ = x.CloseNow()
		<-x.Done()
		return 101
	case errors.As(err, &refused):
		return refused.Status
	}
	c.t.Fatal(err)
	return 0
}

func (c changeable) opensWith(want int, path string, opts ...client.Option) {
	c.t.Helper()
	if got := c.opens(path, opts...); got != want {
		c.t.Errorf("%s: %d, want %d", path, got, want)
	}
}

// get asks for a page, on a connection of its own.
func (c changeable) get(path string) (status int, body string) {
	c.t.Helper()
	b := browser(c.t, false, func() (net.Conn, error) { return net.Dial("unix", c.socket("nvsess.sock")) })
	defer b.CloseIdleConnections()
	resp, text := fetch(c.t, b, http.MethodGet, "http://localhost"+path, nil)
	return resp.StatusCode, string(text)
}

func (c changeable) gets(want int, path string) {
	c.t.Helper()
	if got, body := c.get(path); got != want {
		c.t.Errorf("%s: %d %s, want %d", path, got, body, want)
	}
}

// isClosedWith reads up to the daemon's close frame and wants its code.
func (m *mute) isClosedWith(t *testing.T, want int) {
	t.Helper()
	if code, reason := m.closeCode(t); code != want {
		t.Errorf("closed with %d %q, want %d", code, reason, want)
	}
}

const echoing = "mode = \"echo\"\n"

// takesEffect runs cases, by what is changed in them: what is live takes effect
// for sessions that are open, and what is for new sessions for those; nobody who
// is there loses his session for it.
func takesEffect(t *testing.T, cases map[string]func(t *testing.T)) {
	t.Helper()
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}
