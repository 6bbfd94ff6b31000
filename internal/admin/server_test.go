package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// request makes one HTTP request and returns status and body.
func (d *testDaemon) request(method, path string, body io.Reader) (int, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, "http://nvsessd"+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.client.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

func TestAPI(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/", "", 200, `"name":"sesses"`},
		{"POST", "/v1/", "", 405, `"code":"method_not_allowed"`},
		{"GET", "/", "", 404, `"code":"no_such_command"`},
		{"GET", "/v1/nothing", "", 404, `"code":"no_such_command"`},
		{"GET", "/v1/help", "", 404, `"code":"no_such_command"`},
		{"GET", "/v1/sesses", "", 200, p.id},
		{"GET", "/v1/sesses?limit=0&count=true", "", 200, `{"total":1}`},
		{"GET", "/v1/sesses?limit=x", "", 400, `"argument":"limit"`},
		{"GET", "/v1/sesses?color=red", "", 400, `"argument":"color"`},
		{"POST", "/v1/sesses?limit=1", "", 400, `"code":"bad_request"`},
		{"POST", "/v1/sesses", "", 200, p.id},
		{"POST", "/v1/sesses", " {} ", 200, p.id},
		{"POST", "/v1/sesses", "[]", 400, `"code":"bad_request"`},
		{"POST", "/v1/sesses", `{"limit": 5,}`, 400, `"code":"bad_json"`},
		{"POST", "/v1/sesses", "{\n \"limit\": 5,}", 400, `"line":2,"column":13`},
		{"POST", "/v1/sesses", `{"limit": "5"}`, 200, p.id},
		{"POST", "/v1/sesses", `{"limit": -5}`, 400, `"argument":"limit"`},
		{"POST", "/v1/sesses", `{"long": true}`, 400, `"argument":"long"`},
		{"POST", "/v1/get_sess", `{"session": 0}`, 200, p.id},
		{"POST", "/v1/get_sess", `{"session": null}`, 200, p.id},
		{"POST", "/v1/get_sess", `{"session": "7"}`, 404, `"code":"no_such_session"`},
		{"GET", "/v1/jsend?session=fst&data=1", "", 405, `"code":"method_not_allowed"`},
		{"POST", "/v1/jsend", `{"session": "fst"}`, 400, `"argument":"data"`},
		{"POST", "/v1/jsend", `{"session": "fst", "data": null}`, 200, `"result":"sent"`},
		{"POST", "/v1/send_jrr_sreq", `{"session": "fst", "data": 1, "timeout": "1ms"}`, 504, `"code":"no_reply"`},
		{"POST", "/v1/send_jrr_sreq", `{"session": "fst", "data": 1, "timeout": "900h"}`, 400, `"argument":"timeout"`},
		{"POST", "/v1/bsend", `{"session": "fst", "hex": "0g"}`, 400, `"argument":"hex"`},
		{"POST", "/v1/bsend", `{"session": "fst", "hex": "00", "base64": "AA=="}`, 400, `"code":"bad_argument"`},
		{"GET", "/v1/loglevel", "", 200, `{"level":"info"}`},
		{"GET", "/v1/loglevel?level=debug", "", 405, `"code":"method_not_allowed"`},
		{"POST", "/v1/loglevel", `{"level":"debug"}`, 200, `{"level":"debug"}`},
		{"PUT", "/v1/sesses", "", 405, `"code":"method_not_allowed"`},
		{"POST", "/v1/jbroadcast_until_any_client_reply", `{"data":1,"timeout":"1ms"}`, 200, `"timed_out":true`},
		{"POST", "/v1/jbroadcast_until_any_client_reply", `{"data":1,"to":["x"]}`, 404, `"code":"no_such_session"`},
		{"GET", "/v1/complete?prefix=" + p.id[:5], "", 200, p.id},
	} {
		var body io.Reader
		if c.body != "" {
			body = strings.NewReader(c.body)
		}
		status, got := d.request(c.method, c.path, body)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %d %s; want %d with %s", c.method, c.path, c.body, status, got, c.status, c.want)
		}
	}
}

