package session

import (
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
	KindClose              // the end of a session
	numKinds
)

// Kinds lists them all.
var Kinds = []Kind{KindString, KindJSON, KindBinary, KindCreq, KindCfg, KindClose}

var kindNames = [numKinds]string{"string", "json", "binary", "creq", "cfg", "close"}

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
	HandlerForward = "forward" // sends the message to every other session
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
	Kind Kind
	Name string

	// Calls since the server was made, whatever the handler was. While string
	// and JSON have the same handler, text that only begins like JSON is not
	// told from JSON.
	Calls uint64
}

// handlers is which handler each kind has. It is replaced while messages are
// being handled: a message goes to the old or to the new one.
type handlers struct {
	current atomic.Pointer[[numKinds]string]
	calls   [numKinds]atomic.Uint64
	mu      sync.Mutex // serialises changes
}

func (h *handlers) set(change func(*[numKinds]string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := *h.current.Load()
	change(&next)
	h.current.Store(&next)
}

func (h *handlers) setMode(mode string) error {
	all := [numKinds]string{}
	for i := range all {
		all[i] = HandlerNone
	}
	switch mode {
	case "", "handlers":
	case "forward":
		all[KindString], all[KindJSON], all[KindBinary] = HandlerForward, HandlerForward, HandlerForward
	case "echo":
		all[KindString], all[KindJSON], all[KindBinary], all[KindCreq] = HandlerEcho, HandlerEcho, HandlerEcho, HandlerEcho
	default:
		return fmt.Errorf("session: no such mode: %q; allowed: handlers, forward, echo", mode)
	}
	h.current.Store(&all)
	return nil
}

// Handlers lists the handlers in force.
func (s *Server) Handlers() []HandlerInfo {
	now := s.handlers.current.Load()
	list := make([]HandlerInfo, 0, numKinds)
	for _, k := range Kinds {
		list = append(list, HandlerInfo{k, now[k], s.handlers.calls[k].Load()})
	}
	return list
}

// SetHandler replaces the handler of a kind by a built-in one.
func (s *Server) SetHandler(k Kind, name string) error {
	if k >= numKinds {
		return fmt.Errorf("no such kind of handler: %s", k)
	}
	if allowed := HandlerNames(k); !slices.Contains(allowed, name) {
		return fmt.Errorf("no such handler for %s: %q; allowed: %s", k, name, strings.Join(allowed, ", "))
	}
	s.handlers.set(func(h *[numKinds]string) { h[k] = name })
	return nil
}

// EnableForward makes string, JSON and binary messages go to every other
// session.
func (s *Server) EnableForward() { s.setMessages(HandlerForward) }

// DisableForward puts the empty handlers back.
func (s *Server) DisableForward() { s.setMessages(HandlerNone) }

func (s *Server) setMessages(name string) {
	s.handlers.set(func(h *[numKinds]string) { h[KindString], h[KindJSON], h[KindBinary] = name, name, name })
}

// Mode is "forward" or "echo" when all messages are handled so, otherwise
// "handlers".
func (s *Server) Mode() string {
	now := s.handlers.current.Load()
	name := now[KindString]
	if name == now[KindJSON] && name == now[KindBinary] && (name == HandlerForward || name == HandlerEcho) {
		return name
	}
	return "handlers"
}

// message gives a string, JSON or binary message to its handler among now.
func (h *handlers) message(now *[numKinds]string, r receiver, b *ws.Batch, s *Session, k Kind, op ws.OpCode, payload []byte) {
	h.calls[k].Add(1)
	switch now[k] {
	case HandlerForward:
		r.forward(b, s, op, payload)
	case HandlerEcho:
		b.Send(s.conn, op, payload)
	case HandlerLog:
		r.logMessage(s, k, payload)
	}
}

// forward sends a message to every session but its sender. It is encoded once.
func (r receiver) forward(b *ws.Batch, from *Session, op ws.OpCode, payload []byte) {
	f := r.opt.WS.Fragmentation.NewFrame(op, payload)
	for _, x := range r.Sessions() {
		if x != from {
			b.SendFrame(x.conn, f)
		}
	}
}

// creq gives a client's request to its handler.
func (h *handlers) creq(r receiver, b *ws.Batch, s *Session, env *envelope, payload []byte) {
	h.calls[KindCreq].Add(1)
	switch h.current.Load()[KindCreq] {
	case HandlerEcho:
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
	case HandlerLog:
		r.logMessage(s, KindCreq, payload)
	}
}

func (h *handlers) cfg(r receiver, s *Session, payload []byte) {
	h.calls[KindCfg].Add(1)
	if h.current.Load()[KindCfg] == HandlerLog {
		r.logMessage(s, KindCfg, payload)
	}
}

func (h *handlers) closed(srv *Server, s *Session, info ws.CloseInfo) {
	h.calls[KindClose].Add(1)
	if h.current.Load()[KindClose] == HandlerLog {
		srv.log.Info("session closed", zap.String("session", s.ID()), zap.Int("code", info.Code), zap.String("reason", printable(info.Reason)))
	}
}
