package session

import (
	"crypto/rand"
	"encoding/json"

	"github.com/nvsess/nvsess/internal/ws"
)

// A Backend handles events outside the event loops: the script engine, a
// webhook. It is given one event of a session at a time, in the order in which
// they happened; the next when the one before is done. What it has not done with
// when another process goes on, that one's is given again: half an event cannot be
// taken over, and one that is lost is worse than one that comes twice.
type Backend interface {
	// Name is the handler's name, as the operator sets and sees it.
	Name() string

	// Handle takes an event and returns at once: it is called on event loops. It
	// or what it starts calls c.Done exactly once, whatever happens.
	Handle(c *Call)

	// Report tells of the work for a kind. Safe for concurrent use.
	Report(k Kind) Report
}

// Report is what a backend tells an operator of its handler for a kind.
type Report struct {
	Source   string `json:"source,omitempty"`   // where the handler comes from: "handlers.js:3:1", an address
	Errors   uint64 `json:"errors,omitempty"`   // calls that failed
	Timeouts uint64 `json:"timeouts,omitempty"` // calls that were ended for taking too long
	Last     string `json:"last,omitempty"`     // the last failure; may quote what a peer sent
}

// A Call is an event for a backend.
type Call struct {
	Session *Session
	Kind    Kind
	Payload []byte       // of all kinds but open and close; the backend's to keep, not to change
	Close   ws.CloseInfo // of KindClose

	backend Backend

	id       string // guarded, with attempts, by the inbox's lock; "": nobody has asked
	attempts int
}

// ID names the event. It is the same in the process that is given it again.
func (c *Call) ID() string {
	in := c.Session.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	if c.id == "" {
		c.id = rand.Text()
	}
	return c.id
}

// Attempt notes that the event is about to be handled, or tried again, and returns
// how often that has been so, in this process and those before.
func (c *Call) Attempt() int {
	in := c.Session.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	c.attempts++
	return c.attempts
}

// Done says that the event has been handled, and lets the session's next one
// go. It returns at once.
func (c *Call) Done() { c.Session.inbox.done(c) }

// Envelope reads what a request (KindCreq) or a configuration (KindCfg) carries:
// its id, which is what Session.Reply takes or else "", and its data, nil when
// there is none. Both are empty for other kinds.
func (c *Call) Envelope() (id string, data json.RawMessage) {
	if c.Kind != KindCreq && c.Kind != KindCfg {
		return "", nil
	}
	env, _ := parseEnvelope(c.Payload)
	if _, ok := parseID(env.id); ok {
		id = string(env.id)
	}
	return id, env.data
}
