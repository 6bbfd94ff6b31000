package session

import (
	"fmt"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// looked is a look that is not the one before.
func (h *host) looked() Top {
	h.tops.mu.Lock()
	h.tops.at = h.tops.at.Add(-topEvery)
	h.tops.mu.Unlock()
	return h.Top()
}

// Who is busy and who is slow is told from the others, whoever comes and goes
// between two looks.
func TestTop(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.QueueBytes = 1 << 20 })
	var peers []*peer
	for range 10 {
		peers = append(peers, h.dial(t))
	}
	if top := h.Top(); top.Seconds != 0 || len(top.Busiest)+len(top.Slowest) != 0 || len(top.Loops) != 2 {
		t.Errorf("at first: %+v", top)
	}
	peers[3].leave()
	gone(t, peers[3].sess)
	late := h.dial(t)
	for i := range 50 {
		peers[7].text(fmt.Sprint(i))
	}
	late.text("x")
	eventually(t, "the messages", func() bool { return h.Stats().TextIn == 51 })
	top := h.looked()
	if len(top.Busiest) != 2 || top.Busiest[0].Session != peers[7].sess || top.Busiest[1].Session != late.sess || top.Seconds <= 0 {
		t.Fatalf("%+v", top)
	}
	if x := top.Busiest[0]; x.In < 49/top.Seconds || x.In > 51/top.Seconds || x.Out != 0 || x.Bytes < x.In {
		t.Errorf("%+v in %v s", x, top.Seconds)
	}
	if again := h.Top(); again.Seconds != top.Seconds { // too soon: the same
		t.Errorf("%v, then %v", top.Seconds, again.Seconds)
	}
	if top = h.looked(); len(top.Busiest) != 0 {
		t.Errorf("busy without a message: %+v", top.Busiest)
	}
	for peers[5].sess.SendBinary(make([]byte, 10_000)) == Sent {
	}
	for peers[6].sess.SendBinary(make([]byte, 10_000)) == Sent {
	}
	peers[6].sess.SendBinary(make([]byte, 100_000))
	top = h.looked()
	if len(top.Slowest) != 2 || top.Slowest[0].Session != peers[6].sess || top.Slowest[1].Session != peers[5].sess || top.Slowest[0].Stats.Queued < 100_000 {
		t.Errorf("%+v", top.Slowest)
	}
	lagging := 0
	for _, l := range top.Loops {
		lagging += l.Lagging
	}
	if lagging != 2 {
		t.Errorf("%d lag", lagging)
	}
	h.tops.mu.Lock()
	h.tops.at = h.tops.at.Add(-topKeep)
	h.tops.mu.Unlock()
	h.tops.forget()
	if top := h.Top(); top.Seconds != 0 {
		t.Error("it was not forgotten")
	}
}

// Of many, those at the top are kept, the largest first.
func TestTopKeepsTheLargest(t *testing.T) {
	b := best{less: func(a, b *TopSession) bool { return a.In < b.In }}
	for i := range 10_000 {
		b.offer(TopSession{In: float64(i * 7919 % 10_000)})
	}
	list := b.list()
	if len(list) != maxTop {
		t.Fatal(len(list))
	}
	for i, x := range list {
		if x.In != float64(9999-i) {
			t.Fatalf("number %d is %v", i, x.In)
		}
	}
}

// BenchmarkTop is a look through many sessions.
func BenchmarkTop(b *testing.B) {
	h := start(b)
	p := h.dial(b)
	s := p.sess
	r := h.registry
	r.mu.Lock()
	for range 100_000 { // of one connection, but as many places in memory
		x := &Session{conn: s.conn, mount: s.mount, opened: time.Since(h.started)}
		r.order = append(r.order, x)
	}
	r.list = nil
	r.mu.Unlock()
	b.Cleanup(func() {
		r.mu.Lock()
		r.order, r.list = r.order[:1], nil
		r.mu.Unlock()
		p.write(gobwas.OpClose, nil)
	})
	for b.Loop() {
		h.looked()
	}
}
