package client

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// scriptedConn is a server that answers a handshake with a fixed text, in which
// ACCEPT stands for the right Sec-WebSocket-Accept, in pieces of a given size.
type scriptedConn struct {
	net.Conn
	text    string
	piece   int
	request []byte
	accept  string
	answer  *bytes.Reader
}

func (c *scriptedConn) Write(b []byte) (int, error) {
	c.request = append(c.request, b...)
	return len(b), nil
}

func (c *scriptedConn) Read(b []byte) (int, error) {
	if c.answer == nil {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.request)))
		if err != nil {
			return 0, err
		}
		c.accept = acceptOf(r.Header.Get("Sec-WebSocket-Key"))
		c.text = strings.ReplaceAll(c.text, "ACCEPT", c.accept)
		c.answer = bytes.NewReader([]byte(c.text))
	}
	return c.answer.Read(b[:min(len(b), c.piece)])
}

func (c *scriptedConn) SetReadDeadline(time.Time) error { return nil }

// FuzzAnswer: an answer to the handshake is taken only when it is the one that
// RFC 6455, section 4.1, wants, whatever pieces it comes in, and every byte after
// it is the first frames'.
func FuzzAnswer(f *testing.F) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"
	for _, text := range []string{
		good + "\r\n", good + "\r\n\x81\x02hi\x89\x00", good + "Sec-WebSocket-Protocol: chat\r\n\r\n", good + "Sec-WebSocket-Protocol: v9\r\n\r\n",
		good + "Sec-WebSocket-Extensions: x\r\n\r\n", good + "Upgrade: h2c\r\n\r\n", strings.Replace(good, "101", "200", 1) + "Content-Length: 2\r\n\r\nok",
		strings.Replace(good, "1.1", "1.0", 1) + "\r\n", strings.Replace(good, "ACCEPT", "AcCEPT", 1) + "\r\n", strings.Replace(good, "\r\n", "\n", -1) + "\n",
		good + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello", good + "Content-Length: 3\r\n\r\nabc", strings.Replace(good, ": Upgrade", ": keep-alive, UPGRADE", 1) + "\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nno\x1b[2J", "HTTP/1.1 100 Continue\r\n\r\n" + good + "\r\n", "SSH-2.0-x\r\n", "", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
	} {
		f.Add(text, uint8(0))
		f.Add(text, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, piece uint8) {
		o, err := newOptions([]Option{WithSubprotocols("chat", "v2")})
		if err != nil {
			t.Fatal(err)
		}
		var errs [2]error
		for i, piece := range []int{1 << 20, int(piece) + 1} {
			nc := &scriptedConn{text: text, piece: piece} // each has a key of its own, and so another answer
			var c *Conn
			if c, errs[i] = upgrade(t.Context(), nc, target{network: "tcp", host: "h", resource: "/"}, o); errs[i] != nil {
				checkRefusal(t, nc.text, errs[i])
			} else {
				checkTaken(t, nc, c)
			}
		}
		if (errs[0] == nil) != (errs[1] == nil) {
			t.Fatalf("%q: %v; in pieces: %v", text, errs[0], errs[1])
		}
	})
}

// checkTaken wants an answer that had to be taken.
func checkTaken(t *testing.T, nc *scriptedConn, c *Conn) {
	t.Helper()
	answer := final(t, nc.text)
	head, frames := cutHead(answer)
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		t.Fatalf("%q was taken: %v", head, err)
	}
	is := func(name string, want ...string) bool { return slices.Equal(resp.Header[name], want) }
	upgrade, connection := strings.Join(resp.Header["Upgrade"], ","), strings.Join(resp.Header["Connection"], ",")
	if resp.StatusCode != 101 || resp.ProtoMajor*10+resp.ProtoMinor < 11 || !is("Sec-Websocket-Accept", nc.accept) || !is("Sec-Websocket-Extensions") ||
		asciiLower(upgrade) != "websocket" || !slices.Contains(strings.FieldsFunc(asciiLower(connection), func(r rune) bool { return strings.ContainsRune(", \t", r) }), "upgrade") {
		t.Fatalf("%q was taken", head)
	}
	if p := resp.Header["Sec-Websocket-Protocol"]; len(p) > 1 || c.Subprotocol() != strings.Join(p, "") || len(p) == 1 && p[0] != "chat" && p[0] != "v2" {
		t.Fatalf("%q: the subprotocol is %q", head, c.Subprotocol())
	}
	if rest, err := io.ReadAll(c.frames.src); err != nil || string(rest) != frames {
		t.Fatalf("%q: what followed is %q, %v, want %q", head, rest, err, frames)
	}
}

// asciiLower knows no letters but those of ASCII.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// cutHead splits an answer after its first empty line. Any line may end with a
// bare LF (RFC 9112, section 2.2), whatever the others end with.
func cutHead(answer string) (head, rest string) {
	rest = answer
	for {
		line, after, _ := strings.Cut(rest, "\n")
		rest = after
		if line == "" || line == "\r" {
			return answer[:len(answer)-len(rest)], rest
		}
	}
}

