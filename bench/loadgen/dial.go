package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var (
	errRefused = errors.New("the server refused the upgrade")
	errAddress = errors.New("an address is unix:/path or tcp:host:port")
)

// address is where the server listens.
type address struct {
	text string
	unix bool
	sa   unix.Sockaddr
	host string
}

func parseAddress(text string) (address, error) {
	a := address{text: text, host: "localhost"}
	if path, ok := strings.CutPrefix(text, "unix:"); ok && path != "" {
		a.unix, a.sa = true, &unix.SockaddrUnix{Name: path}
		return a, nil
	}
	rest, ok := strings.CutPrefix(text, "tcp:")
	if !ok {
		return a, fmt.Errorf("%q: %w", text, errAddress)
	}
	tcp, err := net.ResolveTCPAddr("tcp4", rest)
	if err != nil {
		return a, fmt.Errorf("%q: %w: %w", text, errAddress, err)
	}
	a.host = rest
	sa := &unix.SockaddrInet4{Port: tcp.Port}
	copy(sa.Addr[:], tcp.IP.To4())
	a.sa = sa
	return a, nil
}

// handshakeKey is a Sec-WebSocket-Key with the answer that belongs to it.
type handshakeKey struct {
	request []byte // the whole request
	accept  []byte
}

// keys are made once: random enough to be realistic, few enough to make neither
// key nor hash a cost during the measurement.
type keys []handshakeKey

func newKeys(n int, host string) keys {
	const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
	ks := make(keys, n)
	for i := range ks {
		var nonce [16]byte
		rand.Read(nonce[:]) // never fails (crypto/rand)
		key := base64.StdEncoding.EncodeToString(nonce[:])
		sum := sha1.Sum([]byte(key + magic))
		ks[i].accept = []byte(base64.StdEncoding.EncodeToString(sum[:]))
		ks[i].request = []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\n" +
			"Connection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\n\r\n")
	}
	return ks
}

// open makes the connections with up to parallel of them under way at once, and
// returns when all are upgraded.
func (s *swarm) open(ctx context.Context, n, parallel int, ks keys) error {
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
func (s *swarm) connect(c *conn, ks keys, key uint32) (ok bool, err error) {
	domain := unix.AF_INET
	if s.target.unix {
		domain = unix.AF_UNIX
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("socket: %w", err)
	}
	if !s.target.unix {
		// The messages are small and each is one write: waiting to join them
		// would measure the timer.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			unix.Close(fd)
			return false, fmt.Errorf("tcp_nodelay: %w", err)
		}
	}
	err = unix.Connect(fd, s.target.sa)
	switch err {
	case nil, unix.EINPROGRESS:
	case unix.EAGAIN:
		unix.Close(fd)
		return false, nil
	default:
		unix.Close(fd)
		return false, fmt.Errorf("connect to %s: %w", s.target.text, err)
	}
	c.fd, c.state, c.writable = fd, stateConnecting, true
	c.key = key % uint32(len(ks))
	c.out = append(c.out[:0], ks[c.key].request...)
	c.frame = ks[c.key].accept // parked here until the answer is checked
	c.in = decoder{}
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
		return fmt.Errorf("connect to %s: %w", s.target.text, err)
	}
	c.state = stateUpgrading
	return s.flush(c)
}

// upgraded looks for the end of the server's answer in what has come so far,
// checks it, and returns the bytes that follow: they are the first frames.
func (s *swarm) upgraded(c *conn, b []byte) (rest []byte, err error) {
	if len(c.in.rest) > 0 {
		b = append(c.in.rest, b...)
	}
	head, rest, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole {
		if len(b) > 16<<10 {
			return nil, fmt.Errorf("%w: no end of its answer in %d bytes", errRefused, len(b))
		}
		c.in.rest = bytes.Clone(b)
		return nil, nil
	}
	c.in.rest = nil
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
