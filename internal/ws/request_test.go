package ws

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// requestWith is the legal handshake with lines replaced (OLD to NEW) or, when
// OLD is empty, added.
func requestWith(pairs ...string) string {
	r := handshake
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "" {
			r = strings.TrimSuffix(r, "\r\n") + pairs[i+1] + "\r\n"
			continue
		}
		if !strings.Contains(r, pairs[i]) {
			panic(pairs[i])
		}
		r = strings.Replace(r, pairs[i], pairs[i+1], 1)
	}
	return r
}

const (
	hostLine    = "Host: example.com\r\n"
	keyLine     = "Sec-WebSocket-Key: " + testKey + "\r\n"
	upgradeLine = "Upgrade: websocket\r\n"
	connLine    = "Connection: Upgrade\r\n"
	versionLine = "Sec-WebSocket-Version: 13\r\n"
)

// refused reads an answer other than 101 and checks its form: a whole HTTP
// response with a body of one line, and then the socket's end.
func (c *client) refused(status int) (header http.Header, detail string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != status {
		c.t.Fatalf("status %d %q, want %d", resp.StatusCode, body, status)
	}
	if !resp.Close || resp.ContentLength != int64(len(body)) || bytes.Count(body, []byte("\n")) != 1 || len(body) > 200 ||
		!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		c.t.Fatalf("form of the refusal: %+v %q", resp, body)
	}
	c.expectEnd()
	return resp.Header, string(body)
}

