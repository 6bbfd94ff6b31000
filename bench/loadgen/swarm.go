package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/bench/wire"
)

var (
	errDropped = errors.New("the server closed a connection")
	errStalled = errors.New("the server went silent with messages under way")
)

type connState uint8

const (
	stateClosed connState = iota
	stateConnecting
	stateUpgrading
	stateOpen
)

// conn is one client connection. Everything a scenario counts per connection
// is in it, so that ten thousand of them are one array.
type conn struct {
	fd       int
	id       uint32
	state    connState
	writable bool   // waiting for EPOLLOUT
	key      uint32 // which handshake key it sent
	out      []byte // not written yet
	in       wire.Decoder
	head     []byte // of the answer to its handshake, while that is not whole

	sent, got uint64  // payload messages of this connection's own stream
	frame     []byte  // its encoded message, where each sends its own
	sentAt    []int64 // when each message in flight was sent, a ring
}

// swarm drives all connections from one thread.
type swarm struct {
	target    wire.Address
	stall     time.Duration // how long nothing may move
	epfd      int
	conns     []conn
	buf       []byte
	events    [512]unix.EpollEvent
	started   time.Time
	now       int64 // nanoseconds since started, taken for each event
	pending   int   // connections that are being opened
	opened    int
	traffic   traffic
	keepalive keepalive
	shape     *payload

	// onMessage gets each payload message; nil means none is expected.
	onMessage func(c *conn, opcode byte, b []byte) error
	// onAnswer gets each answer to a payload message; nil means none is expected.
	onAnswer func(c *conn, b []byte) error
	// onOpen is called once a connection is upgraded.
	onOpen func(c *conn) error
	// tolerateClose counts a connection the server drops, instead of failing.
	tolerateClose bool

	current *conn // the connection deliver works for
	deliver func(opcode byte, b []byte) error
}

func newSwarm(o *options, shape *payload) (*swarm, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	s := &swarm{
		target: o.target, stall: o.stall, epfd: epfd, shape: shape,
		buf: make([]byte, 256<<10), started: time.Now(),
		keepalive: newKeepalive(int(o.keepalive.Milliseconds())),
	}
	s.deliver = func(opcode byte, b []byte) error { return s.dispatch(s.current, opcode, b) }
	return s, nil
}

// close ends all connections without ceremony.
func (s *swarm) close() {
	for i := range s.conns {
		s.drop(&s.conns[i])
	}
	unix.Close(s.epfd)
}

func (s *swarm) drop(c *conn) {
	if c.state == stateClosed {
		return
	}
	if c.state != stateOpen {
		s.pending--
	}
	unix.Close(c.fd)
	c.state, c.fd = stateClosed, -1
}

// step waits for events and works through them. It returns early without
// events after timeout.
func (s *swarm) step(ctx context.Context, timeout time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Rounding up keeps a wait of less than a millisecond from spinning.
	millis := int((timeout + time.Millisecond - 1) / time.Millisecond)
	n, err := unix.EpollWait(s.epfd, s.events[:], millis)
	s.tick()
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll_wait: %w", err)
	}
	for i := range max(n, 0) {
		ev := &s.events[i]
		c := &s.conns[ev.Fd]
		if c.state == stateClosed || uint32(ev.Pad) != uint32(c.fd) {
			continue // a descriptor dropped and reused within this pass
		}
		if err := s.handle(c, ev.Events); err != nil {
			return fmt.Errorf("connection %d: %w", c.id, err)
		}
	}
	return nil
}

func (s *swarm) tick() { s.now = int64(time.Since(s.started)) }

