package session

import (
	"reflect"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/ws"
)

func at(path string) func(*dialing) { return func(o *dialing) { o.path = path } }

// withMounts serves one mount of each mode besides the top level's.
func withMounts(mode string) func(*Options) {
	limits := ws.Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 1024}
	return func(o *Options) {
		o.Mounts = []Mount{
			{Mode: mode, Mount: &ws.Mount{Limits: limits}},
			{Mode: ModeForward, Mount: &ws.Mount{Limits: limits, Paths: []string{"/forward/*", "/f"}}},
			{Mode: ModeEcho, Mount: &ws.Mount{Limits: limits, Paths: []string{"/echo"}, MaxConns: 2}},
			{Mode: ModeHandlers, Mount: &ws.Mount{Limits: limits, Paths: []string{"/handlers"}}},
		}
	}
}

func TestForwardReachesTheOtherSessionsOfTheMount(t *testing.T) {
	h := start(t, withMounts(ModeForward))
	top, other := h.dial(t, at("/")), h.dial(t, at("/elsewhere"))
	a, b, c := h.dial(t, at("/forward/1")), h.dial(t, at("/forward/2")), h.dial(t, at("/f"))
	echo := h.dial(t, at("/echo"))
	a.text("from a")
	for _, p := range []*peer{b, c} {
		p.want(gobwas.OpText, "from a")
	}
	for _, p := range []*peer{top, other, echo, a} {
		p.quiet()
	}
	top.text("from the top")
	other.want(gobwas.OpText, "from the top")
	b.leave()
	gone(t, b.sess)
	d := h.dial(t, at("/forward/3"))
	c.binary("from c")
	for _, p := range []*peer{a, d} {
		p.want(gobwas.OpBinary, "from c")
	}
	for _, p := range []*peer{top, c} {
		p.quiet()
	}
}

// What is registered is for the top level, and for the mounts whose mode leaves
// a kind to handlers.
func TestRegisteringLeavesOtherModesAlone(t *testing.T) {
	h := start(t, withMounts(ModeForward))
	top, echo, handlers, forward, forwarded := h.dial(t), h.dial(t, at("/echo")), h.dial(t, at("/handlers")), h.dial(t, at("/f")), h.dial(t, at("/f"))
	handlers.text("nobody handles it")
	handlers.quiet()

	set(t, h, KindString, HandlerEcho)
	for _, p := range []*peer{top, echo, handlers} {
		p.text("x")
		p.want(gobwas.OpText, "x")
	}
	forward.text("y")
	forward.quiet()
	forwarded.want(gobwas.OpText, "y")

	h.DisableForward()
	for _, p := range []*peer{top, handlers} {
		p.text("x")
		p.quiet()
	}
	echo.text("z")
	echo.want(gobwas.OpText, "z")
	forward.text("z")
	forwarded.want(gobwas.OpText, "z")
	if got := h.Mode(); got != ModeHandlers {
		t.Errorf("the top level's mode is %s", got)
	}
	want := map[string]MountStats{
		"default":    {Mode: ModeHandlers, Sessions: 1},
		"/forward/*": {Mode: ModeForward, Sessions: 2},
		"/echo":      {Mode: ModeEcho, Sessions: 1, Limit: 2},
		"/handlers":  {Mode: ModeHandlers, Sessions: 1},
	}
	if got := h.Stats().Mounts; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := forward.sess.Mount(); got != "/forward/*" {
		t.Errorf("a session says it is at %q", got)
	}
}

// Sessions that have left make room, whatever they left by.
func TestAMountHasSoManySessions(t *testing.T) {
	h := start(t, withMounts(ModeHandlers))
	for round := range 3 {
		a, b := h.dial(t, at("/echo")), h.dial(t, at("/echo"))
		for range 3 {
			if _, err := h.tryDial(at("/echo")); err == nil || !strings.Contains(err.Error(), "503") {
				t.Fatalf("a third session: %v", err)
			}
		}
		h.dial(t) // elsewhere there is room
		switch round {
		case 0:
			a.leave()
		case 1:
			a.write(gobwas.OpCode(3), nil) // it is failed
			a.closed()
		case 2:
			_ = a.sess.Close(ws.CloseGoingAway, "")
			a.closed()
		}
		gone(t, a.sess)
		eventually(t, "room for one", func() bool { return h.Stats().Mounts["/echo"].Sessions == 1 })
		c := h.dial(t, at("/echo"))
		b.leave()
		c.leave()
		gone(t, b.sess)
		gone(t, c.sess)
		eventually(t, "room for all", func() bool { return h.Stats().Mounts["/echo"].Sessions == 0 })
	}
	if n := h.Stats().Refused["503"]; n != 9 {
		t.Errorf("%d refusals counted", n)
	}
}

func TestModesOfMountsAreChecked(t *testing.T) {
	_, err := NewServer(Options{Mounts: []Mount{{Mode: "", Mount: &ws.Mount{}}, {Mode: "ecko", Mount: &ws.Mount{Paths: []string{"/"}}}}})
	if err == nil || !strings.Contains(err.Error(), `no such mode: "ecko"`) {
		t.Error(err)
	}
}