func TestChangesAreLogged(t *testing.T) {
	d := startDaemon(t, nil)
	d.connect("/", nil)
	d.must("sesses")
	d.must("loglevel")
	d.must("handlers")
	if log := d.log.String(); strings.Contains(log, "operator command") {
		t.Errorf("looking is not logged: %s", log)
	}
	d.must(`jsend fst {"password": "hunter2"}`)
	d.must("handlers json echo")
	_, _ = d.call("close nobody 1000 bye")
	eventually(t, "the log", func() bool { return strings.Count(d.log.String(), "operator command") == 3 })
	log := d.log.String()
	for _, want := range []string{`"command":"jsend","uid":`, `"payload_bytes":22`, `"arg_name":"\"echo\""`, `"failed":"no_such_session"`, `"pid":`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log:\n%s", want, log)
		}
	}
	if strings.Contains(log, "hunter2") {
		t.Error("what was sent is in the log")
	}
}

func TestBodyTooLarge(t *testing.T) {
	d := startDaemon(t, nil)
	d.connect("/", nil)
	status, body := d.request("POST", "/v1/ssend", io.MultiReader(
		strings.NewReader(`{"session":"fst","data":"`), bytes.NewReader(bytes.Repeat([]byte("x"), 10<<20)), strings.NewReader(`"}`)))
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(body, CodeTooLarge) {
		t.Errorf("%d %s", status, body)
	}
	_, err := d.call("ssend fst " + strings.Repeat("x", maxBody))
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeTooLarge {
		t.Errorf("the client: %v", err)
	}
	d.must("version")
}

// Connections that begin a request and do not end it take places, and give them back.
func TestHalfRequests(t *testing.T) {
	d := startDaemon(t, nil)
	for _, half := range []string{"", "POST /v1/ses", "POST /v1/sesses HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"lim", "\x16\x03\x01\x00", strings.Repeat("A", 70<<10)} {
		conn, err := net.Dial("unix", d.admin)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(half)) // what is refused early may not be taken to its end
		d.must("version")
		conn.Close()
	}
	d.must("version")
}

