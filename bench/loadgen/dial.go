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

var errRefused = errors.New("the server refused the upgrade")

// open makes the connections with up to parallel of them under way at once, and
// returns when all are upgraded.
func (s *swarm) open(ctx context.Context, n, parallel int, ks wire.Keys) error {
	s.conns = make([]conn, n)
	for i := range s.conns {
		s.conns[i] = conn{fd: -1, id: uint32(i)}
	}
	next, last, progress := 0, 0, time.Now()
	for s.opened < n {
		for next < n && s.pending < parallel {
			ok, err := s.connect(&s.conns[next], ks, uint32(next))
			if err != nil {
				return err
			}
			if !ok {
				break // the backlog is full: let the server accept
			}
			next++
		}
		if err := s.step(ctx, time.Millisecond); err != nil {
			return err
		}
		if s.opened != last {
			last, progress = s.opened, time.Now()
		} else if time.Since(progress) > s.stall {
			return fmt.Errorf("opening connections, %d of %d open: %w", s.opened, n, errStalled)
		}
	}
	return nil
}

// connect starts one connection. It is not ok if the server's backlog is full,
// which a unix socket answers with EAGAIN.
func (s *swarm) connect(c *conn, ks wire.Keys, key uint32) (ok bool, err error) {
	domain := unix.AF_INET
	if s.target.Unix {
		domain = unix.AF_UNIX
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("socket: %w", err)
	}
	if !s.target.Unix {
		// The messages are small and each is one write: waiting to join them
		// would measure the timer.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			unix.Close(fd)
			return false, fmt.Errorf("tcp_nodelay: %w", err)
		}
	}
	err = unix.Connect(fd, s.target.Sa)
	switch err {
	case nil, unix.EINPROGRESS:
	case unix.EAGAIN:
		unix.Close(fd)
		return false, nil
	default:
		unix.Close(fd)
		return false, fmt.Errorf("connect to %s: %w", s.target.Text, err)
	}
	c.fd, c.state, c.writable = fd, stateConnecting, true
	c.key = key % uint32(len(ks))
	c.out = append(c.out[:0], ks[c.key].Request...)
	c.frame = ks[c.key].Accept // parked here until the answer is checked
	c.in, c.head = wire.Decoder{}, nil
	s.pending++
	if err == nil {
		c.state, c.writable = stateUpgrading, false
		if err := s.control(unix.EPOLL_CTL_ADD, c); err != nil {
			return false, err
		}
		return true, s.flush(c)
	}
	return true, s.control(unix.EPOLL_CTL_ADD, c)
}

// connected ends a connect that was in progress.
func (s *swarm) connected(c *conn) error {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		s.drop(c)
		return fmt.Errorf("connect to %s: %w", s.target.Text, err)
	}
	c.state = stateUpgrading
	return s.flush(c)
}

// upgraded looks for the end of the server's answer in what has come so far,
// checks it, and returns the bytes that follow: they are the first frames.
func (s *swarm) upgraded(c *conn, b []byte) (rest []byte, err error) {
	if len(c.head) > 0 {
		b = append(c.head, b...)
	}
	head, rest, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole {
		if len(b) > 16<<10 {
			return nil, fmt.Errorf("%w: no end of its answer in %d bytes", errRefused, len(b))
		}
		c.head = bytes.Clone(b)
		return nil, nil
	}
	c.head = nil
	accept := c.frame
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		return nil, fmt.Errorf("%w: %.80q", errRefused, head)
	}
	if !bytes.Contains(head, accept) {
		return nil, fmt.Errorf("%w: Sec-WebSocket-Accept does not belong to the key", errRefused)
	}
	c.state, c.frame = stateOpen, nil
	c.out = nil // it has the size of a request; most connections need none
	s.pending--
	s.opened++
	if s.onOpen != nil {
		return rest, s.onOpen(c)
	}
	return rest, nil
}
