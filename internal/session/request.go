package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/internal/ws"
)

// A request is a must-reply request to one or many sessions, all under the same
// id. Each session that it was sent to holds it until it is answered, taken
// back, or the session closes; settle is called exactly once per session unless
// it is taken back. settle must not block.
type request struct {
	id ID
	to atomic.Pointer[func(*Session, answer)]
}

// newRequest makes a request under a new id.
func newRequest(settle func(*Session, answer)) *request {
	r := &request{id: newID()}
	r.settleBy(settle)
	return r
}

// settleBy sets what is called from now on.
func (r *request) settleBy(f func(*Session, answer)) { r.to.Store(&f) }

func (r *request) settle(s *Session, envelope []byte, err error) {
	(*r.to.Load())(s, answer{envelope, err})
}

// answer is what settles a request.
type answer struct {
	envelope []byte
	err      error
}

// frame encodes the request.
func (r *request) frame(s *Server, data []byte) ws.Frame {
	wire := appendEnvelope(make([]byte, 0, len(data)+160), typeSreq, r.id, data)
	return s.ws.NewFrame(ws.OpText, wire)
}

// expect notes that the session owes an answer.
func (s *Session) expect(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return ErrSessionClosed
	}
	w := s.waitsLocked()
	if most := s.mount.srv.now().MaxPending; most > 0 && len(w.requests) >= most {
		s.mount.srv.limited.requests.Add(1)
		return ErrTooManyPending
	}
	w.requests = append(w.requests, r)
	s.mount.srv.requests.begin()
	return nil
}

// deadline gives ctx the server's default deadline if it has none.
func (s *Server) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := s.now().AskTimeout
	if _, ok := ctx.Deadline(); ok || limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// forget takes a request back, for that reason, and reports whether it was still
// unsettled.
func (s *Session) forget(r *request, why fate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == nil {
		return false
	}
	i := slices.Index(s.waits.requests, r)
	if i < 0 {
		return false
	}
	s.waits.requests = slices.Delete(s.waits.requests, i, i+1)
	s.trimLocked()
	s.mount.srv.requests.end(why)
	return true
}

// answer settles the request with that id. An unknown id, or one of another
// session, is ignored.
func (s *Session) answer(id []byte, envelope []byte) bool {
	want, ok := parseID(id)
	if !ok {
		return false
	}
	s.mu.Lock()
	var r *request
	if s.waits != nil {
		if i := slices.IndexFunc(s.waits.requests, func(r *request) bool { return r.id == want }); i >= 0 {
			r = s.waits.requests[i]
			s.waits.requests = slices.Delete(s.waits.requests, i, i+1)
			s.trimLocked()
		}
	}
	s.mu.Unlock()
	if r == nil {
		return false
	}
	s.mount.srv.requests.end(answered)
	r.settle(s, bytes.Clone(envelope), nil)
	return true
}

// Ask sends a must-reply request (`___sreq___`) with data, which must be valid
// JSON, and waits for the answer: the whole `___cres___` envelope. It returns
// ErrSessionClosed as soon as the session is gone, ErrTooManyPending, ErrSlow,
// or ctx's error; without a deadline in ctx the server's default applies.
func (s *Session) Ask(ctx context.Context, data json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := s.mount.srv.deadline(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	got := make(chan answer, 1)
	r := newRequest(func(_ *Session, a answer) { got <- a })
	if err := s.expect(r); err != nil {
		return nil, err
	}
	switch s.conn.SendFrame(r.frame(s.mount.srv, data)) {
	case Gone:
		s.forget(r, unsent)
		return nil, ErrSessionClosed
	case Slow:
		s.forget(r, unsent)
		return nil, ErrSlow
	}
	s.mount.srv.watchers.message(s, KindJSON, "out", data)
	select {
	case a := <-got:
		return a.envelope, a.err
	case <-ctx.Done():
		if suspended(ctx) {
			return s.suspend(r.id, got, func(sink func(answer)) { r.settleBy(func(_ *Session, a answer) { sink(a) }) })
		}
		if !s.forget(r, overdue(ctx)) { // it was settled this very moment
			a := <-got
			return a.envelope, a.err
		}
		return nil, ctx.Err()
	}
}

// Reply answers a client's request (`___creq___`) with data, which must be valid
// JSON, by the id that the request had. It returns ErrBadID, ErrSessionClosed or
// ErrSlow.
func (s *Session) Reply(id string, data json.RawMessage) error {
	want, ok := parseID([]byte(id))
	if !ok {
		return ErrBadID
	}
	wire := appendEnvelope(make([]byte, 0, len(data)+160), typeSres, want, data)
	switch s.conn.Send(ws.OpText, wire) {
	case Gone:
		return ErrSessionClosed
	case Slow:
		return ErrSlow
	}
	s.mount.srv.watchers.message(s, KindJSON, "out", wire)
	return nil
}

// Pending lists the ids of the requests that the session has not answered, the
// oldest first.
func (s *Session) Pending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == nil {
		return nil
	}
	ids := make([]string, len(s.waits.requests))
	for i, r := range s.waits.requests {
		ids[i] = r.id.String()
	}
	return ids
}

// Settle gives a request the answer that the peer did not, and reports whether
// it was still waiting. The envelope is what Ask returns.
func (s *Session) Settle(id string, envelope json.RawMessage) bool {
	return s.answer([]byte(id), envelope)
}

// pingWait is a ping frame whose pong is awaited.
type pingWait struct {
	token [8]byte
	done  chan struct{} // closed when the session closes
	pong  chan struct{} // buffered
}

// Ping sends a ping frame and returns the time to its pong. Errors and deadline
// are those of Ask.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	ctx, cancel := s.mount.srv.deadline(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	id := newID()
	p := &pingWait{token: [8]byte(id[:]), done: make(chan struct{}), pong: make(chan struct{}, 1)}
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return 0, ErrSessionClosed
	}
	w := s.waitsLocked()
	w.pings = append(w.pings, p)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waits != nil {
			s.waits.pings = slices.DeleteFunc(s.waits.pings, func(x *pingWait) bool { return x == p })
			s.trimLocked()
		}
	}()
	began := time.Now()
	switch s.conn.Ping(p.token[:]) {
	case Gone:
		return 0, ErrSessionClosed
	case Slow:
		return 0, ErrSlow
	}
	select {
	case <-p.pong:
		return time.Since(began), nil
	case <-p.done:
		return 0, ErrSessionClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Pong settles the ping with that token; pongs nobody asked for are legal
// (RFC 6455, section 5.5.3) and ignored.
func (r receiver) Pong(_ *ws.Batch, c *ws.Conn, payload []byte) {
	if len(payload) != 8 {
		return
	}
	s := c.Data().(*Session)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == nil {
		return
	}
	for _, p := range s.waits.pings {
		if binary.NativeEndian.Uint64(p.token[:]) == binary.NativeEndian.Uint64(payload) {
			select {
			case p.pong <- struct{}{}:
			default:
			}
		}
	}
}
