package client

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The protocol's message types: values of ___type___. A type not listed here
// is ordinary JSON.
const (
	TypeCfg  = "___cfg___"  // both ways, once after connecting: session id and keepalive interval
	TypePing = "___ping___" // both ways: keepalive
	TypePong = "___pong___" // both ways: answer to TypePing
	TypeCreq = "___creq___" // from the client: a request the server must answer
	TypeSres = "___sres___" // from the server: the answer to TypeCreq
	TypeSreq = "___sreq___" // from the server: a request the client must answer
	TypeCres = "___cres___" // from the client: the answer to TypeSreq
)

// The keys of an envelope and of ___cfg___, matched exactly.
const (
	keyType     = "___type___"
	keyID       = "___id___"
	keyData     = "___data___"
	keySessID   = "sessid"
	keyInterval = "keepaliveInterval"
)

// Envelope is a message of the protocol. It marshals to the form on the wire.
type Envelope struct {
	Type string          `json:"___type___"`
	ID   string          `json:"___id___,omitempty"`   // 64 characters; an answer carries its request's
	Data json.RawMessage `json:"___data___,omitempty"` // any JSON
}

// UnmarshalJSON matches keys exactly, unlike encoding/json by itself.
func (e *Envelope) UnmarshalJSON(text []byte) error {
	env, ok := ParseEnvelope(text)
	if !ok {
		return ErrMessage
	}
	*e = env
	return nil
}

// ParseEnvelope tells whether text is a message of the protocol: valid JSON, an
// object whose ___type___ is one of the seven. Keys match exactly (___TYPE___ is
// not ___type___); of equal keys the last counts.
func ParseEnvelope(text []byte) (Envelope, bool) {
	if !mayBeEnvelope(text) || !json.Valid(text) {
		return Envelope{}, false
	}
	env, ok := envelopeOf(text)
	env.Data = bytes.Clone(env.Data)
	return env, ok
}

// mayBeEnvelope rules out at little cost what cannot name a type: a key may be
// spelled with \u escapes.
func mayBeEnvelope(text []byte) bool {
	return bytes.Contains(text, []byte(keyType)) || bytes.Contains(text, []byte(`\u`))
}

// envelopeOf is ParseEnvelope for valid JSON; Data stays a part of text.
func envelopeOf(text []byte) (Envelope, bool) {
	if !mayBeEnvelope(text) {
		return Envelope{}, false
	}
	var typ, id, data json.RawMessage
	for key, value := range members(text) {
		switch jsonString(key) {
		case keyType:
			typ = value
		case keyID:
			id = value
		case keyData:
			data = value
		}
	}
	switch env := (Envelope{Type: jsonString(typ), Data: data}); env.Type {
	case TypeCfg, TypePing, TypePong, TypeCreq, TypeSres, TypeSreq, TypeCres:
		env.ID = jsonString(id)
		return env, true
	}
	return Envelope{}, false
}

// IsJSON tells whether the protocol takes a text message for JSON: valid JSON,
// and an object or an array. Everything else is a string.
func IsJSON(text []byte) bool {
	t := bytes.TrimLeft(text, " \t\r\n")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[') && json.Valid(t)
}

// encodeJSON marshals as JavaScript does: compact, <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encodeEnvelope makes a message of the protocol.
func encodeEnvelope(typ, id string, data any) ([]byte, error) {
	raw, err := encodeJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return appendEnvelope(nil, typ, id, raw), nil
}

// appendEnvelope appends a message of the protocol whose data is JSON already.
func appendEnvelope(b []byte, typ, id string, data []byte) []byte {
	b = append(b, `{"`+keyType+`":"`...)
	b = append(b, typ...)
	b = append(b, `","`+keyID+`":`...)
	b = appendString(b, id)
	b = append(b, `,"`+keyData+`":`...)
	b = append(b, data...)
	return append(b, '}')
}

// appendString appends a JSON string. An id in a Reply is whatever a server
// made it.
func appendString(b []byte, s string) []byte {
	if !isPlain(s) {
		quoted, _ := encodeJSON(s) // a string has no error
		return append(b, quoted...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendCfg appends what a client says after connecting.
func appendCfg(b []byte, session string, intervalMS int64) []byte {
	b = append(b, `{"`+keyType+`":"`+TypeCfg+`","`+keyData+`":{"`+keySessID+`":"`...)
	b = append(b, session...)
	b = append(b, `","`+keyInterval+`":`...)
	b = strconv.AppendInt(b, intervalMS, 10)
	return append(b, "}}"...)
}

// newID makes an id: 64 characters of A-Z a-z 0-9 _ -.
func newID() string {
	var b [48]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Cfg is what the server's ___cfg___ says, once after connecting.
type Cfg struct {
	SessionID         string        // the server's name for this session
	KeepaliveInterval time.Duration // the server's own; 0 if it gave none that makes sense
	Envelope          Envelope      // the whole message
}

// maxSessionID bounds what is kept of a server's idea of an id (64 characters).
const maxSessionID = 256

func parseCfg(env Envelope) Cfg {
	cfg := Cfg{Envelope: env}
	if len(env.Data) == 0 {
		return cfg
	}
	var session, interval json.RawMessage
	for key, value := range members(env.Data) {
		switch jsonString(key) {
		case keySessID:
			session = value
		case keyInterval:
			interval = value
		}
	}
	if id := jsonString(session); len(id) <= maxSessionID {
		cfg.SessionID = id
	}
	var ms float64
	if json.Unmarshal(interval, &ms) == nil && ms > 0 && ms < math.MaxInt32 {
		cfg.KeepaliveInterval = time.Duration(ms * float64(time.Millisecond))
	}
	return cfg
}
