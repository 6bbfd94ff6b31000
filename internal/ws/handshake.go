package ws

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	gobwas "github.com/gobwas/ws"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// collect takes bytes of a handshake. When the head is whole it is answered,
// and what followed it is the first frames.
func (l *loop) collect(c *Conn, b []byte) {
	before := c.head.len()
	if before == 0 && c.served {
		l.arm(c, l.srv.now().HandshakeTimeout)
	}
	if before > 0 || headEnd(b, 0) == 0 {
		c.head = c.head.append(b) // at most one read more than the limit
		b = c.head.b
	}
	n := headEnd(b, before)
	switch limit := l.srv.now().MaxHeadBytes; {
	case n > limit, n == 0 && len(b) > limit:
		if bytes.IndexByte(b[:limit], '\n') < 0 {
			l.refuse(c, refuseURI)
		} else {
			l.refuse(c, refuseHeaders)
		}
		return
	case n == 0:
		if hopeless(b, before) {
			l.refuse(c, refuseMalformed)
		}
		return
	}
	held := c.head
	c.head = nil // its bytes are b, until held is freed below
	r := &l.request
	resp := l.judge(c, r, b[:n])
	if resp == HandOver {
		if !l.lend(c, r, b, n) {
			l.refuse(c, refuseScarce)
		}
		held.free()
		return
	}
	if resp == Deferred {
		if held == nil {
			held = held.append(b)
		}
		c.head = held
		l.await(c)
		return
	}
	if l.settle(c, r, resp) && len(b) > n {
		l.receive(c, b[n:])
	}
	held.free()
}

// judge looks at a whole head. Nil accepts it.
func (l *loop) judge(c *Conn, r *Request, head []byte) *Response {
	opt := l.srv.now()
	resp := r.Parse(head, opt.MaxFields)
	if resp == nil {
		resp = r.check()
	}
	switch {
	case resp != nil && resp != refusePlain:
		return resp
	case resp == refusePlain:
		if health := opt.Handler.Health(r); health != nil {
			return health
		}
	}
	if l.srv.draining.Load() {
		return refuseDraining
	}
	if slow := l.pace(c, r); slow != nil {
		return slow
	}
	switch {
	case resp == refusePlain:
		if answer := opt.Handler.Plain(c, r); answer != nil {
			return answer
		}
		return l.srv.notPlain(r)
	case l.srv.closed.Load():
		return refuseClosed
	}
	if refusal := l.srv.refusal.Load(); refusal != nil {
		return refusal
	}
	if c.mount = opt.mounts.find(r.Path()); c.mount == nil {
		return refusePath
	}
	if !c.mount.now().admits(r) {
		return refuseOrigin
	}
	if resp = l.enter(c); resp == nil {
		resp = opt.Handler.Check(c, r)
	}
	return resp
}

// notPlain refuses a request without an upgrade that nobody answers.
func (s *Server) notPlain(r *Request) *Response {
	switch {
	case s.now().mounts.find(r.Path()) == nil:
		return refusePath
	case !r.Reads():
		return refuseMethod
	case r.body:
		return refuseBody
	}
	return refusePlain
}

// settle answers a judged request and reports whether the connection is open.
func (l *loop) settle(c *Conn, r *Request, resp *Response) bool {
	if resp != nil {
		l.logRefusal(c, resp, r)
		l.respond(c, resp, r.isHead())
		return false
	}
	m := c.mount.now()
	protocol := m.subprotocol(r)
	l.exchange.begin(r.key, protocol)
	if _, err := l.upgrader.Upgrade(&l.exchange); err != nil {
		l.refuse(c, refuseInternal)
		return false
	}
	z, answer := l.srv.negotiate(m, r)
	if answer != "" {
		l.exchange.addField("Sec-WebSocket-Extensions", answer)
	}
	l.exchange.addFields(m.Header)
	if c.codec = z; protocol != "" {
		c.protocol = new(string)
		*c.protocol = protocol
	}
	c.opened = true
	c.mu.Lock()
	c.out.pushBytes(len(l.exchange.out), func(dst []byte) []byte { return append(dst, l.exchange.out...) })
	c.out.begun = uint32(len(l.exchange.out)) // not frames, and never to be dropped
	c.setStateLocked(stateOpen)
	l.batch.noteLocked(c)
	c.mu.Unlock()
	l.wheel.stop(c)
	l.srv.count.opens.Add(1)
	l.srv.opt.Handler.Open(&l.batch, c, r)
	if l.keeper != nil {
		l.keepOpen(c)
	}
	return true
}

// await leaves a connection alone until its request has been decided about. The
// peer's going away is all that is looked for: what it sends meanwhile waits in
// the kernel. One that only ends its side is answered all the same.
func (l *loop) await(c *Conn) {
	c.mu.Lock()
	c.setStateLocked(stateDeciding)
	c.mu.Unlock()
	l.poll.modify(c.fd, c.gen, false, false)
	l.arm(c, l.srv.now().HandshakeTimeout)
}

// waitingPeerLeft is called when the peer of a connection that waits for a decision
// has ended its side, or the connection.
func (l *loop) waitingPeerLeft(c *Conn, events uint32) {
	switch {
	case events&(unix.EPOLLHUP|unix.EPOLLERR) != 0:
		l.destroy(c, nil)
	case events&unix.EPOLLRDHUP != 0:
		l.poll.ctl(unix.EPOLL_CTL_MOD, c.fd, c.gen, 0) // the end of both sides is told even so
	}
}

