package swarm

import (
	"bytes"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// mostOwed is how many messages of a session may be under way.
const mostOwed = 64

// talk sends what is due by now: the messages and requests of sessions, and what
// operators do.
func (s *Swarm) talk() {
	s.retry()
	if s.quiet {
		s.talked = s.now
		return
	}
	s.operate()
	due := s.opt.Rate * time.Duration(s.now-s.talked).Seconds()
	most := max(1, s.opt.Rate/10) // there is no catching up with more than 100 ms
	if due < 1 {
		return
	}
	s.talked = s.now
	for n := int(min(due, most)); n > 0 && len(s.talkers) > 0; n-- {
		c := s.talkers[s.turn%len(s.talkers)]
		s.turn++
		if !c.live() || c.session == "" || c.sent-c.echoes.next >= mostOwed {
			continue
		}
		if s.rng.IntN(8) == 0 && len(c.unanswered) < 32 {
			s.ask(c)
		} else {
			s.say(c, s.size())
		}
	}
}

// size draws that of a message: most are small, a few are more than a frame.
func (s *Swarm) size() int {
	switch n := s.rng.IntN(100); {
	case n < 80:
		return 60 + s.rng.IntN(140)
	case n < 98:
		return 200 + s.rng.IntN(1500)
	}
	return 17_000
}

// paced tells sessions whose echoes are waited for at once.
func (c *conn) paced() bool { return c.role == roleTalker || c.role == roleIdle }

// say sends a message.
func (s *Swarm) say(c *conn, size int) {
	opcode, b := s.numbered(c, size)
	s.put(c, opcode, b)
}

// numbered makes a session's next message, and notes that it is owed.
func (s *Swarm) numbered(c *conn, size int) (opcode byte, b []byte) {
	opcode = wire.OpText
	if c.sent&1 == 1 {
		opcode = wire.OpBinary
	}
	s.scratch = appendMessage(s.scratch[:0], opcode, c.id, c.sent, size)
	c.sent++
	c.sentAt = append(c.sentAt, s.now)
	s.r.Messages.Sent++
	if c.paced() {
		if s.owed == 0 {
			s.owedSince = s.now
		}
		s.owed++
	}
	return opcode, s.scratch
}

// echoed checks a message that came back.
func (s *Swarm) echoed(c *conn, opcode byte, b []byte) {
	sender, n, err := parseMessage(opcode, b)
	switch {
	case err != nil:
		s.fault(&s.r.Corrupted, "session %d: %v", c.id, err)
		return
	case sender != c.id:
		s.fault(&s.r.Corrupted, "session %d got message %d of session %d", c.id, n, sender)
		return
	case n >= c.sent:
		s.fault(&s.r.Corrupted, "session %d got message %d, which it has not sent", c.id, n)
		return
	}
	before := c.echoes.next
	switch c.echoes.got(n) {
	case repeated:
		s.fault(&s.r.Duplicated, "session %d got message %d twice", c.id, n)
		return
	case tooLate:
		s.fault(&s.r.Reordered, "session %d got message %d after later ones", c.id, n)
		s.r.Messages.Received++
		return
	}
	s.r.Messages.Received++
	s.gap(c, "message", before, n)
	i := int(n - before)
	if c.paced() {
		if !s.quiet {
			s.times.Record(time.Duration(s.now - c.sentAt[i]))
		}
		s.owed -= i + 1
		s.lastEcho = s.now
	}
	c.sentAt = c.sentAt[i+1:]
	if len(c.sentAt) == 0 {
		c.sentAt = nil
	}
}

// gap says which numbers were skipped.
func (s *Swarm) gap(c *conn, what string, from, to uint64) {
	if to > from {
		s.sample("session %d got %s %d when %d was next", c.id, what, to, from)
	}
}

// cast checks a broadcast.
func (s *Swarm) cast(c *conn, b []byte) {
	n, ok := castNumber(b)
	if !ok || n >= uint64(len(s.castings)) || !bytes.Equal(b, s.castings[n].payload()) {
		s.fault(&s.r.Corrupted, "session %d: a broadcast nobody sent: %d bytes, %.60q", c.id, len(b), b)
		return
	}
	before := c.casts.next
	switch c.casts.got(n) {
	case repeated:
		s.fault(&s.r.Duplicated, "session %d got broadcast %d twice", c.id, n)
		return
	case tooLate:
		s.fault(&s.r.Reordered, "session %d got broadcast %d after later ones", c.id, n)
	default:
		for m := before; m < n; m++ {
			if s.castings[m].accepted && m >= c.member {
				s.gap(c, "broadcast", m, n)
			}
		}
	}
	s.r.Broadcasts.Received++
}

// measurePause notes the longest time in which nothing came back though
// something was owed.
func (s *Swarm) measurePause() {
	if s.owed > 0 && !s.quiet {
		s.pause = max(s.pause, time.Duration(s.now-max(s.lastEcho, s.owedSince)))
	}
}
