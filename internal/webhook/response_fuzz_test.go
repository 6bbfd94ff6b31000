package webhook

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/session"
)

// FuzzResponse: an answer is refused in one printable line, or it is an object
// of which everything was understood: written again from what was understood, it
// reads the same.
func FuzzResponse(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `{"accept":true}`, `{"accept":false,"status":600}`, `{"accept":false,"status":399}`, `{"accept":false,"status":402,"detail":" pay\r\nfirst "}`, `{"reply":{"a":1}}`, `{"reply":null}`, `{"reply_text":"x"}`,
		`{"replies":[{"text":"a"},{"data":[1]},{"base64":"AP8="}],"broadcast":{"data":{"n":1},"except_sender":true,"to":["x"]},"close":{"code":4001,"reason":"bye"}}`,
		`{"reply":1,"reply_text":"x"}`, `{"Reply":1}`, `{"close":{"code":1006}}`, `{"close":{}}`, `{"close":null,"broadcast":null}`, `{"broadcast":{"text":"a","to":[]}}`,
		`{"replies":[{"text":"\ud800"}]}`, `{"reply":1,"reply":2}`, `{"reply_base64":"*"}`, "{\"x\x1b[2J\":1}", `{"accept":1e0,"status":4.01e2}`,
	} {
		for kind := range uint8(4) {
			f.Add(kind, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		e := &event{call: &session.Call{Kind: session.KindJSON}}
		switch kind % 4 {
		case 0:
			e = &event{shake: new(session.Handshake)}
		case 1:
			e = &event{call: &session.Call{Kind: session.KindCreq}, requestID: "id"}
		case 2:
			e = &event{call: &session.Call{Kind: session.KindCreq}}
		}
		r, err := parseResponse(e, body)
		if err != nil {
			if s := err.Error(); s == "" || len(s) > 1000 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Fatalf("%q: %q", body, err)
			}
			return
		}
		if len(strings.TrimSpace(string(body))) > 0 && (!json.Valid(body) || strings.TrimLeft(string(body), " \t\r\n")[0] != '{') {
			t.Fatalf("%q was taken", body)
		}
		var fields map[string]any
		replies := 0
		_ = json.Unmarshal(body, &fields) // an empty body has none
		for _, name := range []string{"reply", "reply_text", "reply_base64"} {
			if fields[name] != nil {
				replies++
			}
		}
		if replies > 1 {
			t.Fatalf("%q was taken", body)
		}
		checkResponse(t, e, r)
		if bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > 9000 {
			return // written again it would be deeper, and encoding/json has a limit
		}
		again, err := parseResponse(e, written(t, r))
		if err != nil || !reflect.DeepEqual(compact(t, again), compact(t, r)) {
			t.Fatalf("%q is %+v, written %s it is %+v, %v", body, r, written(t, r), again, err)
		}
	})
}

