package route

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// Each answer that is not a route's own, over one connection each.
func TestStatuses(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	dir := tree(t, map[string]string{"a": "A"})
	s := start(t, Options{MaxBodyBytes: 100, Routes: []Route{
		{Path: "/app/*", Files: dir}, {Path: "/api/*", Proxy: backend}, {Path: "/old", Redirect: "/app/a"},
	}})
	long := strings.Repeat("x", 9000)
	for _, tt := range []struct {
		name, request string
		status        int
		field         string
	}{
		{"a WebSocket path", get("/ws"), 426, "Upgrade: websocket"},
		{"a WebSocket path's version", get("/ws"), 426, "Sec-Websocket-Version: 13"},
		{"HEAD of a WebSocket path", request("HEAD", "/ws"), 426, "Upgrade: websocket"},
		{"POST to a WebSocket path", request("POST", "/ws", "Content-Length: 0"), 405, "Allow: GET"},
		{"a body for a WebSocket path", get("/ws", "Content-Length: 3") + "abc", 400, ""},
		{"a WebSocket path within a route", get("/app/ws"), 426, ""},
		{"a handshake", get("/ws", handshake), 101, ""},
		{"a handshake within a route", get("/app/ws", handshake), 101, ""},
		{"a handshake at a route", get("/app/a", handshake), 404, ""},
		{"a handshake at a proxy", get("/api/a", handshake), 404, ""},
		{"a handshake nowhere", get("/nowhere", handshake), 404, ""},
		{"nowhere", get("/nowhere"), 404, ""},
		{"POST nowhere", request("POST", "/nowhere"), 404, ""},
		{"health", get("/healthz"), 200, "Cache-Control: no-store"},
		{"health is JSON", get("/healthz"), 200, "Content-Type: application/json"},
		{"HEAD of health", request("HEAD", "/healthz"), 200, ""},
		{"health by HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 200, ""},
		{"POST to health", request("POST", "/healthz"), 405, "Allow: GET, HEAD"},
		{"a body for health", get("/healthz", "Content-Length: 1") + "x", 400, ""},
		{"a file", get("/app/a"), 200, ""},
		{"a file by HTTP/1.0", "GET /app/a HTTP/1.0\r\n\r\n", 200, ""},
		{"POST to a file", request("POST", "/app/a"), 405, "Allow: GET, HEAD"},
		{"a body for a file", get("/app/a", "Content-Length: 1") + "x", 400, ""},
		{"a chunked body for a file", get("/app/a", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400, ""},
		{"TRACE to a proxy", request("TRACE", "/api/"), 405, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
		{"an unknown method", request("BREW", "/api/"), 501, ""},
		{"CONNECT", "CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n", 400, ""},
		{"an unknown coding", request("POST", "/api/", "Transfer-Encoding: gzip, chunked"), 501, ""},
		{"a coding twice", request("POST", "/api/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501, ""},
		{"a coding and a length", request("POST", "/api/", "Transfer-Encoding: chunked", "Content-Length: 3") + "abc", 400, ""},
		{"a coding in HTTP/1.0", "POST /api/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400, ""},
		{"two lengths", request("POST", "/api/", "Content-Length: 3", "Content-Length: 3") + "abc", 400, ""},
		{"a list of lengths", request("POST", "/api/", "Content-Length: 3, 3") + "abc", 400, ""},
		{"no length", request("POST", "/api/", "Content-Length: x"), 400, ""},
		{"a signed length", request("POST", "/api/", "Content-Length: +3") + "abc", 400, ""},
		{"an endless length", request("POST", "/api/", "Content-Length: 99999999999999999999"), 400, ""},
		{"a body that fits", request("POST", "/api/", "Content-Length: 100") + long[:100], 200, ""},
		{"a body that does not", request("POST", "/api/", "Content-Length: 101"), 413, ""},
		{"a body that turns out not to", request("POST", "/api/", "Transfer-Encoding: chunked") + "c8\r\n" + long[:200] + "\r\n0\r\n\r\n", 413, ""},
		{"a long request line", get("/app/" + long), 414, ""},
		{"a long field", get("/app/a", "X: "+long), 431, ""},
		{"many fields", get("/app/a", strings.TrimSuffix(strings.Repeat("X: y\r\n", 200), "\r\n")), 431, ""},
		{"HTTP/2", "GET /app/a HTTP/2.0\r\nHost: x\r\n\r\n", 505, ""},
		{"no host", "GET /app/a HTTP/1.1\r\n\r\n", 400, ""},
		{"a bare line feed", "GET /app/a HTTP/1.1\nHost: x\n\n", 400, ""},
		{"a folded field", get("/app/a", "X: y\r\n z"), 400, ""},
		{"a blank before the colon", request("POST", "/api/", "Content-Length : 3") + "abc", 400, ""},
		{"another expectation", request("POST", "/api/", "Content-Length: 3", "Expect: wonders") + "abc", 417, ""},
		{"dots", get("/app/../api/"), 400, ""},
		{"escaped dots", get("/app/%2e%2E/api/"), 400, ""},
		{"dots behind a backslash", get("/api/..%5c..%5cx"), 400, ""},
		{"dots behind an escaped slash", get("/api/x%2f.."), 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &site{t: t, addr: s.addr}
			w := s.dial()
			defer w.Close()
			w.send(tt.request)
			method, _, _ := strings.Cut(tt.request, " ")
			resp, body := w.answerOrUpgrade(method)
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d %q, want %d", resp.StatusCode, body, tt.status)
			}
			if name, value, _ := strings.Cut(tt.field, ": "); tt.field != "" && resp.Header.Get(name) != value {
				t.Errorf("%v has no %s", resp.Header, tt.field)
			}
		})
	}
}

// answerOrUpgrade is answer, but of a 101 only the head.
func (w *wire) answerOrUpgrade(method string) (*http.Response, string) {
	w.t.Helper()
	if b, err := w.br.Peek(12); err == nil && string(b) == "HTTP/1.1 101" {
		return &http.Response{StatusCode: 101}, ""
	}
	return w.answer(method)
}

func newBackend(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "backend")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return "http+unix://" + socket
}

func TestFiles(t *testing.T) {
	dir := tree(t, map[string]string{
		"index.html": "root", "a.css": "css", "sub/index.html": "sub", "empty/x": "x", ".secret": "s", ".git/config": "s", "sub/.env": "s",
		"a b.txt": "blank", "noext": "<html>", "big.bin": strings.Repeat("0123456789", 1000),
	})
	outside := tree(t, map[string]string{"passwd": "outside"})
	for name, target := range map[string]string{"out": outside, "passwd": outside + "/passwd", "in": "a.css", "dots": "../" + filepath.Base(outside) + "/passwd"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Routes: []Route{
		{Path: "/f/*", Files: dir, Header: http.Header{"Cache-Control": {"max-age=60"}}},
		{Path: "/robots.txt", Files: dir + "/noext"}, {Path: "/*", Files: dir},
	}})
	for _, tt := range []struct {
		path, fields string
		status       int
		body         string
	}{
		{"/f/a.css", "", 200, "css"}, {"/f/", "", 200, "root"}, {"/", "", 200, "root"}, {"/f/sub/", "", 200, "sub"}, {"/f/in", "", 200, "css"},
		{"/f/a%20b.txt", "", 200, "blank"}, {"/f/%61.css", "", 200, "css"}, {"/robots.txt", "", 200, "<html>"}, {"/f/a.css?x=/../y", "", 200, "css"},
		{"/f/big.bin", "Range: bytes=10-12", 206, "012"}, {"/f/big.bin", "Range: bytes=-1", 206, "9"}, {"/f/big.bin", "Range: bytes=20000-", 416, ""},
		{"/f/empty/", "", 404, ""}, {"/f/none", "", 404, ""}, {"/f/a.css/", "", 404, ""}, {"/f/sub//index.html", "", 404, ""}, {"/f/sub%2findex.html", "", 404, ""},
		{"/f/.secret", "", 404, ""}, {"/f/.git/config", "", 404, ""}, {"/f/sub/.env", "", 404, ""}, {"/f/%2esecret", "", 404, ""}, {"/f/a.css%00", "", 404, ""},
		{"/f/out/passwd", "", 404, ""}, {"/f/passwd", "", 404, ""}, {"/f/dots", "", 404, ""}, {"/f/fifo", "", 404, ""}, {"/robots.txt/", "", 404, ""},
	} {
		fields := []string{}
		if tt.fields != "" {
			fields = append(fields, tt.fields)
		}
		resp, body := s.ask(get(tt.path, fields...))
		if resp.StatusCode != tt.status || tt.body != "" && body != tt.body || strings.Contains(body, "outside") {
			t.Errorf("%s: %d %.40q", tt.path, resp.StatusCode, body)
		}
		if nosniff := resp.Header.Get("X-Content-Type-Options"); resp.StatusCode != 301 && nosniff != "nosniff" {
			t.Errorf("%s: a browser may guess its type", tt.path)
		}
	}
	resp, _ := s.ask(get("/f/a.css"))
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/css") || resp.Header.Get("Cache-Control") != "max-age=60" {
		t.Errorf("%v", resp.Header)
	}
	if resp, _ := s.ask(get("/f/noext")); resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("a type was guessed: %v", resp.Header)
	}
	for _, condition := range []string{"If-None-Match: " + resp.Header.Get("ETag"), "If-Modified-Since: " + resp.Header.Get("Last-Modified")} {
		if resp, body := s.ask(get("/f/a.css", condition)); resp.StatusCode != 304 || body != "" {
			t.Errorf("%s: %d %q", condition, resp.StatusCode, body)
		}
	}
	if resp, body := s.ask(get("/f/a.css", `If-None-Match: "other"`)); resp.StatusCode != 200 || body != "css" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if resp, body := s.ask(request("HEAD", "/f/big.bin")); resp.StatusCode != 200 || resp.ContentLength != 10_000 || body != "" {
		t.Errorf("HEAD: %d %d %q", resp.StatusCode, resp.ContentLength, body)
	}
	for path, to := range map[string]string{"/f": "/f/", "/f/sub": "/f/sub/", "/f/sub?a=b": "/f/sub/?a=b"} {
		if resp, _ := s.ask(get(path)); resp.StatusCode != 301 || resp.Header.Get("Location") != to {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func TestFilesMustBeThere(t *testing.T) {
	dir := tree(t, map[string]string{"a": "A"})
	for _, r := range []Route{{Path: "/a/*", Files: dir + "/none"}, {Path: "/a/*", Files: dir + "/a"}, {Path: "/a", Files: dir}, {Path: "/a", Files: dir + "/none"}} {
		if s, err := New(Options{Routes: []Route{r}}); err == nil {
			t.Errorf("%+v was taken", r)
			_ = s.Close(t.Context())
		} else if !strings.HasPrefix(err.Error(), "route "+r.Path+": files: ") {
			t.Error(err)
		}
	}
}

func TestRedirects(t *testing.T) {
	s := start(t, Options{Routes: []Route{
		{Path: "/one", Redirect: "https://example.org/x"}, {Path: "/old/*", Redirect: "https://example.org/new/*", Status: 308}, {Path: "/here/*", Redirect: "/*", Status: 301},
	}})
	for _, tt := range []struct {
		path, to string
		status   int
	}{
		{"/one", "https://example.org/x", 302}, {"/one?a", "https://example.org/x", 302}, {"/old/a/b?c=d", "https://example.org/new/a/b?c=d", 308}, {"/old", "https://example.org/new/", 308},
		{"/here/a", "/a", 301}, {"/here//evil.example", "/evil.example", 301}, {"/here/%0d%0aX:y", "/%0d%0aX:y", 301},
	} {
		resp, _ := s.ask(get(tt.path))
		if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.to || resp.Header.Get("X") != "" {
			t.Errorf("%s: %d %s", tt.path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if resp, _ := s.ask(request("POST", "/old/a", "Content-Length: 3") + "abc"); resp.StatusCode != 308 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// Several requests on one connection, some in one packet: each is judged by the
// loop and answered in turn, a handshake like any other.
func TestConnectionsComeBack(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL, b)
	})
	s := start(t, Options{Routes: []Route{{Path: "/f/*", Files: tree(t, map[string]string{"a": "A"})}, {Path: "/p/*", Proxy: backend}}})
	w := s.dial()
	is := func(want string) {
		t.Helper()
		if resp, body := w.answer("GET"); resp.StatusCode != 200 || body != want || resp.Close {
			t.Fatalf("%d %q, want %q", resp.StatusCode, body, want)
		}
	}
	for range 3 {
		w.send(get("/f/a"))
		is("A")
	}
	post := request("POST", "/p/1", "Content-Length: 5")
	w.send(get("/f/a") + post + "GET /" + get("/p/2") + get("/f/a")[:20])
	is("A")
	is("/p/1 GET /")
	is("/p/2 ")
	w.send(get("/f/a")[20:] + post[:30])
	is("A")
	w.send(post[30:] + "12")
	w.send("345" + get("/f/a"))
	is("/p/1 12345")
	is("A")
	// A body that nobody reads is not the next request.
	w.send(request("POST", "/p/3", "Content-Length: 40") + get("/f/a")[:40])
	if resp, body := w.answer("POST"); resp.StatusCode != 200 || !strings.HasPrefix(body, "/p/3 GET /f/a") {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	w.send(get("/f/a") + get("/ws", handshake))
	is("A")
	if resp, err := http.ReadResponse(w.br, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	eventually(t, "a session", func() bool { return s.sessions.Len() == 1 })

	// What the loop refuses never reaches net/http, first or later.
	w = s.dial()
	w.send(get("/f/a") + "GET /f/a HTTP/1.1\nHost: x\n\n" + get("/f/a"))
	is("A")
	if resp, _ := w.answer("GET"); resp.StatusCode != 400 {
		t.Fatal(resp.StatusCode)
	}
	w.ends()

	// Behind chunks the connection ends, whatever else was sent.
	w = s.dial()
	w.send(request("POST", "/p/4", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n" + get("/f/a"))
	if resp, body := w.answer("POST"); resp.StatusCode != 200 || body != "/p/4 abc" || !resp.Close {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	w.ends()

	// And when the client wants it to.
	w = s.dial()
	w.send(get("/f/a", "Connection: close"))
	if resp, body := w.answer("GET"); body != "A" || !resp.Close {
		t.Fatalf("%q", body)
	}
	w.ends()
	w = s.dial()
	w.send(request("POST", "/p/5", "Content-Length: 3", "Expect: 100-continue"))
	if line, err := w.br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = w.br.ReadString('\n')
	w.send("abc")
	is("/p/5 abc")
}

// An idle connection ends without a word; one that has begun a request is told.
func TestIdleConnectionsEnd(t *testing.T) {
	s := start(t, Options{Routes: []Route{{Path: "/f/*", Files: tree(t, map[string]string{"a": "A"})}}}, func(o *session.Options) {
		o.WS.IdleTimeout, o.WS.HandshakeTimeout = 200*time.Millisecond, 300*time.Millisecond
	})
	w := s.dial()
	w.send(get("/f/a"))
	w.answer("GET")
	w.ends()
	w = s.dial()
	w.send(get("/f/a") + "GET /f")
	w.answer("GET")
	if resp, _ := w.answer("GET"); resp.StatusCode != 408 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestProxyTellsOfTheClient(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Upgrade", "Connection"} {
			fmt.Fprintf(w, "%s=%s;", name, r.Header.Get(name))
		}
		fmt.Fprintf(w, "%s %s", r.Host, r.RequestURI)
	})
	lies := []string{"X-Forwarded-For: 1.2.3.4, 127.0.0.1", "X-Real-IP: 9.9.9.9", "Forwarded: for=1.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "Connection: x-forwarded-for, Upgrade", "Upgrade: h2c"}
	for trusted, want := range map[string]string{
		"unix":      "X-Forwarded-For=127.0.0.1;X-Real-Ip=127.0.0.1;X-Forwarded-Proto=http;X-Forwarded-Host=example.com;Forwarded=;Upgrade=;Connection=;example.com /base/p/a%2Fb?c",
		"127.0.0.1": "X-Forwarded-For=1.2.3.4, 127.0.0.1, 127.0.0.1;X-Real-Ip=1.2.3.4;X-Forwarded-Proto=https;X-Forwarded-Host=evil;Forwarded=;Upgrade=;Connection=;example.com /base/p/a%2Fb?c",
	} {
		s := start(t, Options{Routes: []Route{{Path: "/p/*", Proxy: backend + ":/base", Header: http.Header{"X-By": {"us"}}}}}, func(o *session.Options) { o.TrustedProxies = []string{trusted} })
		resp, body := s.ask(get("/p/a%2Fb?c", lies...))
		if body != want || resp.Header.Get("X-By") != "us" {
			t.Errorf("%s\n%s, want\n%s", trusted, body, want)
		}
	}
}

func TestProxyWithoutAnAnswer(t *testing.T) {
	held := make(chan struct{})
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow/" {
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
	})
	defer close(held)
	s := start(t, Options{ProxyTimeout: 300 * time.Millisecond, Routes: []Route{
		{Path: "/slow/*", Proxy: backend}, {Path: "/none", Proxy: "http+unix://" + t.TempDir() + "/none"}, {Path: "/refuses", Proxy: "http://" + closedPort(t)},
	}})
	for path, status := range map[string]int{"/slow/": 504, "/none": 502, "/refuses": 502, "/slow/not": 200} {
		if resp, _ := s.ask(get(path)); resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, status)
		}
	}
}

// closedPort is an address that nobody listens at.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// A client that leaves ends what was asked of the backend; so does the end of
// the server, when its time is over.
func TestRequestsUnderWay(t *testing.T) {
	asked, left := make(chan struct{}, 10), make(chan struct{}, 10)
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	})
	take := func(ch chan struct{}) {
		t.Helper()
		select {
		case <-ch:
		case <-time.After(patience):
			t.Fatal("it did not happen")
		}
	}
	s := start(t, Options{MaxRequests: 2, ProxyTimeout: time.Hour, Routes: []Route{{Path: "/*", Proxy: backend}, {Path: "/redirect", Redirect: "/"}}})
	waiting, health := s.dial(), s.dial() // the loops know them before it ends
	for _, w := range []*wire{waiting, health} {
		w.send(get("/redirect"))
		w.answer("GET")
	}
	eventually(t, "they are answered", func() bool { return s.routes.Busy() == 0 })
	a, b := s.dial(), s.dial()
	a.send(get("/"))
	take(asked)
	b.send(get("/"))
	take(asked)
	if resp, _ := s.ask(get("/")); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", resp.StatusCode)
	}
	if resp, _ := s.ask(get("/healthz")); resp.StatusCode != 200 {
		t.Errorf("health: %d", resp.StatusCode)
	}
	a.Close()
	take(left)
	eventually(t, "room", func() bool { return s.routes.Busy() == 1 })

	waiting.send("GET / HT") // its head is whole only when the server drains
	s.sessions.SetClosed(true)
	if resp, body := s.ask(get("/healthz")); resp.StatusCode != 503 || body != `{"status":"closed"}`+"\n" {
		t.Errorf("closed: %d %q", resp.StatusCode, body)
	}
	health.send("GET /heal")
	s.sessions.Drain()
	health.send("thz HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, body := health.answer("GET"); resp.StatusCode != 503 || body != `{"status":"draining"}`+"\n" {
		t.Errorf("draining: %d %q", resp.StatusCode, body)
	}
	waiting.send("TP/1.1\r\nHost: x\r\n\r\n")
	if resp, _ := waiting.answer("GET"); resp.StatusCode != 503 {
		t.Errorf("draining: %d", resp.StatusCode)
	}
	ctx, cancel := contextOver()
	defer cancel()
	if err := s.sessions.Shutdown(ctx, ws.CloseGoingAway, ""); err == nil {
		t.Error("nothing was cut")
	}
	take(left)
	b.ends()
}

// What the process before has counted goes on, and by name: what is under way ends
// with the process.
func TestCountsGoOn(t *testing.T) {
	s := start(t, Options{Routes: []Route{{Path: "/old", Redirect: "/new"}}})
	before := map[string]uint64{"2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5, "aborted": 6, "proxy_failures": 7, "under_way": 8, "7xx": 9}
	s.routes.AddCounts(before)
	if n := s.routes.Totals(); n["under_way"] != 0 || n["3xx"] != 3 {
		t.Error(n)
	}
	if resp, _ := s.ask(get("/old")); resp.StatusCode != 302 {
		t.Fatal(resp.Status)
	}
	eventually(t, "it is counted", func() bool { return s.routes.Counts()["3xx"] == 4 })
	now := s.routes.Counts()
	for name, n := range before {
		switch name {
		case "3xx":
			n = 4
		case "under_way", "7xx":
			n = 0
		}
		if now[name] != n {
			t.Errorf("%s is %d, not %d", name, now[name], n)
		}
	}
}
