package session

import (
	"errors"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/ws"
)

// reloaded are options for a host whose mounts have these modes: the top level's
// and that of /m; "" leaves /m out.
func reloaded(top, m string, change ...func(*Options)) Options {
	limits := ws.Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 1024}
	opt := Options{Interval: 20 * time.Second, AskTimeout: 10 * time.Second, Mounts: []Mount{{Mode: top, Mount: &ws.Mount{Origins: []string{"*"}, Limits: limits}}}}
	if m != "" {
		opt.Mounts = append(opt.Mounts, Mount{Mode: m, Mount: &ws.Mount{Paths: []string{"/m"}, Origins: []string{"*"}, Limits: limits}})
	}
	for _, f := range change {
		f(&opt)
	}
	return opt
}

func (h *host) reload(t *testing.T, opt Options) {
	t.Helper()
	commit, err := h.Reload(opt)
	if err != nil {
		t.Fatal(err)
	}
	commit()
}

// A mode that changes is that of open sessions; what a backend handles stays its,
// and what was set at run time stays until the mode changes.
func TestReloadOfModes(t *testing.T) {
	h := start(t, func(o *Options) { *o = withServer(reloaded(ModeHandlers, ModeHandlers), o) })
	tables := func(want ...string) {
		t.Helper()
		for i, m := range h.handlers.mounts.Load().served {
			now := m.table.Load()
			if got := now[KindString].name + " " + now[KindJSON].name + " " + now[KindCreq].name; got != want[i] {
				t.Errorf("%s: %s, want %s", m.name, got, want[i])
			}
		}
	}
	js := newDesk(t, h, "js", KindJSON)
	tables("none js none", "none js none")
	h.reload(t, reloaded(ModeEcho, ModeForward))
	tables("echo js echo", "forward forward none")
	h.reload(t, reloaded(ModeHandlers, ModeHandlers))
	tables("none js none", "none js none")
	if err := h.SetHandler(KindString, HandlerForward); err != nil {
		t.Fatal(err)
	}
	h.reload(t, reloaded(ModeHandlers, ModeEcho))
	tables("forward js none", "echo echo echo")
	h.reload(t, reloaded(ModeHandlers, "")) // it is gone, and nobody is there
	if n := len(h.handlers.mounts.Load().gone); n != 1 {
		t.Errorf("%d mounts are kept in mind", n)
	}
	h.reload(t, reloaded(ModeEcho, ModeHandlers)) // another one by that name
	tables("echo js echo", "forward js none")
	h.RemoveBackend(js)
	tables("echo echo echo", "forward none none")
	if names := h.HandlerNames(KindJSON); len(names) != len(HandlerNames(KindJSON)) {
		t.Errorf("%q can be set", names)
	}
	h.reload(t, reloaded(ModeEcho, ""))
	h.reload(t, reloaded(ModeEcho, ""))
	if now := h.handlers.mounts.Load(); len(now.gone) != 0 || !now.served[0].alone.Load() {
		t.Errorf("%d mounts are kept in mind", len(now.gone))
	}
}

// withServer are options with what a host needs of its own.
func withServer(opt Options, host *Options) Options {
	opt.Log, opt.WS = host.Log, host.WS
	return opt
}

// What cannot be is refused, and nothing has changed.
func TestReloadIsRefused(t *testing.T) {
	h := start(t)
	was := h.now()
	for what, opt := range map[string]Options{
		"a mode that is none":           reloaded(ModeHandlers, "x"),
		"a proxy that is none":          reloaded(ModeEcho, "", func(o *Options) { o.TrustedProxies = []string{"x"} }),
		"keepalive without an interval": reloaded(ModeEcho, "", func(o *Options) { o.Keepalive, o.Interval = true, 0 }),
		"an origin that is none":        reloaded(ModeEcho, "", func(o *Options) { o.Mounts[0].Origins = []string{"x"} }),
	} {
		if _, err := h.Reload(opt); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	if _, err := h.Reload(reloaded(ModeEcho, "", func(o *Options) { o.Mounts[0].Auth = AuthRequired })); !errors.Is(err, errNoAuthenticator) {
		t.Errorf("%v", err)
	}
	if h.now() != was || h.Mode() != ModeHandlers {
		t.Error("something has changed")
	}
}
