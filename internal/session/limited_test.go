package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

// from is what a proxy says about a client.
func from(chain string) func(*dialing) { return withHeader("X-Forwarded-For: " + chain) }

// The address that counts is the one that the proxy saw, whatever the client
// claims; and without a proxy the peer's.
func TestLimitsGoByTheTrustedAddress(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.Admission = ws.Admission{SessionsPerAddress: 2} })
	h.dial(t, from("203.0.113.9, 192.0.2.1"))
	h.dial(t, from("203.0.113.8, 192.0.2.1"))
	status(t, h.knock(t, from("203.0.113.7, 192.0.2.1")), 429)
	status(t, h.knock(t, from("203.0.113.7"), from("192.0.2.1:4711")), 429)
	status(t, h.knock(t, from("192.0.2.1, 192.0.2.2")), 101)
	h.dial(t, withHeader("X-Real-IP: 192.0.2.3"))
	h.dial(t, withHeader("X-Real-IP: 192.0.2.3"))
	status(t, h.knock(t, withHeader("X-Real-IP: 192.0.2.3")), 429)
	for range 5 { // the proxy does not say
		h.dial(t)
		h.dial(t, from("unknown"))
	}
	for _, lie := range []string{"192.0.2.10", "192.0.2.11"} {
		h.dial(t, overTCP, from(lie))
	}
	status(t, h.knock(t, overTCP, from("192.0.2.12")), 429)
	if n := h.Stats().Limited["sessions_per_address"]; n != 4 {
		t.Errorf("counted %d", n)
	}
}

// Of a chain of trusted proxies the last address that is none of them counts.
func TestLimitsBehindSeveralProxies(t *testing.T) {
	h := start(t, func(o *Options) {
		o.TrustedProxies = []string{"127.0.0.1", "10.0.0.0/8"}
		o.WS.Admission = ws.Admission{SessionsPerAddress: 1, ConnectionsPerAddress: 1}
	})
	for _, chain := range []string{"192.0.2.1, 10.0.0.1", "192.0.2.2, 10.0.0.1", "192.0.2.3, 10.1.2.3, 10.0.0.1", "2001:db8::1, 10.0.0.1", "2001:db8:0:1::1"} {
		h.dial(t, overTCP, from(chain))
		status(t, h.knock(t, overTCP, from(chain)), 429)
	}
	status(t, h.knock(t, overTCP, from("2001:db8::2, 10.0.0.9")), 429)
	h.dial(t, from("192.0.2.1")) // a unix listener is not trusted here
	h.dial(t, from("192.0.2.1"))
}

