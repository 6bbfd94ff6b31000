package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

// Save writes a session of an open connection down.
func (r receiver) Save(c *ws.Conn, w *snapshot.Writer, atOpen bool) {
	s, _ := c.Data().(*Session)
	if s == nil {
		return
	}
	w.Bytes(s.id[:])
	w.String(s.head)
	w.Int(s.openedAt)
	w.Duration(s.Age())
	w.Bool(s.asked != 0 && s.asked == c.LastReceived())
	w.Bool(s.greeted)
	w.Bool(s.quiet.Load())
	at := uint64(1) // all that crash together are put in order by their age
	if !atOpen {
		at = r.registry.position(s)
	}
	w.Uint(at)
	if s.identity == nil {
		w.Bool(false)
	} else {
		w.Bool(true)
		w.String(s.identity.Name)
		w.String(s.identity.Method)
		w.Bytes(s.identity.Claims)
	}
	w.Bool(atOpen)
	if atOpen {
		return
	}
	s.mu.Lock()
	var pending []*request
	if s.waits != nil {
		pending = s.waits.requests
	}
	w.Uint(uint64(len(pending)))
	for _, p := range pending {
		w.Bytes(p.id[:])
	}
	s.mu.Unlock()
	var queue []*Call
	id, attempts := "", 0
	if s.inbox != nil {
		queue, id, attempts = s.inbox.left()
	}
	w.Uint(uint64(len(queue)))
	for _, c := range queue {
		w.Uint(uint64(c.Kind))
		w.Bytes(c.Payload)
		w.String(c.backend.Name())
	}
	w.String(id)
	w.Uint(uint64(attempts))
	if n := len(queue); n > 0 && queue[n-1].Kind == KindClose {
		info := queue[n-1].Close
		w.Uint(uint64(info.Code))
		w.String(info.Reason)
		w.Bool(info.Remote)
		w.Bool(info.Clean)
		text := ""
		if info.Err != nil {
			text = info.Err.Error()
		}
		w.String(text)
	}
	s.mu.Lock()
	w.Bool(s.sentAway)
	s.mu.Unlock()
}

var errNoSession = errors.New("session: its state is damaged")

// Restore reads that.
func (r receiver) Restore(c *ws.Conn, in *snapshot.Reader) (path []byte, err error) {
	s := &Session{conn: c}
	if copy(s.id[:], in.Bytes()) != len(s.id) {
		return nil, errNoSession
	}
	head := in.Bytes()
	s.head = string(head)
	req, _ := r.arriving.requests.Get().(*ws.Request)
	if req == nil {
		req = new(ws.Request)
	}
	defer r.arriving.requests.Put(req)
	if resp := req.Parse(head, 0); resp != nil {
		return nil, fmt.Errorf("%w: its request: %s", errNoSession, resp.Detail)
	}
	path = req.Path()
	m := r.ws.MountOf(path)
	if m == nil {
		return nil, fmt.Errorf("no mount has its path any more: %s", printable(string(path)))
	}
	s.mount = m.Data.(*mount)
	s.openedAt = in.Int()
	s.opened = time.Since(r.started) - in.Duration()
	if in.Bool() {
		s.asked = c.LastReceived()
	}
	s.greeted = in.Bool()
	s.quiet.Store(in.Bool())
	at := in.Uint()
	if in.Bool() {
		s.identity = &Identity{Name: in.String(), Method: in.String(), Claims: slices.Clone(in.Bytes())}
	}
	if in.Bool() { // it has crashed: what came after the opening is not known
		s.opened = time.Since(r.started) - max(time.Since(s.OpenedAt()), 0)
		s.greeted = time.Since(s.OpenedAt()) > greetDelay+time.Second
	}
	for range in.Count() {
		var id ID
		if copy(id[:], in.Bytes()) != len(id) {
			return nil, errNoSession
		}
		s.awaitAgain(id)
	}
	tried := new(Call) // the first, of which the record's end tells
	over := false      // the last is of the session's end, of which it tells, too
	for i := range in.Count() {
		call := &Call{Session: s, Kind: Kind(in.Uint()), Payload: slices.Clone(in.Bytes())}
		name := in.String()
		if i == 0 {
			tried = call
		}
		over = call.Kind == KindClose
		for _, b := range r.backends() {
			if b.Name() == name {
				call.backend = b
			}
		}
		if call.backend == nil || call.Kind >= numKinds {
			continue // nobody is there who would handle it
		}
		if s.inbox == nil {
			s.inbox = &inbox{all: &r.inboxes}
		}
		r.inboxes.note(call)
		s.inbox.queue = append(s.inbox.queue, call)
		s.inbox.bytes += len(call.Payload)
	}
	tried.id, tried.attempts = in.String(), int(in.Uint())
	if over {
		info := ws.CloseInfo{Code: int(in.Uint()), Reason: in.String(), Remote: in.Bool(), Clean: in.Bool()}
		if text := in.String(); text != "" {
			info.Err = errors.New(text)
		}
		if s.inbox != nil && len(s.inbox.queue) > 0 {
			if last := s.inbox.queue[len(s.inbox.queue)-1]; last.Kind == KindClose {
				last.Close = info
			}
		}
	}
	s.sentAway = in.Bool()
	if in.Err() != nil {
		return nil, in.Err()
	}
	if s.inbox != nil {
		r.inboxes.stalls.hold() // until StartHandlers
		s.inbox.next()
	}
	c.SetData(s)
	r.arriving.mu.Lock()
	defer r.arriving.mu.Unlock()
	if at > 0 {
		r.arriving.list = append(r.arriving.list, arrived{s, at})
	} else if s.sentAway {
		r.arriving.ending = append(r.arriving.ending, s)
	}
	return path, nil
}