// stepUntil steps until done says so, and gives up when count stands still for
// too long.
func (s *swarm) stepUntil(ctx context.Context, count *uint64, done func() bool) error {
	last, since := *count, s.now
	for !done() {
		if err := s.step(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		if *count != last {
			last, since = *count, s.now
		} else if s.now-since > int64(s.stall) {
			return errStalled
		}
	}
	return nil
}

func (s *swarm) handle(c *conn, events uint32) error {
	s.tick()
	if c.state == stateConnecting {
		return s.connected(c)
	}
	if events&unix.EPOLLOUT != 0 {
		if err := s.flush(c); err != nil {
			return err
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 || c.state == stateClosed {
		return nil
	}
	for {
		more, err := s.receive(c)
		if err != nil || !more {
			return err
		}
	}
}

// receive reads once and works through what came. There may be more if the
// buffer was filled; a short read has emptied the socket, and what comes after
// it is a new edge.
func (s *swarm) receive(c *conn) (more bool, err error) {
	n, errno := wire.Read(c.fd, s.buf)
	switch {
	case errno == unix.EINTR:
		return true, nil
	case errno == unix.EAGAIN:
		return false, nil
	case errno != 0 || n == 0:
		return false, s.lost(c, errno)
	}
	more = n == len(s.buf)
	b := s.buf[:n]
	if c.state == stateUpgrading {
		if b, err = s.upgraded(c, b); err != nil || c.state != stateOpen {
			return more && c.state != stateClosed, err
		}
	}
	s.current = c
	if err := c.in.Feed(b, s.deliver); err != nil {
		return false, err
	}
	return more && c.state != stateClosed, s.flush(c)
}

// lost handles the end of a connection that the server made.
func (s *swarm) lost(c *conn, errno unix.Errno) error {
	was := c.state
	s.drop(c)
	if was == stateUpgrading {
		return fmt.Errorf("%w during the handshake", errDropped)
	}
	s.traffic.Closes++
	if s.tolerateClose {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("%w: %w", errDropped, errno)
	}
	return errDropped
}

// dispatch sorts what arrived: control frames, the server's own envelopes, and
// payload for the scenario. Answers are queued as a stock client gives them.
func (s *swarm) dispatch(c *conn, opcode byte, b []byte) error {
	switch opcode {
	case wire.OpPing:
		s.traffic.PingFrames++
		c.out = wire.AppendFrame(c.out, wire.OpPong, b)
		return nil
	case wire.OpPong:
		s.traffic.PongFrames++
		return nil
	case wire.OpClose:
		s.traffic.Closes++
		s.drop(c)
		if s.tolerateClose {
			return nil
		}
		return fmt.Errorf("%w: close frame %.60q", errDropped, b)
	}
	if s.shape != nil && s.shape.is(b) {
		if s.onMessage == nil {
			return fmt.Errorf("%w: payload, and nobody sent any", errUnknown)
		}
		return s.onMessage(c, opcode, b)
	}
	if s.onAnswer != nil && opcode == wire.OpText && bytes.HasPrefix(b, answerPrefix) {
		return s.onAnswer(c, b)
	}
	is, wantsPong := s.traffic.envelope(opcode, b)
	if wantsPong {
		c.out = append(c.out, s.keepalive.jsonPong...)
	}
	if !is {
		return fmt.Errorf("%w: opcode %#x, %d bytes, starts %.60q", errUnknown, opcode, len(b), b)
	}
	return nil
}

// flush writes what is queued; what the socket does not take waits for EPOLLOUT.
func (s *swarm) flush(c *conn) error {
	for len(c.out) > 0 && c.state != stateClosed {
		n, errno := wire.Write(c.fd, c.out)
		switch {
		case errno == unix.EAGAIN:
			return s.watch(c, true)
		case errno == unix.EINTR:
		case errno != 0:
			return s.lost(c, errno)
		default:
			c.out = c.out[:copy(c.out, c.out[n:])]
		}
	}
	if c.writable && c.state != stateClosed {
		return s.watch(c, false)
	}
	return nil
}

// watch tells epoll whether to report room for writing.
func (s *swarm) watch(c *conn, writable bool) error {
	if c.writable == writable {
		return nil
	}
	c.writable = writable
	return s.control(unix.EPOLL_CTL_MOD, c)
}

func (s *swarm) control(op int, c *conn) error {
	// Edge-triggered: each wait would else poll once more all that were read.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(c.id), Pad: int32(c.fd)}
	if c.writable {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(s.epfd, op, c.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}