// final is what follows informational answers.
func final(t *testing.T, answer string) string {
	t.Helper()
	for {
		br := bufio.NewReader(strings.NewReader(answer))
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
		if err != nil || resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return answer
		}
		rest, err := io.ReadAll(br)
		if err != nil {
			t.Fatal(err)
		}
		answer = string(rest)
	}
}

// checkRefusal wants an error that says what happened to all that came, and can be
// shown.
func checkRefusal(t *testing.T, all string, err error) {
	t.Helper()
	answer := final(t, all)
	if !utf8.ValidString(err.Error()) || strings.ContainsFunc(err.Error(), unicode.IsControl) || len(err.Error()) > 5000 {
		t.Fatalf("%q: the error cannot be shown: %q", answer, err)
	}
	resp, httpErr := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), &http.Request{Method: http.MethodGet})
	var refused *HandshakeError
	switch {
	case httpErr == nil && resp.StatusCode != 101 && len(all) < maxHandshakeBytes:
		if !errors.As(err, &refused) || refused.Status != resp.StatusCode {
			t.Fatalf("%q: %v", answer, err)
		}
	case !errors.Is(err, ErrHandshake) && !errors.Is(err, os.ErrDeadlineExceeded):
		t.Fatalf("%q: %v", answer, err)
	}
}

// FuzzURL: an address is refused without its password in the error, or makes a
// request that net/http reads as it was meant, by net/url.
func FuzzURL(f *testing.F) {
	for _, u := range []string{"ws://h", "wss://example.com:443/chat?a=b c", "ws://[::1]:80/", "ws+unix:///run/x.sock:/p?q", "ws://h:/", "ws://h/%zz", "http://h", "ws://h#", "ws:///x", "ws+unix://h/x",
		"ws://h/a b", "ws://h/\x7f", "ws://h:99999", "ws://a%0d%0ab/", "ws+unix:///a%00b", "ws://ä.example/ö?ü", "ws://h?%",
		"ws://[fe80::1%25eth0]:80/", "ws+unix:///a%3Ab/ö:/c%2Fd e?f", "ws+unix:/a:/b", "ws://h/a%2Fb c", "ws://::1"} {
		f.Add(u, "user")
		f.Add(u, "")
	}
	f.Fuzz(func(t *testing.T, raw, user string) {
		const password = "hunter2hunter2"
		if strings.Contains(raw+user, password) {
			return // it need not be one there
		}
		scheme, rest, ok := strings.Cut(raw, "://")
		if ok && user != "" && !strings.ContainsAny(user, "/?#@:") && !strings.ContainsAny(scheme, "/?#") {
			raw = scheme + "://" + user + ":" + password + "@" + rest
		}
		to, err := parseURL(raw)
		if err != nil {
			if !errors.Is(err, ErrURL) || strings.Contains(err.Error(), password) || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if strings.Contains(to.display(), password) {
			t.Fatalf("%q is shown as %s", raw, to.display())
		}
		o, err := newOptions(nil)
		if err != nil {
			t.Fatal(err)
		}
		wire := handshakeRequest(to, o, "dGhlIHNhbXBsZSBub25jZQ==")
		br := bufio.NewReader(bytes.NewReader(wire))
		r, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("%q makes %q: %v", raw, wire, err)
		}
		fields := 5
		if to.auth != "" {
			fields++
		}
		if rest, _ := io.ReadAll(br); len(rest) > 0 || len(r.Header) != fields || r.RequestURI != to.resource || r.Host != to.host || r.Header.Get("Authorization") != to.auth {
			t.Fatalf("%q makes %q, read as %+v, then %q", raw, wire, r, rest)
		}
		if strings.ContainsFunc(to.resource, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q makes %q", raw, wire)
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		path := u.Path
		if u.Scheme == "ws+unix" {
			_, rest, _ := strings.Cut(raw, ":")
			rest, _, _ = strings.Cut(strings.TrimPrefix(rest, "//"), "?")
			socket, request, _ := strings.Cut(rest, ":")
			if socket, err = url.PathUnescape(socket); err != nil || socket != to.addr {
				t.Fatalf("%q is at %q, %v, want %q", raw, to.addr, err, socket)
			}
			if path, err = url.PathUnescape(request); err != nil {
				t.Fatal(err)
			}
		}
		if r.URL.Path != cmp.Or(path, "/") || !reflect.DeepEqual(r.URL.Query(), u.Query()) {
			t.Fatalf("%q makes %q, which asks for %q, %q", raw, wire, r.URL.Path, r.URL.RawQuery)
		}
		if strings.Contains(r.Host, "%") && strings.HasPrefix(r.Host, "[") {
			t.Fatalf("%q gives its zone away: %q", raw, wire)
		}
		if name, pass, ok := r.BasicAuth(); to.auth != "" && (!ok || strings.Contains(raw, ":"+password+"@") && !strings.Contains(pass, password) || strings.ContainsRune(name, 0) && !strings.Contains(raw, "%00")) {
			t.Fatalf("%q: %q %q", raw, name, pass)
		}
	})
}
