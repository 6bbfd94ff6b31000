package script

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// get sends a request without an upgrade, or with one, and returns the whole
// answer.
func (st *stage) get(method, path string, upgrade bool) (*http.Response, string) {
	st.t.Helper()
	conn, err := net.Dial("unix", st.path)
	must(st.t, err)
	defer conn.Close()
	must(st.t, conn.SetDeadline(time.Now().Add(patience)))
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	if upgrade {
		head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	}
	_, err = io.WriteString(conn, head+"\r\n")
	must(st.t, err)
	req, err := http.NewRequestWithContext(context.Background(), method, "http://localhost"+path, nil)
	must(st.t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	must(st.t, err)
	defer resp.Body.Close()
	if upgrade && resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	must(st.t, err)
	return resp, string(body)
}

// What a verify hook returns decides; one that fails refuses with 500, and one
// that takes too long with 503.
func TestVerifyHooks(t *testing.T) {
	t.Parallel()
	st := newStage(t, quick, func(s *session.Options, o *Options) { s.VerifyTimeout, o.hangGrace = patience, 0 })
	for _, c := range []struct {
		hook   string
		status int
		detail string
	}{
		{"(r) => r.resource === '/x?a=1' && r.resourceURL.query.a === '1' && r.httpRequest.headers.host === 'localhost'", 101, ""},
		{"async (r) => { await new Promise((f) => setTimeout(f, 5)); return true; }", 101, ""},
		{"() => ({ accept: true })", 101, ""},
		{"() => ({ accept: true, status: 200 })", 101, ""},
		{"() => ({ accept: false })", 403, ""},
		{"async () => ({ accept: false, status: 401, detail: 'who?' })", 401, "who?"},
		{"() => ({ accept: 'yes' })", 403, ""},
		{"() => ({})", 403, ""},
		{"() => []", 403, ""},
		{"() => ({ status: 200 })", 403, ""},
		{"() => ({ allowed: true, status: 700 })", 403, ""},
		{"() => 1", 403, ""},
		{"() => 200", 403, ""},
		{"() => 399", 403, ""},
		{"() => 600", 403, ""},
		{"() => 'no'", 403, ""},
		{"() => new Error('x')", 403, ""},
		{"() => Symbol('yes')", 403, ""},
		{"() => true", 101, ""},
		{"() => false", 403, ""},
		{"() => undefined", 403, ""},
		{"async () => 0", 403, ""},
		{"() => 401", 401, ""},
		{"async () => 599", 599, ""},
		{"() => ({ status: 429, detail: 'slow down' })", 429, "slow down"},
		{"() => ({ status: 404, detail: 'a\\r\\nSet-Cookie: x=1\\r\\n\\r\\nb' })", 404, "a  Set-Cookie: x=1    b"},
		{"() => ({ status: 400, detail: 'long '.repeat(1e5) })", 400, "long long"},
		{"() => { throw new Error('oh'); }", 500, "could not be decided"},
		{"async () => { await null; throw 1; }", 500, "could not be decided"},
		{"() => { for (let i = 0; ; i++) ; }", 500, "could not be decided"},
		{"async () => { await new Promise((f) => setTimeout(f, 5)); for (let i = 0; ; i++) ; }", 500, "could not be decided"},
		{"() => ({ get status() { throw 1; } })", 500, "could not be decided"},
		{"() => ({ get status() { for (let i = 0; ; i++) ; } })", 500, "could not be decided"},
		{"() => ({ status: { valueOf() { throw 1; } } })", 500, "could not be decided"},
		{"async () => ({ status: 400, detail: { toString() { throw 1; } } })", 500, "could not be decided"},
		{"() => new Proxy({}, { get() { throw 1; } })", 500, "could not be decided"},
		{"(function f() { return f(); })", 500, "could not be decided"},
	} {
		for _, register := range []string{"verify", "after_extract_async_verify"} {
			st.js("srv.regis_$" + register + "$(" + c.hook + "); 0")
			resp, body := st.get("GET", "/x?a=1", true)
			if resp.StatusCode != c.status || !strings.Contains(body, c.detail) || resp.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %q, want %d %q", c.hook, resp.StatusCode, body, c.status, c.detail)
			}
		}
	}
	if r := st.Hooks()["verify"]; r.Errors == 0 || r.Timeouts == 0 || !strings.HasPrefix(r.Source, "REPL") {
		t.Errorf("%+v", r)
	}
	st.js("srv.regis_$verify$(); 0")
	st.join()
}

