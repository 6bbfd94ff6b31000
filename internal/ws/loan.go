package ws

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A request may be answered elsewhere, by net/http. Each is judged by the loop,
// as strictly as a handshake, and the connection is lent for that one request:
// the borrower reads the request to its end and nothing of what follows, writes
// the answer, and gives the connection back. So another request on it, even a
// handshake, is judged like a first one, and no two parsers can disagree about
// where a request ends.

// HandOver is what [Handler.Plain] returns to have a request answered by
// Options.Borrower.
var HandOver = &Response{}

// A Loan is a connection lent for one request. It is a net.Conn whose first
// bytes are the request's head, and whose Close gives it back to be ended.
// Keep gives it back for another request. Read deadlines are those of net.Conn;
// writing has one of its own: a peer that takes nothing for Options.StallTimeout.
type Loan struct {
	c     *Conn
	file  *os.File // of a copy of the descriptor: the loop keeps the other
	raw   syscall.RawConn
	data  any
	stall time.Duration

	// Of the reader.
	read    []byte // of the request, by the loop
	left    int64  // of the body, in the kernel; negative: its end is told by its chunks
	stalled atomic.Bool

	mu      sync.Mutex // guards what follows
	over    bool
	aborted bool // a read deadline has passed that was set in the past: nothing is to wait
}

// maxPiece is what is written under one deadline.
const maxPiece = 32 << 10

// lend hands out a connection whose buffer begins with a request's head of n
// bytes, and reports whether it could.
func (l *loop) lend(c *Conn, r *Request, b []byte, n int) bool {
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(fd), "lent connection") // non-blocking, so the runtime's poller has it
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if the poller did not take it
	}
	if err != nil {
		_ = file.Close()
		return false
	}
	take := len(b)
	left := r.length
	if left >= 0 {
		take = n + int(min(int64(len(b)-n), left))
		left -= int64(take - n)
	}
	x := &Loan{c: c, file: file, raw: raw, data: c.data, stall: l.srv.now().StallTimeout, read: bytes.Clone(b[:take]), left: left}
	if rest := b[take:]; len(rest) > 0 {
		c.head = c.head.append(rest)
	}
	c.mu.Lock()
	c.setStateLocked(stateLent)
	c.mu.Unlock()
	l.poll.remove(c.fd)
	l.wheel.stop(c)
	l.srv.count.lent.Add(1)
	l.srv.opt.Borrower(x)
	return true
}

// back takes a connection that was lent.
func (l *loop) back(c *Conn, keep bool) {
	if c.state() != stateLent {
		return // destroyed meanwhile
	}
	c.data, c.served = nil, true
	if !c.counted {
		l.depart(c) // a proxy's next request may be another client's
	}
	c.mu.Lock()
	c.setStateLocked(stateHandshake)
	c.mu.Unlock()
	c.lastRead.Store(int64(l.now))
	if err := l.poll.add(c.fd, c.gen, unix.EPOLLIN); err != nil {
		l.destroy(c, err)
		return
	}
	// While the server only drains, the next request is told so; its first bytes
	// may be here already.
	if !keep || l.srv.ending() {
		c.head.free()
		c.head = nil
		l.linger(c)
		return
	}
	l.arm(c, l.srv.now().IdleTimeout)
	if rest := c.head; rest != nil { // the next request, or its beginning
		c.head = nil
		l.collect(c, rest.b)
		rest.free()
	}
}

// idle reports whether a connection waits for a request that has not begun, after
// an earlier one: there is nobody to be told that it ends.
func (c *Conn) idle() bool {
	return c.served && c.state() == stateHandshake && c.head.len() == 0
}

// Data is what Handler.Plain has given to Conn.SetData.
func (x *Loan) Data() any { return x.data }

// Peer is the address at the other end of the socket.
func (x *Loan) Peer() Peer { return x.c.Peer() }

// TLS reports whether the connection is encrypted on its way here.
func (x *Loan) TLS() bool { return x.c.peer.tls != nil }

