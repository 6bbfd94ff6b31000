package swarm

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/nvsess/nvsess/bench/wire"
)

// An envelope of the session protocol.
type envelope struct {
	Type string          `json:"___type___"`
	ID   string          `json:"___id___"`
	Data json.RawMessage `json:"___data___"`
}

var envelopePrefix = []byte(`{"___type___":"`)

// creqID spells the number of a session's request as an id of 64 characters.
func creqID(sender uint32, number uint64) []byte {
	id := appendHex(nil, uint64(sender), 8)
	id = append(id, '-')
	id = appendHex(id, number, 16)
	return append(id, bytes.Repeat([]byte("r"), 64-len(id))...)
}

// parseCreqID is the reverse.
func parseCreqID(id string) (sender uint32, number uint64, ok bool) {
	if len(id) != 64 || id[8] != '-' {
		return 0, 0, false
	}
	from, ok1 := parseHex([]byte(id[:8]))
	number, ok2 := parseHex([]byte(id[9:25]))
	return uint32(from), number, ok1 && ok2
}

// creqData is what the request of that number asks, and must be answered with.
func creqData(sender uint32, number uint64) []byte {
	return fmt.Appendf(nil, `{"asked":"%s"}`, filling(sender, number, 24))
}

// envelope deals with what the daemon sends on its own account, and with
// requests and answers.
func (s *Swarm) envelope(c *conn, b []byte) {
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		s.fault(&s.r.Corrupted, "session %d: an envelope that is none: %.80q", c.id, b)
		return
	}
	switch e.Type {
	case "___cfg___":
		var data struct{ Sessid string }
		err := json.Unmarshal(e.Data, &data)
		switch {
		case err != nil || data.Sessid == "":
			s.fault(&s.r.Corrupted, "session %d: a configuration without an id: %.80q", c.id, b)
		case c.session != "":
			s.fault(&s.r.Regreeted, "session %d was greeted again, as %.12s after %.12s", c.id, data.Sessid, c.session)
		default:
			c.session = data.Sessid
		}
	case "___ping___":
		id := creqID(c.id, c.pongs)
		c.pongs++
		pong := append([]byte(`{"___type___":"___pong___","___id___":"`), id...)
		pong = append(pong, `","___data___":`...)
		pong = append(append(pong, e.Data...), '}')
		s.put(c, wire.OpText, pong)
	case "___pong___":
	case "___sres___":
		s.answered(c, &e)
	case "___sreq___":
		s.asked(c, &e)
	default:
		s.fault(&s.r.Corrupted, "session %d: an envelope nobody knows: %.80q", c.id, b)
	}
}

// ask has a session send a request.
func (s *Swarm) ask(c *conn) {
	n := c.creqs
	c.creqs++
	b := append([]byte(`{"___type___":"___creq___","___id___":"`), creqID(c.id, n)...)
	b = append(b, `","___data___":`...)
	b = append(append(b, creqData(c.id, n)...), '}')
	c.unanswered = append(c.unanswered, n)
	s.unanswered++
	s.r.Requests.Asked++
	s.put(c, wire.OpText, b)
}

// answered notes the answer to a session's request.
func (s *Swarm) answered(c *conn, e *envelope) {
	sender, n, ok := parseCreqID(e.ID)
	if !ok || sender != c.id || !bytes.Equal(e.Data, creqData(c.id, n)) {
		s.fault(&s.r.Corrupted, "session %d: an answer to %.30q that nobody asked: %.60q", c.id, e.ID, e.Data)
		return
	}
	for i, m := range c.unanswered {
		if m == n {
			c.unanswered = append(c.unanswered[:i], c.unanswered[i+1:]...)
			s.unanswered--
			s.r.Requests.Answered++
			return
		}
	}
	s.fault(&s.r.Duplicated, "session %d: request %d was answered twice", c.id, n)
}

// asked answers an operator's request, now or when it is released.
func (s *Swarm) asked(c *conn, e *envelope) {
	var q question
	if err := json.Unmarshal(e.Data, &q); err != nil || q.To != c.id {
		s.fault(&s.r.Corrupted, "session %d was asked what is not for it: %.80q", c.id, e.Data)
		return
	}
	if s.questions[q.Number] {
		s.fault(&s.r.Duplicated, "session %d was asked question %d twice", c.id, q.Number)
		return
	}
	s.questions[q.Number] = true
	b := append([]byte(`{"___type___":"___cres___","___id___":"`), e.ID...)
	b = append(b, `","___data___":`...)
	b = append(append(b, e.Data...), '}')
	if q.Hold {
		c.heldAnswer = b
		return
	}
	s.put(c, wire.OpText, b)
}
