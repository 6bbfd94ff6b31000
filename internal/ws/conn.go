package ws

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is one connection. Idle, it is this struct and nothing else: it holds
// no goroutine, no buffer and no timer object.
//
// Send, SendFrame, Ping, Close and the getters may be called from any
// goroutine. SetTimer may be called only from the handler's methods for this
// connection.
type Conn struct {
	loop  *loop  // immutable
	peer  *Peer  // immutable; shared by all connections of a unix listener
	mount *Mount // set once, by the loop, when the request is judged

	// Owned by the loop.
	in       Decoder
	timer    timer
	head     *buffer  // the handshake as far as it came; nil before and after
	opened   bool     // the handler has been told of it, and not yet of its end
	admitted bool     // it has a session's place
	counted  bool     // among its address's connections
	excess   bool     // what was read last came too fast, and is dropped
	begun    bool     // a message of it is in loop.unfinished
	served   bool     // it was lent for an earlier request
	shut     bool     // the write side is, after a last answer
	ending   bool     // the deadline in the wheel is that of the end
	lingered int32    // bytes thrown away
	gen      int32    // immutable; tells the descriptor's users apart: the end of the key
	place    *address // whose place it takes; nil: not known, yet or at all
	flow     flow

	// Written by the loop, read by anybody.
	data     any
	protocol *string      // nil: none
	codec    *codec       // nil: without compression
	lastRead atomic.Int64 // loop clock, nanoseconds
	messages atomic.Uint64
	bytes    atomic.Uint64
	life     atomic.Uint32 // a connState, and tracedBit; written under mu
	lap      uint32        // immutable; the beginning of the key, see keep.go (here it fills a gap)

	mu      sync.Mutex // guards what follows; a leaf
	out     outbound
	end     *CloseInfo // how it ended or is ending; set once
	sentMsg uint64
	sentB   uint64
	dropped uint32
	fd      int32 // -1 once closed
	dirty   bool  // some batch will flush it
	starved bool  // the kernel was short of memory; its loop tries again by the clock
	armed   bool  // the kernel's buffer is full; epoll tells when there is room (or starved)
	broken  bool  // a write failed; the loop will see the socket's end
	held    bool  // nothing is read from it for the time being, see flow.go
	late    bool  // immutable; accepted while the server drained (here it fills a gap)
	lag     uint8 // whether what it is sent waits, see lagging.go
}

// connState is where a connection is in its life. States only go forward, but
// for a connection that was lent, which begins again.
type connState uint8

const (
	stateHandshake connState = iota // collecting the request
	stateDeciding                   // the request is whole, its answer deferred
	stateLent                       // others answer the request, see loan.go
	stateOpen
	stateClosing  // our close frame is queued or sent; the peer's is awaited
	stateFlushing // both close frames exist; what is queued has still to leave
	stateFailing  // a last answer is queued; then the write side is shut and input thrown away
	stateClosed   // the descriptor is gone
)

func (c *Conn) state() connState            { return connState(c.life.Load()) }
func (c *Conn) setStateLocked(st connState) { c.life.Store(c.life.Load()&tracedBit | uint32(st)) }

// CloseInfo tells a handler how a connection ended.
type CloseInfo struct {
	Code   int    // as npm websocket and browsers report it; CloseAbnormal without a close frame
	Reason string // untrusted when Remote
	Remote bool   // the peer began
	Clean  bool   // close frames went both ways
	Err    error  // what made us fail it, or the socket's error; nil otherwise
}

// SendResult is what became of a message.
type SendResult uint8

const (
	Sent   SendResult = iota // the kernel has all of it
	Queued                   // in the connection's queue, wholly or in part
	Slow                     // dropped, or the connection is being closed, by the slow consumer policy
	Gone                     // the connection is not open
)

func (r SendResult) String() string {
	return [...]string{"sent", "queued", "slow", "gone"}[r]
}

// SlowPolicy says what happens to a connection whose queue is full.
type SlowPolicy uint8

const (
	SlowClose      SlowPolicy = iota // close it with 1013
	SlowDropNewest                   // drop the message that does not fit
	SlowDropOldest                   // drop from the front of the queue what makes room
)

