package swarm

import (
	"context"
	"encoding/json"

	"github.com/nvsess/nvsess/bench/wire"
)

// A role is what a session does. Those after the first two are odd: they are in
// the middle of something while the event happens, and go on with it after.
type role uint8

const (
	roleTalker    role = iota // sends and receives all the time
	roleIdle                  // says something between events
	roleHeader                // has sent half a frame's header
	rolePayload               // has sent half a frame's payload
	roleFragment              // has sent the first fragments of a message
	roleSlow                  // does not read what the daemon has for it
	roleHeld                  // owes the answer to an operator's request
	roleLeaving               // has sent half a close frame
	roleClosed                // was closed by an operator, and has not answered
	roleHandshake             // has sent half its handshake
	roleSilent                // is connected and has sent nothing
	numRoles
)

var roleNames = [numRoles]string{
	"talking", "idle", "half a header", "half a payload", "between fragments", "megabytes unread", "an answer owed",
	"half a close frame", "a close frame unanswered", "half a handshake", "no handshake",
}

func (r role) String() string { return roleNames[r] }

// operated tells roles that need an operator.
func (r role) operated() bool { return r == roleHeld || r == roleClosed }

// An Odd is what became of the odd sessions of a kind.
type Odd struct {
	Entered  int `json:"entered"`  // were in that state when the event began
	Finished int `json:"finished"` // went on as if nothing had happened
	Refused  int `json:"refused"`  // were refused or closed in good order
	Failed   int `json:"failed"`
}

// prepare brings the odd sessions into their states.
func (s *Swarm) prepare(ctx context.Context) error {
	var fresh, leaving, half []*conn
	for _, c := range s.odd {
		switch {
		case c.role == roleHandshake || c.role == roleSilent:
			half = append(half, c)
			if c.state == stateOpen {
				leaving = append(leaving, c)
			}
		case c.state == stateClosed:
			fresh = append(fresh, c)
		}
	}
	if err := s.leave(ctx, leaving, s.opt.Patience); err != nil {
		return err
	}
	if ok, err := s.open(ctx, fresh); !ok {
		return err
	}
	for _, c := range half {
		s.renew(c)
	}
	next := 0
	if ok, err := s.until(ctx, s.opt.Patience, "half handshakes", func() bool {
		for next < len(half) && s.connect(half[next], true) {
			next++
		}
		return next == len(half)
	}); !ok {
		return err
	}
	for _, c := range s.odd {
		s.begin(c)
	}
	_, err := s.until(ctx, s.opt.Patience, "bringing sessions into odd states", func() bool {
		for _, c := range s.odd {
			if !c.ready() {
				return false
			}
		}
		return true
	})
	for _, c := range s.odd {
		s.r.odd(c.role).Entered++
	}
	return err
}

// begin has a session do the first half.
func (s *Swarm) begin(c *conn) {
	switch c.role {
	case roleHeader, rolePayload:
		opcode, b := s.numbered(c, 300)
		frame := s.appendFrame(c, nil, opcode, b)
		n := 3 // a header has 2+2+4 bytes
		if c.role == rolePayload {
			n = len(frame) / 2
		}
		c.out, c.heldBytes = append(c.out, frame[:n]...), frame[n:]
	case roleFragment:
		opcode, b := s.numbered(c, 600)
		if c.z != nil {
			b = append([]byte(nil), c.z.compress(b)...)
		}
		a, rest := wire.AppendFrame(nil, opcode, b[:100]), b[100:]
		a[0] &^= 0x80
		if c.z != nil {
			a[0] |= wire.Compressed
		}
		a = wire.AppendFrame(a, wire.OpContinuation, rest[:50])
		a[len(a)-50-6] &^= 0x80
		c.out = append(c.out, a...)
		c.heldBytes = wire.AppendFrame(nil, wire.OpPing, []byte("between"))
		c.heldBytes = wire.AppendFrame(c.heldBytes, wire.OpContinuation, rest[50:])
	case roleSlow:
		c.stalled = true
		for left := s.opt.SlowBytes; left > 0; left -= 1 << 20 {
			opcode, b := s.numbered(c, min(left, 1<<20))
			c.out = s.appendFrame(c, c.out, opcode, b)
		}
	case roleHeld:
		s.question(c, true)
	case roleLeaving:
		frame := wire.AppendFrame(nil, wire.OpClose, []byte{0x03, 0xe8})
		c.out, c.heldBytes = append(c.out, frame[:3]...), frame[3:]
	case roleClosed:
		c.expected = 4000
		s.call("close", map[string]any{"session": c.session, "code": c.expected, "reason": "asked for"}, s.opt.Patience, func(_ json.RawMessage, err error) {
			if err != nil {
				s.callFailed("close", err)
			}
		})
	}
	s.flush(c)
}

