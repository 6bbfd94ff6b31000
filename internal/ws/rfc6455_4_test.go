package ws

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
)

// shut is a server that must not accept anything that a test sends it.
func shut(t *testing.T) *testServer {
	t.Helper()
	h := newRecorder(t)
	h.open = func(*Batch, *Conn, *Request) { t.Error("the connection was opened") }
	return serve(t, "tcp", h, Options{})
}

func TestRFC6455_4_2_1_ViolationsOfTheGrammarAreRefused(t *testing.T) {
	s := shut(t)
	for name, request := range map[string]string{
		"bare LF":                      strings.ReplaceAll(handshake, "\r\n", "\n"),
		"folding":                      requestWith("", "X: a\r\n b\r\n"),
		"blank before the colon":       requestWith("Host:", "Host :"),
		"name is no token":             requestWith("", "X(: a\r\n"),
		"control byte":                 requestWith("", "X: \x01\r\n"),
		"no colon":                     requestWith("", "nonsense\r\n"),
		"protocols without one":        requestWith("", "Sec-WebSocket-Protocol:\r\n"),
		"protocols of commas":          requestWith("", "Sec-WebSocket-Protocol: , ,\r\n"),
		"protocol that is no token":    requestWith("", "Sec-WebSocket-Protocol: a b\r\n"),
		"protocol with a separator":    requestWith("", "Sec-WebSocket-Protocol: a/b\r\n"),
		"protocol with a tab":          requestWith("", "Sec-WebSocket-Protocol: a\tb\r\n"),
		"protocol beyond ASCII":        requestWith("", "Sec-WebSocket-Protocol: \xe9\r\n"),
		"protocol in quotes":           requestWith("", "Sec-WebSocket-Protocol: \"a\"\r\n"),
		"extensions without one":       requestWith("", "Sec-WebSocket-Extensions: \r\n"),
		"extensions of semicolons":     requestWith("", "Sec-WebSocket-Extensions: a;;b\r\n"),
		"extension's value is missing": requestWith("", "Sec-WebSocket-Extensions: a; b=\r\n"),
		"extension's quotes are open":  requestWith("", "Sec-WebSocket-Extensions: a; b=\"c\r\n"),
		"a body":                       requestWith("", "Content-Length: 3\r\n") + "abc",
		"the draft before (Hixie 76)": "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nOrigin: http://example.com\r\n" +
			"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U",
	} {
		t.Run(name, func(t *testing.T) { s.as(t).refuses(request, http.StatusBadRequest) })
	}
}

func TestRFC6455_4_2_1_OrderAndCaseOfFieldsDoNotMatter(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{})
	s.accepts("GET / HTTP/1.1\r\n" + versionLine + keyLine + connLine + upgradeLine + hostLine + "\r\n")
	s.accepts("GET / HTTP/1.1\r\n" + strings.ToLower(hostLine+upgradeLine+connLine+versionLine) + "sEC-wEBsOCKET-kEY: " + testKey + "\r\n\r\n")
}

func TestRFC6455_4_2_1_1_GetOfHTTP11(t *testing.T) {
	s := shut(t)
	for _, method := range []string{"POST", "PUT", "OPTIONS"} {
		s.refuses(requestWith("GET", method), http.StatusMethodNotAllowed)
	}
	for _, method := range []string{"BREW", "get"} { // RFC 9110, section 9.1
		s.refuses(requestWith("GET", method), http.StatusNotImplemented)
	}
	s.refuses(requestWith("HTTP/1.1", "HTTP/1.0"), http.StatusHTTPVersionNotSupported)
	ok := serve(t, "tcp", newRecorder(t), Options{})
	ok.accepts(requestWith("HTTP/1.1", "HTTP/1.9"))
}

func TestRFC6455_4_2_1_1_TargetIsAPathOrAnAbsoluteURI(t *testing.T) {
	h := newRecorder(t)
	targets := make(chan string, 10)
	h.open = func(_ *Batch, _ *Conn, r *Request) { targets <- string(r.Target) }
	s := serve(t, "tcp", h, Options{})
	for target, want := range map[string]string{
		"/chat?room=1": "/chat?room=1", "http://example.com/chat?room=1": "/chat?room=1",
		"HTTPS://EXAMPLE.COM/chat": "/chat", "http://example.com": "/", "http://example.com?x": "/?x",
	} {
		s.accepts(requestWith("GET /", "GET "+target))
		if got := receive(t, "target", targets); got != want {
			t.Errorf("%q is taken as %q", target, got)
		}
	}
	refusing := shut(t)
	for _, target := range []string{"http://example.org/", "http://example.com:81/", "ftp://example.com/", "example.com:80", "*", "", "/a#b", "/a b"} {
		refusing.refuses(requestWith("GET /", "GET "+target), http.StatusBadRequest)
	}
}

