package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// Each event says what happened, to whom, and under which request.
func TestEvents(t *testing.T) {
	for name, on := range map[string]func(testing.TB, reply) *app{"unix": onUnix, "tcp": onTCP} {
		t.Run(name, func(t *testing.T) {
			a := on(t, func(w http.ResponseWriter, e told) {
				w.Header().Set("Set-Cookie", "a=b; Path=/")
				if e.Event == "verify" {
					say(200, `{"accept":true}`)(w, e)
					return
				}
				w.WriteHeader(http.StatusNoContent)
			})
			h := start(t, a.url, everything)
			p := h.dial(t, "X-Forwarded-For: 192.0.2.7", "Cookie: user=caf\xe9", "X-Bad: \xff<&>")
			id := p.sess.ID()
			p.text("plain \u2028 <é>")
			p.text(`{"a": [1, 12345678901234567890, "<\u0000>"], "a": null}`)
			p.write(gobwas.OpBinary, []byte{0, 255, 128})
			p.write(gobwas.OpBinary, nil)
			p.text("")
			creq := p.ask("q", `{"k":1}`)
			p.text(`{"___type___":"___creq___","___id___":"short"}`)
			p.text(`{"___type___":"___cfg___","___data___":{"sessid":"x"}}`)
			p.write(gobwas.OpClose, gobwas.NewCloseFrameBody(4001, "bye\n\u009b"))

			seen := map[string]bool{}
			check := func(event, want string) told {
				t.Helper()
				e := a.next(t)
				if e.Event != event || e.Attempt != 1 || e.ID == "" || seen[e.ID] {
					t.Fatalf("%s, want %s", e.raw, event)
				}
				seen[e.ID] = true
				if at, err := time.Parse(time.RFC3339, e.Time); err != nil || time.Since(at) > patience || !strings.HasSuffix(e.Time, "Z") {
					t.Errorf("time: %q, %v", e.Time, err)
				}
				if !strings.HasSuffix(e.raw, want+"}") {
					t.Errorf("%s does not end in %s", e.raw, want)
				}
				if e.Request["host"] != "example.org" || e.Request["remoteAddress"] != "192.0.2.7" {
					t.Errorf("request: %v", e.Request)
				}
				if (e.Session == nil) != (event == "verify") {
					t.Errorf("session: %v", e.Session)
				} else if s := e.Session; s != nil && (s.ID != id || s.Remote != "192.0.2.7" || s.Protocol != "chat") {
					t.Errorf("session: %+v", s)
				} else if s != nil {
					if at, err := time.Parse(time.RFC3339, s.OpenedAt); err != nil || time.Since(at) > patience {
						t.Errorf("opened_at: %q, %v", s.OpenedAt, err)
					}
				}
				r := e.http
				if r.Method != "POST" || r.URL.Path != "/hook" || r.URL.RawQuery != "key=1" || r.Header.Get("Content-Type") != "application/json" ||
					r.Header.Get("User-Agent") != "nvsessd/1.2" || r.ContentLength != int64(len(e.raw)) || r.Header.Get("Cookie") != "" || r.Proto != "HTTP/1.1" {
					t.Errorf("%s %s %v, %d bytes", r.Method, r.URL, r.Header, r.ContentLength)
				}
				return e
			}
			check("verify", "}")
			check("open", "}")
			check("string", `,"text":"plain \u2028 <é>"`)
			check("json", `,"data":{"a":[1,12345678901234567890,"<\u0000>"],"a":null}`)
			check("binary", `,"base64":"AP+A"`)
			check("binary", `,"base64":""`)
			check("string", `,"text":""`)
			check("creq", `,"request_id":"`+creq+`","data":{"k":1}`)
			if e := check("creq", "}"); e.RequestID != "" || e.Data != nil {
				t.Errorf("%s", e.raw)
			}
			check("cfg", `,"data":{"sessid":"x"}`)
			check("close", `,"code":4001,"reason":"bye\n`+"\u009b"+`","by_client":true,"clean":true`)
			eventually(t, "all is done", func() bool { return h.hook.Stats().Handled == 11 })
			if st := h.hook.Stats(); st.Failed != 0 || a.connections() > 2 {
				t.Errorf("%+v, %d connections", st, a.connections())
			}
		})
	}
}