func TestRefusals(t *testing.T) {
	h := newRecorder(t)
	s := serve(t, "unix", h, Options{MaxHeadBytes: 4096, MaxFields: 20})
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name, request string
		status        int // 101: accepted
	}{
		{"legal", handshake, 101},

		// What the Upgrader lets pass, and we must not.
		{"two Host fields", requestWith("", hostLine), 400},
		{"two keys", requestWith("", keyLine), 400},
		{"two different keys", requestWith("", "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), 400},
		{"Transfer-Encoding and Content-Length", requestWith("", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
		{"Transfer-Encoding", requestWith("", "Transfer-Encoding: chunked\r\n"), 400},
		{"Transfer-Encoding: identity", requestWith("", "Transfer-Encoding: identity\r\n"), 400},
		{"Content-Length", requestWith("", "Content-Length: 5\r\n"), 400},
		{"Content-Length: +0", requestWith("", "Content-Length: +0\r\n"), 400},
		{"two lengths", requestWith("", "Content-Length: 0\r\nContent-Length: 5\r\n"), 400},
		{"two lengths of nothing", requestWith("", "Content-Length: 0\r\nContent-Length: 0\r\n"), 400},
		{"Content-Length: 0", requestWith("", "Content-Length: 0\r\n"), 101},
		{"space before the colon", requestWith("Host:", "Host :"), 400},
		{"tab before the colon", requestWith("Host:", "Host\t:"), 400},
		{"space before a name", requestWith(upgradeLine, " "+upgradeLine), 400},
		{"no name", requestWith("", ": x\r\n"), 400},
		{"no colon", requestWith("", "nonsense\r\n"), 400},
		{"NUL in a value", requestWith("", "X: a\x00b\r\n"), 400},
		{"ESC in a value", requestWith("", "X: a\x1b[2Jb\r\n"), 400},
		{"DEL in a value", requestWith("", "X: a\x7fb\r\n"), 400},
		{"CR in a value", requestWith("", "X: a\rb\r\n"), 400},
		{"NUL in a name", requestWith("", "X\x00: a\r\n"), 400},
		{"not ASCII in a name", requestWith("", "X\xe9: a\r\n"), 400},
		{"not ASCII in a value", requestWith("", "X: \xe9\r\n"), 101},
		{"tab in a value", requestWith("", "X: \ta\tb \t\r\n"), 101},
		{"empty value", requestWith("", "X:\r\n"), 101},
		{"bare LF", requestWith(upgradeLine, "Upgrade: websocket\n"), 400},
		{"bare LF everywhere", strings.ReplaceAll(handshake, "\r\n", "\n"), 400},
		{"bare LF at the end", strings.TrimSuffix(handshake, "\r\n") + "\n\r\n\r\n", 400},
		{"folding", requestWith("", "X: a\r\n b\r\n"), 400},
		{"folding by a tab", requestWith("", "X: a\r\n\tb\r\n"), 400},
		{"key is not base64", requestWith(testKey, "dGhlIHNhbXBsZSBub25jZQ!!"), 400},
		{"key of 15 bytes", requestWith(testKey, "AAAAAAAAAAAAAAAAAAAA"), 400},
		{"key of 17 bytes", requestWith(testKey, "AAAAAAAAAAAAAAAAAAAAAAA="), 400},
		{"key of 18 bytes", requestWith(testKey, "AAAAAAAAAAAAAAAAAAAAAAAA"), 400},
		{"URL alphabet", requestWith(testKey, "-_hlIHNhbXBsZSBub25jZQ=="), 400},
		{"empty key", requestWith(testKey, ""), 400},
		{"no key", requestWith(keyLine, ""), 400},

		{"a path with ..", requestWith("GET /", "GET /feed/../open"), 400},
		{"a path with .. escaped", requestWith("GET /", "GET /feed/%2e%2E/open"), 400},
		{"a path with an escaped slash and ..", requestWith("GET /", "GET /feed%2f..%2fopen"), 400},
		{"a path with .. and a backslash", requestWith("GET /", "GET /feed\\..\\open"), 400},
		{"a path with .", requestWith("GET /", "GET /feed/./open"), 400},
		{"a path with a broken escape", requestWith("GET /", "GET /feed/%zz"), 400},
		{"a path with dots that are a name", requestWith("GET /", "GET /feed/..x/.y/z.."), 101},
		{"a query with ..", requestWith("GET /", "GET /?a=/../b"), 101},
		{"extensions", requestWith("", "Sec-WebSocket-Extensions: a;b=\"c\" ;d, e\r\nSec-WebSocket-Extensions: f\r\n"), 101},
		{"extensions that are no list", requestWith("", "Sec-WebSocket-Extensions: a;;b\r\n"), 400},
		{"an extension's quoted value with blanks", requestWith("", "Sec-WebSocket-Extensions: a; b=\"c d\"\r\n"), 400},

		// The rest of the grammar.
		{"empty line first", "\r\n" + handshake, 400},
		{"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		{"two spaces", requestWith("GET /", "GET  /"), 400},
		{"no target", requestWith("GET / ", "GET "), 400},
		{"no version", requestWith(" HTTP/1.1", ""), 400},
		{"control byte in the target", requestWith("GET /", "GET /\x01"), 400},
		{"not ASCII in the target", requestWith("GET /", "GET /\xe9"), 400},
		{"fragment in the target", requestWith("GET /", "GET /#x"), 400},
		{"bad escape in the path", requestWith("GET /", "GET /%zz"), 400},
		{"short escape in the path", requestWith("GET /", "GET /%a"), 400},
		{"escape in the path", requestWith("GET /", "GET /%41%c3"), 101},
		{"percent in the query", requestWith("GET /", "GET /?q=100%"), 101},
		{"absolute form", requestWith("GET /", "GET http://Example.com/"), 101},
		{"absolute form without a path", requestWith("GET /", "GET https://example.com?a"), 101},
		{"absolute form with a user", requestWith("GET /", "GET http://me@example.com/"), 400},
		{"absolute form with an escape in its host", requestWith("GET /", "GET http://a%25b/", "example.com", "a%b"), 400},
		{"absolute form with an escaped escape in its host", requestWith("GET /", "GET http://%252525/", "example.com", "%2525"), 400},
		{"absolute form of a longer host", requestWith("GET /", "GET http://example.com.evil/"), 400},
		{"absolute form of another scheme", requestWith("GET /", "GET ftp://example.com/"), 400},
		{"absolute form without Host", requestWith("GET /", "GET http:///", hostLine, ""), 400},
		{"absolute form of another host", requestWith("GET /", "GET http://other.example/"), 400},
		{"authority form", requestWith("GET /", "GET example.com:80"), 400},
		{"asterisk form", requestWith("GET /", "GET *"), 400},
		{"HTTP/1.0", requestWith("HTTP/1.1", "HTTP/1.0"), 505},
		{"HTTP/2.0", requestWith("HTTP/1.1", "HTTP/2.0"), 505},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/0.9", requestWith("HTTP/1.1", "HTTP/0.9"), 505},
		{"http in lower case", requestWith("HTTP/1.1", "http/1.1"), 400},
		{"HTTP/11", requestWith("HTTP/1.1", "HTTP/11"), 400},
		{"HTTP/1.10", requestWith("HTTP/1.1", "HTTP/1.10"), 400},

		// RFC 6455, section 4.2.1.
		{"no Host", requestWith(hostLine, ""), 400},
		{"empty Host", requestWith("example.com", ""), 400},
		{"Host with a path", requestWith("example.com", "example.com/x"), 400},
		{"Host with a user", requestWith("example.com", "me@example.com"), 400},
		{"Host with a space", requestWith("example.com", "a b"), 400},
		{"IPv6 Host", requestWith("example.com", "[::1]:8080"), 101},
		{"POST", requestWith("GET", "POST"), 405},
		{"get in lower case", requestWith("GET", "gET"), 501},
		{"unknown method", requestWith("GET", "BREW"), 501},
		{"no Upgrade", requestWith(upgradeLine, ""), 426},
		{"Upgrade: h2c", requestWith("websocket", "h2c"), 426},
		{"Upgrade: websockets", requestWith("websocket", "websockets"), 426},
		{"Upgrade in capitals", requestWith("websocket", "WebSocket"), 101},
		{"Upgrade in a list", requestWith("websocket", "h2c, websocket"), 101},
		{"Upgrade twice", requestWith("", "Upgrade: h2c\r\n"), 101},
		{"no Connection", requestWith(connLine, ""), 400},
		{"Connection: close", requestWith(connLine, "Connection: close\r\n"), 400},
		{"Connection in a list", requestWith(connLine, "Connection: keep-alive, upgrade\r\n"), 101},
		{"Connection in two lines", requestWith(connLine, "Connection: keep-alive\r\nConnection: Upgrade\r\n"), 101},
		{"no version", requestWith(versionLine, ""), 400},
		{"two versions", requestWith("", versionLine), 400},
		{"version 8", requestWith("Version: 13", "Version: 8"), 426},
		{"version 14", requestWith("Version: 13", "Version: 14"), 426},
		{"version 013", requestWith("Version: 13", "Version: 013"), 426},
		{"version list", requestWith("Version: 13", "Version: 13, 8"), 426},
		{"two Origins", requestWith("", "Origin: http://a\r\nOrigin: http://a\r\n"), 403},

		// Sizes.
		{"long request line", "GET /" + long + " HTTP/1.1\r\n\r\n", 414},
		{"endless request line", "GET /" + long, 414},
		{"long field", requestWith("", "X: "+long+"\r\n"), 431},
		{"endless field", strings.TrimSuffix(handshake, "\r\n") + "X: " + long, 431},
		{"many fields", requestWith("", strings.Repeat("X: y\r\n", 16)), 431},
		{"as many as allowed", requestWith("", strings.Repeat("X: y\r\n", 15)), 101},
		{"at the limit", requestWith("", "X: "+strings.Repeat("x", 4096-len(handshake)-5)+"\r\n"), 101},
		{"one above", requestWith("", "X: "+strings.Repeat("x", 4097-len(handshake)-5)+"\r\n"), 431},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := s.dialRaw()
			c.t = t
			c.write([]byte(tt.request))
			if tt.status == 101 {
				c.upgraded()
				c.Close()
				s.h.end()
				return
			}
			header, _ := c.refused(tt.status)
			if tt.status == 405 && header.Get("Allow") != "GET" {
				t.Fatal("405 without Allow")
			}
			if tt.status == 426 && (header.Get("Sec-WebSocket-Version") != "13" || header.Get("Upgrade") != "websocket") {
				t.Fatal("426 without Upgrade and Sec-WebSocket-Version")
			}
			c.Close()
		})
	}
	if n := s.Totals().Refused[426]; n < 6 {
		t.Fatalf("%d refusals with 426 counted", n)
	}
}

// Header bombs cost what the limit says, however they come.
func TestHeaderBomb(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t), Options{})
		c := s.dialRaw()
		bomb := []byte("GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1<<20))
		go func() { _, _ = c.Write(bomb) }()
		c.refused(431)
	})
}