// ready tells whether a session is in its state, as far as it can tell: what is
// written may still be on its way.
func (c *conn) ready() bool {
	switch c.role {
	case roleHeld:
		return c.heldAnswer != nil
	case roleClosed:
		return c.heldBytes != nil || c.state == stateClosed
	}
	return len(c.out) == 0
}

// release has the odd sessions do the second half, as far as they are still
// there, and waits for its end.
func (s *Swarm) release(ctx context.Context) error {
	for _, c := range s.odd {
		if c.role == roleSlow {
			c.stalled = false
			s.receive(c, true)
		}
		if c.state == stateClosed {
			continue
		}
		if c.heldAnswer != nil {
			b := c.heldAnswer
			c.heldAnswer = nil
			s.put(c, wire.OpText, b)
		}
		if c.heldBytes != nil && (c.code == 0 || c.role == roleClosed) {
			if c.handshake != nil { // it is for the broadcasts to come, and perhaps for the one under way
				c.casts.next = uint64(len(s.castings))
				if s.casting {
					c.casts.next--
				}
			}
			if c.role == roleLeaving {
				c.expected, c.reply = 1000, true
			}
			c.out, c.heldBytes = append(c.out, c.heldBytes...), nil
			s.flush(c)
		}
		c.heldBytes = nil
		if c.live() && c.role != roleLeaving && c.handshake == nil {
			s.say(c, 60) // what comes back tells whether anything before it was lost
		}
	}
	_, err := s.until(ctx, s.opt.Patience, "sessions in odd states going on", func() bool {
		for _, c := range s.odd {
			if !c.finished() {
				return false
			}
		}
		return true
	})
	for _, c := range s.odd {
		s.judge(c)
	}
	return err
}

// finished tells whether nothing more is to come of the second half.
func (c *conn) finished() bool {
	switch {
	case c.state == stateClosed:
		return true
	case c.role == roleHandshake || c.role == roleSilent:
		return c.state == stateOpen && c.session != ""
	case c.role == roleLeaving || c.role == roleClosed:
		return false
	}
	return c.sent == c.echoes.next && len(c.out) == 0
}

// judge counts what became of an odd session.
func (s *Swarm) judge(c *conn) {
	o := s.r.odd(c.role)
	switch {
	case c.role == roleHandshake || c.role == roleSilent:
		switch {
		case c.handshake != nil && c.handshake.status >= 400:
			o.Refused++
		case c.state == stateOpen && c.session != "":
			o.Finished++
		default:
			o.Failed++
			s.sample("connection %d, %v: it was cut off", c.id, c.role)
		}
	case c.state == stateClosed && c.expected != 0 && c.code == c.expected && !c.cut:
		o.Finished++
	case c.state == stateClosed && c.code == codeRestart:
		o.Refused++
	case c.state == stateOpen && c.finished() && len(c.echoes.missing) == 0:
		o.Finished++
	default:
		o.Failed++
		s.sample("session %d, %v: %d of %d messages came back, closed with %d (%d expected)", c.id, c.role, c.echoes.next, c.sent, c.code, c.expected)
	}
}
