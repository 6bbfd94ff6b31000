package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

func TestConfigIsTheFirstMessage(t *testing.T) {
	h := start(t, keepalive(20*time.Second, 10*time.Second))
	p := h.dial(t)
	id := p.sess.ID()
	p.want(gobwas.OpText, `{"___type___":"___cfg___","___data___":{"sessid":"`+id+`","keepaliveInterval":20000}}`)
	if !idPattern.MatchString(id) {
		t.Errorf("session id %q", id)
	}
	p.quiet()
}

func TestNoConfigWithoutKeepalive(t *testing.T) {
	h := start(t)
	h.dial(t).quiet()
}

// TestConfigWaitsForTheClientToListen: stock Node clients lose what comes with
// or just after the answer to the handshake.
func TestConfigWaitsForTheClientToListen(t *testing.T) {
	h := start(t, keepalive(20*time.Second, time.Second))
	before := time.Now()
	p := h.dial(t)
	p.envelope("___cfg___")
	if d := time.Since(before); d < greetDelay {
		t.Errorf("the configuration came after %v", d)
	}

	// Who sends something listens: the configuration comes at once, and first.
	h.EnableForward()
	q := h.dial(t)
	q.text(`{"___type___":"___ping___"}`)
	q.envelope("___cfg___")
	q.envelope("___pong___")
}

func TestPingEnvelopeIsAnswered(t *testing.T) {
	h := start(t, keepalive(1234*time.Millisecond, time.Second))
	p := h.dial(t)
	p.envelope("___cfg___")
	ids := map[string]bool{}
	for range 3 {
		mine := newID().String()
		p.text(`{"___type___":"___ping___","___id___":"` + mine + `","___data___":"20000"}`)
		pong := p.envelope("___pong___")
		if string(pong.Data) != `"1234"` || !idPattern.MatchString(pong.ID) || pong.ID == mine || ids[pong.ID] {
			t.Errorf("answer: %+v", pong)
		}
		ids[pong.ID] = true
	}
	p.text(`{"___type___":"___ping___"}`)
	p.envelope("___pong___")
	p.text(`{"___type___":"___pong___","___data___":"5"}`)
	p.quiet()
}

func TestCreq(t *testing.T) {
	h := start(t)
	p := h.dial(t)
	id := newID().String()
	creq := func(id, data string) string {
		return `{"___type___":"___creq___","___id___":"` + id + `","___data___":` + data + `}`
	}
	p.text(creq(id, `{"q":1}`))
	p.quiet() // none: no answer

	set(t, h, KindCreq, HandlerEcho)
	for _, data := range []string{`{"q":1}`, `"text"`, `null`, `[ 1, 2 ]`, `-1.5e3`, `{"___type___":"___ping___"}`} {
		p.text(creq(id, data))
		p.want(gobwas.OpText, `{"___type___":"___sres___","___id___":"`+id+`","___data___":`+data+`}`)
	}
	p.text(`{"___id___":"` + id + `","___type___":"___creq___"}`)
	p.want(gobwas.OpText, `{"___type___":"___sres___","___id___":"`+id+`","___data___":{}}`)
	for _, bad := range []string{creq("", "1"), creq(id[1:], "1"), creq(id[1:]+`\"`, "1"), `{"___type___":"___creq___","___data___":1}`, `{"___type___":"___creq___","___id___":7}`} {
		p.text(bad) // nothing that an answer could carry
		p.quiet()
	}

	set(t, h, KindCreq, HandlerLog)
	p.text(creq(id, `{"logged":"here"}`))
	p.quiet()
	if log := h.log.String(); !strings.Contains(log, `logged`) || !strings.Contains(log, `"kind":"creq"`) {
		t.Errorf("log: %s", log)
	}
	if n := calls(h, KindCreq); n != 14 {
		t.Errorf("%d calls, want 14", n)
	}
}

func TestWrongDirectionIsCountedAndIgnored(t *testing.T) {
	h := start(t, func(o *Options) { o.Mode = "echo" })
	p := h.dial(t)
	for _, typ := range []string{"___sres___", "___sreq___", "___sres___"} {
		p.text(fmt.Sprintf(`{"___type___":%q,"___id___":%q,"___data___":1}`, typ, newID()))
		p.quiet()
	}
	if n := h.Stats().WrongDirection; n != 3 {
		t.Errorf("%d counted, want 3", n)
	}
	if n := calls(h, KindJSON) + calls(h, KindString); n != 0 {
		t.Errorf("%d of them went to a handler", n)
	}
}

func TestUnknownTypeIsOrdinaryJSON(t *testing.T) {
	h := start(t, func(o *Options) { o.Mode = "echo" })
	p := h.dial(t)
	for i, s := range []string{
		`{"___type___":"___nosuch___","___id___":"x","___data___":1}`, `{"___type___":"ping"}`, `{"___type___":5}`,
		`{"___Type___":"___ping___"}`, `[{"___type___":"___ping___"}]`, `{}`, ` [ ] `,
	} {
		p.text(s)
		p.want(gobwas.OpText, s)
		if n := calls(h, KindJSON); n != uint64(i+1) {
			t.Errorf("%s: the JSON handler has been called %d times, want %d", s, n, i+1)
		}
	}
	if n := calls(h, KindString); n != 0 {
		t.Errorf("the string handler was called %d times", n)
	}
}

func TestClientConfigAndUnknownReply(t *testing.T) {
	h := start(t, func(o *Options) { o.Mode = "echo" })
	p := h.dial(t)
	p.text(`{"___type___":"___cfg___","___data___":{"keepaliveInterval":5000}}`)
	p.quiet()
	p.text(`{"___type___":"___cres___","___id___":"` + newID().String() + `","___data___":1}`)
	p.text(`{"___type___":"___cres___","___data___":1}`)
	p.quiet()
	if s := h.Stats(); s.UnknownReplies != 2 {
		t.Errorf("%d unknown replies, want 2", s.UnknownReplies)
	}
	if calls(h, KindCfg) != 1 || calls(h, KindJSON) != 0 {
		t.Errorf("handlers: %+v", h.Handlers())
	}
	set(t, h, KindCfg, HandlerLog)
	p.text(`{"___type___":"___cfg___","___data___":{"keepaliveInterval":4321}}`)
	p.quiet()
	if log := h.log.String(); !strings.Contains(log, "4321") {
		t.Errorf("log: %s", log)
	}
}

// A peer that leaves without a word is still a close, with 1006.
func TestCloseIsTold(t *testing.T) {
	h := start(t)
	set(t, h, KindClose, HandlerLog)
	p := h.dial(t)
	p.leave()
	q := h.dial(t)
	q.conn.Close()
	gone(t, q.sess)
	eventually(t, "both closes are counted", func() bool { return calls(h, KindClose) == 2 })
	eventually(t, "both are logged", func() bool {
		log := h.log.String()
		return strings.Contains(log, `"code":1000,"reason":"bye"`) && strings.Contains(log, `"code":1006`)
	})
	if st := h.Stats(); st.Sessions != 0 || st.Closes["1000"] != 1 || st.Closes["1006"] != 1 || st.Opens != 2 {
		t.Errorf("%+v", st)
	}
}

// set replaces a handler.
func set(t testing.TB, h *host, k Kind, name string) {
	t.Helper()
	if err := h.SetHandler(k, name); err != nil {
		t.Fatal(err)
	}
}

// calls is how often a kind's handler was called.
func calls(h *host, k Kind) uint64 { return h.Handlers()[k].Calls }
