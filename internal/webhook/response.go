package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/session"
)

// A response is what the server wants done: in this order.
type response struct {
	verdict   *verdict        // about a handshake
	answer    json.RawMessage // to the client's request; nil: none
	messages  []message       // to the session
	broadcast *broadcast
	close     *closing
}

type verdict struct {
	accept bool
	status int // 0: the default
	detail string
}

type message struct {
	kind session.Kind
	data []byte
}

type broadcast struct {
	message
	exceptSender bool
	to           []string // ids; nil: all
}

type closing struct {
	code   int
	reason string
}

// parseResponse reads an answer. All of it must be understood; nothing is done
// of one that is not. Names count exactly, unlike in encoding/json. null is as
// good as absent, except as the answer to a client's request.
func parseResponse(e *event, body []byte) (*response, error) {
	r := new(response)
	if len(bytes.TrimSpace(body)) == 0 {
		if e.shake != nil {
			return nil, errors.New("nothing is said about accepting the handshake")
		}
		return r, nil
	}
	if !utf8.Valid(body) {
		return nil, errors.New("it is not UTF-8")
	}
	if e.shake != nil {
		return r, r.parseVerdict(body)
	}
	var reply object
	err := walk("", body, func(field string, v json.RawMessage) (err error) {
		switch field {
		case "reply", "reply_text", "reply_base64":
			reply = append(reply, member{field, v})
		case "replies":
			var list []json.RawMessage
			if err = decode(field, v, &list, "a list"); err != nil {
				return err
			}
			for i, v := range list {
				m, err := parseMessage(fmt.Sprintf("replies[%d]", i), v, nil)
				if err != nil {
					return err
				}
				r.messages = append(r.messages, m)
			}
		case "broadcast":
			r.broadcast, err = parseBroadcast(v)
		case "close":
			r.close, err = parseClose(v)
		default:
			err = errUnknown
		}
		return err
	}, e.call.Kind == session.KindCreq)
	if err != nil {
		return nil, err
	}
	return r, r.setReply(e, reply)
}

// setReply makes of reply, reply_text or reply_base64 the answer to a request,
// or the first message.
func (r *response) setReply(e *event, reply object) error {
	switch {
	case len(reply) == 0:
		return nil
	case len(reply) > 1:
		return fmt.Errorf("%s and %s: only one of them", reply[0].name, reply[1].name)
	case e.call.Kind != session.KindCreq:
		m, err := reply[0].message()
		r.messages = append([]message{m}, r.messages...)
		return err
	case reply[0].name != "reply":
		return fmt.Errorf("%s: a request is answered with JSON, in reply", reply[0].name)
	case e.requestID == "":
		return errors.New("reply: the client's request had no id, so it cannot be answered")
	}
	r.answer = reply[0].value
	return nil
}

func (r *response) parseVerdict(body []byte) error {
	v := new(verdict)
	said := false
	err := walk("", body, func(field string, raw json.RawMessage) (err error) {
		switch field {
		case "accept":
			said = true
			err = decode(field, raw, &v.accept, "true or false")
		case "status":
			err = decode(field, raw, &v.status, "a number")
			if err == nil && (v.status < 400 || v.status > 599) {
				err = errors.New("status is not from 400 to 599")
			}
		case "detail":
			err = decode(field, raw, &v.detail, "text")
			v.detail = oneLine(v.detail)
		default:
			err = errUnknown
		}
		return err
	}, false)
	switch {
	case err != nil:
		return err
	case !said:
		return errors.New("nothing is said about accepting the handshake")
	}
	r.verdict = v
	return nil
}

func parseBroadcast(raw json.RawMessage) (*broadcast, error) {
	b := new(broadcast)
	var err error
	b.message, err = parseMessage("broadcast", raw, func(field string, v json.RawMessage) error {
		switch field {
		case "except_sender":
			return decode("broadcast.except_sender", v, &b.exceptSender, "true or false")
		case "to":
			b.to = []string{}
			return decode("broadcast.to", v, &b.to, "a list of session ids")
		}
		return errUnknown
	})
	return b, err
}

func parseClose(raw json.RawMessage) (*closing, error) {
	c := &closing{code: 1000}
	err := walk("close", raw, func(field string, v json.RawMessage) error {
		switch field {
		case "code":
			return decode("close.code", v, &c.code, "a number")
		case "reason":
			return decode("close.reason", v, &c.reason, "text")
		}
		return errUnknown
	}, false)
	if err == nil {
		err = session.CheckClose(c.code, c.reason)
	}
	return c, err
}

// parseMessage reads an object with exactly one of data, text and base64; others
// takes what else it may have.
func parseMessage(where string, raw json.RawMessage, others func(string, json.RawMessage) error) (message, error) {
	var bodies object
	err := walk(where, raw, func(field string, v json.RawMessage) error {
		switch {
		case field == "data" || field == "text" || field == "base64":
			bodies = append(bodies, member{field, v})
			return nil
		case others != nil:
			return others(field, v)
		}
		return errUnknown
	}, false)
	switch {
	case err != nil:
		return message{}, err
	case len(bodies) != 1:
		return message{}, fmt.Errorf("%s has not exactly one of data, text and base64", where)
	}
	m, err := bodies[0].message()
	if err != nil {
		return m, fmt.Errorf("%s: %w", where, err)
	}
	return m, nil
}

type member struct {
	name  string
	value json.RawMessage
}

type object []member

// message reads the member as its name says: text, base64, or JSON as it stands.
func (m member) message() (message, error) {
	var text string
	switch {
	case strings.HasSuffix(m.name, "text"):
		err := decode(m.name, m.value, &text, "text")
		return message{session.KindString, []byte(text)}, err
	case strings.HasSuffix(m.name, "base64"):
		if err := decode(m.name, m.value, &text, "text"); err != nil {
			return message{}, err
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return message{}, fmt.Errorf("%s is not base64", m.name)
		}
		return message{session.KindBinary, data}, nil
	}
	return message{session.KindJSON, m.value}, nil
}

var errUnknown = errors.New("unknown")

// walk gives each member of a JSON object to f, without those that are null; a
// reply that is null is a value when nullReply is set.
func walk(where string, raw json.RawMessage, f func(field string, v json.RawMessage) error, nullReply bool) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		if where == "" && !json.Valid(raw) {
			return errors.New("it is not JSON")
		}
		return fmt.Errorf("%s is not an object", orIt(where))
	}
	for name, v := range fields {
		if string(v) == "null" && !(nullReply && name == "reply") {
			continue
		}
		err := f(name, v)
		if err == errUnknown {
			return fmt.Errorf("%s has a field %q, which means nothing here", orIt(where), clip(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func orIt(where string) string {
	if where == "" {
		return "it"
	}
	return where
}

func decode(field string, raw json.RawMessage, to any, want string) error {
	if json.Unmarshal(raw, to) != nil {
		return fmt.Errorf("%s is not %s", field, want)
	}
	return nil
}

// maxDetail bounds what a client is told of why it is refused, in bytes.
const maxDetail = 256

// oneLine is the beginning of a text, fit for a line.
func oneLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = printable(strings.TrimSpace(s)) // which may make it longer
	if len(s) > maxDetail {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:maxDetail], ""))
	}
	return s
}

// clip is for quoting the server.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

// printable replaces what has no shape, or another than it seems.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func (v *verdict) refusal() (status int, detail string) {
	if v.status == 0 {
		return http.StatusForbidden, v.detail
	}
	return v.status, v.detail
}
