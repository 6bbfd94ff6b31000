package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// A casting is a broadcast.
type casting struct {
	number   uint64
	size     int
	bytes    []byte
	accepted bool // the daemon said that it has dealt with it
}

func (c *casting) payload() []byte {
	if c.bytes == nil {
		c.bytes = castPayload(c.number, c.size)
	}
	return c.bytes
}

// A question is an operator's request to a session.
type question struct {
	Number uint64 `json:"number"`
	To     uint32 `json:"to"`
	Hold   bool   `json:"hold"` // the answer
}

// operate does what operators have to do by now.
func (s *Swarm) operate() {
	if s.admin == nil || s.stopping {
		return
	}
	if s.opt.BroadcastEvery > 0 && !s.casting && !s.noCasts && s.now >= s.nextCast {
		s.broadcast()
	}
	if s.opt.AskEvery > 0 && s.now >= s.nextAsk && s.asking < 40 {
		s.nextAsk = s.now + int64(s.opt.AskEvery)
		if c := s.talkers[s.rng.IntN(len(s.talkers))]; c.live() && c.session != "" {
			s.question(c, false)
		}
	}
}

// call has an operator call, and report in this thread.
func (s *Swarm) call(name string, args any, limit time.Duration, report func(json.RawMessage, error)) {
	s.calls.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, limit)
		defer cancel()
		a, err := s.admin.Call(ctx, name, args)
		select {
		case s.reports <- func() { report(a.Result, err) }:
		case <-s.life.Done():
		}
	})
}

// broke tells a call whose connection ended before the answer: nobody knows
// whether it was carried out.
func broke(err error) bool {
	var e *admin.NotReachableError
	return errors.As(err, &e)
}

// broadcast sends to all. The next waits for its end, so that their order is
// known.
func (s *Swarm) broadcast() {
	c := &casting{number: uint64(len(s.castings)), size: 100 + s.rng.IntN(400)}
	s.castings = append(s.castings, c)
	s.casting, s.castBegan = true, s.now
	s.r.Broadcasts.Sent++
	s.call("jbroadcast_ignore_reply", map[string]any{"data": json.RawMessage(c.payload())}, s.opt.Patience, func(_ json.RawMessage, err error) {
		s.casting, s.castEnded = false, s.now
		s.nextCast = max(s.castBegan+int64(s.opt.BroadcastEvery), s.now)
		if err == nil {
			c.accepted = true
			s.r.Broadcasts.Accepted++
			return
		}
		s.nextCast = s.now + int64(50*time.Millisecond)
		s.callFailed("broadcast", err)
	})
}

func (s *Swarm) callFailed(what string, err error) {
	s.r.CallsBroken++
	s.sample("a call (%s) failed: %v", what, err)
}

// question asks a session.
func (s *Swarm) question(c *conn, hold bool) {
	s.numbers++
	q := question{s.numbers, c.id, hold}
	s.r.Questions.Asked++
	s.asking++
	c.lastSent = s.now
	args := map[string]any{"session": c.session, "data": q, "timeout": s.opt.Patience.String()}
	s.call("send_jrr_sreq", args, s.opt.Patience+5*time.Second, func(answer json.RawMessage, err error) {
		s.asking--
		var e *admin.Error
		switch {
		case err == nil:
			s.checkAnswer(q, answer)
		case broke(err):
			s.r.Questions.Broken++
			s.callFailed(fmt.Sprintf("question %d", q.Number), err)
		case errors.As(err, &e) && c.id == q.To && (c.state == stateClosed || c.state == stateClosing || c.expected != 0), c.id != q.To:
			s.r.Questions.Closed++
		default:
			s.r.Questions.Lost++
			s.sample("question %d to session %d has no answer: %v", q.Number, q.To, err)
		}
	})
}

// checkAnswer wants the question back.
func (s *Swarm) checkAnswer(q question, answer json.RawMessage) {
	var e envelope
	want, err := json.Marshal(q)
	if err == nil {
		err = json.Unmarshal(answer, &e)
	}
	if err != nil || !bytes.Equal(e.Data, want) {
		s.fault(&s.r.Corrupted, "question %d was answered with %.100q, %v", q.Number, answer, err)
		return
	}
	s.r.Questions.Answered++
}
