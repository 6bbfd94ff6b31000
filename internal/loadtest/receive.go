package loadtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nvsess/nvsess/client"
)

// handlers take what a client receives.
func (t *Test) handlers(m *member) client.Handlers {
	return client.Handlers{
		JSON: func(_ *client.Conn, j json.RawMessage) { t.received(m, j) },
		String: func(_ *client.Conn, s string) {
			t.messages.Add(1)
			t.show(m, s)
		},
		Binary: func(_ *client.Conn, b []byte) {
			t.messages.Add(1)
			t.show(m, fmt.Sprintf("binary, %d bytes", len(b)))
		},
		Request: func(_ *client.Conn, req client.Envelope) {
			t.messages.Add(1)
			t.show(m, "request "+string(req.Data))
		},
		Close: func(_ *client.Conn, err *client.CloseError) { t.over(m, err) },
	}
}

func (t *Test) show(m *member, text string) {
	if t.cfg.Received != nil {
		t.cfg.Received(m.index, text)
	}
}

func (t *Test) received(m *member, message []byte) {
	t.messages.Add(1)
	now := t.now()
	if mk, ours := markOf(message, t.run, now); ours {
		took := now - time.Duration(mk.Sent)
		switch {
		case mk.From == fromControl && mk.Seq <= t.broadcasts.Load():
			if !m.copiesSeen.first(mk.Seq) {
				t.duplicates.Add(1)
				break
			}
			m.copies++
			t.copies.Add(1)
			t.delivery.Record(took)
		case mk.From == m.index && mk.Seq <= m.echoSent.Load():
			if !m.echoSeen.first(mk.Seq) {
				t.duplicates.Add(1)
				break
			}
			m.echoes++
			t.echoes.Add(1)
			t.roundTrip.Record(took)
		case mk.From >= 0 && mk.From != m.index && t.cfg.Echo != "":
			t.goAstray(errors.New("what one client sent reached another: the server forwards instead of echoing"))
		}
	}
	t.show(m, string(message))
}

// over notes the end of a client. It runs last of its handlers.
func (t *Test) over(m *member, err *client.CloseError) {
	t.mu.Lock()
	m.gone = true
	if m.open {
		t.goneLocked(m)
	}
	if t.phase < Closing || err.Remote && err.Code != client.CloseNormal {
		t.closed[closedKind(err)]++
	}
	t.mu.Unlock()
	t.wake()
}

// goneLocked takes a member out of those that are open.
func (t *Test) goneLocked(m *member) {
	m.open = false
	t.open--
	if t.phase < Closing {
		t.early++
		t.missed += int64(t.broadcasts.Load()-m.joined) - m.copies
		t.echoesMissed += int64(m.echoSent.Load()) - m.echoes
	}
}

func (t *Test) wake() {
	select {
	case t.change <- struct{}{}:
	default:
	}
}

func (t *Test) goAstray(err error) {
	t.mu.Lock()
	if t.stray == nil {
		t.stray = err
	}
	t.mu.Unlock()
	t.wake()
}
