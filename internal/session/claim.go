package session

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// A claim is the answer to a request whose caller is suspended: it is kept until
// the caller, in this process or the next one, comes for it.
type claim struct {
	mu   sync.Mutex // guards what follows
	have *answer    // came already
	sink func(answer)

	stop func() bool // of the timer that gives it up
}

// deliver is the request's settling.
func (c *claim) deliver(a answer) {
	c.mu.Lock()
	sink := c.sink
	if sink == nil {
		c.have = &a
	}
	c.mu.Unlock()
	if sink != nil {
		sink(a)
	}
}

// collect has the answer given to sink, now or when it comes.
func (c *claim) collect(sink func(answer)) {
	c.mu.Lock()
	have := c.have
	if have == nil {
		c.sink = sink
	}
	c.mu.Unlock()
	if have != nil {
		sink(*have)
	}
}

// claims is the answers that are kept, by the session that owes them and the
// request's id.
type claims struct {
	mu sync.Mutex // guards m
	m  map[claimKey]*claim
}

type claimKey struct {
	s  *Session
	id ID
}

// claimPatience is how long an answer is kept for a caller.
const claimPatience = 15 * time.Minute

// keep makes a claim to the answer that s owes, or will.
func (c *claims) keep(s *Session, id ID) *claim {
	key, x := claimKey{s, id}, new(claim)
	x.stop = time.AfterFunc(claimPatience, func() {
		c.take(key)
		s.forgetID(id, expired)
	}).Stop
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[claimKey]*claim{}
	}
	c.m[key] = x
	return x
}

// take returns a claim, once; nil: there is none.
func (c *claims) take(key claimKey) *claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.m[key]
	if x == nil {
		return nil
	}
	delete(c.m, key)
	x.stop()
	return x
}

// awaitAgain lets a session owe an answer that another process has asked for.
func (s *Session) awaitAgain(id ID) {
	x := s.mount.srv.claims.keep(s, id)
	r := &request{id: id}
	r.settleBy(func(_ *Session, a answer) { x.deliver(a) })
	w := s.waitsLocked()
	w.requests = append(w.requests, r)
	s.mount.srv.requests.begin()
}

// forgetID is forget by the request's id.
func (s *Session) forgetID(id ID, why fate) bool {
	s.mu.Lock()
	var r *request
	if s.waits != nil {
		if i := slices.IndexFunc(s.waits.requests, func(r *request) bool { return r.id == id }); i >= 0 {
			r = s.waits.requests[i]
		}
	}
	s.mu.Unlock()
	return r != nil && s.forget(r, why)
}

// AskAgain goes on with an Ask that ended with a *Suspended, in this process or
// in the one before. It returns what Ask would.
func (s *Session) AskAgain(ctx context.Context, id string) (json.RawMessage, error) {
	want, ok := parseID([]byte(id))
	if !ok {
		return nil, ErrBadID
	}
	x := s.mount.srv.claims.take(claimKey{s, want})
	if x == nil {
		return nil, ErrSessionClosed
	}
	ctx, cancel := s.mount.srv.deadline(ctx)
	defer cancel()
	got := make(chan answer, 1)
	x.collect(func(a answer) { got <- a })
	select {
	case a := <-got:
		return a.envelope, a.err
	case <-ctx.Done():
		if suspended(ctx) {
			return s.suspend(want, got, x.collect)
		}
		if !s.forgetID(want, overdue(ctx)) { // it was settled this very moment
			a := <-got
			return a.envelope, a.err
		}
		return nil, ctx.Err()
	}
}

// suspend leaves a request to a claim, to which settleBy sends its answer from now
// on, unless it has come to got already.
func (s *Session) suspend(id ID, got <-chan answer, settleBy func(func(answer))) (json.RawMessage, error) {
	x := s.mount.srv.claims.keep(s, id)
	settleBy(x.deliver)
	select {
	case a := <-got:
		s.mount.srv.claims.take(claimKey{s, id})
		return a.envelope, a.err
	default:
		return nil, &Suspended{Request: id.String()}
	}
}

// suspendedBroadcast is a Broadcast that waits for answers, left to who goes on
// with it.
func (s *Server) suspendBroadcast(r *request, res BroadcastResult, waiting []*Session, have map[*Session]bool) *Suspended {
	out := &Suspended{Request: r.id.String(), Result: &res}
	sinks := map[*Session]*claim{}
	for _, x := range waiting {
		if !have[x] {
			sinks[x] = s.claims.keep(x, r.id)
			out.Waiting = append(out.Waiting, x.ID())
		}
	}
	r.settleBy(func(x *Session, a answer) {
		if c := sinks[x]; c != nil {
			c.deliver(a)
		}
	})
	return out
}

// BroadcastAgain goes on with a Broadcast that ended with a *Suspended, in this
// process or in the one before: b is the same but for its targets.
func (s *Server) BroadcastAgain(ctx context.Context, b Broadcast, left *Suspended) (BroadcastResult, error) {
	id, ok := parseID([]byte(left.Request))
	if !ok || left.Result == nil {
		return BroadcastResult{}, ErrBadID
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	got := make(chan settled, len(left.Waiting))
	r := &request{id: id}
	r.settleBy(func(x *Session, a answer) { got <- settled{x, a} })
	var waiting []*Session
	for _, name := range left.Waiting {
		key, _ := parseID([]byte(name))
		x := s.registry.get(key)
		if x == nil {
			continue
		}
		if c := s.claims.take(claimKey{x, id}); c != nil {
			waiting = append(waiting, x)
			c.collect(func(a answer) { r.settle(x, a.envelope, a.err) })
		}
	}
	return s.gather(ctx, b, r, *left.Result, waiting, got)
}