// The handler's own refusal, and what it may look at.
func TestHandlerRefuses(t *testing.T) {
	h := newRecorder(t)
	h.check = func(c *Conn, r *Request) *Response {
		if c.Send(OpText, nil) != Gone || c.Close(1000, "") != ErrClosed || c.Open() {
			t.Error("open before the answer")
		}
		if string(r.Path()) != "/a" || string(r.Host()) != "example.com" || string(r.Key()) != testKey ||
			string(r.Get("x-token")) != "t\xe9" || r.Get("none") != nil || r.Origin() != nil || string(r.Target) != "/a?b" {
			t.Errorf("%q", r.Head)
		}
		return &Response{Status: 401, Detail: "who are you?", Header: "WWW-Authenticate: Bearer\r\n"}
	}
	s := serve(t, "unix", h, Options{})
	c := s.dialRaw()
	c.write([]byte(requestWith("GET /", "GET /a?b", "", "X-TOKEN: t\xe9 \r\n")))
	header, detail := c.refused(401)
	if header.Get("WWW-Authenticate") != "Bearer" || detail != "who are you?\n" {
		t.Fatal(header, detail)
	}
}

func TestPaths(t *testing.T) {
	s := serve(t, "unix", newRecorder(t), Options{Mounts: []*Mount{{Paths: []string{"/ws", "/api/*"}}}})
	for path, ok := range map[string]bool{
		"/ws": true, "/ws?x=/api/": true, "/ws/": false, "/wsx": false, "/": false, "/WS": false, "//ws": false, "/%77s": false,
		"/api": true, "/api/": true, "/api/x/y": true, "/apix": false, "/x/api/": false,
	} {
		c := s.dialRaw()
		c.write([]byte(requestWith("GET /", "GET "+path)))
		if ok {
			c.upgraded()
		} else {
			c.refused(404)
		}
		c.Close()
	}
	all, err := newMounts([]*Mount{{Paths: []string{"/*"}}})
	if err != nil {
		t.Fatal(err)
	}
	if all.find([]byte("/")) == nil || all.find([]byte("/x")) == nil {
		t.Fatal(`"/*" does not serve everything`)
	}
}

