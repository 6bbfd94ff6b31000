package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/client"
)

// A member is a session with a client that behaves, but for reading slowly when
// it is told to.
type member struct {
	id     int
	run    *phase
	sess   string // its id at the daemon
	conn   *client.Conn
	opened uint64 // the moment it was there for certain
	slow   bool   // it can be kept from reading
	seq    uint64 // of what it sent; its sender's only
	gate   atomic.Pointer[chan struct{}]
	ending atomic.Bool // it, or an operator, has begun to end it
	loss   int         // counted by the daemon up to the last round

	mu        sync.Mutex // guards what follows
	got       []key
	heard     uint64 // the highest message of the crier
	envelopes int
	closed    *client.CloseError
}

// join opens a session.
func (p *phase) join(ctx context.Context, id int, slow bool) (*member, error) {
	m := &member{id: id, run: p, slow: slow}
	url := "ws://" + p.d.tcp + "/"
	if id%2 == 0 {
		url = p.d.unix
	}
	opts := []client.Option{
		client.WithHandlers(client.Handlers{JSON: m.json, String: m.text, Binary: m.binary, Request: m.answer, Close: m.end}),
		client.WithTrace(m.trace),
		client.WithKeepalive(2 * patience), client.WithWriteTimeout(patience), client.WithCloseTimeout(patience), client.WithHandshakeTimeout(patience),
	}
	switch {
	case slow:
		opts = append(opts, client.WithMaxMessage(96<<10)) // what it reads ahead
	case id%3 == 0:
		opts = append(opts, client.WithCompression(client.Compression{Threshold: 64, ServerContextTakeover: id%6 == 0, ClientContextTakeover: id%6 == 0}))
	}
	conn, err := client.Dial(ctx, url, opts...)
	if err != nil {
		return nil, err
	}
	m.opened = p.tick() // 101 was sent after the session was there
	m.conn = conn
	if m.sess, err = conn.WaitSession(ctx); err != nil {
		return nil, err
	}
	if conn.Extensions() != "" {
		p.count.compressed.Add(1)
	}
	p.count.joined.Add(1)
	return m, nil
}

func (m *member) json(_ *client.Conn, j json.RawMessage) { m.take(kindJSON, j) }
func (m *member) text(_ *client.Conn, s string)          { m.take(kindString, []byte(s)) }
func (m *member) binary(_ *client.Conn, b []byte)        { m.take(kindBinary, b) }

func (m *member) take(kind int, b []byte) {
	if gate := m.gate.Load(); gate != nil {
		<-*gate
	}
	got, err := decode(kind, b)
	if err != nil {
		m.run.fault("member %d got %v", m.id, err)
		return
	}
	m.run.count.delivered.Add(1)
	if !m.slow {
		m.run.latency(time.Duration(m.run.now() - got.sent))
	}
	m.mu.Lock()
	m.got = append(m.got, key{got.from, got.seq})
	if got.from == crier {
		m.heard = max(m.heard, got.seq)
	}
	m.mu.Unlock()
}

// answer answers an operator's question with the question and who was asked.
func (m *member) answer(c *client.Conn, req client.Envelope) {
	m.mu.Lock()
	m.envelopes++
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// A question may come before what names the session. An end shows elsewhere.
	sess, _ := c.WaitSession(ctx)
	_ = c.Reply(ctx, req.ID, map[string]any{"me": sess, "asked": req.Data})
}

// trace sees what the client ignores: an answer to no question of its own.
func (m *member) trace(_ *client.Conn, t client.Trace) {
	if !t.Sent && t.Note != "" {
		m.run.fault("member %d got %s, which was ignored: %s", m.id, t.What, t.Note)
	}
	if !t.Sent {
		m.mu.Lock()
		m.envelopes++ // a ping is one
		m.mu.Unlock()
	}
}

func (m *member) end(_ *client.Conn, err *client.CloseError) {
	m.mu.Lock()
	again := m.closed != nil
	m.closed = err
	m.mu.Unlock()
	if again {
		m.run.fault("member %d was closed twice", m.id)
	}
	if err.Code == client.CloseTryLater {
		m.run.count.seenSlow.Add(1)
	} else if !m.ending.Load() {
		m.run.fault("member %d was closed by nobody: %v", m.id, err)
	}
}

// here reports whether its session goes on.
func (m *member) here() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed == nil && !m.ending.Load()
}

func (m *member) hears(seq uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed != nil || m.heard >= seq
}

// stall keeps it from reading until the function that it returns is called.
func (m *member) stall() (resume func()) {
	gate := make(chan struct{})
	m.gate.Store(&gate)
	return sync.OnceFunc(func() { m.gate.Store(nil); close(gate) })
}

// say sends n messages, and then asks for something: when the answer is there,
// the daemon has dealt with all of them.
func (m *member) say(ctx context.Context, n int, sizes func() int, vanish bool) {
	var keys []key
	for range n {
		m.seq++
		msg := message{from: m.id, seq: m.seq, sent: m.run.now(), size: sizes()}
		k := key{m.id, m.seq}
		var to map[int]bool // all
		if m.run.d.handlers != nil && msg.spoilt() {
			to = map[int]bool{} // nobody
		}
		m.run.sending(k, to)
		var err error
		switch b := msg.encode(); msg.kind() {
		case kindJSON:
			err = m.conn.SendJSON(ctx, json.RawMessage(b))
		case kindString:
			err = m.conn.SendString(ctx, string(b))
		default:
			err = m.conn.SendBinary(ctx, b)
		}
		if err != nil {
			if m.here() {
				m.run.fault("member %d cannot send: %v", m.id, err)
			}
			return
		}
		keys = append(keys, k)
	}
	if vanish {
		m.vanish()
		return
	}
	if m.ask(ctx) {
		m.run.accepted(keys...)
	}
}

// ask asks the daemon, which answers with the question.
func (m *member) ask(ctx context.Context) bool {
	want := fmt.Sprintf(`{"member":%d,"at":%d}`, m.id, m.run.tick())
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	env, err := m.conn.Request(ctx, json.RawMessage(want))
	switch {
	case err != nil && m.here():
		m.run.fault("member %d asked and got %v", m.id, err)
	case err == nil && strings.ReplaceAll(string(env.Data), " ", "") != want:
		m.run.fault("member %d asked %s and was answered %s", m.id, want, env.Data)
	case err == nil:
		m.run.count.asked.Add(1)
		return true
	}
	return false
}

// leave closes with a code of its own.
func (m *member) leave(ctx context.Context, code int) {
	m.ending.Store(true)
	m.run.expectEnd(m.sess, code)
	if err := m.conn.Close(ctx, code, "leaving"); err != nil {
		if m.conn.Err() == nil || !strings.Contains(m.conn.Err().Error(), "1013") {
			m.run.fault("member %d closed with %d and got %v", m.id, code, err)
		}
	}
}

// vanish ends the socket without a word.
func (m *member) vanish() {
	m.ending.Store(true)
	m.run.expectEnd(m.sess, client.CloseAbnormal)
	_ = m.conn.CloseNow() // it has ended, either way
}
