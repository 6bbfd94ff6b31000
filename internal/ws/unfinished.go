package ws

import "time"

// A message, once begun, has to become whole: a peer that sends a byte now and
// then would hold memory for ever, and keepalive takes every byte for life. It
// may take Options.MessageTimeout and a second for each KiB that has come of it,
// so that a slow line is not taken for an attack. The time in which the peer was
// held for sending too fast does not count.

// slowestRate is what a message has to come at, in bytes per second, beyond
// Options.MessageTimeout.
const slowestRate = 1 << 10

// unfinished is a loop's connections with a message that is not whole. Idle ones
// are not among them and cost nothing.
type unfinished struct {
	m    map[*Conn]begun
	most int           // of them since m was made
	look time.Duration // when to look for those that are over
}

type begun struct {
	since    time.Duration
	messages uint64 // what the connection had sent by then
}

// next is when the loop has to look.
func (u *unfinished) next() time.Duration {
	if len(u.m) == 0 {
		return never
	}
	return u.look
}

// note is called after bytes of c have been decoded.
func (l *loop) note(c *Conn) {
	u := &l.open
	switch {
	case l.srv.now().MessageTimeout <= 0:
		return
	case c.in.Idle():
		l.settled(c)
		return
	case c.begun && u.m[c].messages == c.messages.Load():
		return // the same message still
	}
	if u.m == nil {
		u.m = make(map[*Conn]begun)
	}
	if len(u.m) == 0 {
		u.look = l.now + l.sweepGap()
	}
	u.m[c] = begun{l.now, c.messages.Load()}
	u.most = max(u.most, len(u.m))
	c.begun = true
}

// settled: c has no message that is not whole.
func (l *loop) settled(c *Conn) {
	if !c.begun {
		return
	}
	c.begun = false
	u := &l.open
	delete(u.m, c)
	if len(u.m) == 0 && u.most > 1<<10 {
		u.m, u.most = nil, 0 // a rare flood's table should not be kept for ever
	}
}

// postpone gives c's message d more.
func (u *unfinished) postpone(c *Conn, d time.Duration) {
	if c.begun {
		b := u.m[c]
		b.since += d
		u.m[c] = b
	}
}

func (l *loop) sweepGap() time.Duration {
	return min(max(l.srv.now().MessageTimeout/8, wheelTick), 5*time.Second)
}

// sweep fails the connections whose messages took too long.
func (l *loop) sweep() {
	u := &l.open
	if l.now < u.next() {
		return
	}
	u.look = l.now + l.sweepGap()
	for c, b := range u.m {
		switch over := l.now - b.since - l.srv.now().MessageTimeout; {
		case c.state() != stateOpen: // its end has a deadline
			l.settled(c)
		case c.flow.wait.held():
		case over > time.Duration(c.in.Size())*(time.Second/slowestRate):
			l.settled(c)
			l.srv.count.limited.hits[limitMessageTime].Add(1)
			l.fail(c, ErrUnfinished)
		}
	}
}
