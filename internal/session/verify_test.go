package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// A gate is a verifier that hands the handshakes to the test.
type gate chan *Handshake

func (g gate) Verify(h *Handshake) { g <- h }

// next waits for a handshake.
func (g gate) next(t *testing.T) *Handshake {
	t.Helper()
	select {
	case h := <-g:
		return h
	case <-time.After(patience):
		t.Fatal("nobody asks")
		return nil
	}
}

// A doorman is a verifier that decides at once.
type doorman func(h *Handshake)

func (d doorman) Verify(h *Handshake) { d(h) }

// knock dials beside the test and gives the status that it gets, 101 for a
// session.
func (h *host) knock(t *testing.T, change ...func(*dialing)) <-chan int {
	got := make(chan int, 1)
	go func() {
		p, err := h.tryDial(change...)
		var status gobwas.StatusError
		switch {
		case err == nil:
			p.conn.Close()
			got <- 101
		case errors.As(err, &status):
			got <- int(status)
		default:
			t.Error(err)
			got <- 0
		}
	}()
	return got
}

// status waits for it.
func status(t *testing.T, got <-chan int, want int) {
	t.Helper()
	select {
	case n := <-got:
		if n != want {
			t.Errorf("status %d, want %d", n, want)
		}
	case <-time.After(patience):
		t.Fatal("no answer comes")
	}
}

// undecided is the handshakes that are being decided about.
func (h *host) undecided() int64 { return h.verify.pending.Load() }

func TestVerifier(t *testing.T) {
	h := start(t)
	g := make(gate, 10)
	h.SetVerifier("gate", g)
	for _, c := range []struct {
		decide func(h *Handshake)
		want   int
	}{
		{func(h *Handshake) { h.Accept() }, 101},
		{func(h *Handshake) { h.Refuse(0, "") }, 403},
		{func(h *Handshake) { h.Refuse(401, "who are you?") }, 401},
		{func(h *Handshake) { h.Refuse(200, "") }, 403},
		{func(h *Handshake) { h.Refuse(600, "") }, 403},
		{func(h *Handshake) { h.Refuse(599, "") }, 599},
		{func(h *Handshake) { h.Accept(); h.Refuse(401, "") }, 101},
		{func(h *Handshake) { h.Refuse(404, ""); h.Accept(); h.Refuse(401, "") }, 404},
	} {
		got := h.knock(t, func(o *dialing) { o.path = "/x?user=ada" }, withHeader("Cookie: a=b"))
		shake := g.next(t)
		if n := h.undecided(); n != 1 {
			t.Errorf("%d undecided", n)
		}
		if r := shake.Request(); r.ResourceURL.Query.Get("user")[0] != "ada" || r.Cookies[0] != (Cookie{"a", "b"}) {
			t.Errorf("%+v", r)
		}
		c.decide(shake)
		status(t, got, c.want)
		if n := h.undecided(); n != 0 {
			t.Errorf("%d undecided", n)
		}
	}
	h.SetVerifier("gate", nil)
	h.SetVerifier("never there", nil)
	status(t, h.knock(t), 101)
	if len(g) != 0 {
		t.Error("a verifier that was removed is asked")
	}
}

// What the client is told is the verifier's sentence.
func TestVerifierDetail(t *testing.T) {
	h := start(t)
	h.SetVerifier("doorman", doorman(func(h *Handshake) { h.Refuse(402, "pay first") }))
	answer := h.http(t, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if answer.StatusCode != 402 || answer.body != "pay first\n" {
		t.Errorf("%d %q", answer.StatusCode, answer.body)
	}
}

// All verifiers must accept, one after the other in the order in which they were
// set; who accepts twice does not decide for the next.
func TestVerifierChain(t *testing.T) {
	h := start(t)
	first, second, third := make(gate, 10), make(gate, 10), make(gate, 10)
	h.SetVerifier("first", first)
	h.SetVerifier("second", doorman(func(*Handshake) { t.Error("it was replaced") }))
	h.SetVerifier("third", third)
	h.SetVerifier("second", second) // goes to the end
	got := h.knock(t)
	one := first.next(t)
	one.Accept()
	three := third.next(t)
	one.Accept()
	one.Refuse(401, "")
	if len(second) != 0 || h.undecided() != 1 || h.Len() != 0 {
		t.Fatal("decided by whose turn is over")
	}
	three.Accept()
	two := second.next(t)
	h.SetVerifier("first", nil)
	if two.Request().Host != "localhost" {
		t.Error(two.Request().Host)
	}
	two.Accept()
	status(t, got, 101)

	got = h.knock(t)
	third.next(t).Refuse(404, "")
	status(t, got, 404)
	if len(first)+len(second) != 0 {
		t.Error("asked after a refusal")
	}
	if n := h.undecided(); n != 0 {
		t.Errorf("%d undecided", n)
	}
}

// Of many decisions at once one counts.
func TestVerifierDecidesAtOnce(t *testing.T) {
	h := start(t)
	g := make(gate, 10)
	h.SetVerifier("gate", g)
	h.SetVerifier("doorman", doorman(func(h *Handshake) { h.Accept() }))
	for range 50 {
		got := h.knock(t)
		shake := g.next(t)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				if i%2 == 0 {
					shake.Accept()
				} else {
					shake.Refuse(401, "")
				}
			})
		}
		wg.Wait()
		if n := <-got; n != 101 && n != 401 {
			t.Errorf("status %d", n)
		}
		if n := h.undecided(); n != 0 {
			t.Errorf("%d undecided", n)
		}
	}
}