// Answer decides about a request for which Deferred was returned: nil accepts
// the handshake. Only the first answer counts, and none once the peer is gone or
// the time is over. It may be called from any goroutine.
func (c *Conn) Answer(resp *Response) { c.loop.post(func() { c.loop.decided(c, resp) }) }

// AnswerWith accepts the handshake as Answer does, with a value that SetData is
// to have before [Handler.Open].
func (c *Conn) AnswerWith(data any) {
	c.loop.post(func() {
		if c.state() == stateDeciding {
			c.data = data
		}
		c.loop.decided(c, nil)
	})
}

func (l *loop) decided(c *Conn, resp *Response) {
	if c.state() != stateDeciding {
		return
	}
	held := c.head
	c.head = nil
	n := headEnd(held.b, 0)
	r := &l.request
	r.Parse(held.b[:n], l.srv.now().MaxFields)
	switch {
	case resp != nil:
	case l.srv.draining.Load():
		resp = refuseDraining
	case !r.upgrade:
		resp = l.srv.notPlain(r)
	case l.srv.closed.Load():
		resp = refuseClosed
	default:
		resp = l.srv.refusal.Load()
	}
	if l.poll.modify(c.fd, c.gen, true, false) != 0 {
		c.mu.Lock()
		c.starveLocked()
		c.mu.Unlock()
	}
	if l.settle(c, r, resp) && len(held.b) > n {
		l.receive(c, held.b[n:])
		if l.keeper != nil {
			l.handled(c, c.fd)
		}
	}
	held.free()
}

// logRefusal writes down a handshake that was judged and refused: for
// debugging, but for an origin, which is the first thing that stands in the way
// of a new page, as a warning now and then. What the peer sent is quoted.
func (l *loop) logRefusal(c *Conn, ref *Response, r *Request) {
	if ref.Status < 400 {
		return
	}
	level := zap.DebugLevel
	if ref == refuseOrigin && l.srv.originWarned() {
		level = zap.WarnLevel
	}
	if ce := l.srv.log.Check(level, "handshake refused"); ce != nil {
		quoted := func(b []byte) string { return strconv.QuoteToASCII(string(b[:min(len(b), 256)])) }
		ce.Write(zap.Int("status", ref.Status), zap.String("why", ref.Detail),
			zap.String("origin", quoted(r.origin)), zap.String("host", quoted(r.host)), zap.String("target", quoted(hideQuery(r.Target, l.srv.now().SecretQuery))),
			zap.String("peer", c.peer.String()))
	}
}

// refuse answers a handshake with something other than 101, and fails the
// connection.
func (l *loop) refuse(c *Conn, resp *Response) { l.respond(c, resp, false) }

func (l *loop) respond(c *Conn, resp *Response, head bool) {
	l.leave(c)
	if resp.Status >= 400 {
		l.srv.count.refused(resp.Status)
	}
	c.head.free()
	c.head = nil
	c.mu.Lock()
	c.out.clear()
	c.out.pushBytes(resp.size(), func(dst []byte) []byte { return resp.append(dst, head) })
	c.out.begun = c.out.size
	c.setStateLocked(stateFailing)
	l.batch.noteLocked(c)
	c.mu.Unlock()
	l.armEnd(c)
}

// exchange is the memory that gobwas/ws's Upgrader reads a whole head from and
// writes its answer to. The Upgrader is never given the socket: it blocks until
// a head is whole, has no limits, and its buffered reader would swallow the
// frames that follow. Nor is it given the client's head, which it reads more
// loosely in places and more narrowly in others (a Connection field in two
// lines, a list in Upgrade) than request.go, which has judged it: it is given
// the least head that says the same.
type exchange struct {
	head, out []byte
	in        []byte // what of head is still to be read
}

func (x *exchange) begin(key []byte, protocol string) {
	h := append(x.head[:0], "GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	h = append(h, key...)
	if protocol != "" {
		h = append(h, "\r\nSec-WebSocket-Protocol: "...)
		h = append(h, protocol...)
	}
	h = append(h, "\r\n\r\n"...)
	x.head, x.in, x.out = h, h, x.out[:0]
}

func (x *exchange) addField(name, value string) {
	x.out = fmt.Appendf(x.out[:len(x.out)-len(crlf)], "%s: %s\r\n\r\n", name, value)
}

// addFields puts further fields into the answer, each with its CRLF.
func (x *exchange) addFields(fields []byte) {
	x.out = append(append(x.out[:len(x.out)-len(crlf)], fields...), crlf...)
}

func (x *exchange) Read(p []byte) (int, error) {
	if len(x.in) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, x.in)
	x.in = x.in[n:]
	return n, nil
}

func (x *exchange) Write(p []byte) (int, error) {
	x.out = append(x.out, p...)
	return len(p), nil
}

func newUpgrader() gobwas.Upgrader {
	return gobwas.Upgrader{
		ReadBufferSize:  4096, // its longest line: a subprotocol may be long
		WriteBufferSize: 512,
		Protocol:        func([]byte) bool { return true }, // there is at most the chosen one
	}
}