// An exact path goes before a prefix, a longer prefix before a shorter one, and
// what is named before all the rest; each mount has its own rules.
func TestMounts(t *testing.T) {
	named := func(name string, m *Mount) *Mount {
		m.Data, m.Header = name, []byte("X-Mount: "+name+"\r\n")
		return m
	}
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "unix", h, Options{Mounts: []*Mount{
		named("rest", &Mount{}),
		named("api", &Mount{Paths: []string{"/api/*"}, Origins: []string{"*"}}),
		named("chat", &Mount{Paths: []string{"/api/chat", "/chat/*"}, Subprotocols: []string{"v1"}}),
		named("deep", &Mount{Paths: []string{"/api/chat/*", "/api/*"}}),
	}})
	for path, name := range map[string]string{
		"/": "rest", "/chatx": "rest", "/api": "api", "/api/x": "api", "/apix": "rest", "/api/chat": "chat", "/api/chat/": "deep", "/chat/a/b?c": "chat",
	} {
		c := s.dialRaw()
		c.write([]byte(strings.Replace(requestWith("", "Sec-WebSocket-Protocol: v1\r\n"), "GET /", "GET "+path, 1)))
		answer := c.upgraded()
		if m := (<-open).Mount(); m.Data != name || !strings.Contains(answer, "\r\nX-Mount: "+name+"\r\n") || strings.Contains(answer, "\r\nSec-WebSocket-Protocol: v1\r\n") != (name == "chat") {
			t.Errorf("%s: %v, %s", path, m.Data, answer)
		}
		c.Close()
		c = s.dialRaw()
		c.write([]byte(strings.Replace(requestWith("", "Origin: https://x.org\r\n"), "GET /", "GET "+path, 1)))
		if name == "api" {
			c.upgraded()
			<-open
		} else {
			c.refused(403)
		}
		c.Close()
	}
}

