package session

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nvsess/nvsess/internal/ws"
)

// Await says which answers a broadcast waits for.
type Await uint8

const (
	AwaitNone Await = iota // send the message itself and wait for nothing
	AwaitAny               // send requests; the first answer is enough
	AwaitAll               // send requests; every answer
)

// Broadcast is a message to many sessions.
type Broadcast struct {
	Kind    Kind   // KindString, KindJSON or KindBinary; only JSON can be answered
	Data    []byte // JSON is valid, text UTF-8
	Await   Await
	Targets []*Session  // nil: all
	OnReply func(Reply) // called for each answer as it comes, by the goroutine that broadcasts
}

// Reply is a session's answer, or why it will give none.
type Reply struct {
	Session  string          `json:"session"`
	Envelope json.RawMessage `json:"envelope,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// Tally says what became of a broadcast. Sent, Queued, Slow and Gone add up to
// Targets.
type Tally struct {
	Targets  int `json:"targets"`
	Sent     int `json:"sent"`     // the kernel has it
	Queued   int `json:"queued"`   // waits for the peer to read
	Slow     int `json:"slow"`     // not delivered: the session does not keep up
	Gone     int `json:"gone"`     // closed in between
	Answered int `json:"answered"` // sent back an answer
}

func (t *Tally) note(r SendResult) {
	switch r {
	case Sent:
		t.Sent++
	case Queued:
		t.Queued++
	case Slow:
		t.Slow++
	default:
		t.Gone++
	}
}

// BroadcastResult is a broadcast's tally, and the answers if it asked for any.
type BroadcastResult struct {
	Tally
	Replies []Reply `json:"replies,omitempty"`
}

// Broadcast encodes a message once and sends it to every target without
// waiting for any of them to read. With AwaitAny or AwaitAll it then waits for
// answers; when ctx is done first, it returns what it has and ctx's error, and
// later answers are ignored. Targets are distinct.
func (s *Server) Broadcast(ctx context.Context, b Broadcast) (BroadcastResult, error) {
	targets := b.Targets
	if targets == nil {
		targets = s.Sessions()
	}
	res := BroadcastResult{Tally: Tally{Targets: len(targets)}}
	if b.Await == AwaitNone {
		op := ws.OpText
		if b.Kind == KindBinary {
			op = ws.OpBinary
		}
		f := s.ws.NewFrame(op, b.Data)
		s.watchers.broadcast(b.Kind, b.Data)
		for _, x := range targets {
			res.note(x.conn.SendFrame(f))
		}
		return res, nil
	}
	if b.Kind != KindJSON {
		return res, fmt.Errorf("session: a %s message cannot be answered", b.Kind)
	}
	return s.askMany(ctx, b, targets, res)
}

func (s *Server) askMany(ctx context.Context, b Broadcast, targets []*Session, res BroadcastResult) (BroadcastResult, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return BroadcastResult{}, err
	}
	got := make(chan settled, len(targets)) // so that settling never blocks
	r := newRequest(func(x *Session, a answer) { got <- settled{x, a} })
	f := r.frame(s, b.Data)
	s.watchers.broadcast(KindJSON, b.Data)
	waiting := make([]*Session, 0, len(targets))
	for _, x := range targets {
		switch err := x.expect(r); err {
		case nil:
			result := x.conn.SendFrame(f)
			res.note(result)
			// A session that ended meanwhile has settled the request already.
			if result == Sent || result == Queued || !x.forget(r, unsent) {
				waiting = append(waiting, x)
			}
		case ErrTooManyPending:
			res.note(Slow)
		default:
			res.note(Gone)
		}
	}
	return s.gather(ctx, b, r, res, waiting, got)
}

// settled is what a session has settled a request to many with.
type settled struct {
	s *Session
	answer
}

// gather waits for the answers to a request to many.
func (s *Server) gather(ctx context.Context, b Broadcast, r *request, res BroadcastResult, waiting []*Session, got <-chan settled) (BroadcastResult, error) {
	leave := false
	defer func() {
		for _, x := range waiting {
			if !leave {
				x.forgetID(r.id, overdue(ctx))
			}
		}
	}()
	have := map[*Session]bool{}
	for left := len(waiting); left > 0; left-- {
		select {
		case a := <-got:
			have[a.s] = true
			reply := Reply{Session: a.s.ID(), Envelope: a.envelope}
			if a.err != nil {
				reply.Error = a.err.Error()
			} else {
				res.Answered++
			}
			res.Replies = append(res.Replies, reply)
			if b.OnReply != nil {
				b.OnReply(reply)
			}
			if b.Await == AwaitAny && a.err == nil {
				return res, nil
			}
		case <-ctx.Done():
			if suspended(ctx) {
				if len(got) > 0 { // what is here already counts
					left++
					continue
				}
				leave = true
				return res, s.suspendBroadcast(r, res, waiting, have)
			}
			return res, ctx.Err()
		}
	}
	return res, nil
}