// ConnStats counts what a connection has carried. Messages are data messages;
// bytes are payload bytes in and wire bytes out. Out is what was taken for
// sending; what the slow consumer policy then took from the queue again counts
// in Dropped as well.
type ConnStats struct {
	MessagesIn, BytesIn   uint64
	MessagesOut, BytesOut uint64
	Dropped               uint64
	Queued                int // bytes waiting for the peer to read
}

// SetData attaches the handler's own value, in place of the one before. It is
// called from Check and Open only.
func (c *Conn) SetData(v any) { c.data = v }

// Data returns the value given to SetData.
func (c *Conn) Data() any { return c.data }

// Peer is the address at the other end of the socket: a proxy's, maybe.
func (c *Conn) Peer() Peer { return *c.peer }

// Mount is what the connection's path belongs to. Nil before [Handler.Check].
func (c *Conn) Mount() *Mount { return c.mount }

// Subprotocol is the negotiated subprotocol, or "".
func (c *Conn) Subprotocol() string {
	if c.protocol == nil {
		return ""
	}
	return *c.protocol
}

// IdleFor is the time since the peer last sent anything at all. While the
// process stands still, nobody's silence grows, and nor does that of a peer that
// is not listened to, for sending too fast.
func (c *Conn) IdleFor() time.Duration {
	return max(0, c.loop.clock()-time.Duration(c.lastRead.Load()))
}

// LastReceived is when the peer last sent anything at all, on a clock that only
// tells two such times apart. It is never 0.
func (c *Conn) LastReceived() time.Duration { return time.Duration(c.lastRead.Load()) }

// Open reports whether messages can be sent.
func (c *Conn) Open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state() == stateOpen && !c.broken
}

// Stats returns the counters.
func (c *Conn) Stats() ConnStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ConnStats{
		MessagesIn: c.messages.Load(), BytesIn: c.bytes.Load(),
		MessagesOut: c.sentMsg, BytesOut: c.sentB,
		Dropped: uint64(c.dropped), Queued: int(c.out.size),
	}
}

// SetTimer makes the handler's Timer method be called once after d, in steps of
// 16 ms; a later call replaces an earlier one. d <= 0 stops it. It does nothing
// once the connection is ending: that has a deadline of its own.
func (c *Conn) SetTimer(d time.Duration) {
	if c.state() != stateOpen {
		return
	}
	if d <= 0 {
		c.loop.wheel.stop(c)
		return
	}
	c.loop.arm(c, d)
}

// TimerLeft is the time until the Timer method is called, or 0 when it will not
// be. Like SetTimer it is only for the handler's methods.
func (c *Conn) TimerLeft() time.Duration {
	if c.timer.slot == 0 || c.state() != stateOpen {
		return 0
	}
	return max(0, time.Duration(c.timer.due)*wheelTick-c.loop.now)
}

// Send sends a data message now, without waiting: what the kernel does not take
// is queued. The payload is copied if need be.
func (c *Conn) Send(op OpCode, payload []byte) SendResult {
	return c.SendFrame(c.loop.srv.NewFrame(op, payload))
}

// SendFrame sends an encoded message now, without copying it.
func (c *Conn) SendFrame(f Frame) SendResult {
	plain := f
	f = f.forConn(c)
	c.mu.Lock()
	r, ok := c.admitLocked(len(f.wire))
	if ok {
		c.pushLocked(f, c.loop)
		r = c.writeNowLocked()
	}
	c.mu.Unlock()
	if c.traced() {
		c.traceFrame(plain, r)
	}
	return r
}

// Ping sends a ping frame now; its payload is at most 125 bytes. The handler's
// Pong method is given what the peer answers.
func (c *Conn) Ping(payload []byte) SendResult {
	wire := appendFrame(make([]byte, 0, 2+len(payload)), OpPing, true, payload[:min(len(payload), maxControl)])
	c.mu.Lock()
	r, ok := c.admitLocked(len(wire))
	if ok {
		c.out.pushFrame(Frame{wire: wire})
		r = c.writeNowLocked()
	}
	c.mu.Unlock()
	if c.traced() {
		c.traceFrame(Frame{wire: wire}, r)
	}
	return r
}

