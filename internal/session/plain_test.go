package session

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/ws"
)

// raw connects and sends bytes.
func (h *host) raw(t *testing.T, request string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", h.unix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c
}

// response is an HTTP response that has been read to the connection's end.
type response struct {
	*http.Response
	body, rest string // rest is what comes after the body
}

// http makes a request by hand.
func (h *host) http(t *testing.T, request string) response {
	t.Helper()
	r := bufio.NewReader(h.raw(t, request))
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp, string(body), string(rest)}
}

func (h *host) get(t *testing.T, target string) response {
	t.Helper()
	return h.http(t, "GET "+target+" HTTP/1.1\r\nHost: example.org\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n")
}

func TestPages(t *testing.T) {
	h := start(t, func(o *Options) {
		o.Pages = map[string]*ws.Response{"/page": NewPage("text/html", []byte("<p>é")), "/empty": NewPage("text/css", []byte{})}
	})
	for target, want := range map[string]struct {
		status     int
		typ, cache string
		body       string
	}{
		"/page":     {200, "text/html", "no-cache", "<p>é"},
		"/page?x=1": {200, "text/html", "no-cache", "<p>é"},
		"/empty":    {200, "text/css", "no-cache", ""},
		"/page/":    {426, "text/plain; charset=utf-8", "", "this is a WebSocket endpoint\n"},
	} {
		r := h.get(t, target)
		if r.StatusCode != want.status || r.Header.Get("Content-Type") != want.typ || r.Header.Get("Cache-Control") != want.cache || r.body != want.body || r.rest != "" {
			t.Errorf("%s: %d %v %q", target, r.StatusCode, r.Header, r.body)
		}
	}
	if r := h.http(t, "HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n"); r.StatusCode != 200 || r.ContentLength != int64(len("<p>é")) || r.rest != "" {
		t.Errorf("HEAD: %d, %d bytes, then %q", r.StatusCode, r.ContentLength, r.rest)
	}
}

// A plain request may be answered later, by anybody, and only once.
func TestPlainHandler(t *testing.T) {
	h := start(t, func(o *Options) { o.Pages = map[string]*ws.Response{"/page": NewPage("text/html", []byte("page"))} })
	asked := make(chan *PlainRequest, 1)
	h.SetPlainHandler(func(p *PlainRequest) { asked <- p })
	if r := h.get(t, "/page"); r.body != "page" || len(asked) != 0 {
		t.Errorf("a page: %q", r.body)
	}
	got := make(chan response, 1)
	go func() { got <- h.get(t, "/api?x=1") }()
	p := <-asked
	if r := p.Request(); r.HTTPRequest.Method != "GET" || r.Resource != "/api?x=1" || r.RemoteAddress != "192.0.2.9" {
		t.Errorf("%+v", r)
	}
	if err := p.Respond(201, []HeaderField{{"Content-Type", "application/json"}, {"X-A", "one"}, {"X-A", "two \t é"}}, []byte(`{"a":1}`)); err != nil {
		t.Error(err)
	}
	_ = p.Respond(500, nil, []byte("again"))
	if r := <-got; r.StatusCode != 201 || r.body != `{"a":1}` || r.Header.Get("Content-Type") != "application/json" || len(r.Header["X-A"]) != 2 || r.rest != "" {
		t.Errorf("%d %v %q", r.StatusCode, r.Header, r.body)
	}
	h.SetPlainHandler(nil)
	if r := h.get(t, "/api"); r.StatusCode != 426 {
		t.Errorf("%d", r.StatusCode)
	}
}

// What would break the response is refused, and the request can still be
// answered.
func TestRespondRefuses(t *testing.T) {
	h := start(t)
	asked := make(chan *PlainRequest, 1)
	h.SetPlainHandler(func(p *PlainRequest) { asked <- p })
	got := make(chan response, 1)
	go func() { got <- h.get(t, "/") }()
	p := <-asked
	for _, status := range []int{0, 100, 101, 199, 600, -1} {
		if p.Respond(status, nil, nil) == nil {
			t.Errorf("status %d", status)
		}
	}
	for _, f := range []HeaderField{
		{"", "x"}, {"X Y", "x"}, {"X:", "x"}, {"X\r\nY", "x"}, {"É", "x"}, {"X\x00", "x"}, {"X\x7f", "x"}, {"X(", "x"},
		{"X", "a\r\nSet-Cookie: b=c"}, {"X", "a\n"}, {"X", "a\r"}, {"X", "\x00"}, {"X", "\x1b[m"}, {"X", "\x7f"},
	} {
		if err := p.Respond(200, []HeaderField{{"X-Fine", "x"}, f}, []byte("no")); err == nil || strings.ContainsAny(err.Error(), "\r\n\x00\x1b\x7f") {
			t.Errorf("%q: %v", f, err)
		}
	}
	// The transport's own fields are left out.
	ours := []HeaderField{{"Content-Length", "100"}, {"transfer-encoding", "chunked"}, {"CONNECTION", "keep-alive"}, {"Keep-Alive", "x"}, {"Upgrade", "h2c"}, {"X-Mine", "x"}}
	if err := p.Respond(200, ours, []byte("body")); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.StatusCode != 200 || r.body != "body" || r.rest != "" || r.TransferEncoding != nil || !r.Close || r.Header.Get("Upgrade") != "" ||
		r.Header.Get("X-Mine") != "x" || r.Header.Get("X-Fine") != "" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %q %q", r.StatusCode, r.Header, r.body, r.rest)
	}
}

// Some statuses have no body, whatever the handler thinks.
func TestRespondWithoutABody(t *testing.T) {
	h := start(t)
	for _, status := range []int{200, 204, 205, 304, 404} {
		h.SetPlainHandler(func(p *PlainRequest) {
			body := []byte("body")
			if status == 200 || status == 404 {
				body = nil
			}
			if err := p.Respond(status, nil, body); err != nil {
				t.Error(err)
			}
		})
		if r := h.get(t, "/"); r.StatusCode != status || r.body != "" || r.rest != "" {
			t.Errorf("%d: %d %q %q", status, r.StatusCode, r.body, r.rest)
		}
	}
}

// Who asked may have gone.
func TestRespondToNobody(t *testing.T) {
	h := start(t)
	asked := make(chan *PlainRequest, 1)
	h.SetPlainHandler(func(p *PlainRequest) { asked <- p })
	c := h.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	p := <-asked
	c.Close()
	eventually(t, "the connection is gone", func() bool { return h.Stats().Connections == 0 })
	if err := p.Respond(200, nil, []byte("hello?")); err != nil {
		t.Error(err)
	}
	if p.Request().Host != "x" {
		t.Error("its request is gone, too")
	}
}
