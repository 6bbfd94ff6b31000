package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

func TestSessesPrintsAsNodeDoes(t *testing.T) {
	d := startDaemon(t, nil)
	if got := d.must("sesses"); got != "Map(0) {}\n" {
		t.Errorf("no sessions: %q", got)
	}
	a := d.connect("/", nil)
	b := d.connect("/chat?user=7", gobwas.HandshakeHeaderHTTP(http.Header{"Origin": {"http://localhost"}, "Cookie": {"sid=x"}}))
	// The keys differ each time; the rest is the example of nv-session-simple's README.
	key := regexp.MustCompile(`"key": "[^"]*"`)
	got := key.ReplaceAllString(d.must("sesses"), `"key": KEY`)
	want := `Map(2) {
  Sess [{
  "id": "` + a.id + `",
  "host": "localhost",
  "key": KEY,
  "cookies": [],
  "requestedExtensions": [],
  "query": {}
}] {} => '` + a.id + `',
  Sess [{
  "id": "` + b.id + `",
  "host": "localhost",
  "key": KEY,
  "origin": "http://localhost",
  "cookies": [
    {
      "name": "sid",
      "value": "x"
    }
  ],
  "requestedExtensions": [],
  "query": {
    "user": "7"
  }
}] {} => '` + b.id + `'
}
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	one := key.ReplaceAllString(d.must("fst_sess"), `"key": KEY`)
	if !strings.HasPrefix(one, "Sess [{\n  \"id\": \""+a.id+"\",\n") || !strings.HasSuffix(one, "}] {}\n") {
		t.Errorf("fst_sess: %s", one)
	}
}

func TestSessionsByReference(t *testing.T) {
	d := startDaemon(t, nil)
	a, b := d.connect("/a", nil), d.connect("/b", nil)
	for line, want := range map[string]string{
		"fst_sess": a.id, "lst_sess": b.id, "get_sess": a.id, "get_sess 1": b.id, "get_sess fst": a.id,
		"get_sess " + b.id: b.id, "get_sess " + b.id[:12]: b.id,
		"sess_filter path=/b": b.id, "sess_filter -l path=/a": a.id[:12], "rgx_sess_filter /\"RESOURCE\":\"\\/b\"/i": b.id, "rgx_sess_filter -l /a": a.id[:12],
	} {
		if got := d.must(line); !strings.Contains(got, want) {
			t.Errorf("%s: %s is not in\n%s", line, want, got)
		}
	}
	if got := d.must("sesses --count"); got != "2\n" {
		t.Errorf("count: %q", got)
	}
	for line, code := range map[string]string{
		"get_sess 2": CodeNoSuchSession, "get_sess nobody": CodeNoSuchSession, "get_sess_with_port 5": CodeNoSuchSession,
		"sess_filter user=7": CodeBadArgument, "rgx_sess_filter /(/": CodeBadArgument,
	} {
		_, err := d.call(line)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want %s", line, err, code)
		}
	}
}

func TestPages(t *testing.T) {
	d := startDaemon(t, nil)
	var ids []string
	for range firstPage + 30 {
		ids = append(ids, d.connect("/", nil).id)
	}
	positions := func(out string) (found []int) {
		for i, id := range ids {
			if strings.Contains(out, id[:12]) {
				found = append(found, i)
			}
		}
		return found
	}
	if out := d.must("sesses -l"); len(positions(out)) != len(ids) || strings.Count(out, "\n") != len(ids)+1 {
		t.Errorf("all of them in one table: %d lines", strings.Count(out, "\n"))
	}
	out := d.must("sesses")
	if !strings.HasPrefix(out, "Map(230) {\n") || !strings.HasSuffix(out, "'\n}\n") || strings.Count(out, "\n}\n") != 1 {
		t.Errorf("a map of several pages begins %.30q and ends %q", out, out[len(out)-30:])
	}
	if got := positions(d.must("sesses -l --offset 5 --limit 3")); len(got) != 3 || got[0] != 5 {
		t.Errorf("a page: %v", got)
	}
	if got := positions(d.must("sesses -l --limit 2 --after " + ids[9])); len(got) != 2 || got[0] != 10 {
		t.Errorf("a page by its cursor: %v", got)
	}
	for _, line := range []string{"sesses --after nobody", "sess_filter path~/ --after nobody"} {
		_, err := d.call(line)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeNoSuchSession || e.Argument != "after" {
			t.Errorf("%s: %v", line, err)
		}
	}
	if got := positions(d.must("sesses -l --after left --offset 7 --limit 1")); len(got) != 1 || got[0] != 7 {
		t.Errorf("a page after a session that has left: %v", got)
	}
	if got := d.must("sesses --limit 2"); !strings.Contains(got, "... 228 more items\n}\n") {
		t.Errorf("what is left out: %q", got[len(got)-60:])
	}
	var page Page
	if err := json.Unmarshal([]byte(d.must("sesses --json")), &page); err != nil || len(page.Sessions) != len(ids) {
		t.Errorf("as JSON: %d sessions, %v", len(page.Sessions), err)
	}
}

func TestSending(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	for _, c := range []struct{ line, want, printed string }{
		{`ssend fst hello "you"  there`, `hello "you"  there`, "sent 18 bytes to " + p.id[:12]},
		{`ssend fst -- --json`, "--json", "sent 6 bytes"},
		{`ssend fst 日本 😀`, "日本 😀", "sent 11 bytes"},
		{`jsend fst {"a" : [1, "x y"]}`, `{"a":[1,"x y"]}`, "sent 15 bytes"},
		{`bsend fst --hex 0a:14:1e`, "\x0a\x14\x1e", "sent 3 bytes"},
		{`bsend fst --base64 ChQe`, "\x0a\x14\x1e", "sent 3 bytes"},
	} {
		if got := d.must(c.line); !strings.HasPrefix(got, c.printed) {
			t.Errorf("%s printed %q", c.line, got)
		}
		got, op := p.read()
		if got != c.want || (op == gobwas.OpBinary) != strings.HasPrefix(c.line, "bsend") {
			t.Errorf("%s arrived as %q, opcode %d", c.line, got, op)
		}
	}
}

func TestAskAndPing(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		p.answer(`{"some-key":"Client Got It"}`)
	}()
	out := d.must(`send_jrr_sreq fst {"hi": "you must reply"}`)
	<-answered
	if !strings.Contains(out, `"___type___": "___cres___"`) || !strings.Contains(out, `"some-key": "Client Got It"`) {
		t.Errorf("the whole envelope: %s", out)
	}
	_, err := d.call(`send_jrr_sreq fst --timeout 1ms 1`)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeNoReply || !strings.Contains(e.Message, "within 1ms") {
		t.Errorf("no answer: %v", err)
	}
	p.read() // the request nobody answered
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		_, _ = p.read() // answers the ping on the way
	}()
	if out := d.must("ping lst"); !strings.HasPrefix(out, "pong from "+p.id[:12]) {
		t.Errorf("ping: %q", out)
	}
	d.must("ssend fst done")
	<-pinged
}

func TestAskEndsWithTheSession(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	go func() {
		p.read()
		p.conn.Close()
	}()
	_, err := d.call(`send_jrr_sreq fst {}`)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeSessionClosed {
		t.Errorf("the session closed: %v", err)
	}
}

func TestBroadcast(t *testing.T) {
	d := startDaemon(t, nil)
	if out := d.must(`jbroadcast {"a":1}`); out != "no session to send to\n" {
		t.Errorf("to nobody: %q", out)
	}
	a, b, c := d.connect("/a", nil), d.connect("/b", nil), d.connect("/c", nil)
	for line, want := range map[string][]*peer{
		`jbroadcast {"n":1}`:                            {a, b, c},
		`jbroadcast_ignore_reply --to fst,2 {"n":1}`:    {a, c},
		`jbroadcast --filter path=/b {"n":1}`:           {b},
		`jbroadcast --to fst,0 --filter path~a {"n":1}`: {a},
	} {
		out := d.must(line)
		if !strings.HasPrefix(out, "sent to "+string(rune('0'+len(want)))+" of ") {
			t.Errorf("%s: %q", line, out)
		}
		for _, p := range want {
			if got, _ := p.read(); got != `{"n":1}` {
				t.Errorf("%s: got %q", line, got)
			}
		}
	}
	if out := d.must(`jbroadcast --filter path=/none {"n":1}`); out != "no session to send to\n" {
		t.Errorf("a filter that fits nobody: %q", out)
	}
	answer := func(peers ...*peer) chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, p := range peers {
				p.answer(`{"me":"` + p.id + `"}`)
			}
		}()
		return done
	}
	done := answer(a, b, c)
	out := d.must(`jbroadcast_until_all_client_reply {"q":1}`)
	<-done
	if strings.Count(out, `{"me":`) != 3 || !strings.HasSuffix(out, "sent to 3 of 3 sessions, 3 answered\n") {
		t.Errorf("all: %s", out)
	}
	done = answer(b)
	out = d.must(`jbroadcast_until_any_client_reply --json {"q":1}`)
	<-done
	if !strings.Contains(out, `{"reply":{"session":"`+b.id) || !strings.Contains(out, `"answered":1`) {
		t.Errorf("any: %s", out)
	}
	a.read()
	c.read()
	done = answer(a)
	out, err := d.call(`jbroadcast_until_all_client_reply --timeout 200ms {"q":1}`)
	<-done
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeNoReply || !strings.Contains(out, a.id) || !strings.Contains(out, "1 answered") {
		t.Errorf("one of three: %v\n%s", err, out)
	}
}

func TestHandlersAndMode(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	if out := d.must("enable_forward"); out != "mode: forward\n" {
		t.Errorf("%q", out)
	}
	d.must("disable_forward")
	if out := d.must("handlers json echo"); !strings.Contains(out, "json    echo") || strings.Contains(out, "binary") {
		t.Errorf("%s", out)
	}
	p.write(`{"back":1}`)
	if got, _ := p.read(); got != `{"back":1}` {
		t.Errorf("echo: %q", got)
	}
	if _, err := d.call("handlers close echo"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a handler that is not for that kind: %v", err)
	}
	if _, err := d.call("handlers nothing echo"); err == nil || !strings.Contains(err.Error(), "string, json") {
		t.Errorf("no such kind: %v", err)
	}
}

func TestCloseAndRestart(t *testing.T) {
	d := startDaemon(t, nil)
	p, q := d.connect("/", nil), d.connect("/", nil)
	if out := d.must("close fst 4001 back in an hour"); out != `closing `+p.id[:12]+` with 4001 "back in an hour"`+"\n" {
		t.Errorf("%q", out)
	}
	_, _, err := wsutil.ReadServerData(p.conn)
	if c := (wsutil.ClosedError{}); !errors.As(err, &c) || c.Code != 4001 || c.Reason != "back in an hour" {
		t.Errorf("%v", err)
	}
	eventually(t, "the session to go", func() bool { return d.sessions.Len() == 1 })
	if _, err := d.call("close fst 999"); err == nil || !strings.Contains(err.Error(), "3000-4999") || strings.HasPrefix(err.Error(), "ws:") {
		t.Errorf("a code nobody may send: %v", err)
	}
	go func() {
		_, _, _ = wsutil.ReadServerData(q.conn) // answers the close
	}()
	if out := d.must("restart"); out != "closed 1 session with 1012; still listening\n" {
		t.Errorf("%q", out)
	}
	d.connect("/", nil)
}

func TestDaemonCommands(t *testing.T) {
	d := startDaemon(t, nil)
	for _, c := range []struct{ line, want string }{
		{"version", "nvsessd 1.2.3-test, pid "},
		{"cfg", "{\n  \"mode\": \"handlers\"\n}\n"},
		{"loglevel", "info\n"},
		{"loglevel debug", "debug\n"},
		{"stats", "sessions  "},
	} {
		if got := d.must(c.line); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q", c.line, got)
		}
	}
	if got := d.must("stats"); !strings.Contains(got, "\nlimited.sessions_per_address  ") || !strings.Contains(got, "\nlimited.rate_delayed ") {
		t.Errorf("limits are not in %q", got)
	}
	if d.level != "debug" {
		t.Error("the level was not set")
	}
	bare := startDaemon(t, func(o *Options) { o.Config, o.LogLevel = nil, nil })
	for _, line := range []string{"cfg", "loglevel"} {
		_, err := bare.call(line)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeNotAvailable {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestRequestOfASession(t *testing.T) {
	d := startDaemon(t, nil)
	d.connect("/a?x=1", gobwas.HandshakeHeaderHTTP(http.Header{"X-Evil": {"\u009b2J\u202e"}}))
	for _, line := range []string{"get_sess 0 --request", "fst_sess --request", "lst_sess --request", "get_sess --request --json"} {
		got := d.must(line)
		var record struct {
			Resource string `json:"resource"`
			HTTP     struct {
				Headers map[string]any `json:"headers"`
			} `json:"httpRequest"`
		}
		if err := json.Unmarshal([]byte(got), &record); err != nil || record.Resource != "/a?x=1" || record.HTTP.Headers["x-evil"] != "\u009b2J\u202e" {
			t.Errorf("%s: %v\n%s", line, err, got)
		}
		if !strings.Contains(got, `\u009b2J\u202e`) {
			t.Errorf("%s is not safe on a terminal: %q", line, got)
		}
	}
}

func TestTableMarksClosingSessions(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out)
	p.sessionTable(&Page{Total: 2, Sessions: []Sess{{ID: "a", Active: true, QueuedBytes: 12}, {ID: "b", QueuedBytes: 12}}})
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[1], " 12") || !strings.HasSuffix(lines[2], " closing") {
		t.Errorf("%s", out.String())
	}
}
