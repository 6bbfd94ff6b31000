package ws

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// What all connections together hold of messages is bounded by Options.Memory:
// unsent messages, messages and handshakes that have come in part, and what is
// kept of those who are held for sending too fast. Each connection has bounds of
// its own, but their sum is that of all connections, and no machine has that.
//
// What is counted is memory, not messages: buffers by their capacity, and a
// message to many once, however many it waits for. Buffers below countedBits are
// not; a connection has three of them at most.
//
// When it is used up, the connections that hold most are closed, with 1013, until
// a quarter of it is free again, so that the others go on. Until that is done,
// and a quarter more is used, whoever holds something may not add to it.

// inUse is what the connections hold, in bytes. The buffers' pools are the
// process's, and so is this.
var inUse atomic.Int64

const (
	// countedBits is the class of the smallest buffers that are counted: 4 KiB.
	countedBits = 12
	// hog is what a connection holds at least that is closed for it.
	hog = 16 << 10
	// reliefPause is the time between two searches for those that hold most.
	reliefPause = 50 * time.Millisecond
)

// A holding is an encoded message that waits in queues, of which it is one
// allocation. A nil one is not counted.
type holding struct {
	queues atomic.Int32
	size   int
	gone   func() // called when the last queue has let go of it, if it is there
}

func newHolding(wire []byte) *holding {
	if len(wire) <= coalesce {
		return nil // copied where it waits
	}
	return &holding{size: cap(wire)}
}

func (h *holding) take() {
	if h != nil && h.queues.Add(1) == 1 {
		inUse.Add(int64(h.size))
	}
}

func (h *holding) release() {
	if h != nil && h.queues.Add(-1) == 0 {
		inUse.Add(-int64(h.size))
		if h.gone != nil {
			h.gone()
		}
	}
}

// short reports whether memory is used up; by a quarter more, then over.
func (s *Server) short() (short, over bool) {
	limit := s.now().Memory
	if limit <= 0 {
		return false, false
	}
	used := inUse.Load()
	return used > limit, used > limit+limit/4
}

// relieve has every loop close those of its connections that hold most, soon,
// and again for as long as memory is used up.
func (s *Server) relieve() {
	if !s.relieving.CompareAndSwap(false, true) {
		return
	}
	alive := false
	for _, l := range s.loops {
		alive = l.post(l.relieve) || alive
	}
	if !alive {
		return
	}
	time.AfterFunc(reliefPause, func() {
		s.relieving.Store(false)
		if short, _ := s.short(); short {
			s.relieve()
		}
	})
}

// relieve closes the loop's connections that hold most, until enough is free.
func (l *loop) relieve() {
	limit := l.srv.now().Memory
	type holder struct {
		c *Conn
		n int
	}
	var list []holder
	l.srv.table.each(func(c *Conn) {
		if c.loop == l {
			if n := c.holds(); n >= hog {
				list = append(list, holder{c, n})
			}
		}
	})
	slices.SortFunc(list, func(a, b holder) int { return cmp.Compare(b.n, a.n) })
	closed := 0
	for _, h := range list {
		if inUse.Load() <= limit-limit/4 {
			break
		}
		l.sacrifice(h.c)
		closed++
	}
	if closed > 0 && l.srv.shortWarned() {
		l.srv.log.Error("the memory for messages is used up: connections that hold most are closed", zap.Int64("limit_bytes", limit), zap.Int("closed", closed))
	}
}

// shortWarned reports whether it is time to say so again: once in burstGap.
func (s *Server) shortWarned() bool {
	now, last := int64(s.clock()), s.warnedShort.Load()
	return (last == 0 || now-last > int64(burstGap)) && s.warnedShort.CompareAndSwap(last, now)
}

// holds is what a connection holds, in bytes, as far as it can be told by its
// loop: of messages to many it counts its own part.
func (c *Conn) holds() int {
	n := c.head.size()
	if c.in.p != nil {
		n += c.in.p.message.size()
	}
	if w := c.flow.wait; w != nil {
		n += w.buf.size()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return n + int(c.out.size)
}

// bound ends or relieves a connection that has not got a whole message, when
// memory is used up.
func (l *loop) bound(c *Conn) {
	switch short, over := l.srv.short(); {
	case over && !c.gone() && c.holds() >= hog:
		l.sacrifice(c)
	case short:
		l.srv.relieve()
	}
}

// sacrifice closes a connection and frees what it holds.
func (l *loop) sacrifice(c *Conn) {
	count := &l.srv.count.sacrificed
	switch c.state() {
	case stateHandshake:
		count.Add(1)
		l.refuse(c, refuseMemory)
		return
	case stateDeciding:
		count.Add(1)
		l.decided(c, refuseMemory)
		return
	}
	c.mu.Lock()
	c.dropped += uint32(c.out.truncate())
	c.untimeLocked()
	open, begun := c.state() == stateOpen, !c.out.empty()
	if open { // else it has been counted for what ends it
		count.Add(1)
	}
	if c.end == nil && begun {
		c.end = &CloseInfo{Code: errNoMemory.Code, Reason: errNoMemory.Reason, Err: errNoMemory}
	}
	c.mu.Unlock()
	if !open || begun { // what it does not read would be in the way of the close frame
		l.destroy(c, errNoMemory)
		return
	}
	l.fail(c, errNoMemory)
	l.hurry(c)
}