// Who does not decide in time has decided: no.
func TestVerifierDeadline(t *testing.T) {
	h := start(t, func(o *Options) { o.VerifyTimeout = 50 * time.Millisecond })
	g, after := make(gate, 10), make(gate, 10)
	h.SetVerifier("gate", g)
	h.SetVerifier("after", after)
	got := h.knock(t)
	shake := g.next(t)
	status(t, got, 503)
	shake.Accept()
	got = h.knock(t) // the second has what the first left
	shake = g.next(t)
	shake.Accept()
	last := after.next(t)
	status(t, got, 503)
	last.Accept()
	eventually(t, "it is settled", func() bool { return h.undecided() == 0 })
	if h.Len() != 0 || len(after) != 0 {
		t.Errorf("%d sessions, %d asked", h.Len(), len(after))
	}
	if n := strings.Count(h.log.String(), "nobody decided"); n != 2 {
		t.Errorf("logged %d times: %s", n, h.log)
	}
}

func TestTooManyHandshakes(t *testing.T) {
	h := start(t, func(o *Options) { o.MaxVerifying = 1 })
	g := make(gate, 10)
	h.SetVerifier("gate", g)
	last := h.knock(t)
	shake := g.next(t)
	answer := h.http(t, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") != "1" || len(g) != 0 {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
	shake.Accept()
	status(t, last, 101)
	if n := h.Stats().Limited["undecided_handshakes"]; n != 1 {
		t.Errorf("counted %d", n)
	}
	if n := h.undecided(); n != 0 {
		t.Errorf("%d undecided", n)
	}
}

// A peer that leaves while it is being decided about leaves nothing behind.
func TestPeerLeavesWhileItIsDecided(t *testing.T) {
	h := start(t)
	g := make(gate, 10)
	h.SetVerifier("gate", g)
	desk := newDesk(t, h, "desk", KindOpen, KindClose)
	for _, decide := range []func(*Handshake){func(s *Handshake) { s.Accept() }, func(s *Handshake) { s.Refuse(403, "") }} {
		c := h.raw(t, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		shake := g.next(t)
		c.Close()
		eventually(t, "the connection is gone", func() bool { return h.Stats().Connections == 0 })
		if shake.Request().Host != "x" {
			t.Error("its request is gone, too")
		}
		decide(shake)
	}
	if h.undecided() != 0 || h.Len() != 0 || len(desk.calls) != 0 {
		t.Errorf("%d undecided, %d sessions, %d events", h.undecided(), h.Len(), len(desk.calls))
	}
	got := h.knock(t)
	g.next(t).Accept()
	status(t, got, 101)
	desk.want(t, "open")
	desk.want(t, "close")
}

// The transport's own rules come first.
func TestVerifierIsNotAskedInVain(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.Mounts[0].Paths = []string{"/ws"} })
	h.SetVerifier("doorman", doorman(func(h *Handshake) { t.Error("asked"); h.Accept() }))
	status(t, h.knock(t, func(o *dialing) { o.path = "/else" }), http.StatusNotFound)
	for _, junk := range []string{"GET / HTTP/1.1\r\n\r\n", "POST /ws HTTP/1.1\r\nHost: x\r\n\r\n"} {
		if answer := h.http(t, junk); answer.StatusCode < 400 {
			t.Error(fmt.Sprint(answer.StatusCode))
		}
	}
}
