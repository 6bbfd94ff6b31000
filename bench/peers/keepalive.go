package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/lxzan/gws"
)

// keepalive is what nv-session-simple adds to a server, so that gws can be measured
// under its load: a cfg message at the start, a ping to everybody at half the
// interval, a pong for each ping, and an end for who says nothing.
type keepalive struct {
	interval time.Duration
}

func newKeepalive(interval time.Duration) *keepalive { return &keepalive{interval: interval} }

const seenKey = "seen"

// seen is a session: its id and when something last came from it.
type seen struct {
	id string
	mu sync.Mutex // guards at
	at time.Time
}

// newID makes 64 characters of the URL-safe alphabet.
func newID() string {
	var b [48]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (k *keepalive) cfg(id string) []byte {
	return fmt.Appendf(nil, `{"___type___":"___cfg___","___data___":{"sessid":"%s","keepaliveInterval":%d}}`, id, k.interval.Milliseconds())
}

func (k *keepalive) message(kind string) []byte {
	return fmt.Appendf(nil, `{"___type___":"%s","___id___":"%s","___data___":"%d"}`, kind, newID(), k.interval.Milliseconds())
}

// envelope deals with a message that is one, and says so.
func (s *gwsServer) envelope(c *gws.Conn, m *gws.Message) bool {
	if v, ok := c.Session().Load(seenKey); ok {
		sess := v.(*seen)
		sess.mu.Lock()
		sess.at = time.Now()
		sess.mu.Unlock()
	}
	b := m.Bytes()
	if m.Opcode != gws.OpcodeText || !bytes.Contains(b[:min(len(b), 64)], []byte(`"___type___"`)) {
		return false
	}
	var e struct {
		Type string `json:"___type___"`
	}
	if json.Unmarshal(b, &e) != nil {
		return false
	}
	switch e.Type {
	case "___ping___":
		_ = c.WriteMessage(gws.OpcodeText, s.ka.message("___pong___"))
	case "___pong___", "___cfg___":
	default:
		return false
	}
	return true
}

// keepAlive pings all and drops the silent, for as long as the server runs.
func (s *gwsServer) keepAlive() {
	for range time.Tick(s.ka.interval / 2) {
		s.broadcast(gws.OpcodeText, s.ka.message("___ping___"), nil)
		var silent []*gws.Conn
		s.all.each(func(c *gws.Conn) {
			v, ok := c.Session().Load(seenKey)
			if !ok {
				return
			}
			sess := v.(*seen)
			sess.mu.Lock()
			old := time.Since(sess.at) > s.ka.interval
			sess.mu.Unlock()
			if old {
				silent = append(silent, c)
			}
		})
		for _, c := range silent {
			_ = c.WriteClose(1000, nil)
		}
	}
}
