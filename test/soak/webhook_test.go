package main

import (
	"fmt"
	"strings"
	"testing"
)

// What the daemon may not tell a web server is found, and what it may is not.
func TestWebhookFindsFaults(t *testing.T) {
	tell := func(id string, attempt int, kind string, seq uint64) *hookEvent {
		e := &hookEvent{Attempt: attempt, Event: kind, ID: id}
		e.Session.ID = "s"
		m := message{from: 5, seq: seq}
		switch kind {
		case "string":
			e.Text = string(m.encode())
		case "binary":
			e.Base64 = m.encode()
		case "creq":
			e.Data = fmt.Appendf(nil, `{"at":%d}`, seq)
		}
		return e
	}
	open, first, second, bye := tell("a", 1, "open", 0), tell("b", 1, "string", 1), tell("c", 1, "binary", 2), tell("d", 1, "close", 0)
	upgraded := &hookEvent{Event: "upgraded"}
	for name, c := range map[string]struct {
		want   string // "": no fault
		events []*hookEvent
	}{
		"in order":                      {"", []*hookEvent{open, first, second, tell("x", 1, "creq", 1), bye}},
		"again, for want of an answer":  {"", []*hookEvent{open, tell("a", 2, "open", 0), first, tell("b", 4, "string", 1), second, bye, tell("d", 2, "close", 0)}},
		"an attempt that comes late":    {"", []*hookEvent{open, tell("b", 2, "string", 1), first, second, first}},
		"the same attempt twice":        {"attempt 1 of b", []*hookEvent{open, first, first}},
		"the same as another":           {"twice, as b and as x", []*hookEvent{open, first, tell("x", 1, "string", 1)}},
		"by the next process":           {"", []*hookEvent{open, first, upgraded, tell("x", 1, "string", 1), second}},
		"by the next process, too late": {"message 1 of 5 after message 2", []*hookEvent{open, first, second, upgraded, tell("x", 1, "string", 1)}},
		"nothing of its beginning":      {"before session s was opened", []*hookEvent{first}},
		"something after its end":       {"after session s was closed", []*hookEvent{open, bye, first}},
		"out of order":                  {"message 1 of 5 after message 2", []*hookEvent{open, second, first}},
		"another event under an id":     {"as attempt 2 of b, after", []*hookEvent{open, first, tell("b", 2, "binary", 2)}},
		"a changed message":             {"changed on the way", []*hookEvent{open, {Attempt: 1, ID: "b", Event: "string", Session: open.Session, Text: first.Text + "x"}}},
	} {
		p := idle()
		b, _ := newWebhook(t.TempDir())
		h := b.(*webhook)
		h.run = p
		for seq := range uint64(3) {
			p.sending(key{5, seq}, nil)
		}
		for _, e := range c.events {
			if e == upgraded {
				p.begun.Add(1)
				p.ended.Add(1)
				continue
			}
			h.decide(e)
		}
		if got := p.found(); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want something about %q", name, got, c.want)
		}
		if again := p.sent[key{5, 1}].again; again != (name == "by the next process") {
			t.Errorf("%s: may come twice: %v", name, again)
		}
	}
}
