package session

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Types of an Event.
const (
	EventOpen    = "open"
	EventClose   = "close"
	EventMessage = "message"
)

// EverySession stands for the sessions that a broadcast is sent to.
const EverySession = "*"

// Event is something that happened to a session.
type Event struct {
	Time      time.Time
	Type      string // EventOpen, EventClose or EventMessage
	Session   string // id; EverySession for a broadcast, which is one event
	Remote    string
	Kind      string // of a message
	Direction string // "in" or "out", of a message
	Size      int    // of a message, bytes
	Data      []byte // the beginning of a message, untrusted
	Code      int    // of a close
	Reason    string // of a close, untrusted
}

// WatchOptions selects events. An empty list selects all.
type WatchOptions struct {
	Types   []string
	Kinds   []string // of messages
	Session string   // id
	MaxData int      // how much of a message is kept, bytes
	Buffer  int      // events that may wait to be read
}

// A Watch receives events. A reader that does not keep up loses events, which
// are counted, and disturbs nobody.
type Watch struct {
	opt     WatchOptions
	from    *watchers
	events  chan Event
	dropped atomic.Uint64
}

// Watch begins to watch. The caller must call Stop.
func (s *Server) Watch(o WatchOptions) *Watch {
	w := &Watch{opt: o, from: &s.watchers, events: make(chan Event, max(1, o.Buffer))}
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	s.watchers.list = append(slices.Clone(s.watchers.list), w)
	s.watchers.n.Store(int32(len(s.watchers.list)))
	return w
}

// Events is where the events arrive. It is never closed.
func (w *Watch) Events() <-chan Event { return w.events }

// Session is the session that is watched; "": all are.
func (w *Watch) Session() string { return w.opt.Session }

// Dropped counts the events lost because the reader did not keep up.
func (w *Watch) Dropped() uint64 { return w.dropped.Load() }

// Stop ends watching.
func (w *Watch) Stop() {
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	w.from.list = slices.DeleteFunc(slices.Clone(w.from.list), func(x *Watch) bool { return x == w })
	w.from.n.Store(int32(len(w.from.list)))
}

func (w *Watch) wants(e *Event) bool {
	return (len(w.opt.Types) == 0 || slices.Contains(w.opt.Types, e.Type)) &&
		(len(w.opt.Kinds) == 0 || e.Type != EventMessage || slices.Contains(w.opt.Kinds, e.Kind)) &&
		(w.opt.Session == "" || w.opt.Session == e.Session)
}

// watchers is everybody who watches. Without one it costs an atomic load.
type watchers struct {
	n    atomic.Int32
	mu   sync.Mutex // guards list, which is replaced and never changed
	list []*Watch
}

func (ws *watchers) any() bool { return ws.n.Load() > 0 }

// publish hands an event to those who want it. A nil session is every one.
func (ws *watchers) publish(s *Session, e Event) {
	e.Time, e.Session = time.Now(), EverySession
	if s != nil {
		e.Session = s.ID()
	}
	data, known := e.Data, false
	ws.mu.Lock()
	list := ws.list
	ws.mu.Unlock()
	for _, w := range list {
		if !w.wants(&e) {
			continue
		}
		if !known && s != nil {
			e.Remote, known = s.RemoteAddr(), true
		}
		e.Data = bytes.Clone(data[:max(0, min(len(data), w.opt.MaxData))])
		select {
		case w.events <- e:
		default:
			w.dropped.Add(1)
		}
	}
}

func (ws *watchers) message(s *Session, k Kind, direction string, payload []byte) {
	if ws.any() {
		ws.publish(s, Event{Type: EventMessage, Kind: k.String(), Direction: direction, Size: len(payload), Data: payload})
	}
}

// broadcast shows a message to many as one event.
func (ws *watchers) broadcast(k Kind, payload []byte) {
	if ws.any() {
		ws.publish(nil, Event{Type: EventMessage, Kind: k.String(), Direction: "out", Size: len(payload), Data: payload})
	}
}
