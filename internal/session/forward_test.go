package session

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/ws"
)

func forward(o *Options) { o.Mode = "forward" }

func TestForward(t *testing.T) {
	h := start(t, forward, func(o *Options) { o.WS.Fragmentation = ws.Fragmentation{Threshold: 1000} })
	var peers []*peer
	for range 5 {
		peers = append(peers, h.dial(t))
	}
	for i, m := range []struct {
		op gobwas.OpCode
		s  string
	}{
		{gobwas.OpText, "a string, ünïcode"}, {gobwas.OpText, `{"json": [1, 2 ] }`}, {gobwas.OpText, "{broken"}, {gobwas.OpText, ""},
		{gobwas.OpBinary, "\x00\xff binary"}, {gobwas.OpBinary, ""}, {gobwas.OpBinary, `{"___type___":"___ping___"}`},
		{gobwas.OpText, strings.Repeat("long ", 50_000)}, {gobwas.OpBinary, strings.Repeat("\xfe", 100_001)},
	} {
		sender := peers[i%len(peers)]
		sender.write(m.op, []byte(m.s))
		sender.quiet()
		for _, p := range peers {
			if p != sender {
				p.want(m.op, m.s)
			}
			p.quiet()
		}
	}
}

func TestEnvelopesAreNotForwarded(t *testing.T) {
	h := start(t, forward)
	p, other := h.dial(t), h.dial(t)
	for _, typ := range []string{"cfg", "pong", "creq", "sres", "sreq", "cres"} {
		p.text(fmt.Sprintf(`{"___type___":"___%s___","___id___":%q,"___data___":{}}`, typ, newID()))
		p.quiet()
		other.quiet()
	}
	p.text(`{"___type___":"___ping___"}`)
	p.envelope("___pong___")
	other.quiet()
	p.text(`{"___type___":"___other___"}`)
	other.want(gobwas.OpText, `{"___type___":"___other___"}`)
}

func TestForwardAlone(t *testing.T) {
	h := start(t, forward)
	p := h.dial(t)
	p.text("nobody hears")
	p.quiet()
}

// Every receiver gets each sender's messages in the order they were sent,
// though two loops write to it.
func TestForwardKeepsEachSendersOrder(t *testing.T) {
	const senders, messages = 6, 200
	h := start(t, forward)
	receiver := h.dial(t)
	var wg sync.WaitGroup
	var peers [senders]*peer
	for i := range peers {
		peers[i] = h.dial(t)
	}
	for i, p := range peers {
		wg.Go(func() {
			for n := range messages {
				if p.tryWrite(gobwas.OpText, fmt.Appendf(nil, "%d %d", i, n)) != nil {
					return
				}
			}
		})
		wg.Go(func() { // hears the others
			for range (senders - 1) * messages {
				if _, _, err := p.read(); err != nil {
					t.Errorf("sender %d: %v", i, err)
					return
				}
			}
		})
	}
	var next [senders]int
	for range senders * messages {
		_, s := receiver.next()
		var from, n int
		if _, err := fmt.Sscan(s, &from, &n); err != nil || n != next[from] {
			t.Fatalf("%q arrived, want message %d of it", s, next[from])
		}
		next[from]++
	}
	wg.Wait()
	if n := calls(h, KindString); n != senders*messages {
		t.Errorf("%d messages were handled, want %d", n, senders*messages)
	}
}

func TestEnableAndDisableForward(t *testing.T) {
	h := start(t)
	p, other := h.dial(t), h.dial(t)
	p.text("1")
	p.quiet()
	h.EnableForward()
	if h.Mode() != "forward" {
		t.Errorf("mode %s", h.Mode())
	}
	p.text("2")
	p.binary("3")
	other.want(gobwas.OpText, "2")
	other.want(gobwas.OpBinary, "3")
	h.DisableForward()
	if h.Mode() != "handlers" {
		t.Errorf("mode %s", h.Mode())
	}
	p.text("4")
	p.quiet()
	other.quiet()
}

func TestEchoMode(t *testing.T) {
	h := start(t, func(o *Options) { o.Mode = "echo" })
	p, other := h.dial(t), h.dial(t)
	for _, s := range []string{"text", `{"a": 1}`, `[`, "", "42"} {
		p.text(s)
		p.want(gobwas.OpText, s)
	}
	p.binary("\x00")
	p.want(gobwas.OpBinary, "\x00")
	p.text(`{"___type___":"___cres___","___id___":"x"}`)
	p.quiet()
	other.quiet()
	if h.Mode() != "echo" {
		t.Errorf("mode %s", h.Mode())
	}
}
