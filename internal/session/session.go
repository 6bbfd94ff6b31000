package session

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/ws"
)

// A Session is one connected client. All its methods are safe for concurrent
// use, and harmless after it has closed.
type Session struct {
	conn     *ws.Conn
	mount    *mount
	id       ID
	head     string        // the handshake's head; the request record is read from it when asked for
	identity *Identity     // nil: nobody in particular
	openedAt int64         // unix nanoseconds, to be shown
	opened   time.Duration // since the server was made, to be reckoned with: the wall clock may be set
	asked    time.Duration // when the peer had last been heard of at the last ping before closing; 0: none was sent; owned by the loop
	attached atomic.Value  // see Attach
	inbox    *inbox        // of what a backend handles; nil until there is something; owned by the loop
	slot     int32         // in the registry's order; guarded by its lock
	greeted  bool          // it was told its id and the interval; owned by the loop
	gone     bool          // closed: nothing may be added to waits; guarded by mu
	ended    bool          // everybody has been told of it; guarded by mu
	sentAway bool          // closed by a drain; guarded by mu
	quiet    atomic.Bool   // no keepalive

	mu      sync.Mutex // guards what follows
	waits   *waits     // nil while nobody waits for the peer
	goneSig chan struct{}
}

// waits is who waits for something from a session's peer.
type waits struct {
	requests []*request
	pings    []*pingWait
}

// Errors of a Session's methods.
var (
	ErrSessionClosed  = errors.New("session is closed")
	ErrTooManyPending = errors.New("session has too many unanswered requests")
	ErrSlow           = errors.New("session does not read what it is sent")
	ErrBadID          = errors.New("a request's id is 64 characters of A-Z, a-z, 0-9, _ and -")
)

// SendResult is what became of a message.
type SendResult = ws.SendResult

// The results of a send.
const (
	Sent   = ws.Sent
	Queued = ws.Queued
	Slow   = ws.Slow
	Gone   = ws.Gone
)

// SessionStats counts what a session has carried.
type SessionStats struct {
	MessagesIn  uint64 `json:"messages_in"`
	MessagesOut uint64 `json:"messages_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	Dropped     uint64 `json:"dropped"`
	QueuedBytes uint64 `json:"queued_bytes"`
	Pending     int    `json:"pending"` // requests without an answer yet
}

// ID is the session's id, 64 characters of the URL-safe alphabet.
func (s *Session) ID() string { return s.id.String() }

// Attach keeps a value with the session, for as long as that lives. It is for one
// user, whose values are all of one type.
func (s *Session) Attach(v any) { s.attached.Store(v) }

// Attached is the value that Attach was given last.
func (s *Session) Attached() any { return s.attached.Load() }

// Protocol is the negotiated subprotocol, or "".
func (s *Session) Protocol() string { return s.conn.Subprotocol() }

// OpenedAt is when the handshake was done.
func (s *Session) OpenedAt() time.Time { return time.Unix(0, s.openedAt) }

// Age is how long the session has been open, whatever the wall clock was set to
// meanwhile.
func (s *Session) Age() time.Duration { return time.Since(s.mount.srv.started) - s.opened }

// IdleFor is the time since the peer last sent anything at all.
func (s *Session) IdleFor() time.Duration { return s.conn.IdleFor() }

// LastReceivedAt is when the peer last sent anything at all.
func (s *Session) LastReceivedAt() time.Time { return time.Now().Add(-s.conn.IdleFor()) }

// Active reports whether messages can be sent.
func (s *Session) Active() bool { return s.conn.Open() }

// Stats returns the counters.
func (s *Session) Stats() SessionStats {
	st := s.conn.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := 0
	if s.waits != nil {
		pending = len(s.waits.requests)
	}
	return SessionStats{
		MessagesIn: st.MessagesIn, MessagesOut: st.MessagesOut,
		BytesIn: st.BytesIn, BytesOut: st.BytesOut,
		Dropped: st.Dropped, QueuedBytes: uint64(st.Queued), Pending: pending,
	}
}

// SendString sends a text message. It must be valid UTF-8.
func (s *Session) SendString(text string) SendResult {
	return s.send(KindString, ws.OpText, []byte(text))
}

// SendJSON sends JSON, which the caller has checked, as a text message.
func (s *Session) SendJSON(j json.RawMessage) SendResult { return s.send(KindJSON, ws.OpText, j) }

// SendBinary sends a binary message.
func (s *Session) SendBinary(b []byte) SendResult { return s.send(KindBinary, ws.OpBinary, b) }

func (s *Session) send(k Kind, op ws.OpCode, payload []byte) SendResult {
	r := s.conn.Send(op, payload)
	if r == Sent || r == Queued {
		s.mount.srv.watchers.message(s, k, "out", payload)
	}
	return r
}

// Close starts the closing handshake with a legal close code and a reason of at
// most 123 bytes. See ws.Conn.Close for the errors.
func (s *Session) Close(code int, reason string) error {
	err := s.conn.Close(code, reason)
	if errors.Is(err, ws.ErrClosed) {
		return ErrSessionClosed
	}
	if err == nil {
		s.release()
	}
	return err
}

// CheckClose returns the error that Close has for a code or a reason that cannot
// be sent.
func CheckClose(code int, reason string) error {
	if !ws.ValidCloseCode(code) {
		return ws.ErrBadCloseCode
	}
	if len(reason) > maxCloseReason || !utf8.ValidString(reason) {
		return ws.ErrLongReason
	}
	return nil
}

// maxCloseReason is what a close frame takes, in bytes.
const maxCloseReason = 123

// finish is called once, when the connection is gone.
func (s *Session) finish() {
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.release()
}

// told is called once, when everybody has been told that the session is gone.
func (s *Session) told() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.goneSig != nil {
		close(s.goneSig)
	}
}

// release ends a session for everybody else: it is gone, or closing, when
// nothing can be sent to it and what still comes from it is not heard. It leaves
// the registry, and whoever waits for its peer is told.
func (s *Session) release() {
	s.mount.srv.registry.remove(s)
	s.mu.Lock()
	w := s.waits
	s.waits = nil
	s.mu.Unlock()
	if w == nil {
		return
	}
	for _, r := range w.requests {
		s.mount.srv.requests.end(abandoned)
		r.settle(s, nil, ErrSessionClosed)
	}
	for _, p := range w.pings {
		close(p.done)
	}
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// closed returns a channel that is closed when the session is gone and nothing
// more comes of that.
func (s *Session) closed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return closedChan
	}
	if s.goneSig == nil {
		s.goneSig = make(chan struct{})
	}
	return s.goneSig
}

// waitsLocked returns the session's waits, for adding to.
func (s *Session) waitsLocked() *waits {
	if s.waits == nil {
		s.waits = new(waits)
	}
	return s.waits
}

// trimLocked gives the waits back when nobody waits any more.
func (s *Session) trimLocked() {
	if w := s.waits; w != nil && len(w.requests) == 0 && len(w.pings) == 0 {
		s.waits = nil
	}
}