// admitLocked decides whether a message of n bytes may be queued; when not, the
// result says why.
func (c *Conn) admitLocked(n int) (SendResult, bool) {
	if c.state() != stateOpen || c.broken {
		return Gone, false
	}
	opt := c.loop.srv.now()
	limit := opt.QueueBytes
	if c.out.size >= hog {
		if short, over := c.loop.srv.short(); short {
			c.loop.srv.relieve()
			if over {
				limit = 0
			}
		}
	}
	if c.out.empty() || int(c.out.size)+n <= limit {
		return 0, true
	}
	if !c.armed {
		// Only what this pass has gathered is in the way; the peer is not to
		// blame before the kernel has refused it.
		c.writeLocked()
		if c.broken {
			return Gone, false
		}
		if c.out.empty() || int(c.out.size)+n <= limit {
			return 0, true
		}
	}
	l := c.loop
	switch opt.slowPolicy(c) {
	case SlowDropNewest:
		c.dropped++
		l.srv.count.dropped.Add(1)
		return Slow, false
	case SlowDropOldest:
		k := c.out.dropOldest(max(0, limit-n))
		c.untimeLocked()
		c.dropped += uint32(k)
		l.srv.count.dropped.Add(uint64(k))
		if c.out.empty() || int(c.out.size)+n <= limit {
			return 0, true
		}
		c.dropped++
		l.srv.count.dropped.Add(1)
		return Slow, false
	default:
		k := c.out.truncate()
		c.untimeLocked()
		c.dropped += uint32(k) + 1
		l.srv.count.dropped.Add(uint64(k) + 1)
		l.srv.count.slow.Add(1)
		c.failLocked(errSlowConsumer)
		l.post(func() { l.failedSlow(c) })
		return Slow, false
	}
}

// pushLocked queues an admitted frame. by is the loop that counts it.
func (c *Conn) pushLocked(f Frame, by *loop) {
	f = c.inContextLocked(f)
	c.out.pushFrame(f)
	if len(f.wire) == 0 { // the zero Frame
		return
	}
	c.countOutLocked(by, OpCode(f.wire[0]&0x0f), len(f.wire))
	if f.wire[0]&rsv1 != 0 {
		by.traffic.deflated.Add(1)
	}
}

func (c *Conn) countOutLocked(by *loop, op OpCode, n int) {
	by.traffic.out.count(op, n)
	c.timeLocked()
	c.sentMsg++
	c.sentB += uint64(n)
}

// writeNowLocked writes unless somebody else is about to or the kernel is full.
func (c *Conn) writeNowLocked() SendResult {
	if !c.armed && !c.dirty {
		c.writeLocked()
	}
	switch {
	case c.broken:
		return Gone
	case c.out.empty():
		return Sent
	}
	return Queued
}

// flush is the end of a batch. It reports whether the loop has to take a step.
func (c *Conn) flush() (after bool) {
	c.mu.Lock()
	c.dirty = false
	if !c.armed {
		c.writeLocked()
	}
	after = c.afterWriteLocked()
	c.mu.Unlock()
	return after
}

// writeLocked gives the kernel what it takes, and asks to be told when it has
// room for the rest.
func (c *Conn) writeLocked() {
	if store := c.loop.srv.opt.Store; store != nil && c.fd >= 0 {
		store.SetOut(c.fd, 1)
		defer c.noteOutLocked(store, c.fd)
	}
	sent := 0
	for c.out.size > 0 && c.fd >= 0 && !c.broken {
		n, all, err := sendQueue(c.fd, &c.out)
		if err != 0 {
			if err == errIntr {
				continue
			}
			if err == errAgain {
				break
			}
			if scarce(err) {
				c.lagsLocked(sent)
				c.starveLocked()
				return
			}
			// Reading goes on, for the peer's last words may have come; but a
			// peer that has only stopped reading would never end by itself.
			c.broken = true
			c.out.clear()
			c.untimeLocked()
			shutdownBoth(c.fd)
			break
		}
		c.out.sent(n)
		sent += n
		if !all {
			break
		}
	}
	if c.fd < 0 {
		return
	}
	c.lagsLocked(sent)
	if c.out.size >= hog {
		if short, _ := c.loop.srv.short(); short {
			c.loop.srv.relieve()
		}
	}
	if want := c.out.size > 0; want != c.armed {
		c.armed = want
		if c.loop.poll.modify(c.fd, c.gen, !c.held, want) != 0 {
			c.starveLocked()
		}
	}
}

// afterWriteLocked reports whether the connection's loop has to take a step
// because all that was queued has left.
func (c *Conn) afterWriteLocked() bool {
	return (c.state() == stateFlushing || c.state() == stateFailing) && (c.out.empty() || c.broken)
}