// Who never decides is not waited for.
func TestVerifyTooLate(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(s *session.Options, _ *Options) { s.VerifyTimeout = 50 * time.Millisecond })
	for _, register := range []string{"verify", "after_extract_async_verify"} {
		st.js("srv.regis_$" + register + "$(() => new Promise(() => {})); 0")
		if resp, body := st.get("GET", "/", true); resp.StatusCode != 503 || !strings.Contains(body, "in time") {
			t.Errorf("%s: %d %q", register, resp.StatusCode, body)
		}
	}
}

// hsrv_handle answers what asks for no upgrade.
func TestPlainRequests(t *testing.T) {
	t.Parallel()
	st := newStage(t, quick)
	for _, c := range []struct {
		handler, method string
		status          int
		field, body     string
	}{
		{"res.writeHead(201, { 'X-A': 'b' }); res.end('made')", "GET", 201, "X-A: b", "made"},
		{"res.statusCode = 202; res.setHeader('X-A', ['1', '2']); res.write('a'); res.write(Buffer.from([98])); res.end(new Uint8Array([99]))", "GET", 202, "X-A: 1", "abc"},
		{"res.writeHead(200, 'fine', { 'Content-Type': 'text/html' }); res.end('<p>')", "GET", 200, "Content-Type: text/html", "<p>"},
		{"res.end(req.method + req.path + req.headers.host)", "GET", 200, "Content-Type: text/plain; charset=utf-8", "GET/p?q=1localhost"},
		{"res.end('unseen')", "HEAD", 200, "Content-Length: 6", ""},
		{"res.end('one'); res.end('two'); res.writeHead(500)", "GET", 200, "", "one"},
		{"res.writeHead(204); res.end('none')", "GET", 204, "", ""},
		{"await new Promise((f) => setTimeout(f, 2)); res.end('late')", "GET", 200, "", "late"},
		{"res.setHeader('X-A', 'a\\r\\nX-Evil: 1'); res.end()", "GET", 500, "", "the handler failed\n"},
		{"res.setHeader('X A', 'a'); res.end()", "GET", 500, "", "the handler failed\n"},
		{"res.setHeader('Content-Length', '999'); res.setHeader('Transfer-Encoding', 'chunked'); res.end('x')", "GET", 200, "Content-Length: 1", "x"},
		{"res.writeHead(99); res.end()", "GET", 500, "", "the handler failed\n"},
		{"res.writeHead(101); res.end()", "GET", 500, "", "the handler failed\n"},
		{"res.end(7)", "GET", 500, "", "the handler failed\n"},
		{"throw new Error('oh')", "GET", 500, "", "the handler failed\n"},
		{"for (let i = 0; ; i++) ;", "GET", 500, "", "the handler failed\n"},
		{"await new Promise((f) => setTimeout(f, 2)); for (let i = 0; ; i++) ;", "GET", 500, "", "the handler failed\n"},
	} {
		st.js("srv.regis_$hsrv_handle$(async (req, res) => { " + c.handler + " }); 0")
		resp, body := st.get(c.method, "/p?q=1", false)
		name, value, _ := strings.Cut(c.field, ": ")
		if resp.StatusCode != c.status || body != c.body || c.field != "" && resp.Header.Get(name) != value || resp.Header.Get("X-Evil") != "" {
			t.Errorf("%s: %d %v %q", c.handler, resp.StatusCode, resp.Header, body)
		}
	}
	st.js("srv.regis_$hsrv_handle$(); 0")
	if resp, _ := st.get("GET", "/", false); resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("%d", resp.StatusCode)
	}
}
