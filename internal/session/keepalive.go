package session

import (
	"time"

	"github.com/nvsess/nvsess/internal/ws"
)

// keepaliveReason is what a session is closed with that has stayed silent. The
// code is that of an unexpected condition, so that clients come back.
const (
	keepaliveCode   = ws.CloseInternal
	keepaliveReason = "keepalive timeout"
)

// greetDelay is how long a session waits for its configuration. Stock Node
// clients begin to listen for messages a moment after the handshake, and lose
// what comes in the same packet or just after it (nv-session-simple's server
// waits for 2 ms).
const greetDelay = 5 * time.Millisecond

// greet tells a session its id and the interval, and begins its keepalive: when
// greetDelay is over, or before, when the client sends something and so shows
// that it listens.
func (r receiver) greet(b *ws.Batch, s *Session) {
	if s.greeted {
		return
	}
	opt := r.now()
	if !opt.Keepalive {
		return
	}
	s.greeted = true
	buf := scratch.Get().(*[]byte)
	*buf = appendCfg((*buf)[:0], s.id, opt.cfgMS)
	b.Send(s.conn, ws.OpText, *buf)
	scratch.Put(buf)
	s.conn.SetTimer(opt.Interval / 2)
}

// Timer is a session's keepalive: every half interval a ping; after an interval
// without a byte from the peer a last one, as a message and as a frame, which
// any WebSocket library answers by itself; and when the grace brings nothing
// either, the end.
func (r receiver) Timer(b *ws.Batch, c *ws.Conn) {
	s, opt := c.Data().(*Session), r.now()
	r.debugTimer(s)
	if opt.Keepalive && !s.greeted {
		r.greet(b, s)
		return
	}
	if r.tooIdle(b, s) {
		return
	}
	if !opt.Keepalive || s.quiet.Load() {
		r.watchIdle(c)
		return
	}
	interval, idle := opt.Interval, c.IdleFor()
	grace := min(opt.Grace, interval)
	switch {
	case idle < interval || !opt.Drop:
		s.asked = 0
		r.ping(b, c, opt.NativePings)
		next := interval / 2
		if left := interval - idle; opt.Drop && left < next {
			next = left
		}
		c.SetTimer(next)
	case s.asked != c.LastReceived() && grace > 0:
		s.asked = c.LastReceived()
		r.ping(b, c, false)
		b.Ping(c, nil)
		c.SetTimer(grace) // however late it is: a stopped process asks too
	default:
		if s.asked == 0 {
			r.ping(b, c, opt.NativePings)
		}
		r.timedOut.Add(1)
		_ = b.Close(c, keepaliveCode, keepaliveReason)
		s.release()
	}
}

// StopKeepalive ends the keepalive of this session: it is neither pinged nor
// closed for being silent any more.
func (s *Session) StopKeepalive() { s.quiet.Store(true) }

// Keepalive reports whether the session has one.
func (s *Session) Keepalive() bool { return s.mount.srv.now().Keepalive && !s.quiet.Load() }

// pingAlong sends the next ping with an answer that is being sent anyway, when
// it would be due within a quarter of the interval: stock clients ping at least
// that often, so most pings need no system call of their own.
func (r receiver) pingAlong(b *ws.Batch, s *Session) {
	opt := r.now()
	if !opt.Keepalive || s.quiet.Load() {
		return
	}
	if left := s.conn.TimerLeft(); left > 0 && left <= opt.Interval/4 {
		r.ping(b, s.conn, opt.NativePings)
		s.conn.SetTimer(opt.Interval / 2)
	}
}

func (r receiver) ping(b *ws.Batch, c *ws.Conn, native bool) {
	if native {
		b.Ping(c, nil)
		return
	}
	buf := scratch.Get().(*[]byte)
	*buf = appendKeepalive((*buf)[:0], typePing, r.now().cfgMS)
	b.Send(c, ws.OpText, *buf)
	scratch.Put(buf)
}