// Read reads the request. After its end it waits until the peer is gone, without
// taking what the peer sends.
func (x *Loan) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case len(x.read) > 0:
		n := copy(p, x.read)
		x.read = x.read[n:]
		return n, nil
	case x.left == 0:
		return 0, x.wait()
	case x.left > 0:
		p = p[:min(int64(len(p)), x.left)]
	}
	// net/http looks for the peer's going away by reading a single byte: that
	// may take as long as the answer does.
	if len(p) > 1 || x.left > 0 {
		if err := x.deadline(time.Now().Add(x.stall)); err != nil {
			return 0, err
		}
	}
	n, err := x.file.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && !x.calledOff() {
		x.stalled.Store(true)
	}
	if x.left > 0 {
		x.left -= int64(n)
	}
	if x.left <= 0 {
		if err := x.deadline(time.Time{}); err != nil && n == 0 {
			return 0, err
		}
	}
	return n, plainTimeout(err)
}

// deadline sets that of reading, unless the reader has been called off.
func (x *Loan) deadline(t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.aborted {
		return os.ErrDeadlineExceeded
	}
	return x.file.SetReadDeadline(t)
}

func (x *Loan) calledOff() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.aborted
}

// Stalled reports whether the peer has not gone on with a body in time.
func (x *Loan) Stalled() bool { return x.stalled.Load() }

// wait waits until the peer has ended, or a deadline.
func (x *Loan) wait() error {
	x.mu.Lock()
	over := x.over
	x.mu.Unlock()
	if over {
		return io.EOF
	}
	var b [1]byte
	var end error
	err := x.raw.Read(func(fd uintptr) bool {
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case n > 0 || err == unix.EAGAIN || err == unix.EINTR: // the next request
			return false
		case n == 0 && err == nil:
			end = io.EOF
		default:
			end = err
		}
		return true
	})
	if err != nil {
		return plainTimeout(err)
	}
	return end
}

// plainTimeout gives a timeout without the file's name around it: net/http knows
// it by its being a net.Error.
func plainTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Write writes a part of the answer. It fails with os.ErrDeadlineExceeded when
// the peer has taken nothing for Options.StallTimeout.
func (x *Loan) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		var k int
		k, err = x.writePiece(p[n:min(n+maxPiece, len(p))])
		n += k
	}
	return n, plainTimeout(err)
}

// writePiece writes what the peer is to take a part of within each deadline. A
// socket has room again only when much of its buffer, which may be megabytes, has
// drained: so it is the peer's progress that counts, not ours.
func (x *Loan) writePiece(p []byte) (n int, err error) {
	waiting := x.unsent()
	for {
		if err = x.file.SetWriteDeadline(time.Now().Add(x.stall)); err != nil {
			return n, err
		}
		var k int
		k, err = x.file.Write(p[n:])
		n += k
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		now := x.unsent()
		if k == 0 && now >= waiting {
			return n, err
		}
		waiting = now
	}
}

// unsent is what the kernel holds of the answer, in its own measure: TCP's bytes
// until they are acknowledged, a unix socket's memory until it is read.
func (x *Loan) unsent() (n int) {
	_ = x.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	return n
}

// Keep gives the connection back for another request, when this one has been
// read and answered. The borrower reads io.EOF from then on.
func (x *Loan) Keep() { x.giveBack(true) }

// Close gives the connection back to be ended.
func (x *Loan) Close() error {
	x.giveBack(false)
	return nil
}

func (x *Loan) giveBack(keep bool) {
	x.mu.Lock()
	over := x.over
	x.over = true
	x.mu.Unlock()
	if over {
		return
	}
	_ = x.file.Close()
	keep = keep && x.left == 0 && len(x.read) == 0
	x.c.loop.post(func() { x.c.loop.back(x.c, keep) })
}

// SetReadDeadline is that of net.Conn.
func (x *Loan) SetReadDeadline(t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return nil
	}
	x.aborted = !t.IsZero() && t.Before(time.Now())
	return x.file.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: each piece has its own.
func (x *Loan) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is SetReadDeadline.
func (x *Loan) SetDeadline(t time.Time) error { return x.SetReadDeadline(t) }

// LocalAddr is the kind of socket only.
func (x *Loan) LocalAddr() net.Addr { return socketAddr{x.c.peer.Network, x.c.peer.Network} }

// RemoteAddr is that of the socket's peer.
func (x *Loan) RemoteAddr() net.Addr { return socketAddr{x.c.peer.Network, x.c.peer.String()} }

type socketAddr struct{ network, text string }

func (a socketAddr) Network() string { return a.network }
func (a socketAddr) String() string  { return a.text }
