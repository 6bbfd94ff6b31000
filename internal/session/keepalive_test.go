package session

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

const (
	shortInterval = 300 * time.Millisecond
	shortGrace    = 200 * time.Millisecond
)

// A silent session is pinged at half the interval, again and with a ping frame
// at the whole, and closed when the grace is over.
func TestSilence(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(longInterval, shortGrace))
	p := h.dial(t)
	p.envelope("___cfg___")
	began := h.First().OpenedAt() // as the server sees it: this goroutine may come late
	if ping := p.envelope("___ping___"); string(ping.Data) != `"1500"` || !idPattern.MatchString(ping.ID) {
		t.Errorf("ping: %+v", ping)
	}
	between(t, "the first ping", began, longInterval/2)
	if p.pings != 0 {
		t.Error("a ping frame came with the first ping")
	}
	p.envelope("___ping___")
	between(t, "the last ping", began, longInterval)
	_, _, err := p.read()
	between(t, "the close", began, longInterval+shortGrace)
	if p.pings != 1 {
		t.Errorf("%d ping frames, want one with the last ping", p.pings)
	}
	if e, ok := err.(closeError); !ok || e.code != keepaliveCode || e.reason != keepaliveReason {
		t.Errorf("closed: %v", err)
	}
	if n := h.Stats().KeepaliveLost; n != 1 {
		t.Errorf("%d timeouts counted", n)
	}
}

// between checks that something happened at a time, within what a busy machine
// makes of it.
func between(t *testing.T, what string, began time.Time, at time.Duration) {
	t.Helper()
	if after := time.Since(began); after < at-40*time.Millisecond || after > at+10*time.Second {
		t.Errorf("%s came after %v, want %v", what, after, at)
	}
}

// longInterval is for peers that must be in time: on a machine that is busy with
// other tests, they may come late.
const longInterval = 1500 * time.Millisecond

// Whatever comes from the peer keeps the session, a frame nobody asked for too.
func TestAnythingRenews(t *testing.T) {
	for name, send := range map[string]func(p *peer){
		"a pong envelope": func(p *peer) { p.text(`{"___type___":"___pong___"}`) },
		"a string":        func(p *peer) { p.text("x") },
		"binary":          func(p *peer) { p.binary("x") },
		"a ping frame":    func(p *peer) { p.write(gobwas.OpPing, []byte("x")) },
		"a pong frame":    func(p *peer) { p.write(gobwas.OpPong, nil) },
		"part of a frame": func(p *peer) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, keepalive(longInterval, longInterval))
			p := h.dial(t)
			p.envelope("___cfg___")
			// A frame of which a byte at a time comes.
			long, _ := gobwas.CompileFrame(gobwas.MaskFrame(gobwas.NewTextFrame(make([]byte, 100))))
			began := h.First().OpenedAt()
			for i := 0; time.Since(began) < 2*longInterval+shortInterval; i++ {
				p.envelope("___ping___") // at most half an interval apart
				if send(p); name == "part of a frame" {
					if _, err := p.conn.Write(long[i : i+1]); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n := h.Stats().KeepaliveLost; n != 0 {
				t.Errorf("%d timeouts", n)
			}
			p.closed()
		})
	}
}

// The answer to the last ping comes in the grace.
func TestAnswerDuringGrace(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(longInterval, longInterval))
	p := h.dial(t)
	p.envelope("___cfg___")
	for range 2 {
		for p.pings = 0; p.pings == 0; {
			f, err := p.frame()
			if err != nil || f.Header.OpCode == gobwas.OpClose {
				t.Fatalf("%v %v", f.Header.OpCode, err)
			}
			if f.Header.OpCode == gobwas.OpPing {
				p.pings++
				p.write(gobwas.OpPong, f.Payload)
			}
		}
	}
	if n := h.Stats().KeepaliveLost; n != 0 {
		t.Errorf("%d timeouts", n)
	}
}

func TestWithoutGrace(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(shortInterval, 0))
	p := h.dial(t)
	p.envelope("___cfg___")
	began := h.First().OpenedAt() // as the server sees it
	p.envelope("___ping___")
	p.envelope("___ping___")
	if e := p.closed(); e.code != keepaliveCode {
		t.Errorf("%v", e)
	}
	between(t, "the close", began, shortInterval)
}

// A grace longer than the interval counts as the interval.
func TestLongGrace(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(shortInterval, time.Hour))
	p := h.dial(t)
	began := h.First().OpenedAt() // as the server sees it
	p.closed()
	between(t, "the close", began, 2*shortInterval)
}

func TestSilentSessionsAreKeptWithoutDrop(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(shortInterval/3, shortGrace), func(o *Options) { o.Drop = false })
	p := h.dial(t)
	p.envelope("___cfg___")
	began := h.First().OpenedAt()
	for range 20 {
		p.envelope("___ping___")
	}
	between(t, "the twentieth ping", began, 20*shortInterval/6)
	if n := h.Stats().KeepaliveLost; n != 0 || p.pings != 0 || !p.sess.Active() {
		t.Errorf("%d timeouts, %d ping frames, active: %v", n, p.pings, p.sess.Active())
	}
	p.quiet()
}

func TestNativePings(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(shortInterval, shortGrace), func(o *Options) { o.NativePings = true })
	p := h.dial(t)
	p.envelope("___cfg___")
	began := h.First().OpenedAt()
	f, err := p.frame()
	if err != nil || f.Header.OpCode != gobwas.OpPing {
		t.Fatalf("%v, %v", f.Header, err)
	}
	between(t, "the first ping", began, shortInterval/2)
	p.envelope("___ping___") // the last one goes both ways
	if e := p.closed(); e.code != keepaliveCode || p.pings != 1 {
		t.Errorf("%v after %d more ping frames", e, p.pings)
	}
}

// Nothing of a session's keepalive is left when it goes.
func TestKeepaliveEndsWithTheSession(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(shortInterval/3, shortGrace))
	for range 50 {
		p := h.dial(t)
		p.conn.Close()
		gone(t, p.sess)
	}
	p := h.dial(t)
	p.closed()
	if n := h.Stats().KeepaliveLost; n != 1 {
		t.Errorf("%d timeouts, want 1", n)
	}
}

// A loop that was kept from its work for longer than interval and grace (a
// stopped process, a suspended machine) must not forget its sessions.
func TestSilenceIsNoticedAfterAStall(t *testing.T) {
	t.Parallel()
	h := start(t, keepalive(shortInterval, shortGrace), func(o *Options) { o.WS.Loops = 1 })
	p := h.dial(t)
	p.envelope("___cfg___")
	ctx, cancel := context.WithTimeout(t.Context(), 2*(shortInterval+shortGrace))
	defer cancel()
	stall(h, ctx.Done())
	p.envelope("___ping___") // the last one
	if e := p.closed(); e.code != keepaliveCode {
		t.Errorf("%v", e)
	}
}

// stall keeps the loop of the newest session busy until done: the loop waits
// for the registry's lock when another session comes.
func stall(h *host, done <-chan struct{}) {
	h.registry.mu.Lock()
	defer h.registry.mu.Unlock()
	if c, err := net.Dial("unix", h.unix); err == nil {
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	}
	<-done
}
