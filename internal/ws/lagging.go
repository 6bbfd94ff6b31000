package ws

import (
	"sync"
	"time"

	"github.com/nvsess/nvsess/internal/timing"
)

// A connection lags while the kernel does not take what it is sent. Each loop
// has a table of those of its connections that do, so that who asks for the
// longest queues need not ask every connection; and of each at most one message
// at a time is timed, until the kernel has all of it. What the kernel takes at
// once costs nothing here: no clock is read.

// lagging is a loop's table.
type lagging struct {
	delivered timing.Histogram // of messages that had to wait

	mu    sync.Mutex // guards what follows; taken under connections' locks
	conns map[*Conn]timed
}

// timed is the message of a connection that is timed.
type timed struct {
	since time.Duration // on the server's clock: the kernel did not take it, or what was before it
	left  int           // unsent bytes up to its end; 0: none is timed
}

// States of Conn.lag.
const (
	lagNone  uint8 = iota
	lagWaits       // what it is sent waits
	lagTimed       // and of that one message is timed
)

// lagsLocked notes whether a connection lags after a write of n bytes.
func (c *Conn) lagsLocked(n int) {
	lags := c.out.size > 0
	if !lags && c.lag == lagNone {
		return
	}
	t := &c.loop.lagging
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.conns[c]
	if c.lag == lagTimed {
		if w.left -= n; w.left <= 0 {
			t.delivered.Observe(c.loop.srv.clock() - w.since)
			c.lag = lagWaits
		}
	}
	switch {
	case !lags:
		c.lag = lagNone
		delete(t.conns, c)
		return
	case c.lag == lagNone:
		if t.conns == nil {
			t.conns = make(map[*Conn]timed)
		}
		c.lag, w = lagTimed, timed{c.loop.srv.clock(), int(c.out.size)}
	}
	t.conns[c] = w
}

// timeLocked begins to time the message queued last, if its connection lags and
// none is being timed.
func (c *Conn) timeLocked() {
	if c.lag != lagWaits {
		return
	}
	c.lag = lagTimed
	t := &c.loop.lagging
	t.mu.Lock()
	t.conns[c] = timed{c.loop.srv.clock(), int(c.out.size)}
	t.mu.Unlock()
}

// untimeLocked gives up timing: messages were dropped, maybe the one.
func (c *Conn) untimeLocked() {
	if c.lag == lagTimed {
		c.lag = lagWaits
	}
}

// leftLocked is the end of a connection.
func (c *Conn) leftLocked() {
	if c.lag == lagNone {
		return
	}
	c.lag = lagNone
	t := &c.loop.lagging
	t.mu.Lock()
	delete(t.conns, c)
	t.mu.Unlock()
}

// Lagging lists the connections that the kernel does not take all for, in no
// order.
func (s *Server) Lagging() (list []*Conn) {
	for _, l := range s.loops {
		list = l.lagging.list(list)
	}
	return list
}

func (t *lagging) list(to []*Conn) []*Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.conns {
		to = append(to, c)
	}
	return to
}

// Delivery is how long messages took that had to wait, until the kernel had all
// of them: of each connection one at a time is timed.
func (s *Server) Delivery() (sum timing.Snapshot) {
	for _, l := range s.loops {
		sum.Add(l.lagging.delivered.Snapshot())
	}
	return sum
}
