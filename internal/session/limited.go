package session

import (
	"sync/atomic"

	"github.com/nvsess/nvsess/internal/ws"
)

// limited counts who ran into a limit of this package.
type limited struct {
	requests, verifying, idle atomic.Uint64
}

// totals adds them to the transport's, under the names of their keys.
func (x *limited) totals(m map[string]uint64) map[string]uint64 {
	m["pending_requests"] = x.requests.Load()      // requests that failed: their session had too many unanswered
	m["undecided_handshakes"] = x.verifying.Load() // handshakes refused: too many were being decided about
	m["idle"] = x.idle.Load()                      // sessions closed for their silence
	return m
}

// idleReason is what a session is closed with that sent nothing for Options.Idle.
// The code does not keep its client from coming back.
const (
	idleCode   = ws.CloseGoingAway
	idleReason = "idle for too long"
)

// tooIdle closes a session that sent nothing for too long.
func (r receiver) tooIdle(b *ws.Batch, s *Session) bool {
	if most := r.now().Idle; most <= 0 || s.conn.IdleFor() < most {
		return false
	}
	r.limited.idle.Add(1)
	_ = b.Close(s.conn, idleCode, idleReason)
	s.release()
	return true
}

// watchIdle sets the timer of a session without keepalive. With it, silence is
// looked for at every ping.
func (r receiver) watchIdle(c *ws.Conn) {
	if most := r.now().Idle; most > 0 {
		c.SetTimer(max(most-c.IdleFor(), 1))
	}
}
