package session

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// Kind is what a handler is for.
type Kind uint8

const (
	KindString Kind = iota // text that is not a JSON object or array
	KindJSON               // a JSON object or array that is no envelope
	KindBinary             // a binary message
	KindCreq               // a request the server must answer
	KindCfg                // a client's configuration
	KindOpen               // the beginning of a session
	KindClose              // the end of a session
	numKinds
)

// Kinds lists them all.
var Kinds = []Kind{KindString, KindJSON, KindBinary, KindCreq, KindCfg, KindOpen, KindClose}

var kindNames = [numKinds]string{"string", "json", "binary", "creq", "cfg", "open", "close"}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", k)
}

// ParseKind is the reverse of String.
func ParseKind(name string) (Kind, error) {
	if i := slices.Index(kindNames[:], name); i >= 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("no such kind of handler: %q; allowed: %s", name, strings.Join(kindNames[:], ", "))
}

// Names of the built-in handlers.
const (
	HandlerNone    = "none"    // does nothing
	HandlerForward = "forward" // sends the message to every other session of the mount
	HandlerEcho    = "echo"    // sends the message back; answers a creq with its own data
	HandlerLog     = "log"     // writes it to the log
)

// HandlerNames lists the built-in handlers for a kind.
func HandlerNames(k Kind) []string {
	switch k {
	case KindString, KindJSON, KindBinary:
		return []string{HandlerNone, HandlerForward, HandlerEcho, HandlerLog}
	case KindCreq:
		return []string{HandlerNone, HandlerEcho, HandlerLog}
	default:
		return []string{HandlerNone, HandlerLog}
	}
}

// HandlerInfo describes the handler of a kind.
type HandlerInfo struct {
	Kind   Kind
	Name   string
	Report Report // what a backend tells of its work

	// Calls since the server was made, whatever the handler was. While string
	// and JSON have the same handler, text that only begins like JSON is not
	// told from JSON.
	Calls uint64
}

// A handler is what becomes of one kind: a built-in, or a backend under the name
// that it is registered with.
type handler struct {
	name    string
	backend Backend // nil: built in
}

// table is which handler each kind has.
type table [numKinds]handler

// handlers is what the mounts' tables have in common.
type handlers struct {
	mounts   atomic.Pointer[mounts]
	backends atomic.Pointer[[]Backend]
	calls    [numKinds]atomic.Uint64
	mu       sync.Mutex // serialises changes
	common   table      // what was set, whatever modes say; guarded by mu
}

// set changes the tables of all mounts, but for what a mount's mode has taken.
func (h *handlers) set(change func(*table)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.common)
	for m := range h.mounts.Load().all() {
		now := m.table.Load()
		next := *now
		change(&next)
		for _, k := range m.taken {
			next[k] = now[k]
		}
		m.table.Store(&next)
	}
}

// tableOf is what a mode begins with, and the kinds that it is about.
func tableOf(mode string) (t table, about []Kind, err error) {
	for i := range t {
		t[i].name = HandlerNone
	}
	name := ""
	switch mode {
	case "", ModeHandlers:
	case ModeForward:
		name, about = HandlerForward, messageKinds[:]
	case ModeEcho:
		name, about = HandlerEcho, append(messageKinds[:], KindCreq)
	default:
		err = fmt.Errorf("session: no such mode: %q; allowed: handlers, forward, echo", mode)
	}
	for _, k := range about {
		t[k].name = name
	}
	return t, about, err
}

// messageKinds are the kinds that a mode is about.
var messageKinds = [...]Kind{KindString, KindJSON, KindBinary}

// AddBackend makes a backend known, so that it can be set as a handler by its
// name.
func (s *Server) AddBackend(b Backend) {
	s.handlers.mu.Lock()
	defer s.handlers.mu.Unlock()
	list := append(slices.Clone(s.backends()), b)
	s.handlers.backends.Store(&list)
}

// RemoveBackend is the opposite: what it handles is handled by nobody then. What
// it has been given already, or waits for it, is still its to handle.
func (s *Server) RemoveBackend(b Backend) {
	s.handlers.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(s.backends()), func(x Backend) bool { return x == b })
	s.handlers.backends.Store(&list)
	s.handlers.mu.Unlock()
	for _, k := range Kinds {
		s.ResetHandler(k, b.Name())
	}
}

// ResetHandler makes a kind that a backend handles be handled as the mounts' modes
// say; another's it leaves alone.
func (s *Server) ResetHandler(k Kind, backend string) {
	h := &s.handlers
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.common[k].name == backend {
		h.common[k] = handler{name: HandlerNone}
	}
	for m := range h.mounts.Load().all() {
		now := m.table.Load()
		if now[k].name != backend {
			continue
		}
		next := *now
		byMode, _, _ := tableOf(m.as)
		next[k] = byMode[k]
		m.table.Store(&next)
	}
}

func (s *Server) backends() []Backend {
	if list := s.handlers.backends.Load(); list != nil {
		return *list
	}
	return nil
}