func TestRFC6455_4_2_1_2_HostIsRequired(t *testing.T) {
	s := shut(t)
	s.refuses(requestWith(hostLine, ""), http.StatusBadRequest)
	s.refuses(requestWith("example.com", ""), http.StatusBadRequest)
	s.refuses(requestWith("", hostLine), http.StatusBadRequest)
}

func TestRFC6455_4_2_1_3_UpgradeIsWebsocketInAnyCase(t *testing.T) {
	refusing, s := shut(t), serve(t, "tcp", newRecorder(t), Options{})
	for _, value := range []string{"", "h2c", "web socket", "websocket/13", "xwebsocket"} {
		refusing.refuses(requestWith("websocket", value), http.StatusUpgradeRequired)
	}
	refusing.refuses(requestWith(upgradeLine, ""), http.StatusUpgradeRequired)
	for _, value := range []string{"WEBSOCKET", "WebSocket", "h2c, websocket"} {
		s.accepts(requestWith("websocket", value))
	}
}

func TestRFC6455_4_2_1_4_ConnectionHasTheTokenUpgrade(t *testing.T) {
	refusing, s := shut(t), serve(t, "tcp", newRecorder(t), Options{})
	for _, value := range []string{"", "close", "keep-alive", "upgrades", "up grade"} {
		refusing.refuses(requestWith(connLine, "Connection: "+value+"\r\n"), http.StatusBadRequest)
	}
	refusing.refuses(requestWith(connLine, ""), http.StatusBadRequest)
	for _, value := range []string{"upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,x", ", upgrade ,"} {
		s.accepts(requestWith(connLine, "Connection: "+value+"\r\n"))
	}
}

// The second key is the example of section 4.1, as it stands there.
func TestRFC6455_4_2_1_5_KeyIs16BytesInBase64(t *testing.T) {
	refusing, s := shut(t), serve(t, "tcp", newRecorder(t), Options{})
	for _, key := range []string{"", "YQ==", testKey + testKey, testKey[:23], "dGhlIHNhbXBsZSBub25jZQ!!", "-_hlIHNhbXBsZSBub25jZQ==",
		"AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAAA", "dGhlIHNhbXBs=SBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==, x"} {
		refusing.refuses(requestWith(testKey, key), http.StatusBadRequest)
	}
	refusing.refuses(requestWith(keyLine, ""), http.StatusBadRequest)
	refusing.refuses(requestWith("", keyLine), http.StatusBadRequest)
	for key, accept := range map[string]string{
		testKey:                    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"AQIDBAUGBwgJCgsMDQ4PEC==": "OfS0wDaT5NoxF2gqm7Zj2YtetzM=",
		"  " + testKey + "\t ":     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
	} {
		if answer := s.accepts(requestWith(testKey, key)); !strings.Contains(answer, "\r\nSec-WebSocket-Accept: "+accept+"\r\n") {
			t.Errorf("%q is answered %q", key, answer)
		}
	}
}

func TestRFC6455_4_2_1_6_VersionIs13(t *testing.T) {
	s := shut(t)
	for _, version := range []string{"0", "8", "12", "14", "013", "+13", "256", "x", "13, 13"} {
		s.refuses(requestWith("Version: 13", "Version: "+version), http.StatusUpgradeRequired)
	}
	s.refuses(requestWith(versionLine, ""), http.StatusBadRequest)
	s.refuses(requestWith("", versionLine), http.StatusBadRequest)
}

func TestRFC6455_4_2_1_10_UnknownFieldsAreIgnored(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{})
	s.accepts(requestWith("", "X-Unknown: \xe9 {}\r\nCookie: a=b\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Unknown: \r\nAuthorization: Basic x\r\n"))
}

