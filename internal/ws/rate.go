package ws

import (
	"cmp"
	"time"
)

// Rates bounds how fast one peer may send, by two token buckets. A message is a
// data message or a control frame; bytes are all that is read after the
// handshake, as they come on the wire, and what a compressed message becomes. A
// rate of 0 is no limit.
//
// A connection remembers one time for each bucket, and the pass of its loop is
// the clock: what comes in one read comes at the same time.
type Rates struct {
	Messages     float64 // per second
	MessageBurst int     // those of a peer that was silent for a while; 0: as many as in a second
	Bytes        float64 // per second
	ByteBurst    int     // 0: as many as in a second
	Policy       RatePolicy
}

// RatePolicy says what happens to what comes too fast.
type RatePolicy uint8

const (
	RateDelay RatePolicy = iota // it is read later: nothing is lost, and the peer's own sending is slowed down
	RateDrop                    // data messages and pings are dropped
	RateClose                   // the connection is failed with 1008
)

// pace is Rates as they are reckoned with.
type pace struct {
	messages, bytes *bucket
	policy          RatePolicy
}

func newPace(r Rates) *pace {
	p := &pace{
		messages: newBucket(r.Messages, cmp.Or(r.MessageBurst, int(r.Messages))),
		bytes:    newBucket(r.Bytes, cmp.Or(r.ByteBurst, int(r.Bytes))),
		policy:   r.Policy,
	}
	if p.messages == nil && p.bytes == nil {
		return nil
	}
	return p
}

// flow is what a connection remembers of its buckets.
type flow struct {
	messages, bytes time.Duration
	wait            *wait // nil: it has not been made to wait for long
}

// receive takes what was read from an open or closing connection.
func (l *loop) receive(c *Conn, b []byte) {
	if p := c.mount.now().pace; p != nil && p.bytes != nil {
		f := &c.flow
		// What is dropped costs nothing, or a flood would be paid for long after
		// its end.
		c.excess = p.policy == RateDrop && p.bytes.debt(f.bytes, l.now) > 0
		if !c.excess {
			f.bytes = p.bytes.takeMany(f.bytes, l.now, len(b))
		}
		if p.policy == RateClose && c.state() == stateOpen && p.bytes.debt(f.bytes, l.now) > 0 {
			l.failRate(c)
			return
		}
	}
	l.feed(c, b)
	if c.in.p != nil || c.begun {
		l.note(c)
	}
}

// mustWait reports whether what follows may not be decoded now: b, and what
// comes then, waits until the buckets allow it; or the connection has ended.
func (l *loop) mustWait(c *Conn, m *Mount, b []byte) bool {
	switch c.state() {
	case stateOpen:
	case stateClosing:
		return false // what comes is thrown away but for the close frame
	default:
		c.in.Reset()
		return true
	}
	p, f := m.pace, &c.flow
	if p.policy != RateDelay {
		return false
	}
	d := max(p.messages.wait(f.messages, l.now), p.bytes.debt(f.bytes, l.now))
	if d == 0 {
		return false
	}
	// In steps of some messages, where the bucket holds them.
	if p.messages != nil {
		d = max(d, min(p.messages.depth, holdStep))
	}
	l.hold(c, b, d)
	return true
}

// charge takes a message's token, and reports whether the message passes.
func (l *loop) charge(c *Conn, m *Mount, ev *Event) bool {
	p, f := m.pace, &c.flow
	if c.state() != stateOpen || ev.Op == OpClose {
		return true
	}
	if p.policy != RateDelay && (c.excess || p.messages.wait(f.messages, l.now) > 0) {
		switch {
		case p.policy == RateClose:
			l.failRate(c)
			return false
		case ev.Op != OpPong: // nobody would answer twice; it costs next to nothing
			l.srv.count.limited.hits[limitDropped].Add(1)
			return false
		}
	}
	if p.messages != nil {
		f.messages = p.messages.take(f.messages, l.now)
	}
	if ev.Compressed && p.bytes != nil {
		f.bytes = p.bytes.takeMany(f.bytes, l.now, len(ev.Payload))
		if p.policy != RateDelay && p.bytes.debt(f.bytes, l.now) > 0 {
			// The rest of what was read may become a thousand times as much.
			if p.policy == RateClose {
				l.failRate(c)
				return false
			}
			c.excess = true
		}
	}
	return true
}

func (l *loop) failRate(c *Conn) {
	l.srv.count.limited.hits[limitRate].Add(1)
	l.fail(c, errRate)
}
