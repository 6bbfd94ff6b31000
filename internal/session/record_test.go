package session

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

const handshakeFields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: 7Ps6/Zdaao8BdULnTnfpmg==\r\n"

// shake sends a handshake as it is given, but for the fields every one has, and
// returns the session it opens.
func (h *host) shake(t *testing.T, network, target string, fields ...string) *Session {
	t.Helper()
	c, err := net.Dial(network, map[string]string{"unix": h.unix, "tcp": h.tcp}[network])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	head := "GET " + target + " HTTP/1.1\r\n" + handshakeFields
	for _, f := range fields {
		head += f + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", r, err)
	}
	return h.Last()
}

// record is a session's request as JSON.
func record(t *testing.T, s *Session) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.Request()); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// The template that nv-session-simple prints (nv_sess_hreq_verify_help), as
// JSON.stringify gives it, but for three things: where nobody's address is
// known, remoteAddresses is empty and not [null]; there is no body, which a
// handshake cannot have; and auth is ours.
const template = `{"cookies":[],"host":"localhost","key":"7Ps6/Zdaao8BdULnTnfpmg==","origin":"","remoteAddresses":[],` +
	`"requestedExtensions":[],"requestedProtocols":null,"resource":"/","resourceURL":{"protocol":null,"slashes":null,"auth":null,` +
	`"host":null,"port":null,"hostname":null,"hash":null,"search":null,"query":{},"pathname":"/","path":"/","href":"/"},` +
	`"webSocketVersion":13,"httpRequest":{"host":"localhost","hostname":"localhost","port":null,"method":"GET","path":"/",` +
	`"headers":{"upgrade":"websocket","connection":"Upgrade","sec-websocket-version":"13",` +
	`"sec-websocket-key":"7Ps6/Zdaao8BdULnTnfpmg==","host":"localhost"}},"auth":null}`

func TestRecordHasItsShape(t *testing.T) {
	h := start(t)
	if got := record(t, h.shake(t, "unix", "/", "Host: localhost")); got != template {
		t.Errorf("got\n%s\nwant\n%s", got, template)
	}
}

