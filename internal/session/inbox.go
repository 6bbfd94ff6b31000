package session

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// InboxPolicy says what happens when a session sends faster than its backend
// handles.
type InboxPolicy uint8

const (
	InboxClose      InboxPolicy = iota // the session is closed with 1008
	InboxDropNewest                    // the message that does not fit is dropped
	InboxDropOldest                    // the message that waits longest is dropped
)

// InboxOptions bounds what waits for backends. Zero means the default.
type InboxOptions struct {
	Messages   int // per session; 256
	Bytes      int // per session; 1 MiB. An empty inbox takes a message of any size
	TotalBytes int // of all sessions; 64 MiB
	Policy     InboxPolicy
}

func (o InboxOptions) withDefaults() InboxOptions {
	if o.Messages <= 0 {
		o.Messages = 256
	}
	if o.Bytes <= 0 {
		o.Bytes = 1 << 20
	}
	if o.TotalBytes <= 0 {
		o.TotalBytes = 64 << 20
	}
	return o
}

// inboxes is what all inboxes share.
type inboxes struct {
	opt     atomic.Pointer[InboxOptions]
	waiting atomic.Int64 // events that are with a backend, or wait to be
	running atomic.Int64 // those with a backend
	stalls  stalls
	over    over
	bytes   atomic.Int64  // of those
	dropped atomic.Uint64 // messages
	closed  atomic.Uint64 // sessions
}

// An inbox keeps a session's events in order: one is with its backend, the rest
// wait. Events come in on the session's loop; done is called by anybody.
type inbox struct {
	all *inboxes

	mu    sync.Mutex // guards what follows
	now   *Call      // the event that is with its backend; nil: none is
	queue []*Call
	bytes int      // of queue
	over  *Session // that has ended, while there is something; nil: it has not
}

// deliver gives an event to its backend, or queues it behind those before it.
// It is called on the session's loop. The beginning and the end of a session
// always find room.
func (srv *Server) deliver(s *Session, c *Call) {
	if s.inbox == nil {
		s.inbox = &inbox{all: &srv.inboxes}
	}
	in, opt := s.inbox, srv.inboxes.opt.Load()
	must := c.Kind == KindOpen || c.Kind == KindClose
	in.mu.Lock()
	for !must && in.fullLocked(c) {
		if opt.Policy == InboxDropOldest && in.worthDroppingLocked(c) && in.dropOldestLocked() {
			continue
		}
		in.mu.Unlock()
		in.all.dropped.Add(1)
		if opt.Policy == InboxClose && s.Close(ws.ClosePolicy, "messages come faster than they are handled") == nil {
			in.all.closed.Add(1)
			srv.log.Debug("session closed: its messages come faster than they are handled", zap.String("session", s.ID()))
		}
		return
	}
	in.all.note(c)
	if in.now == nil && len(in.queue) == 0 && !in.all.stalls.held.Load() {
		in.now = c
		in.all.running.Add(1)
		in.mu.Unlock()
		c.backend.Handle(c)
		return
	}
	in.queue = append(in.queue, c)
	in.bytes += len(c.Payload)
	busy := in.now != nil
	in.mu.Unlock()
	if !busy { // all are held, or were
		in.next()
	}
}

// fullLocked reports whether a message finds no room. One finds room where
// nothing waits, whatever its size.
func (in *inbox) fullLocked(c *Call) bool {
	opt := in.all.opt.Load()
	if n := len(in.queue); n >= opt.Messages || n > 0 && in.bytes+len(c.Payload) > opt.Bytes {
		return true
	}
	all := in.all.bytes.Load()
	return all > 0 && all+int64(len(c.Payload)) > int64(opt.TotalBytes)
}

// worthDroppingLocked reports whether a message would find room if all before it
// were dropped: other sessions may be what fills the total.
func (in *inbox) worthDroppingLocked(c *Call) bool {
	rest := in.all.bytes.Load() - int64(in.bytes)
	return rest <= 0 || rest+int64(len(c.Payload)) <= int64(in.all.opt.Load().TotalBytes)
}

