package webhook

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
)

// answers is an app that answers each message with itself, each request with
// the JSON that its data quotes, and other events with nothing.
func answers(w http.ResponseWriter, e told) {
	switch {
	case e.Text != nil:
		say(200, *e.Text)(w, e)
	case e.Event == "json":
		say(200, string(e.Data))(w, e)
	case e.RequestID != "":
		var s string
		_, _ = fmt.Sscanf(string(e.Data), "%q", &s)
		say(200, s)(w, e)
	}
}

func TestReplies(t *testing.T) {
	a := onUnix(t, answers)
	h := start(t, a.url, []string{"string", "json", "creq"})
	p := h.dial(t)
	for _, c := range [][2]string{
		{`{"reply": {"a" : [1, "é<"]} }`, `{"a":[1,"é<"]}`}, {`{"reply":5}`, "5"}, {`{"reply":"x"}`, `"x"`}, {`{"reply":false}`, "false"},
	} {
		p.text(c[0])
		p.want(gobwas.OpText, c[1])
	}
	p.text(`{"reply_text":"a\nb\u0000\ud800"}`)
	p.want(gobwas.OpText, "a\nb\x00\ufffd")
	p.text(`{"reply_text":""}`)
	p.want(gobwas.OpText, "")
	p.text(`{"reply_base64":"AP+A"}`)
	p.want(gobwas.OpBinary, "\x00\xff\x80")
	p.text(`{"replies":[{"text":"1"},{"data":[2]},{"base64":"Mw=="}],"reply":0,"close":null}`)
	p.want(gobwas.OpText, "0")
	p.want(gobwas.OpText, "1")
	p.want(gobwas.OpText, "[2]")
	p.want(gobwas.OpBinary, "3")
	for _, nothing := range []string{"", "  \n ", "{}", `{"reply":null,"reply_text":null,"replies":null,"broadcast":null}`, `{"replies":[]}`} {
		p.text(nothing)
	}
	p.text(`{"reply":"end"}`)
	p.want(gobwas.OpText, `"end"`)
	if st := h.hook.Stats(); st.Failed != 0 {
		t.Errorf("%+v: %s", st, h.log)
	}
}

func TestAnswerToARequest(t *testing.T) {
	a := onUnix(t, answers)
	h := start(t, a.url, []string{"string", "json", "creq"})
	p := h.dial(t)
	for i, c := range []struct{ answer, data string }{
		{`{"reply":{"ok":true}}`, `{"ok":true}`}, {`{"reply":null}`, `null`},
	} {
		id := p.ask(string(rune('a'+i)), fmt.Sprintf("%q", c.answer))
		p.want(gobwas.OpText, `{"___type___":"___sres___","___id___":"`+id+`","___data___":`+c.data+`}`)
	}
	id := p.ask("m", fmt.Sprintf("%q", `{"replies":[{"text":"before long"}],"reply":1}`))
	p.want(gobwas.OpText, `{"___type___":"___sres___","___id___":"`+id+`","___data___":1}`)
	p.want(gobwas.OpText, "before long")
	// What is no answer is refused as a whole, rather than leave the client waiting
	// for another reason than the operator can see.
	for i, bad := range []string{`{"reply_text":"x"}`, `{"reply_base64":"eA=="}`, `{"reply":1,"reply_text":"x"}`} {
		p.ask(string(rune('A'+i)), fmt.Sprintf("%q", bad))
	}
	p.text(`{"reply":"end"}`)
	p.want(gobwas.OpText, `"end"`)
	if r := h.hook.Report(3); r.Errors != 3 || r.Source != a.url {
		t.Errorf("%+v", r)
	}
}

// A request without an id cannot be answered, which is not the session's end.
func TestAnswerToARequestWithoutID(t *testing.T) {
	a := onUnix(t, say(200, `{"reply":1}`))
	h := start(t, a.url, []string{"creq"})
	p := h.dial(t)
	p.text(`{"___type___":"___creq___","___id___":"short","___data___":1}`)
	eventually(t, "it has failed", func() bool { return h.hook.Report(3).Errors == 1 })
	if last := h.hook.Report(3).Last; !strings.Contains(last, "no id") {
		t.Error(last)
	}
	p.quiet()
}