func TestRFC6455_4_2_2_1_TLSBeforeTheHandshake(t *testing.T) {
	h := newRecorder(t).echo()
	s := serveTLS(t, h, Options{})
	s.answers(text("under TLS"), reply{OpText, "under TLS"})
	plain := *s
	plain.tls = nil
	c := plain.dialRaw()
	c.write([]byte(handshake))
	if b, _ := c.br.Peek(5); string(b) == "HTTP/" {
		t.Fatal("answered without TLS")
	}
	c.Close()
	wrong := *s
	wrong.tls = &tls.Config{MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13, ServerName: "example.com"} // trusts nobody
	c = wrong.dialRaw()
	if _, err := c.Write([]byte(handshake)); err == nil {
		t.Fatal("a certificate that is not trusted")
	}
	c.Close()
}

func TestRFC6455_4_2_2_4_OriginThatIsNotAllowedGets403(t *testing.T) {
	h := newRecorder(t)
	h.open = func(*Batch, *Conn, *Request) { t.Error("opened") }
	s := serve(t, "tcp", h, Options{Mounts: []*Mount{{Origins: []string{"https://example.com"}}}})
	for _, origin := range []string{"https://example.org", "null", "", "https://example.com, https://example.org"} {
		s.refuses(requestWith("", "Origin: "+origin+"\r\n"), http.StatusForbidden)
	}
}

func TestRFC6455_4_2_2_4_OtherVersionsAreToldOurs(t *testing.T) {
	s := shut(t)
	for _, request := range []string{requestWith("Version: 13", "Version: 14"), requestWith("Version: 13", "Version: 8"), requestWith(versionLine, "")} {
		c := s.dialRaw()
		c.write([]byte(request))
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header["Sec-Websocket-Version"]; resp.StatusCode < 400 || len(got) != 1 || got[0] != "13" {
			t.Errorf("%d with versions %q", resp.StatusCode, got)
		}
		c.Close()
	}
}

func TestRFC6455_4_2_2_4_ResourceThatIsNotThereGets404(t *testing.T) {
	h := newRecorder(t)
	s := serve(t, "tcp", h, Options{Mounts: []*Mount{{Paths: []string{"/chat"}}}})
	s.refuses(requestWith("GET /", "GET /else"), http.StatusNotFound)
	s.accepts(requestWith("GET /", "GET /chat?x"))
}

func TestRFC6455_4_2_2_4_SubprotocolIsOneOfTheClients(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{Mounts: []*Mount{{Subprotocols: []string{"v2", "v1"}}}})
	for offer, want := range map[string]string{
		"v1": "v1", "v1, v2": "v1", "x, v2": "v2", "V1": "", "x": "", "v": "", "v12": "", "x,,v1": "v1",
	} {
		answer, want := s.accepts(requestWith("", "Sec-WebSocket-Protocol: "+offer+"\r\n")), want
		got := fieldOf(answer, "Sec-WebSocket-Protocol")
		if want == "" && got != nil || want != "" && (len(got) != 1 || got[0] != want) {
			t.Errorf("%q is answered %q", offer, got)
		}
	}
	if got := fieldOf(s.accepts(handshake), "Sec-WebSocket-Protocol"); got != nil {
		t.Errorf("nothing offered, and answered %q", got)
	}
	shut(t).refuses(requestWith("", "Sec-WebSocket-Protocol: v1, v1\r\n"), http.StatusBadRequest) // 4.1: all unique
}

func TestRFC6455_4_2_2_4_ExtensionsAreOfTheClients(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{})
	for _, request := range []string{handshake, requestWith("", "Sec-WebSocket-Extensions: x-unknown; a=1, x-other\r\n")} {
		if got := fieldOf(s.accepts(request), "Sec-WebSocket-Extensions"); got != nil {
			t.Errorf("answered %q", got)
		}
	}
}

// fieldOf is the values of a field in the head of an answer; nil: there is none.
func fieldOf(answer, name string) (values []string) {
	for line := range strings.SplitSeq(answer, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

func TestRFC6455_4_2_2_5_Answer(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{})
	answer := s.accepts(handshake)
	if !strings.HasPrefix(answer, "HTTP/1.1 101 Switching Protocols\r\n") {
		t.Errorf("%q", answer)
	}
	for name, want := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="} {
		if got := fieldOf(answer, name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Sec-WebSocket-Version"} {
		if got := fieldOf(answer, name); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Frames that arrive with the request are those of the open connection.
func TestRFC6455_4_2_2_5_OpenOnceAnswered(t *testing.T) {
	s := echoing(t, Limits{})
	c := s.dialRaw()
	c.write(join([]byte(handshake), text("a"), clientFrame(true, OpPing, []byte("b"))))
	c.upgraded()
	c.expect(OpText, "a")
	c.expect(OpPong, "b")
	c.closes(s, 1000)
}
