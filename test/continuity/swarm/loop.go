package swarm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/bench/wire"
)

// step waits for events, no longer than timeout, and works through them, and
// through what operators report.
func (s *Swarm) step(ctx context.Context, timeout time.Duration) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	n, err := unix.EpollWait(s.epfd, s.epolled[:], int((timeout+time.Millisecond-1)/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll_wait: %w", err)
	}
	woke := s.tick()
	for i := range max(n, 0) {
		ev := &s.epolled[i]
		c := &s.conns[ev.Fd]
		if c.state == stateClosed || uint32(ev.Pad) != uint32(c.fd) {
			continue // a descriptor dropped and used again within this pass
		}
		s.tick()
		s.handle(c, ev.Events)
	}
	for {
		select {
		case f := <-s.reports:
			f()
			continue
		default:
		}
		break
	}
	s.ownPause = max(s.ownPause, time.Duration(s.tick()-woke))
	s.measurePause()
	return nil
}

func (s *Swarm) tick() int64 {
	s.now = int64(time.Since(s.started))
	return s.now
}

func (s *Swarm) handle(c *conn, events uint32) {
	if c.state == stateConnecting {
		s.connected(c)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		s.flush(c)
	}
	if events&^unix.EPOLLOUT != 0 && !c.stalled {
		s.receive(c, events&^(unix.EPOLLIN|unix.EPOLLOUT) != 0)
	}
}

// until steps, with traffic, until done says so; it says whether it did within
// the time there is for what.
func (s *Swarm) until(ctx context.Context, limit time.Duration, what string, done func() bool) (bool, error) {
	for end := s.tick() + int64(limit); !done(); {
		if s.now > end {
			s.problem("after %v there is still no end of: %s", limit, what)
			return false, nil
		}
		if err := s.pass(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pass is a step, and the traffic that is due.
func (s *Swarm) pass(ctx context.Context) error {
	if err := s.step(ctx, 4*time.Millisecond); err != nil {
		return err
	}
	s.talk()
	return nil
}

// closing deals with a close frame.
func (s *Swarm) closing(c *conn, b []byte) {
	c.quiet = s.isQuiet(c)
	c.code = 1005 // none in it
	if len(b) >= 2 {
		c.code = int(binary.BigEndian.Uint16(b))
	}
	if c.reply { // it began, and the daemon has answered
		c.state = stateClosing
		return
	}
	answer := wire.AppendFrame(nil, wire.OpClose, b)
	switch c.role {
	case roleClosed:
		if c.expected != 0 && s.opt.Expect != Stop {
			c.heldBytes, answer = answer, nil // until it is released
		}
	case roleHeader, rolePayload: // a frame has to end before the next
		c.out, c.heldBytes = append(c.out, c.heldBytes...), nil
	case roleLeaving: // it had begun to say so itself
		if c.heldBytes != nil {
			answer, c.heldBytes = c.heldBytes, nil
		}
	}
	c.out = append(c.out, answer...)
	s.flush(c)
	if c.state == stateOpen {
		c.state = stateClosing
	}
}

// ended notes the end of a connection, whoever made it.
func (s *Swarm) ended(c *conn) {
	was := c.state
	if was == stateClosed {
		return
	}
	s.drop(c)
	if was == stateConnecting || was == stateUpgrading {
		s.handshakeCut(c)
		return
	}
	if c.code == 0 {
		c.code, c.quiet = noCode, s.isQuiet(c)
	}
	if c.paced() {
		s.owed -= int(c.sent - c.echoes.next)
	}
	s.unanswered -= len(c.unanswered)
	s.noteEnd(c)
}

// drop closes a descriptor.
func (s *Swarm) drop(c *conn) {
	if c.state == stateConnecting || c.state == stateUpgrading {
		s.pending--
	}
	unix.Close(c.fd)
	c.state, c.fd, c.out = stateClosed, -1, nil
}

func isEnvelope(b []byte) bool { return bytes.HasPrefix(b, envelopePrefix) }

func isCast(b []byte) bool { return bytes.HasPrefix(b, []byte(castPrefix)) }