func TestBroadcast(t *testing.T) {
	a := onUnix(t, answers)
	h := start(t, a.url, []string{"json", "close"})
	p, q, r := h.dial(t), h.dial(t), h.dial(t)
	nobody := strings.Repeat("x", 64)
	for _, c := range []struct {
		answer string
		op     gobwas.OpCode
		want   string
		who    []*peer
	}{
		{`{"broadcast":{"data":{"a": 1}}}`, gobwas.OpText, `{"a":1}`, []*peer{p, q, r}},
		{`{"broadcast":{"text":"hi","except_sender":true}}`, gobwas.OpText, "hi", []*peer{q, r}},
		{`{"broadcast":{"base64":"aGk=","except_sender":false}}`, gobwas.OpBinary, "hi", []*peer{p, q, r}},
		{`{"broadcast":{"text":"to","to":["` + q.sess.ID() + `","` + q.sess.ID() + `","` + nobody + `","0","` + q.sess.ID()[:60] + `","fst"]}}`, gobwas.OpText, "to", []*peer{q}},
		{`{"broadcast":{"text":"both","to":["` + p.sess.ID() + `","` + r.sess.ID() + `"],"except_sender":true}}`, gobwas.OpText, "both", []*peer{r}},
		{`{"broadcast":{"text":"none","to":[]}}`, gobwas.OpText, "", nil},
		{`{"broadcast":{"text":"null","to":null,"except_sender":null},"reply_text":"first"}`, gobwas.OpText, "null", []*peer{p, q, r}},
	} {
		p.text(c.answer)
		if strings.Contains(c.answer, "first") {
			p.want(gobwas.OpText, "first")
		}
		for _, x := range c.who {
			x.want(c.op, c.want)
		}
	}
	p.text(`{"reply_text":"end"}`)
	p.want(gobwas.OpText, "end")
	q.quiet()
	r.quiet()
	if st := h.hook.Stats(); st.Failed != 0 || st.Gone != 4 {
		t.Errorf("%+v, want 4 gone: %s", st, h.log)
	}
}

func TestClose(t *testing.T) {
	a := onUnix(t, answers)
	h := start(t, a.url, []string{"json"})
	for answer, want := range map[string]string{
		`{"close":{}}`: "1000 ",
		`{"close":{"code":4100,"reason":"go é"}}`: "4100 go é",
		`{"close":{"code":1008},"reply_text":""}`: "1008 ",
	} {
		p := h.dial(t)
		p.text(answer)
		if strings.Contains(answer, "reply") {
			p.want(gobwas.OpText, "")
		}
		hd, err := gobwas.ReadHeader(p.r)
		if err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, hd.Length)
		if _, err := io.ReadFull(p.r, payload); err != nil {
			t.Fatal(err)
		}
		code, reason := gobwas.ParseCloseFrameData(payload)
		if got := fmt.Sprint(int(code), " ", reason); hd.OpCode != gobwas.OpClose || got != want {
			t.Errorf("%s: %v %q, want %q", answer, hd.OpCode, got, want)
		}
	}
}

