package swarm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/bench/wire"
)

type connState uint8

const (
	stateClosed connState = iota
	stateConnecting
	stateUpgrading
	stateOpen
	stateClosing // a close frame came and is answered, or will be
)

// noCode is the code of a connection that ends without a close frame (RFC 6455,
// section 7.1.5).
const noCode = 1006

// conn is one connection. All that is counted for a session is in it, so that
// ten thousand of them are one array.
type conn struct {
	fd       int
	slot     uint32
	id       uint32 // never used again
	state    connState
	role     role
	writable bool   // waits for EPOLLOUT
	stalled  bool   // does not read
	out      []byte // not written yet
	in       wire.Decoder
	head     []byte // of the answer to its handshake, while that is not whole
	key      wire.Key
	session  string
	compress bool     // offers permessage-deflate
	z        *deflate // its state, where that was agreed on

	sent   uint64 // messages; each comes back
	echoes stream
	sentAt []int64 // of those that have not come back
	casts  stream
	member uint64 // the first broadcast that is for it for certain
	creqs  uint64 // requests sent, and those that have no answer
	pongs  uint64

	unanswered []uint64
	heldAnswer []byte // to an operator's request
	heldBytes  []byte // the rest of what it has begun to send
	handshake  *handshakeEnd

	code     int   // of the close frame that came
	expected int   // the code it is to be closed with
	reply    bool  // it has begun the closing handshake
	cut      bool  // the end came before it could answer a close frame
	lastSent int64 // when anything was written last, or asked of it
	atEvent  bool  // something was under way when the event began
	quiet    bool  // nothing was when the end came, since the event began
}

// handshakeEnd is what became of a handshake that was half done.
type handshakeEnd struct{ status int }

// busy tells whether anything is under way, in either direction.
func (c *conn) busy() bool {
	return c.sent != c.echoes.next || len(c.unanswered) > 0 || len(c.out) > 0 || len(c.heldAnswer) > 0 || len(c.heldBytes) > 0 ||
		c.in.Partial() || c.stalled || c.state != stateOpen
}

// isQuiet tells whether nothing of it has been under way since the event began.
// What a session compresses with a context is under way for as long as it is open:
// the rest cannot be understood without it.
func (s *Swarm) isQuiet(c *conn) bool {
	if c.z != nil && c.z.keepOut {
		return false
	}
	return !c.atEvent && c.lastSent < s.eventBegan && !s.casting && s.castEnded < s.eventBegan
}

// live tells whether a session is there to take part.
func (c *conn) live() bool { return c.state == stateOpen && c.expected == 0 }

// put queues a message and writes what the socket takes.
func (s *Swarm) put(c *conn, opcode byte, payload []byte) {
	if c.state != stateOpen {
		return
	}
	if len(c.heldBytes) > 0 { // it is within a frame or a message, and ends that first
		if c.role != roleLeaving {
			c.heldBytes = s.appendFrame(c, c.heldBytes, opcode, payload)
		}
		return
	}
	c.out = s.appendFrame(c, c.out, opcode, payload)
	s.flush(c)
}

// appendFrame encodes a message as the session's peer expects it.
func (s *Swarm) appendFrame(c *conn, dst []byte, opcode byte, payload []byte) []byte {
	if c.z != nil && opcode < wire.OpClose {
		from := len(dst)
		dst = wire.AppendFrame(dst, opcode, c.z.compress(payload))
		dst[from] |= wire.Compressed
		return dst
	}
	return wire.AppendFrame(dst, opcode, payload)
}

// flush writes what is queued; what the socket does not take waits for EPOLLOUT.
func (s *Swarm) flush(c *conn) {
	for len(c.out) > 0 && c.state != stateClosed {
		c.lastSent = s.now
		n, errno := wire.Write(c.fd, c.out)
		switch {
		case errno == unix.EAGAIN:
			s.watch(c, true)
			return
		case errno == unix.EINTR:
		case errno != 0:
			c.out = nil // its end is an event, and a close frame may come before it
			return
		case n == len(c.out):
			c.out = nil
		default:
			c.out = c.out[n:]
		}
	}
	if c.state != stateClosed {
		s.watch(c, false)
	}
}

// watch tells epoll whether to report room for writing.
func (s *Swarm) watch(c *conn, writable bool) {
	if c.writable != writable {
		c.writable = writable
		s.control(unix.EPOLL_CTL_MOD, c)
	}
}

func (s *Swarm) control(op int, c *conn) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(c.slot), Pad: int32(c.fd)}
	if c.writable {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(s.epfd, op, c.fd, &ev); err != nil {
		panic(fmt.Sprintf("epoll_ctl: %v", err)) // of a descriptor that is ours and open
	}
}

// receive reads what there is, up to the end of the connection if hungUp.
func (s *Swarm) receive(c *conn, hungUp bool) {
	for c.state != stateClosed && !c.stalled {
		n, errno := wire.Read(c.fd, s.buf)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return
		case errno != 0 || n == 0:
			s.ended(c)
			return
		}
		s.take(c, s.buf[:n])
		if n < len(s.buf) && !hungUp {
			return // a short read has emptied the socket; what comes after it is a new edge
		}
	}
}

func (s *Swarm) take(c *conn, b []byte) {
	if c.state == stateUpgrading {
		b = s.upgraded(c, b)
	}
	if c.state != stateOpen && c.state != stateClosing {
		return
	}
	s.current = c
	if err := c.in.Feed(b, s.deliver); err != nil {
		s.fault(&s.r.Corrupted, "session %d: %v", c.id, err)
		s.ended(c)
	}
}

// message sorts what arrived.
func (s *Swarm) message(c *conn, opcode byte, b []byte) error {
	if c.state == stateClosing {
		s.fault(&s.r.Corrupted, "session %d: opcode %#x after a close frame", c.id, opcode)
		return nil
	}
	switch opcode {
	case wire.OpPing:
		s.put(c, wire.OpPong, b)
		return nil
	case wire.OpPong:
		return nil
	case wire.OpClose:
		s.closing(c, b)
		return nil
	}
	if opcode&wire.Compressed != 0 {
		var err error
		if b, err = c.z.expand(b); err != nil {
			return err
		}
		opcode &^= wire.Compressed
	}
	switch {
	case isMessage(b):
		s.echoed(c, opcode, b)
	case opcode == wire.OpText && isCast(b):
		s.cast(c, b)
	case opcode == wire.OpText && isEnvelope(b):
		s.envelope(c, b)
	default:
		s.fault(&s.r.Corrupted, "session %d: opcode %#x, %d bytes, starts %.60q", c.id, opcode, len(b), b)
	}
	return nil
}