// dropOldestLocked drops the first message that waits, and reports whether there
// was one.
func (in *inbox) dropOldestLocked() bool {
	for i, c := range in.queue {
		if c.Kind == KindOpen {
			continue
		}
		copy(in.queue[i:], in.queue[i+1:])
		in.queue[len(in.queue)-1] = nil
		in.queue = in.queue[:len(in.queue)-1]
		in.bytes -= len(c.Payload)
		in.all.forget(c)
		in.all.dropped.Add(1)
		return true
	}
	return false
}

// done lets the next event go.
func (in *inbox) done(c *Call) {
	in.all.forget(c)
	in.mu.Lock()
	in.now = nil
	in.mu.Unlock()
	in.next()
	in.all.running.Add(-1) // after the next one's, so that it is not 0 between
}

// next gives the first event that waits to its backend, unless one is there, or
// none may go.
func (in *inbox) next() {
	in.mu.Lock()
	if in.now != nil {
		in.mu.Unlock()
		return
	}
	if len(in.queue) == 0 {
		in.queue = nil // an idle session keeps none
		if in.over != nil {
			in.all.over.settled(in.over)
			in.over = nil
		}
		in.mu.Unlock()
		return
	}
	if in.all.stalls.holds(in) {
		in.mu.Unlock()
		return
	}
	next := in.queue[0]
	in.queue[0] = nil
	in.queue = in.queue[1:]
	in.bytes -= len(next.Payload)
	in.now = next
	in.all.running.Add(1)
	in.mu.Unlock()
	next.backend.Handle(next)
}

// left is what waits, and before it what its backend has not done with; and what
// is known of the first, which alone may have been tried.
func (in *inbox) left() (list []*Call, id string, attempts int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	list = in.queue
	if in.now != nil {
		list = append([]*Call{in.now}, list...)
	}
	if len(list) > 0 {
		id, attempts = list[0].id, list[0].attempts
	}
	return list, id, attempts
}

// end notes that the inbox's session has ended: no connection's state tells of what
// is left of it.
func (in *inbox) end(s *Session) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.now != nil || len(in.queue) > 0 {
		in.over = s
		in.all.over.note(s)
	}
}

// over is the sessions that have ended, but not for their backends.
type over struct {
	mu  sync.Mutex // guards set; taken under inboxes' locks
	set map[*Session]bool
}

func (o *over) note(s *Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.set == nil {
		o.set = map[*Session]bool{}
	}
	o.set[s] = true
}

func (o *over) settled(s *Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.set, s)
}

func (o *over) list() []*Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.set))
}

// stalls is the inboxes that have something for their backends while none may go
// there, see Server.Suspend and Server.StartHandlers.
type stalls struct {
	held atomic.Bool // written under mu

	mu   sync.Mutex // guards list; taken under inboxes' locks
	list map[*inbox]bool
}

// hold lets no further event go to a backend.
func (x *stalls) hold() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.held.Store(true)
}

// holds reports whether an inbox is to wait; then it is among those that release
// lets go on.
func (x *stalls) holds(in *inbox) bool {
	if !x.held.Load() {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.held.Load() {
		return false
	}
	if x.list == nil {
		x.list = map[*inbox]bool{}
	}
	x.list[in] = true
	return true
}

// release lets all go on.
func (x *stalls) release() {
	x.mu.Lock()
	x.held.Store(false)
	list := x.list
	x.list = nil
	x.mu.Unlock()
	for in := range list {
		in.next()
	}
}

func (a *inboxes) note(c *Call) {
	a.waiting.Add(1)
	a.bytes.Add(int64(len(c.Payload)))
}

func (a *inboxes) forget(c *Call) {
	a.waiting.Add(-1)
	a.bytes.Add(-int64(len(c.Payload)))
}