func TestSubprotocols(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "unix", h, Options{Mounts: []*Mount{{Subprotocols: []string{"v2", "v1"}}}})
	for offer, want := range map[string]string{
		"":                                      "",
		"Sec-WebSocket-Protocol: v1\r\n":        "v1",
		"Sec-WebSocket-Protocol: v1, v2\r\n":    "v1", // the client's order
		"Sec-WebSocket-Protocol: x,v2\t,v1\r\n": "v2",
		"Sec-WebSocket-Protocol: x, y\r\n":      "", // RFC 6455, section 4.2.2: no field in the answer
		"Sec-WebSocket-Protocol: V1\r\n":        "",
		"Sec-WebSocket-Protocol: a, v1, ,\r\n":  "v1",
		"sec-websocket-protocol: x\r\nSEC-WEBSOCKET-PROTOCOL: v2\r\n":              "v2",
		"Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Extensions: x; y=\"z\"\r\n":   "v1",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n": "",
	} {
		c := s.dialRaw()
		c.write([]byte(requestWith("", offer)))
		answer := c.upgraded()
		got, n := "", 0
		for line := range strings.SplitSeq(answer, "\r\n") {
			if name, value, _ := strings.Cut(line, ": "); strings.EqualFold(name, "Sec-WebSocket-Protocol") {
				got = value
				n++
			} else if strings.EqualFold(name, "Sec-WebSocket-Extensions") {
				t.Errorf("%q: %s", offer, line)
			}
		}
		if conn := receive(t, "connection", open); got != want || n > 1 || conn.Subprotocol() != want || (want == "") != (n == 0) {
			t.Errorf("%q: %q, %q in the answer", offer, conn.Subprotocol(), got)
		}
		c.Close()
	}
}

// What follows the handshake in the same packet is the first frames, and what
// Open sends follows the answer, in one write.
func TestFramesWithHandshake(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		h.open = func(b *Batch, c *Conn, _ *Request) {
			b.Send(c, OpText, []byte("welcome"))
			c.Send(OpText, []byte("to us")) // in order, whichever way
		}
		s := serve(t, network, h, Options{})
		half := text("second")
		for _, first := range []string{"", handshake[:40], handshake[:len(handshake)-1]} {
			c := s.dialRaw()
			if first != "" {
				c.write([]byte(first))
				eventually(t, "the loop has it", func() bool {
					got := 0
					done := make(chan bool)
					s.post(func(l *loop) {
						s.table.each(func(c *Conn) {
							if c.loop == l && c.state() == stateHandshake {
								got = c.head.len()
							}
						})
						done <- true
					})
					for range s.loops {
						<-done
					}
					return got == len(first)
				})
			}
			c.write(join([]byte(handshake[len(first):]), text("first"), half[:3]))
			c.upgraded()
			c.expect(OpText, "welcome")
			c.expect(OpText, "to us")
			c.expect(OpText, "first")
			c.write(half[3:])
			c.expect(OpText, "second")
			c.Close()
			h.end()
		}
	})
}