func TestRecord(t *testing.T) {
	h := start(t)
	s := h.shake(t, "tcp", "/a%20b/c?x=1&y=a+b%26&x=2&x=&z&&%zz=%ff&<k>=</v>", "Host: example.org:8080", "Origin: https://example.org",
		`Cookie: sid=abc; quoted="q v"; enc=%C3%A9; bad=%zz; empty=; =x; flag`, "Cookie: second=a=b",
		"Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Protocol:third",
		`Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits=10, x-other; a="b"`,
		"X-Twice: 1", "x-twice:2", "X-Bytes: caf\xc3\xa9 \xff<&>")
	r := s.Request()
	for _, c := range []struct{ what, got, want string }{
		{"cookies", js(r.Cookies), `[{"name":"sid","value":"abc"},{"name":"quoted","value":"q v"},{"name":"enc","value":"é"},{"name":"bad","value":"%zz"},{"name":"empty","value":""},{"name":"second","value":"a=b"}]`},
		{"protocols", js(r.RequestedProtocols), `["chat","superchat","third"]`},
		{"extensions", js(r.RequestedExtensions), `[{"name":"permessage-deflate","params":[{"name":"client_max_window_bits"},{"name":"server_max_window_bits","value":"10"}]},{"name":"x-other","params":[{"name":"a","value":"b"}]}]`},
		{"query", js(r.ResourceURL.Query), `{"x":["1","2",""],"y":"a b&","z":"","%zz":"�","<k>":"</v>"}`},
		{"path", r.ResourceURL.Pathname, "/a%20b/c"},
		{"search", *r.ResourceURL.Search, "?x=1&y=a+b%26&x=2&x=&z&&%zz=%ff&<k>=</v>"},
		{"resource", r.Resource, "/a%20b/c?x=1&y=a+b%26&x=2&x=&z&&%zz=%ff&<k>=</v>"},
		{"host", r.HTTPRequest.Host + " " + r.HTTPRequest.Hostname + " " + *r.HTTPRequest.Port, "example.org:8080 example.org 8080"},
		{"origin", r.Origin, "https://example.org"},
		{"twice", js(r.HTTPRequest.Headers.Get("x-twice")), `["1, 2"]`},
		{"cookie header", r.HTTPRequest.Headers.Get("cookie")[0][len(`sid=abc; quoted="q v"; enc=%C3%A9; bad=%zz; empty=; =x; flag`):], "; second=a=b"},
		{"bytes", js(r.HTTPRequest.Headers.Get("x-bytes")), `["café \ufffd<&>"]`},
		{"missing", js(r.HTTPRequest.Headers.Get("x-none")), `null`},
		{"x", js(r.ResourceURL.Query.Get("x")), `["1","2",""]`},
		{"address", r.RemoteAddress + " " + js(r.RemoteAddresses), `127.0.0.1 ["127.0.0.1"]`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
	if r.HTTPRequest.RemotePort != s.Port() || s.Port() == 0 {
		t.Errorf("port %d, %d", r.HTTPRequest.RemotePort, s.Port())
	}
	if rec := record(t, s); !json.Valid([]byte(rec)) || !strings.Contains(rec, "x=1&y=") {
		t.Errorf("record %s", rec)
	}
	if !reflect.DeepEqual(s.Request(), r) {
		t.Error("another look shows something else")
	}
}

func js(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

func TestResourceURL(t *testing.T) {
	const null = "null"
	for _, c := range []struct{ target, protocol, auth, host, port, hostname, pathname, search, path string }{
		{"/", null, null, null, null, null, "/", null, "/"},
		{"/?", null, null, null, null, null, "/", `"?"`, "/?"},
		{"/a?b?c=/d", null, null, null, null, null, "/a", `"?b?c=/d"`, "/a?b?c=/d"},
		{"//x/y", null, null, null, null, null, "//x/y", null, "//x/y"},
		{"/http://x", null, null, null, null, null, "/http://x", null, "/http://x"},
		{"ws://h:81/p?q", `"ws:"`, null, `"h:81"`, `"81"`, `"h"`, "/p", `"?q"`, "/p?q"},
		{"http://h", `"http:"`, null, `"h"`, null, `"h"`, "/", null, "/"},
		{"http://h?q=/x", `"http:"`, null, `"h"`, null, `"h"`, "/", `"?q=/x"`, "/?q=/x"},
		{"http://u:p@[::1]:8/x", `"http:"`, `"u:p"`, `"[::1]:8"`, `"8"`, `"[::1]"`, "/x", null, "/x"},
	} {
		u := parseResource(c.target)
		got := []string{js(u.Protocol), js(u.Auth), js(u.Host), js(u.Port), js(u.Hostname), u.Pathname, js(u.Search), u.Path, u.Href}
		if want := []string{c.protocol, c.auth, c.host, c.port, c.hostname, c.pathname, c.search, c.path, c.target}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", c.target, got, want)
		}
	}
	many := parseResource("/?" + strings.Repeat("a&", 10) + func() (s string) {
		for i := range 5000 {
			s += fmt.Sprintf("k%d&", i)
		}
		return s
	}())
	if len(many.Query) != maxQueryPairs-9 || len(many.Query.Get("a")) != 10 {
		t.Errorf("%d keys", len(many.Query))
	}
}

func TestRemoteAddress(t *testing.T) {
	type c struct {
		trusted []string
		network string
		fields  []string
		addr    string
		chain   []string
	}
	xff := func(v string) []string { return []string{"X-Forwarded-For: " + v} }
	for name, c := range map[string]c{
		"spoofed over TCP":               {[]string{"unix"}, "tcp", xff("1.2.3.4"), "127.0.0.1", []string{"127.0.0.1"}},
		"spoofed X-Real-IP over TCP":     {[]string{"unix", "10.0.0.0/8"}, "tcp", []string{"X-Real-IP: 1.2.3.4"}, "127.0.0.1", []string{"127.0.0.1"}},
		"spoofed over unix, not trusted": {[]string{"127.0.0.1"}, "unix", xff("1.2.3.4"), "", []string{}},
		"nobody trusted":                 {nil, "unix", xff("1.2.3.4"), "", []string{}},
		"one proxy":                      {[]string{"unix"}, "unix", xff("1.2.3.4"), "1.2.3.4", []string{"1.2.3.4"}},
		"the client wrote the first":     {[]string{"unix"}, "unix", xff("6.6.6.6, 1.2.3.4"), "1.2.3.4", []string{"6.6.6.6", "1.2.3.4"}},
		"a chain of proxies":             {[]string{"unix", "10.0.0.0/8"}, "unix", xff("6.6.6.6, 1.2.3.4, 10.1.1.1,10.2.2.2"), "1.2.3.4", []string{"6.6.6.6", "1.2.3.4", "10.1.1.1", "10.2.2.2"}},
		"several fields":                 {[]string{"unix", "10.0.0.0/8"}, "unix", append(xff("6.6.6.6"), "x-forwarded-for: 1.2.3.4", "X-FORWARDED-FOR: 10.1.1.1"), "1.2.3.4", []string{"6.6.6.6", "1.2.3.4", "10.1.1.1"}},
		"only proxies":                   {[]string{"unix", "10.0.0.0/8"}, "unix", xff("10.1.1.1, 10.2.2.2"), "10.1.1.1", []string{"10.1.1.1", "10.2.2.2"}},
		"garbage first":                  {[]string{"unix"}, "unix", xff("<script>, 1.2.3.4"), "1.2.3.4", []string{"<script>", "1.2.3.4"}},
		"garbage last":                   {[]string{"unix"}, "unix", xff("1.2.3.4, unknown"), "", []string{"1.2.3.4", "unknown"}},
		"garbage behind a proxy":         {[]string{"unix", "10.0.0.0/8"}, "unix", xff("1.2.3.4, _hidden, 10.1.1.1"), "10.1.1.1", []string{"1.2.3.4", "_hidden", "10.1.1.1"}},
		"empty entries":                  {[]string{"unix"}, "unix", xff(" , 1.2.3.4 ,, "), "1.2.3.4", []string{"1.2.3.4"}},
		"nothing in it":                  {[]string{"unix"}, "unix", xff(" "), "", []string{}},
		"with ports":                     {[]string{"unix", "10.0.0.0/8"}, "unix", xff("1.2.3.4:5678, 10.1.1.1:80"), "1.2.3.4", []string{"1.2.3.4:5678", "10.1.1.1:80"}},
		"IPv6":                           {[]string{"unix", "2001:db8:ffff::/48"}, "unix", xff("2001:db8::1, [2001:db8:ffff::2]:80, [2001:db8:ffff::3]"), "2001:db8::1", []string{"2001:db8::1", "[2001:db8:ffff::2]:80", "[2001:db8:ffff::3]"}},
		"mapped IPv6":                    {[]string{"unix", "10.0.0.0/8"}, "unix", xff("::ffff:1.2.3.4, ::ffff:10.1.1.1"), "1.2.3.4", []string{"::ffff:1.2.3.4", "::ffff:10.1.1.1"}},
		"a zone is any text":             {[]string{"unix"}, "unix", xff("fe80::1%\u009b31m"), "fe80::1", []string{"fe80::1%\u009b31m"}},
		"trusted TCP peer":               {[]string{"127.0.0.1"}, "tcp", xff("1.2.3.4"), "1.2.3.4", []string{"1.2.3.4", "127.0.0.1"}},
		"trusted TCP network":            {[]string{"127.0.0.0/8"}, "tcp", xff("6.6.6.6, 1.2.3.4, 127.0.0.9"), "1.2.3.4", []string{"6.6.6.6", "1.2.3.4", "127.0.0.9", "127.0.0.1"}},
		"trusted TCP peer, no field":     {[]string{"127.0.0.1"}, "tcp", nil, "127.0.0.1", []string{"127.0.0.1"}},
		"X-Real-IP":                      {[]string{"unix"}, "unix", []string{"X-Real-IP: 1.2.3.4"}, "1.2.3.4", []string{"1.2.3.4"}},
		"X-Real-IP is garbage":           {[]string{"unix"}, "unix", []string{"X-Real-IP: me"}, "", []string{"me"}},
		"X-Forwarded-For beats it":       {[]string{"unix"}, "unix", append(xff("1.2.3.4"), "X-Real-IP: 5.6.7.8"), "1.2.3.4", []string{"1.2.3.4"}},
		"Forwarded is not read":          {[]string{"unix"}, "unix", []string{"Forwarded: for=1.2.3.4"}, "", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(o *Options) { o.TrustedProxies = c.trusted })
			s := h.shake(t, c.network, "/", append(c.fields, "Host: x")...)
			r := s.Request()
			if s.RemoteAddr() != c.addr || r.RemoteAddress != c.addr || !reflect.DeepEqual(r.RemoteAddresses, c.chain) {
				t.Errorf("%q, %q, %q; want %q, %q", s.RemoteAddr(), r.RemoteAddress, r.RemoteAddresses, c.addr, c.chain)
			}
			peer := ""
			if c.network == "tcp" {
				peer = "127.0.0.1"
			}
			if r.HTTPRequest.RemoteAddress != peer {
				t.Errorf("the socket's peer is %q", r.HTTPRequest.RemoteAddress)
			}
		})
	}
	for _, bad := range []string{"nonsense", "10.0.0.0/33", "", "10.0.0"} {
		if _, err := NewServer(Options{TrustedProxies: []string{bad}}); err == nil {
			t.Errorf("%q is taken for a proxy", bad)
		}
	}
}
