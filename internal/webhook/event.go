package webhook

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// An event is what happened to a session, or a handshake to decide about.
type event struct {
	call     *session.Call      // nil: a handshake
	shake    *session.Handshake // nil: a session's
	name     string
	deadline time.Time // of a handshake

	// Used by whoever has the event's turn.
	id        string // the same for all attempts, in whatever process
	requestID string // of a request of the client
	body      []byte // without the number of the attempt; made for the first
	attempt   int
}

// what the server is sent; see docs/webhook.md. The number of the attempt, which
// differs, stands before it.
type eventBody struct {
	Event     string                 `json:"event"`
	ID        string                 `json:"id"`
	Time      time.Time              `json:"time"`
	Session   *sessionBody           `json:"session,omitempty"`
	Request   *session.RequestRecord `json:"request"`
	RequestID string                 `json:"request_id,omitempty"`
	Data      json.RawMessage        `json:"data,omitempty"`
	Text      *string                `json:"text,omitempty"`
	Base64    *[]byte                `json:"base64,omitempty"`
	*closeBody
}

type sessionBody struct {
	ID       string    `json:"id"`
	Remote   string    `json:"remote"`
	OpenedAt time.Time `json:"opened_at"`
	Protocol string    `json:"protocol"`
}

type closeBody struct {
	Code     int    `json:"code"`
	Reason   string `json:"reason"`
	ByClient bool   `json:"by_client"`
	Clean    bool   `json:"clean"`
}

// encode makes the body of the next attempt.
func (e *event) encode() ([]byte, error) {
	if e.body == nil {
		b := e.describe()
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false) // nobody puts it into a page as it is
		if err := enc.Encode(b); err != nil {
			return nil, err
		}
		e.body = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))[1:]
	}
	e.attempt++
	if e.call != nil {
		e.attempt = e.call.Attempt()
	}
	out := make([]byte, 0, len(e.body)+24)
	out = strconv.AppendInt(append(out, `{"attempt":`...), int64(e.attempt), 10)
	return append(append(out, ','), e.body...), nil
}

func (e *event) describe() *eventBody {
	b := &eventBody{Event: e.name, Time: moment(time.Now())}
	if e.shake != nil {
		e.id = rand.Text()
		b.ID, b.Request = e.id, e.shake.Request()
		return b
	}
	c := e.call
	e.id = c.ID()
	b.ID = e.id
	b.Request = c.Session.Request()
	b.Session = &sessionBody{
		ID: c.Session.ID(), Remote: b.Request.RemoteAddress,
		OpenedAt: moment(c.Session.OpenedAt()), Protocol: c.Session.Protocol(),
	}
	switch c.Kind {
	case session.KindString:
		text := string(c.Payload)
		b.Text = &text
	case session.KindJSON:
		b.Data = c.Payload
	case session.KindBinary:
		b.Base64 = &c.Payload
	case session.KindCreq, session.KindCfg:
		e.requestID, b.Data = c.Envelope()
		b.RequestID = e.requestID
	case session.KindClose:
		b.closeBody = &closeBody{Code: c.Close.Code, Reason: c.Close.Reason, ByClient: c.Close.Remote, Clean: c.Close.Clean}
	}
	return b
}

// moment is a time as the body has it.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
