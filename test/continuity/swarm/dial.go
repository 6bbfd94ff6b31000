package swarm

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/bench/wire"
)

// parallel is how many connections are being opened at once.
const parallel = 100

// open makes connections for all those slots, and returns when each is upgraded
// and greeted. While nothing listens it tries again, for as long as patience
// lasts. Nothing is broadcast meanwhile, so that it is known who gets what.
func (s *Swarm) open(ctx context.Context, slots []*conn) (bool, error) {
	had := s.noCasts
	s.noCasts = true
	defer func() { s.noCasts = had }()
	if ok, err := s.until(ctx, s.opt.Patience, "a broadcast", func() bool { return !s.casting }); !ok {
		return ok, err
	}
	next, last := 0, 0
	for _, c := range slots {
		s.renew(c)
	}
	return s.until(ctx, s.opt.Patience, "opening sessions", func() bool {
		for next < len(slots) && s.pending < parallel && s.connect(slots[next], false) {
			next++
		}
		for last < next && slots[last].session != "" {
			last++
		}
		return last == len(slots)
	})
}

// renew makes a slot that of a new connection.
func (s *Swarm) renew(c *conn) {
	s.ids++
	*c = conn{fd: -1, slot: c.slot, role: c.role, id: s.ids, compress: c.compress, key: s.keys[int(s.ids)%len(s.keys)]}
	if c.compress {
		c.key = s.compressing[int(s.ids)%len(s.compressing)]
	}
	c.casts.next = uint64(len(s.castings))
}

// connect begins a connection; with half, of its request only as much is sent as
// its role says. It fails when nobody listens or the backlog is full.
func (s *Swarm) connect(c *conn, half bool) bool {
	domain := unix.AF_INET
	if s.target.Unix {
		domain = unix.AF_UNIX
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.problemOnce("socket: %v", err)
		return false
	}
	if !s.target.Unix {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	err = unix.Connect(fd, s.target.Sa)
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		s.lastRefusal = err
		return false
	}
	c.fd, c.writable = fd, err != nil
	c.out = c.key.Request
	if half {
		n := len(c.out) / 2
		if c.role == roleSilent {
			n = 0
		}
		c.out, c.heldBytes = c.out[:n:n], c.out[n:]
		c.handshake = new(handshakeEnd)
	}
	s.pending++
	s.r.Opened++
	c.state = stateConnecting
	if err == nil {
		c.state = stateUpgrading
	}
	s.control(unix.EPOLL_CTL_ADD, c)
	if err == nil {
		s.flush(c)
	}
	return true
}

// connected ends a connect that was in progress.
func (s *Swarm) connected(c *conn) {
	if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		s.ended(c)
		return
	}
	c.state = stateUpgrading
	s.flush(c)
}

// upgraded looks for the end of the daemon's answer in what has come so far,
// checks it, and returns the bytes that follow: they are the first frames.
func (s *Swarm) upgraded(c *conn, b []byte) (rest []byte) {
	c.head = append(c.head, b...)
	head, rest, whole := bytes.Cut(c.head, []byte("\r\n\r\n"))
	if !whole {
		return nil
	}
	c.head = nil
	status := 0
	if f := bytes.Fields(head); len(f) > 1 {
		status, _ = strconv.Atoi(string(f[1]))
	}
	switch {
	case status == 101 && bytes.Contains(head, c.key.Accept):
	case status == 101 || status == 0:
		s.fault(&s.r.Corrupted, "connection %d: an answer to the handshake that is none: %.80q", c.id, head)
		s.ended(c)
		return nil
	case c.handshake != nil:
		c.handshake.status = status
		s.drop(c)
		return nil
	default:
		s.problemOnce("a handshake was refused: %.60q", head)
		s.ended(c)
		return nil
	}
	if c.compress {
		c.z = agreed(string(head))
		c.in.Deflate = c.z != nil
		if c.z == nil {
			s.problemOnce("the daemon does not compress")
		}
	}
	if c.handshake != nil {
		c.handshake.status = status
	}
	c.state = stateOpen
	c.member = uint64(len(s.castings))
	s.pending--
	return bytes.Clone(rest)
}

// handshakeCut notes a connection that ended before it was a session.
func (s *Swarm) handshakeCut(c *conn) {
	if c.handshake != nil {
		return // finish counts it
	}
	s.again = append(s.again, c) // the daemon is on its way up or down
}

// retry connects again those that were cut within their handshakes, though
// nobody does anything to the daemon.
func (s *Swarm) retry() {
	for len(s.again) > 0 && s.pending < parallel {
		c := s.again[0]
		s.renew(c)
		if !s.connect(c, false) {
			return
		}
		s.again = s.again[1:]
	}
}

// agreed reads what was agreed on about compression from an answer's head; nil:
// none.
func agreed(head string) *deflate {
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "Sec-WebSocket-Extensions") || !strings.Contains(value, "permessage-deflate") {
			continue
		}
		return newDeflate(!strings.Contains(value, "client_no_context_takeover"), !strings.Contains(value, "server_no_context_takeover"))
	}
	return nil
}

// leave ends sessions in good manners, and waits for the daemon to hang up.
func (s *Swarm) leave(ctx context.Context, conns []*conn, limit time.Duration) error {
	for _, c := range conns {
		c.expected, c.reply = 1000, true
		c.out = wire.AppendFrame(c.out, wire.OpClose, []byte{0x03, 0xe8})
		s.flush(c)
	}
	_, err := s.until(ctx, limit, "closing handshakes", func() bool { return allClosed(conns) })
	return err
}

func allClosed(conns []*conn) bool {
	for _, c := range conns {
		if c.state != stateClosed {
			return false
		}
	}
	return true
}
