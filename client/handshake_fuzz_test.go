package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
)

// scriptedConn is a server that answers a handshake with a fixed text, in which
// ACCEPT stands for the right Sec-WebSocket-Accept, in pieces of a given size.
type scriptedConn struct {
	net.Conn
	text    string
	piece   int
	request []byte
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
		c.text = strings.ReplaceAll(c.text, "ACCEPT", acceptOf(r.Header.Get("Sec-WebSocket-Key")))
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
		shake := func(piece int) (*Conn, string, error) {
			nc := &scriptedConn{text: text, piece: piece}
			c, err := upgrade(t.Context(), nc, target{network: "tcp", host: "h", resource: "/"}, o)
			return c, nc.text, err
		}
		c, answer, err := shake(1 << 20)
		split, _, splitErr := shake(int(piece) + 1)
		if (err == nil) != (splitErr == nil) {
			t.Fatalf("%q: %v; in pieces: %v", answer, err, splitErr)
		}
		answer = final(t, answer)
		if err != nil {
			checkRefusal(t, answer, err)
			return
		}
		head, frames := cutHead(answer)
		resp, httpErr := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if httpErr != nil || resp.StatusCode != 101 || resp.ProtoMajor*10+resp.ProtoMinor < 11 || strings.Count(answer, resp.Header.Get("Sec-WebSocket-Accept")) < 1 ||
			len(resp.Header["Sec-Websocket-Accept"]) != 1 || !strings.EqualFold(strings.Join(resp.Header["Upgrade"], ","), "websocket") ||
			!strings.Contains(strings.ToLower(strings.Join(resp.Header["Connection"], ",")), "upgrade") || len(resp.Header["Sec-Websocket-Extensions"]) > 0 ||
			!strings.Contains(text, "ACCEPT") {
			t.Fatalf("%q was taken: %v", head, httpErr)
		}
		if p := resp.Header["Sec-Websocket-Protocol"]; len(p) > 1 || c.Subprotocol() != strings.Join(p, "") || len(p) == 1 && p[0] != "chat" && p[0] != "v2" {
			t.Fatalf("%q: the subprotocol is %q", head, c.Subprotocol())
		}
		for _, c := range []*Conn{c, split} {
			if rest, err := io.ReadAll(c.frames.src); err != nil || !strings.HasSuffix(answer, string(rest)) || len(rest) != len(frames) {
				t.Fatalf("%q: what followed is %q, %v, want %q", head, rest, err, frames)
			}
		}
	})
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

// checkRefusal wants an error that says what happened, and can be shown.
func checkRefusal(t *testing.T, answer string, err error) {
	t.Helper()
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) || len(err.Error()) > 5000 {
		t.Fatalf("%q: the error cannot be shown: %q", answer, err)
	}
	resp, httpErr := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), &http.Request{Method: http.MethodGet})
	var refused *HandshakeError
	switch {
	case httpErr == nil && resp.StatusCode != 101 && len(answer) < maxHandshakeBytes:
		if !errors.As(err, &refused) || refused.Status != resp.StatusCode {
			t.Fatalf("%q: %v", answer, err)
		}
	case !errors.Is(err, ErrHandshake) && !errors.Is(err, os.ErrDeadlineExceeded):
		t.Fatalf("%q: %v", answer, err)
	}
}

// FuzzURL: an address is refused without its password in the error, or makes a
// request that net/http reads as it was meant.
func FuzzURL(f *testing.F) {
	for _, u := range []string{"ws://h", "wss://example.com:443/chat?a=b c", "ws://[::1]:80/", "ws+unix:///run/x.sock:/p?q", "ws://h:/", "ws://h/%zz", "http://h", "ws://h#", "ws:///x", "ws+unix://h/x",
		"ws://h/a b", "ws://h/\x7f", "ws://h:99999", "ws://a%0d%0ab/", "ws+unix:///a%00b", "ws://ä.example/ö?ü", "ws://h?%"} {
		f.Add(u, "user")
		f.Add(u, "")
	}
	f.Fuzz(func(t *testing.T, raw, user string) {
		const password = "hunter2hunter2"
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
		if name, pass, ok := r.BasicAuth(); to.auth != "" && (!ok || strings.Contains(raw, ":"+password+"@") && !strings.Contains(pass, password) || strings.ContainsRune(name, 0) && !strings.Contains(raw, "%00")) {
			t.Fatalf("%q: %q %q", raw, name, pass)
		}
	})
}
