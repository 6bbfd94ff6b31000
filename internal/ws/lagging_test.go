package ws

import "testing"

// What the kernel takes at once is not timed; what it does not is, and its
// connection is known to lag until all of it has left.
func TestLagging(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{QueueBytes: 1 << 30})
		c := s.dial()
		conn := receive(t, "connection", open)
		if r := conn.Send(OpBinary, numbered(0, 1000)); r != Sent {
			t.Fatal(r)
		}
		c.number(1000)
		if d := s.Delivery(); d.Count() != 0 || len(s.Lagging()) != 0 {
			t.Fatalf("%d messages were timed, %d connections lag", d.Count(), len(s.Lagging()))
		}
		sent := 1
		for behind := 0; behind < 20; sent++ {
			if r := conn.Send(OpBinary, numbered(sent, 1000)); r == Queued {
				behind++
			} else if r != Sent {
				t.Fatal(r)
			}
		}
		if list := s.Lagging(); len(list) != 1 || list[0] != conn {
			t.Fatalf("%d connections lag", len(list))
		}
		queued := int64(0)
		for _, l := range s.LoopStats() {
			queued += l.Queued
			if l.Lagging > 0 && (l.Longest != l.Queued || l.Lagging != 1) {
				t.Errorf("%+v", l)
			}
		}
		if n := int64(conn.Stats().Queued); queued != n || n < 19*1000 {
			t.Errorf("%d bytes are queued, %d by the loops", n, queued)
		}
		for i := 1; i < sent; i++ {
			if n := c.number(1000); n != i {
				t.Fatalf("number %d instead of %d", n, i)
			}
		}
		eventually(t, "the end of the lag", func() bool { return len(s.Lagging()) == 0 })
		if d := s.Delivery(); d.Count() == 0 || d.Count() > 20 || d.Sum == 0 {
			t.Errorf("%d of 20 messages were timed, for %v", d.Count(), d.Sum)
		}
		// And once more: that one is timed, too.
		before, from := s.Delivery(), sent
		for r := Sent; r == Sent; sent++ {
			r = conn.Send(OpBinary, numbered(sent, 1000))
		}
		for range sent - from {
			c.number(1000)
		}
		eventually(t, "the next to be timed", func() bool { d := s.Delivery(); return d.Count() == before.Count()+1 })
	})
}

// A message that is dropped has not been delivered; a connection that is closed
// with a queue lags no more.
func TestLaggingDropped(t *testing.T) {
	for _, policy := range []SlowPolicy{SlowClose, SlowDropNewest, SlowDropOldest} {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, "unix", h, Options{QueueBytes: 50_000, Slow: policy})
		c := s.dial()
		conn := receive(t, "connection", open)
		for i := 0; conn.Stats().Dropped < 3; i++ {
			conn.Send(OpBinary, numbered(i, 1000))
		}
		if d := s.Delivery(); d.Count() != 0 || len(s.Lagging()) != 1 {
			t.Errorf("%d messages were timed, %d connections lag", d.Count(), len(s.Lagging()))
		}
		c.Close()
		h.end()
		eventually(t, "the end of the lag", func() bool { return len(s.Lagging()) == 0 })
		if d := s.Delivery(); d.Count() != 0 {
			t.Errorf("%d messages were timed that never left", d.Count())
		}
	}
}

// Loops tell how late they are, and a pass that does not end.
func TestLoopStats(t *testing.T) {
	h := newRecorder(t)
	stay, stuck := make(chan struct{}), make(chan struct{}, 1)
	h.message = func(*Batch, *Conn, OpCode, []byte) { stuck <- struct{}{}; <-stay }
	s := serve(t, "unix", h, Options{Loops: 1})
	c := s.dial()
	c.send(OpText, "x")
	receive(t, "the message", stuck)
	for last := s.LoopStats()[0].Under; ; {
		if now := s.LoopStats()[0].Under; now > 2*last && last > 0 {
			break // it goes on and on
		} else if last == 0 {
			last = now
		}
	}
	passes := s.LoopStats()[0].Late
	close(stay)
	eventually(t, "the pass's end", func() bool { l := s.LoopStats()[0]; return l.Under == 0 && l.Busy > 0 })
	l := s.LoopStats()[0]
	if passes.Count() == 0 || l.Conns != 1 || l.Lagging != 0 {
		t.Errorf("%+v", l)
	}
	// A message that came meanwhile waited for that pass.
	onLoop(t, s.loops[0], func() {})
	if now := s.LoopStats()[0].Late; now.Count() <= passes.Count() {
		t.Errorf("%d passes, then %d", passes.Count(), now.Count())
	}
}
