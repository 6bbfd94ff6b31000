package ws

import (
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The end of a connection (RFC 6455, section 7). There are four ways:
//
//   - Close: our close frame leaves, the peer's is awaited for CloseTimeout;
//     what the peer still sends before it is thrown away.
//   - The peer's close frame: it is echoed, what was queued leaves, the socket
//     is closed (the server closes first, section 7.1.1).
//   - The peer ends its side without a close frame: what was queued leaves, for
//     it may still read, and the socket is closed.
//   - Failing, for a violation, a refused handshake or a slow consumer: the
//     last answer leaves, the write side is shut, and input is thrown away
//     until the peer ends or CloseTimeout passes. Closing at once with input
//     unread would reset the connection and might destroy the answer.

// maxLinger bounds what a peer may still send after its end has begun. It is
// more than the kernel's buffers on both sides hold, for what is in them was
// sent before the peer could know.
const maxLinger = 16 << 20

// Close starts the closing handshake. It returns ErrBadCloseCode or
// ErrLongReason for what cannot be sent, and ErrClosed when the connection is
// not open. The handler's Close method is called when all is over.
func (c *Conn) Close(code int, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	c.mu.Lock()
	err := c.startCloseLocked(code, reason)
	if err == nil && !c.armed && !c.dirty {
		c.writeLocked()
	}
	c.mu.Unlock()
	if err == nil {
		c.armClose(nil)
		c.traceClose(code, reason)
	}
	return err
}

func checkClose(code int, reason string) error {
	if !ValidCloseCode(code) {
		return ErrBadCloseCode
	}
	if len(reason) > maxCloseReason || !utf8.ValidString(reason) {
		return ErrLongReason
	}
	return nil
}

func (c *Conn) startCloseLocked(code int, reason string) error {
	if c.state() != stateOpen || c.broken {
		return ErrClosed
	}
	c.setStateLocked(stateClosing)
	c.end = &CloseInfo{Code: code, Reason: reason}
	c.out.pushBytes(4+len(reason), func(dst []byte) []byte { return appendClose(dst, code, reason) })
	return nil
}

// armClose starts the deadline of the closing handshake on the connection's
// own loop.
func (c *Conn) armClose(b *Batch) {
	if b != nil && b.loop == c.loop {
		c.loop.armEnd(c)
		return
	}
	c.loop.post(func() { c.loop.armEnd(c) })
}

// armEnd gives the connection's end, or its next step, CloseTimeout.
func (l *loop) armEnd(c *Conn) {
	c.ending = true
	l.hurry(c)
	l.arm(c, l.srv.now().CloseTimeout)
}

// failLocked queues the close frame of a failed connection.
func (c *Conn) failLocked(e *ProtocolError) {
	if c.state() == stateOpen {
		c.out.pushBytes(4+len(e.Reason), func(dst []byte) []byte { return appendClose(dst, e.Code, e.Reason) })
	}
	if c.end == nil {
		c.end = &CloseInfo{Code: e.Code, Reason: e.Reason, Err: e}
	}
	c.setStateLocked(stateFailing)
}

// fail ends a connection for its peer's violation.
func (l *loop) fail(c *Conn, e *ProtocolError) {
	l.srv.count.failed(e.Code)
	c.in.Reset()
	c.mu.Lock()
	c.failLocked(e)
	info := *c.end
	l.batch.noteLocked(c)
	c.mu.Unlock()
	l.armEnd(c)
	l.tell(c, info) // whoever waits for the peer need not wait for its socket
}

// failedSlow goes on where a sender on any goroutine has failed a connection
// for not reading.
func (l *loop) failedSlow(c *Conn) {
	c.mu.Lock()
	info, gone := *c.end, c.fd < 0
	c.mu.Unlock()
	if !gone {
		l.armEnd(c)
		l.tell(c, info)
	}
}

// peerClosed takes the peer's close frame.
func (l *loop) peerClosed(c *Conn, ev Event) {
	reason := string(ev.Payload) // before Reset, which may give its bytes back
	c.in.Reset()
	c.mu.Lock()
	switch c.state() {
	case stateClosing:
		// The answer to ours: all is said.
		c.end.Clean = true
	case stateOpen:
		c.end = &CloseInfo{Code: ev.Code, Reason: reason, Remote: true, Clean: true}
		c.out.pushBytes(4, func(dst []byte) []byte { return appendClose(dst, ev.Code, "") })
	default:
		// Failed a moment ago, maybe by the handler of a message before it:
		// the last word has been said.
		c.mu.Unlock()
		return
	}
	c.setStateLocked(stateFlushing)
	l.batch.noteLocked(c)
	c.mu.Unlock()
	l.armEnd(c)
}

// drained is called when a connection that is about to end has nothing more to
// write.
func (l *loop) drained(c *Conn) {
	c.mu.Lock()
	state, fd, broken := c.state(), c.fd, c.broken
	c.mu.Unlock()
	switch {
	case fd < 0:
	case broken:
		l.destroy(c, nil)
	case state == stateFlushing:
		// Unread input would turn our close into a reset.
		if n, err := recv(fd, l.buf); n > 0 && err == 0 {
			l.linger(c)
			return
		}
		l.destroy(c, nil)
	case state == stateFailing && !c.shut:
		l.linger(c)
	}
}

// linger shuts the write side and goes on reading to nowhere.
func (l *loop) linger(c *Conn) {
	c.mu.Lock()
	c.setStateLocked(stateFailing)
	fd := c.fd
	c.mu.Unlock()
	c.shut = true
	shutdownWrite(fd)
	l.armEnd(c)
}

// owes reports whether a peer that has ended its side is still to be sent
// something: its close frame's answer, a refusal, or what was queued when it
// ended without a close frame, which it may read all the same. If so only room
// for that is looked for.
func (l *loop) owes(c *Conn) bool {
	c.mu.Lock()
	st := c.state()
	if !c.armed || st < stateOpen {
		c.mu.Unlock()
		return false
	}
	l.poll.ctl(unix.EPOLL_CTL_MOD, c.fd, c.gen, unix.EPOLLOUT)
	if st != stateOpen && st != stateClosing {
		c.mu.Unlock()
		return true
	}
	if c.end == nil {
		c.end = &CloseInfo{Code: CloseAbnormal}
	}
	info := *c.end
	c.setStateLocked(stateFlushing)
	c.mu.Unlock()
	c.in.Reset()
	l.armEnd(c)
	l.tell(c, info)
	return true
}

// destroy closes the descriptor and tells the handler. err is the socket's.
func (l *loop) destroy(c *Conn, err error) {
	c.mu.Lock()
	if c.fd < 0 {
		c.mu.Unlock()
		return
	}
	fd := c.fd
	c.fd = -1
	if c.state() == stateLent {
		shutdownBoth(fd) // its borrower has another descriptor of the socket
	}
	c.setStateLocked(stateClosed)
	info := CloseInfo{Code: CloseAbnormal, Err: err}
	if c.end != nil {
		info = *c.end
		info.Clean = info.Clean && c.out.empty() && !c.broken // ours has left
		if info.Err == nil && !info.Clean {
			info.Err = err
		}
	}
	c.out.clear()
	c.leftLocked()
	c.mu.Unlock()

	l.wheel.stop(c)
	l.unhold(c)
	l.settled(c)
	l.depart(c)
	c.in.Reset()
	c.head.free()
	c.head = nil
	l.srv.table.clear(fd)
	if l.keeper != nil {
		l.letGo(fd)
	}
	closeFD(fd)
	if c.peer.tls != nil {
		// Its goroutines must not wait for ever to pass on the last bytes.
		_ = c.peer.tls.SetDeadline(time.Now().Add(l.srv.now().CloseTimeout))
	}
	l.conns.Add(-1)
	l.srv.connGone(c)
	l.tell(c, info)
}

// tell tells the handler, once, that a connection has ended or has been failed.
func (l *loop) tell(c *Conn, info CloseInfo) {
	if !c.opened {
		return
	}
	c.opened = false
	l.srv.count.closed(info.Code)
	l.srv.opt.Handler.Close(&l.batch, c, info)
}