// A handshake, a message and a close frame in writes of one byte.
func TestByteByByte(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t).echo(), Options{})
	c := s.dialRaw()
	for _, b := range join([]byte(handshake), text("hello"), clientFrame(true, OpClose, []byte(closeBody(1000, "")))) {
		c.write([]byte{b})
	}
	c.upgraded()
	c.expect(OpText, "hello")
	c.expectClose(1000)
	c.expectEnd()
}

// A handshake that is not whole in time is answered 408, however much it
// dribbles.
func TestHandshakeDeadline(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		const timeout = 200 * time.Millisecond
		s := serve(t, network, newRecorder(t), Options{HandshakeTimeout: timeout})
		silent, slow := s.dialRaw(), s.dialRaw()
		begin := time.Now()
		go func() {
			for _, b := range []byte(handshake[:len(handshake)-1]) {
				if _, err := slow.Write([]byte{b}); err != nil {
					return
				}
			}
		}()
		silent.refused(408)
		slow.refused(408)
		if d := time.Since(begin); d < timeout-50*time.Millisecond {
			t.Fatal("after", d)
		}
		if n := s.Totals().Refused[408]; n != 2 {
			t.Fatal(n)
		}
	})
}

// A draining server answers 503 and goes on with what is open.
func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t).echo(), Options{})
		open, half := s.dial(), s.dialRaw()
		half.write([]byte(handshake[:20]))
		eventually(t, "accepted", func() bool { return s.Conns() == 2 })
		s.Drain()
		half.write([]byte(handshake[20:]))
		if h, _ := half.refused(503); h.Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
		open.send(OpText, "still here")
		open.expect(OpText, "still here")
	})
}

// A request for the server as a whole (RFC 9110, section 9.3.7) is answered, if it
// is sound.
func TestOptionsOfTheServer(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{Mounts: []*Mount{{Paths: []string{"/ws"}}}})
	for _, tt := range []struct {
		request string
		status  int
	}{
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nno", 204},
		{"OPTIONS * HTTP/1.0\r\n\r\n", 204},
		{"OPTIONS * HTTP/1.1\r\n\r\n", 400},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"OPTIONS *? HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"options * HTTP/1.1\r\nHost: x\r\n\r\n", 501},
		{"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{requestWith("GET /", "GET *"), 400},
	} {
		c := s.dialRaw()
		c.write([]byte(tt.request))
		if tt.status != 204 {
			c.refused(tt.status)
			continue
		}
		answer := c.head()
		c.expectEnd()
		if !strings.HasPrefix(answer, "HTTP/1.1 204 ") || strings.Contains(answer, "Content-Length") ||
			strings.Contains(answer, "Content-Type:") || len(fieldOf(answer, "Allow")) != 1 {
			t.Errorf("%q: %q", tt.request, answer)
		}
	}
}

// parseAndCheck judges a head as the loop does.
func parseAndCheck(head []byte) (*Request, *Response) {
	var r Request
	ref := r.Parse(head, 100)
	if ref == nil {
		ref = r.check()
	}
	return &r, ref
}