func TestManyCallsAtOnce(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	const calls = 1000
	for range calls {
		wg.Go(func() {
			_, err := d.client.Call(context.Background(), "send_jrr_sreq", map[string]any{"session": p.id, "data": 1, "timeout": "300ms"})
			code := fmt.Sprint(err)
			if e := (*Error)(nil); errors.As(err, &e) {
				code = e.Code
			}
			mu.Lock()
			codes[code]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if codes[CodeTooManyCalls] == 0 || codes[CodeNoReply] == 0 || codes[CodeTooManyCalls]+codes[CodeNoReply]+codes[CodeTooManyPending]+codes[CodeSlowConsumer] != calls {
		t.Errorf("%v", codes)
	}
	d.must("version")
}

func TestCallerLeaves(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := d.client.Call(ctx, "send_jrr_sreq", map[string]any{"session": p.id, "data": 1})
		failed <- err
	}()
	p.read()
	if n := d.sessions.First().Stats().Pending; n != 1 {
		t.Errorf("%d requests wait", n)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	eventually(t, "the request to be given up", func() bool { return d.sessions.First().Stats().Pending == 0 })
	eventually(t, "the log", func() bool { return strings.Contains(d.log.String(), `"failed":"canceled"`) })
}

func TestWatch(t *testing.T) {
	d := startDaemon(t, nil)
	first := d.connect("/", nil)
	events := make(chan *Event, 16)
	ctx, cancel := context.WithCancel(context.Background())
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := d.client.Stream(ctx, "watch", map[string]any{"max-data": 8}, func() { close(begun) }, func(l *Line) error {
			events <- l.Event
			return nil
		})
		done <- err
	}()
	<-begun
	next := func() *Event {
		select {
		case e := <-events:
			return e
		case <-time.After(patience):
			t.Fatal("no event")
			return nil
		}
	}
	p := d.connect("/", nil)
	if e := next(); e.Type != "open" || e.Session != p.id {
		t.Errorf("%+v", e)
	}
	p.write("日本語")
	if e := next(); e.Kind != "string" || e.Direction != "in" || e.Text != "日本" || e.Size != 9 || !e.Truncated {
		t.Errorf("a message cut at a character: %+v", e)
	}
	first.write(`{"a":1}`)
	if e := next(); e.Kind != "json" || e.Text != `{"a":1}` || e.Truncated {
		t.Errorf("%+v", e)
	}
	d.must("close " + p.id + " 4000 bye")
	p.conn.Close()
	if e := next(); e.Type != "close" || e.Session != p.id {
		t.Errorf("%+v", e)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A watcher that does not read loses events, is told how many, and holds up nobody.
func TestWatchThatDoesNotRead(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	conn, err := net.Dial("unix", d.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/watch?max-data=1024 HTTP/1.1\r\nHost: nvsessd\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	const messages = 10_000
	text := strings.Repeat("x", 1024)
	for range messages {
		p.write(text)
	}
	eventually(t, "all messages to be counted", func() bool { return d.sessions.First().Stats().MessagesIn >= messages })
	d.must("version")
	// Now it reads: what was kept, and what it missed as soon as there is something more to say.
	p.write("last")
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	seen, missed := 0, uint64(0)
	for seen+int(missed) < messages {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Event != nil {
			seen++
		}
		missed += l.Dropped
		if l.Event == nil && l.Dropped > 0 && seen > 0 {
			break
		}
	}
	if missed == 0 || seen == 0 {
		t.Errorf("seen %d, missed %d of %d", seen, missed, messages)
	}
}

func TestShutdownEndsStreams(t *testing.T) {
	d := startDaemon(t, nil)
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := d.client.Stream(context.Background(), "watch", nil, func() { close(begun) }, func(*Line) error { return nil })
		done <- err
	}()
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if e := (*Error)(nil); !errors.As(<-done, &e) || e.Code != CodeShuttingDown {
		t.Errorf("%v", e)
	}
	_, err := d.client.Call(context.Background(), "version", nil)
	if e := (*NotReachableError)(nil); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

func TestNotForBrowsers(t *testing.T) {
	d := startDaemon(t, nil)
	req, _ := http.NewRequest("POST", "http://nvsessd/v1/restart", nil)
	req.Header.Set("Origin", "http://example.org")
	resp, err := d.client.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Error(resp.Status)
	}
}

// What the server writes is safe on the terminal of somebody who calls with curl, and means the same.
func TestAnswersAreSafeOnATerminal(t *testing.T) {
	const evil = "\u009b2J\u0085\u202e\u2066\u200f\u2028\u2029\U000e0041"
	d := startDaemon(t, nil)
	p := d.connect("/", gobwas.HandshakeHeaderHTTP(http.Header{"Cookie": {"a=" + evil}}))
	go func() {
		for {
			id, err := p.nextRequest()
			if err != nil {
				return
			}
			if id != "" {
				p.write(`{"___type___":"___cres___","___id___":"` + id + `","___data___":"` + evil + `"}`)
			}
		}
	}()
	for _, c := range []struct{ path, body string }{
		{"/v1/get_sess", `{"request": true}`},
		{"/v1/sesses", ""},
		{"/v1/send_jrr_sreq", `{"session": "fst", "data": 1}`},
		{"/v1/jbroadcast_until_any_client_reply", `{"data": 1}`},
	} {
		_, got := d.request("POST", c.path, strings.NewReader(c.body))
		for _, r := range got {
			if r != '\n' && !harmless(r) {
				t.Errorf("%s: %U in %q", c.path, r, got)
				break
			}
		}
		if !strings.Contains(got, `2J\u0085\u202e\u2066\u200f\u2028\u2029\udb40\udc41`) {
			t.Errorf("%s: %s", c.path, got)
		}
	}
}