// compact takes the blanks out of JSON.
func compact(t *testing.T, r *response) *response {
	t.Helper()
	less := func(b []byte) []byte {
		var out bytes.Buffer
		if err := json.Compact(&out, b); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if r.answer != nil {
		r.answer = less(r.answer)
	}
	for i, m := range r.messages {
		if m.kind == session.KindJSON {
			r.messages[i].data = less(m.data)
		}
	}
	if r.broadcast != nil && r.broadcast.kind == session.KindJSON {
		r.broadcast.data = less(r.broadcast.data)
	}
	return r
}

func checkResponse(t *testing.T, e *event, r *response) {
	t.Helper()
	if v := r.verdict; (v != nil) != (e.shake != nil) {
		t.Fatalf("verdict %+v", v)
	} else if v != nil && (v.status != 0 && (v.status < 400 || v.status > 599) || len(v.detail) > maxDetail || strings.ContainsFunc(v.detail, func(r rune) bool { return !unicode.IsPrint(r) })) {
		t.Fatalf("verdict %+v", v)
	}
	if r.answer != nil && (e.requestID == "" || !json.Valid(r.answer)) {
		t.Fatalf("answer %s", r.answer)
	}
	messages := r.messages
	if r.broadcast != nil {
		messages = append(messages[:len(messages):len(messages)], r.broadcast.message)
	}
	for _, m := range messages {
		if m.kind == session.KindJSON && !json.Valid(m.data) || m.kind == session.KindString && !utf8.Valid(m.data) {
			t.Fatalf("message %v %q", m.kind, m.data)
		}
	}
	if c := r.close; c != nil {
		if err := session.CheckClose(c.code, c.reason); err != nil {
			t.Fatalf("close %+v: %v", c, err)
		}
	}
}

// written is an answer that says what r does.
func written(t *testing.T, r *response) []byte {
	t.Helper()
	body := func(m message) map[string]any {
		switch m.kind {
		case session.KindString:
			return map[string]any{"text": string(m.data)}
		case session.KindBinary:
			return map[string]any{"base64": base64.StdEncoding.EncodeToString(m.data)}
		}
		return map[string]any{"data": json.RawMessage(m.data)}
	}
	out := map[string]any{}
	if v := r.verdict; v != nil {
		out["accept"], out["detail"] = v.accept, v.detail
		if v.status != 0 {
			out["status"] = v.status
		}
	}
	if r.answer != nil {
		out["reply"] = r.answer
	}
	var replies []any
	for _, m := range r.messages {
		replies = append(replies, body(m))
	}
	if replies != nil {
		out["replies"] = replies
	}
	if b := r.broadcast; b != nil {
		fields := body(b.message)
		fields["except_sender"] = b.exceptSender
		if b.to != nil {
			fields["to"] = b.to
		}
		out["broadcast"] = fields
	}
	if c := r.close; c != nil {
		out["close"] = map[string]any{"code": c.code, "reason": c.reason}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// FuzzAddress: an address is refused with the reason, or a request can be made
// to it, and a socket is an absolute path.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"http://h", "https://h:8443/a?b=c", "http+unix:///run/a.sock:/hook?x", "http+unix:///run/a%3Ab.sock", "http://u:p@h/", "http://h/#f", "ftp://h", "http:h", "",
		"http+unix://h/x", "http+unix:///", "http+unix:///a:b", "http://h\x00/", "http://[::1]:80/ä b", "http+unix:///a%00b", "http+unix:///x:/a b%zz", "http+unix:///a%3Ab/ö:/c%2Fd e?f",
		"http+unix:/a:/b", "http://[fe80::1%25%5B]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		r, err := http.NewRequest(http.MethodPost, a.url, nil)
		if err != nil || r.URL.Host == "" || r.URL.User != nil || r.URL.Path == "" || r.URL.Path[0] != '/' {
			t.Fatalf("%q is %+v, which asks for %+v, %v", s, a, r, err)
		}
		u, err := url.Parse(s)
		if err != nil || (u.Scheme == "http+unix") != (a.socket != "") || a.socket != "" && (a.socket[0] != '/' || len(a.socket) > 107 || strings.ContainsRune(a.socket, 0)) {
			t.Fatalf("%q is %+v, %v", s, a, err)
		}
		path := u.Path
		if a.socket != "" {
			_, rest, _ := strings.Cut(s, ":")
			rest, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSuffix(rest, "#"), "//"), "?")
			socket, request, _ := strings.Cut(rest, ":")
			if socket, err = url.PathUnescape(socket); err != nil || socket != a.socket {
				t.Fatalf("%q is at %q, %v, want %q", s, a.socket, err, socket)
			}
			if path, err = url.PathUnescape(request); err != nil {
				t.Fatal(err)
			}
		}
		if r.URL.Path != cmp.Or(path, "/") {
			t.Fatalf("%q asks for %q", s, r.URL.Path)
		}
		if u.RawQuery != r.URL.RawQuery || a.socket == "" && strings.TrimSuffix(u.Host, ":") != strings.TrimSuffix(r.URL.Host, ":") {
			t.Fatalf("%q asks for %s", s, r.URL)
		}
	})
}