// FuzzRequest looks for what a proxy in front might read differently: whatever
// we accept, net/http accepts, and sees the same method, host, key and end.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(handshake))
	for _, add := range []string{"X: a b\r\n", "X:\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Host: other\r\n",
		"X: a\r\n b\r\n", "X : y\r\n", "X: \x80\r\n", "X: a\rb\r\n", "Connection: close\r\n", "Pragma: no-cache\r\n", "Content-Length: 0\r\nContent-Length: 0\r\n", "Trailer: x\r\n", "Content-Length: 00\r\n", "Expect: 100-continue\r\n"} {
		f.Add([]byte(requestWith("", add)))
	}
	for _, target := range []string{"http://other/", "http://example.com", "HTTPS://example.COM/x?y", "http://example.com?y", "//other/x", "*", "/%zz", "/%41", "/?%", "/a?b#c", "other:80", "/;x", "/[", "/:80", "/..//x", "/\"<>\\^`{|}"} {
		f.Add([]byte(requestWith("GET /", "GET "+target)))
	}
	for _, host := range []string{"[::1]:80", "a:b:c", "a,b", "%41", "%2525", "[", "*", "a;b"} {
		f.Add([]byte(requestWith("example.com", host)))
		f.Add([]byte(requestWith("example.com", host, "GET /", "GET http://"+strings.ReplaceAll(host, "%", "%25")+"/")))
	}
	f.Add([]byte(requestWith("HTTP/1.1", "HTTP/1.9")))
	f.Add([]byte(requestWith("", "X: "+strings.Repeat("y", 1000)+"\r\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := headEnd(b, 0)
		for i := 1; i < len(b) && n > 0; i += 1 + i/3 { // however it came
			if k := headEnd(b[:i], 0); k != 0 && k != n {
				t.Fatalf("head of %d or %d bytes", k, n)
			} else if headEnd(b, i) != n && i < n {
				t.Fatalf("head of %d bytes, or %d", n, headEnd(b, i))
			}
		}
		if n == 0 {
			return
		}
		r, ref := parseAndCheck(bytes.Clone(b[:n]))
		for i := 1; i < n && ref == nil; i += 1 + i/9 {
			if hopeless(b[:i], 0) || hopeless(b[:i], i/2) {
				t.Fatalf("%q is given up at byte %d", b[:n], i)
			}
		}
		if ref != nil {
			if ref.Status < 400 {
				t.Fatal(ref)
			}
			return
		}
		br := bufio.NewReader(bytes.NewReader(b))
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b[:n], err)
		}
		rest, _ := io.ReadAll(br)
		body, err := io.ReadAll(req.Body)
		if err != nil || len(body) != 0 || !bytes.Equal(rest, b[n:]) {
			t.Fatalf("net/http sees another end of %q: body %q, rest %q, %v", b[:n], body, rest, err)
		}
		target := req.RequestURI
		if req.URL.Host != "" {
			_, target, _ = strings.Cut(target, "://")
			if target = target[len(req.Host):]; !strings.HasPrefix(target, "/") {
				target = "/" + target
			}
		}
		if req.Method != string(r.Method) || !strings.EqualFold(req.Host, string(r.Host())) || target != string(r.Target) ||
			fmt.Sprint(req.Header["Sec-Websocket-Key"]) != "["+string(r.Key())+"]" || req.Header.Get("Origin") != string(r.Origin()) ||
			req.URL.EscapedPath() == "" && target[:min(2, len(target))] != "/?" && target != "/" {
			t.Fatalf("net/http sees %s %q at %q, %q; we see %s %q at %q, %q", req.Method, req.RequestURI, req.Host, req.Header, r.Method, r.Target, r.Host(), r.Key())
		}
		if path, err := url.PathUnescape(string(r.Path())); err != nil || path != cmp.Or(req.URL.Path, "/") {
			t.Fatalf("net/http sees the path %q, we see %q", req.URL.Path, r.Path())
		}
		if req.Header.Get("Pragma") == "no-cache" && r.Get("Cache-Control") == nil {
			delete(req.Header, "Cache-Control") // net/http adds it
		}
		count := 1 // Host, which net/http takes out
		for name, values := range req.Header {
			count += len(values)
			if got := string(r.Get(name)); got != values[0] {
				t.Fatalf("field %q: net/http sees %q, we see %q", name, values[0], got)
			}
		}
		if count != len(r.Fields) {
			t.Fatalf("net/http sees %d fields, we see %d", count, len(r.Fields))
		}
	})
}