// Nothing is done of an answer that is not understood, the session goes on, and
// nobody asks again.
func TestAnswersThatCannotBeUsed(t *testing.T) {
	long := strings.Repeat("x", 124)
	for _, c := range []struct{ answer, what string }{
		{`hello`, "not JSON"}, {`{"reply":1`, "not JSON"}, {`{"reply":1} x`, "not JSON"}, {"\ufeff{}", "not JSON"},
		{`null`, "not an object"}, {`[]`, "not an object"}, {`"x"`, "not an object"}, {`5`, "not an object"},
		{`{"Reply":1}`, `a field "Reply"`}, {`{"reply":1,"x":2}`, `a field "x"`}, {`{"accept":true}`, `a field "accept"`},
		{`{"reply":1,"reply_text":"x"}`, "only one of them"}, {`{"reply_text":1}`, "reply_text is not text"},
		{`{"reply_base64":"?"}`, "not base64"}, {`{"reply_base64":[1]}`, "not text"},
		{`{"reply":1,"replies":{}}`, "replies is not a list"}, {`{"replies":[{"data":1},{}]}`, "replies[1] has not exactly one"},
		{`{"replies":[{"data":null}]}`, "has not exactly one"}, {`{"replies":[5]}`, "replies[0] is not an object"},
		{`{"reply":1,"replies":[{"data":1,"text":""}]}`, "has not exactly one"}, {`{"replies":[{"text":1}]}`, "replies[0]: text is not text"},
		{`{"replies":[{"data":1,"to":[]}]}`, `a field "to"`},
		{`{"reply":1,"broadcast":{}}`, "broadcast has not exactly one"}, {`{"broadcast":{"text":"x","to":"all"}}`, "broadcast.to is not a list"},
		{`{"broadcast":{"text":"x","except_sender":1}}`, "not true or false"}, {`{"broadcast":{"text":"x","except":1}}`, `a field "except"`},
		{`{"broadcast":true}`, "broadcast is not an object"},
		{`{"reply":1,"close":{"code":1005}}`, "close code must be"}, {`{"close":{"code":"1000"}}`, "close.code is not a number"},
		{`{"close":{"code":1000.5}}`, "close.code is not a number"}, {`{"close":{"reason":"` + long + `"}}`, "longer than 123"},
		{`{"close":true}`, "close is not an object"}, {`{"close":{"why":1}}`, `a field "why"`},
		{"{\"reply\":\"\xff\"}", "not UTF-8"}, {`{"` + strings.Repeat("k", 5000) + `":1}`, "kkk..."},
		{"{\"a\u009b\u202e\":1}", "means nothing here"},
		{`{"reply":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "not JSON"},
		{`{"reply":"` + strings.Repeat("x", 1<<20) + `"}`, "longer than 1048576 bytes"},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := onUnix(t, say(200, c.answer))
			h := start(t, a.url, []string{"json"}, func(o *Options) { o.Retries = 3 })
			p := h.dial(t)
			p.text("{}")
			eventually(t, "it is done", func() bool { return h.hook.Stats().Handled == 1 })
			p.quiet()
			if r := h.hook.Report(1); r.Errors != 1 || !strings.Contains(r.Last, c.what) || len(r.Last) > 300 {
				t.Errorf("%+v, want %q", r, c.what)
			}
			if st := h.hook.Stats(); st.Retries != 0 || len(a.events) != 1 {
				t.Errorf("%+v, %d requests", st, len(a.events))
			}
			log := h.log.String()
			if strings.Count(log, "the webhook failed") != 1 || !strings.Contains(log, p.sess.ID()) || strings.ContainsAny(log, "\u009b\u202e\x7f") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// Most web frameworks name the type with a charset, some servers none at all;
// what is something else is an error page.
func TestContentTypes(t *testing.T) {
	for typ, ok := range map[string]bool{
		"": true, "application/json": true, "Application/JSON; charset=utf-8": true, "application/problem+json": true, "application/json;;": true,
		"text/html; charset=utf-8": false, "text/plain": false, "application/jsonp": false, "json": false, "\u202etext/x": false,
	} {
		if isJSONType(typ) != ok {
			t.Errorf("%q: %v", typ, !ok)
		}
	}
	a := onUnix(t, func(w http.ResponseWriter, _ told) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `{"reply":1}`)
	})
	h := start(t, a.url, []string{"json"})
	p := h.dial(t)
	p.text("{}")
	eventually(t, "it has failed", func() bool { return h.hook.Report(1).Errors == 1 })
	if last := h.hook.Report(1).Last; !strings.Contains(last, `"text/html", not application/json`) {
		t.Error(last)
	}
	p.quiet()
}

// An answer for a session that has gone is counted, and its other parts are
// done.
func TestReplyToAGoneSession(t *testing.T) {
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		asked <- struct{}{}
		<-answer
		say(200, `{"reply":1,"replies":[{"text":"2"}],"close":{"code":4000},"broadcast":{"text":"he left"}}`)(w, e)
	})
	h := start(t, a.url, []string{"string"})
	other, p := h.dial(t), h.dial(t)
	p.text("x")
	receive(t, "the event", asked)
	p.conn.Close()
	eventually(t, "it is gone", func() bool { return h.Len() == 1 })
	close(answer)
	other.want(gobwas.OpText, "he left")
	eventually(t, "it is done", func() bool { return h.hook.Stats().Handled == 1 })
	if st := h.hook.Stats(); st.Gone != 2 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
}