// A handshake that waits for its verifiers has a place, and gives it back
// however the decision ends.
func TestUndecidedHandshakesCount(t *testing.T) {
	h := start(t, func(o *Options) {
		o.VerifyTimeout = 10 * patience
		o.WS.Admission = ws.Admission{SessionsPerAddress: 1, Sessions: 2}
	})
	g := make(gate, 10)
	h.SetVerifier("gate", g)
	me := from("192.0.2.1")
	for _, c := range []struct {
		decide func(*Handshake)
		want   int
	}{
		{func(s *Handshake) { s.Accept() }, 101},
		{func(s *Handshake) { s.Refuse(403, "") }, 403},
		{func(s *Handshake) { s.refuse(503, "its time has passed") }, 503},
	} {
		got := h.knock(t, me)
		shake := g.next(t)
		status(t, h.knock(t, me), 429)
		c.decide(shake)
		status(t, got, c.want)
		eventually(t, "the place is free", func() bool { return h.Stats().Connections == 0 })
	}
	c := h.raw(t, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	shake := g.next(t)
	c.Close()
	eventually(t, "the connection is gone", func() bool { return h.Stats().Connections == 0 })
	got := h.knock(t, me)
	g.next(t).Accept() // while nobody has decided about the one that left
	status(t, got, 101)
	shake.Accept()
	eventually(t, "all are gone", func() bool { st := h.Stats(); return st.Connections == 0 && st.Addresses == 0 })
	if len(g) != 0 {
		t.Error("asked about what was refused")
	}
	if n := h.Stats().Limited["sessions_per_address"]; n != 3 {
		t.Errorf("counted %d", n)
	}
}

// A session that sends nothing is closed; one that does, or that keepalive
// hears, is not.
func TestIdleSessionsAreClosed(t *testing.T) {
	h := start(t, func(o *Options) { o.Idle = 2500 * time.Millisecond; o.Mode = "echo" })
	silent, busy := h.dial(t), h.dial(t)
	closed := make(chan closeError, 1)
	go func() { closed <- silent.closed() }()
	for got := (closeError{}); got.code == 0; {
		busy.text("busy")
		busy.want(1, "busy")
		select {
		case got = <-closed:
			if got != (closeError{ws.CloseGoingAway, idleReason}) {
				t.Error(got)
			}
		default:
		}
	}
	if st := h.Stats(); st.Limited["idle"] != 1 || st.Sessions != 1 {
		t.Errorf("%+v", st)
	}
}

func TestIdleBesideKeepalive(t *testing.T) {
	h := start(t, keepalive(400*time.Millisecond, 10*time.Second), func(o *Options) { o.Idle = 2 * time.Second })
	alive, quiet := h.dial(t), h.dial(t)
	quiet.sess.StopKeepalive() // it is not pinged, and not spared either
	began := time.Now()
	closed := make(chan closeError, 1)
	go func() { closed <- quiet.closed() }()
	go func() {
		for {
			if _, s, err := alive.read(); err != nil {
				return
			} else if strings.Contains(s, "___ping___") {
				_ = alive.tryWrite(1, []byte(`{"___type___":"___pong___","___id___":"`+strings.Repeat("q", 64)+`","___data___":"1"}`))
			}
		}
	}()
	select {
	case got := <-closed:
		if got.code != ws.CloseGoingAway || time.Since(began) < 1900*time.Millisecond {
			t.Errorf("%v after %s", got, time.Since(began))
		}
	case <-time.After(patience):
		t.Fatal("never closed")
	}
	if st := h.Stats(); st.Sessions != 1 || st.Limited["idle"] != 1 {
		t.Errorf("%+v", st)
	}
}

// Too many unanswered requests fail at once, and are counted; others are
// answered.
func TestPendingRequestsAreCounted(t *testing.T) {
	h := start(t, func(o *Options) { o.MaxPending = 2 })
	p, other := h.dial(t), h.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := p.sess.Ask(ctx, json.RawMessage("1")); done <- err }()
		p.envelope("___sreq___")
	}
	for range 3 {
		if _, err := p.sess.Ask(ctx, json.RawMessage("1")); !errors.Is(err, ErrTooManyPending) {
			t.Error(err)
		}
	}
	go func() { _, err := other.sess.Ask(ctx, json.RawMessage("1")); done <- err }()
	w := other.envelope("___sreq___")
	other.text(`{"___type___":"___cres___","___id___":"` + w.ID + `","___data___":1}`)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := h.Stats().Limited["pending_requests"]; n != 3 {
		t.Errorf("counted %d", n)
	}
	cancel()
	<-done
	<-done
}

// Who ran into a limit is counted on in the next process.
func TestLimitsAreCountedOn(t *testing.T) {
	a, b := start(t), start(t)
	a.limited.requests.Add(1)
	a.limited.verifying.Add(2)
	a.limited.idle.Add(3)
	var state bytes.Buffer
	w := snapshot.NewWriter(&state)
	a.exportServer(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	b.importServer(snapshot.NewReader(state.Bytes()))
	if n := b.Stats().Limited; n["pending_requests"] != 1 || n["undecided_handshakes"] != 2 || n["idle"] != 3 {
		t.Error(n)
	}
}