// Handlers lists the handlers in force for the first mount, the top level's.
func (s *Server) Handlers() []HandlerInfo {
	now := s.handlers.mounts.Load().served[0].table.Load()
	list := make([]HandlerInfo, 0, numKinds)
	for _, k := range Kinds {
		info := HandlerInfo{Kind: k, Name: now[k].name, Calls: s.handlers.calls[k].Load()}
		if b := now[k].backend; b != nil {
			info.Report = b.Report(k)
		}
		list = append(list, info)
	}
	return list
}

// HandlerNames lists what can be set for a kind: the built-in handlers, and the
// backends.
func (s *Server) HandlerNames(k Kind) []string {
	names := HandlerNames(k)
	for _, b := range s.backends() {
		names = append(names, b.Name())
	}
	return names
}

// SetHandler replaces the handler of a kind by a built-in one, or by a backend,
// for the first mount and for those whose mode leaves that kind to handlers.
func (s *Server) SetHandler(k Kind, name string) error {
	if k >= numKinds {
		return fmt.Errorf("no such kind of handler: %s", k)
	}
	next := handler{name: name}
	for _, b := range s.backends() {
		if b.Name() == name {
			next.backend = b
		}
	}
	if next.backend == nil && !slices.Contains(HandlerNames(k), name) {
		return fmt.Errorf("no such handler for %s: %q; allowed: %s", k, name, strings.Join(s.HandlerNames(k), ", "))
	}
	s.handlers.set(func(t *table) { t[k] = next })
	s.changed()
	return nil
}

// EnableForward makes string, JSON and binary messages go to every other
// session of the mount, as SetHandler does.
func (s *Server) EnableForward() { s.setMessages(HandlerForward) }

// DisableForward puts the empty handlers back.
func (s *Server) DisableForward() { s.setMessages(HandlerNone) }

func (s *Server) setMessages(name string) {
	defer s.changed()
	s.handlers.set(func(t *table) {
		for _, k := range messageKinds {
			t[k] = handler{name: name}
		}
	})
}

// Mode is "forward" or "echo" when all messages of the first mount are handled
// so, otherwise "handlers".
func (s *Server) Mode() string { return s.handlers.mounts.Load().served[0].mode() }

// message gives a string, JSON or binary message to its handler among now.
func (h *handlers) message(now *table, r receiver, b *ws.Batch, s *Session, k Kind, op ws.OpCode, payload []byte) {
	h.calls[k].Add(1)
	switch now[k].name {
	case HandlerNone:
	case HandlerForward:
		r.forward(b, s, op, payload)
	case HandlerEcho:
		b.Send(s.conn, op, payload)
	case HandlerLog:
		r.logMessage(s, k, payload)
	default:
		r.deliver(s, &Call{Session: s, Kind: k, Payload: bytes.Clone(payload), backend: now[k].backend})
	}
}

// forward sends a message to every session of the mount but its sender. It is
// encoded once.
func (r receiver) forward(b *ws.Batch, from *Session, op ws.OpCode, payload []byte) {
	f := r.ws.NewFrame(op, payload)
	for _, x := range r.registry.members(from.mount) {
		if x != from {
			b.SendFrame(x.conn, f)
		}
	}
}

// creq gives a client's request to its handler.
func (h *handlers) creq(r receiver, b *ws.Batch, s *Session, env *envelope, payload []byte) {
	if h.call(r.Server, s, KindCreq, payload) != HandlerEcho {
		return
	}
	if id, ok := parseID(env.id); ok {
		buf := scratch.Get().(*[]byte)
		data := env.data
		if data == nil {
			data = []byte("{}")
		}
		*buf = appendEnvelope((*buf)[:0], typeSres, id, data)
		b.Send(s.conn, ws.OpText, *buf)
		scratch.Put(buf)
	}
}

// call gives what is not a message to its handler, and returns the handler's
// name.
func (h *handlers) call(srv *Server, s *Session, k Kind, payload []byte) string {
	h.calls[k].Add(1)
	to := s.mount.table.Load()[k]
	switch {
	case to.backend != nil:
		srv.deliver(s, &Call{Session: s, Kind: k, Payload: bytes.Clone(payload), backend: to.backend})
	case to.name == HandlerLog && k == KindOpen:
		srv.log.Info("session opened", zap.String("session", s.ID()), zap.String("remote", s.RemoteAddr()))
	case to.name == HandlerLog:
		srv.logMessage(s, k, payload)
	}
	return to.name
}

func (h *handlers) closed(srv *Server, s *Session, info ws.CloseInfo) {
	h.calls[KindClose].Add(1)
	to := s.mount.table.Load()[KindClose]
	switch {
	case to.backend != nil:
		srv.deliver(s, &Call{Session: s, Kind: KindClose, Close: info, backend: to.backend})
	case to.name == HandlerLog:
		srv.log.Info("session closed", zap.String("session", s.ID()), zap.Int("code", info.Code), zap.String("reason", printable(info.Reason)))
	}
}

// totals counts calls by kind; see HandlerInfo.Calls.
func (h *handlers) totals() map[string]uint64 {
	m := make(map[string]uint64, numKinds)
	for i := range h.calls {
		m[kindNames[i]] = h.calls[i].Load()
	}
	return m
}