// A session that is cut says so.
func TestCloseWithoutAFrame(t *testing.T) {
	a := onUnix(t, nil)
	h := start(t, a.url, []string{"close"})
	h.dial(t).conn.Close()
	if e := a.next(t); *e.Code != 1006 || *e.Reason != "" || *e.Clean {
		t.Errorf("%s", e.raw)
	}
	p := h.dial(t)
	_ = p.sess.Close(4002, "go")
	p.want(gobwas.OpClose, "go")
	p.write(gobwas.OpClose, gobwas.NewCloseFrameBody(4002, ""))
	if e := a.next(t); *e.Code != 4002 || *e.Reason != "go" || *e.ByClient || !*e.Clean {
		t.Errorf("%s", e.raw)
	}
}

func TestVerify(t *testing.T) {
	answers := map[string]reply{
		"/yes":       say(200, `{"accept":true}`),
		"/no":        say(200, `{"accept":false}`),
		"/402":       say(200, `{"accept":false,"status":402,"detail":" pay\r\nfirst "}`),
		"/401":       say(401, ``),
		"/403":       say(403, `{"accept":true}`),
		"/404":       say(404, ``),
		"/302":       say(302, ``),
		"/500":       say(500, ``),
		"/empty":     say(200, ``),
		"/204":       say(204, ``),
		"/object":    say(200, `{}`),
		"/null":      say(200, `{"accept":null}`),
		"/text":      say(200, `{"accept":"yes"}`),
		"/200":       say(200, `{"accept":false,"status":200}`),
		"/unknown":   say(200, `{"accept":true,"role":"admin"}`),
		"/case":      say(200, `{"Accept":true}`),
		"/list":      say(200, `[true]`),
		"/broken":    say(200, `{"accept":true`),
		"/two":       say(200, `{"accept":true}{}`),
		"/nostatus":  say(200, `{"accept":false,"status":null,"detail":null}`),
		"/badstatus": say(200, `{"accept":false,"status":"401"}`),
	}
	a := onUnix(t, func(w http.ResponseWriter, e told) { answers[e.Request["resource"].(string)](w, e) })
	h := start(t, a.url, []string{"verify"})
	for path, want := range map[string]int{
		"/yes": 101, "/no": 403, "/402": 402, "/401": 401, "/403": 403, "/404": 503, "/302": 503, "/500": 503, "/empty": 503, "/204": 503, "/object": 503,
		"/null": 503, "/text": 503, "/200": 503, "/unknown": 503, "/case": 503, "/list": 503, "/broken": 503, "/two": 503, "/nostatus": 403, "/badstatus": 503,
	} {
		if want == 101 {
			p, err := h.tryDial(path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			p.conn.Close()
			continue
		}
		if got := h.refused(t, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if r := h.hook.VerifyReport(); r.Errors != 15 {
		t.Errorf("%+v, want 15 errors", r)
	}
}

// What the server says of a refusal reaches the client as one line.
func TestVerifyDetail(t *testing.T) {
	for in, want := range map[string]string{
		"": "Forbidden", " pay first\r\nX-Evil: 1": "pay first", "a\u009bb\tc": "a\ufffdb\ufffdc",
		strings.Repeat("é", 200): strings.Repeat("é", 128), "\n\n": "Forbidden", strings.Repeat("\a", 200): strings.Repeat("\ufffd", 85),
	} {
		status, detail := (&verdict{detail: oneLine(in)}).refusal()
		if detail == "" {
			detail = http.StatusText(status)
		}
		if status != 403 || detail != want {
			t.Errorf("%q becomes %d %q, want %q", in, status, detail, want)
		}
	}
}
