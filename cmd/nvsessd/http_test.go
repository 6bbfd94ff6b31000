package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/selfsigned"
	"github.com/nvsess/nvsess/test/nginx"
)

// webRoot is a directory with a page and a file of a few megabytes.
func webRoot(t *testing.T) (dir string, big []byte) {
	t.Helper()
	dir = t.TempDir()
	big = bytes.Repeat([]byte("0123456789abcdef"), 300_000)
	for name, content := range map[string][]byte{"index.html": []byte("<p>page"), "big.bin": big} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, big
}

// browser is an HTTP client that keeps connections, made by dial.
func browser(t *testing.T, secure bool, dial func() (net.Conn, error)) *http.Client {
	t.Helper()
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }, MaxConnsPerHost: 1}
	if secure {
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func fetch(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// Mounts, routes and health of a configuration, side by side at a daemon's unix
// socket, at TLS, and behind nginx.
func TestHTTPBesideWebSocket(t *testing.T) {
	t.Parallel()
	dir, big := webRoot(t)
	backend := filepath.Join(t.TempDir(), "b")
	ln, err := net.Listen("unix", backend)
	if err != nil {
		t.Fatal(err)
	}
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %d", r.Method, r.URL, r.Header.Get("X-Forwarded-Proto"), len(b))
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = app.Serve(ln) }()
	t.Cleanup(func() { app.Close(); <-served })
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	p := launch(t, configured(t, fmt.Sprintf(`
listen = ["unix:%%t/s", "tcp:127.0.0.1:0"]
tls_cert = %q
tls_key = %q
paths = ["/ws"]
[socket]
mode = "0666"
[[mount]]
paths = ["/feed/*"]
mode = "forward"
headers = ["X-Mount: feed"]
sessions = 2
[[mount]]
paths = ["/echo"]
mode = "echo"
max_frame_bytes = 4096
max_message_bytes = 4096
[[route]]
path = "/app/*"
files = %q
[[route]]
path = "/api/*"
proxy = "http+unix://%s"
[[route]]
path = "/*"
redirect = "/app/*"
`, cert, key, dir, backend)))
	ready := p.Logged("ready")
	unix := func() (net.Conn, error) { return net.Dial("unix", p.socket("s")) }

	a, b := visit(t, "ws+unix://"+p.socket("s")+":/feed/1"), visit(t, "ws+unix://"+p.socket("s")+":/feed/2")
	echo := visit(t, "ws+unix://"+p.socket("s")+":/echo")
	a.say(t, "news")
	b.hears(t, "news")
	echo.say(t, "back")
	echo.hears(t, "back")
	if _, err := tryVisit(t, "ws+unix://"+p.socket("s")+":/feed/3"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a third session of a mount for two: %v", err)
	}
	for _, path := range []string{"/", "/app/", "/api/", "/other"} {
		if _, err := tryVisit(t, "ws+unix://"+p.socket("s")+":"+path); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("a session at %s: %v", path, err)
		}
	}
	echo.say(t, strings.Repeat("x", 4097))
	echo.isClosed(t, 1009, "frame exceeds the limit")

	check := func(t *testing.T, c *http.Client, base, proto string) {
		t.Helper()
		if resp, body := fetch(t, c, "GET", base+"/healthz", nil); resp.StatusCode != 200 || string(body) != `{"status":"ok"}`+"\n" {
			t.Errorf("health: %d %q", resp.StatusCode, body)
		}
		if resp, body := fetch(t, c, "GET", base+"/app/", nil); resp.StatusCode != 200 || string(body) != "<p>page" {
			t.Errorf("a page: %d %q", resp.StatusCode, body)
		}
		if _, body := fetch(t, c, "GET", base+"/app/big.bin", nil); !bytes.Equal(body, big) {
			t.Errorf("a large file: %d bytes of %d", len(body), len(big))
		}
		if _, body := fetch(t, c, "POST", base+"/api/x?y", bytes.NewReader(big[:1<<19])); string(body) != fmt.Sprintf("POST /api/x?y %s %d", proto, 1<<19) {
			t.Errorf("a proxy: %q", body)
		}
		if resp, _ := fetch(t, c, "GET", base+"/x", nil); resp.StatusCode != 302 || !strings.HasSuffix(resp.Header.Get("Location"), "/app/x") {
			t.Errorf("a redirect: %d %v", resp.StatusCode, resp.Header)
		}
		if resp, _ := fetch(t, c, "GET", base+"/ws", nil); resp.StatusCode != 426 || resp.Header.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("a WebSocket path: %d %v", resp.StatusCode, resp.Header)
		}
	}
	t.Run("unix", func(t *testing.T) { check(t, browser(t, false, unix), "http://localhost", "http") })
	t.Run("tls", func(t *testing.T) {
		tcp := strings.TrimPrefix(ready.Listen[1], "tcp:")
		check(t, browser(t, true, func() (net.Conn, error) { return net.Dial("tcp", tcp) }), "https://localhost", "https")
	})
	t.Run("nginx", func(t *testing.T) {
		front := behindNginx(t, p.socket("s"))
		c := browser(t, true, func() (net.Conn, error) { return net.Dial("unix", front) })
		check(t, c, "https://localhost", "https")
	})

	var stats struct {
		Mounts map[string]struct {
			Mode     string
			Sessions int
			Limit    int
		}
	}
	resp, body := fetch(t, browser(t, false, func() (net.Conn, error) { return net.Dial("unix", p.socket("admin.sock")) }), "POST", "http://localhost/v1/stats", strings.NewReader("{}"))
	if err := json.Unmarshal(body, &stats); err != nil || stats.Mounts["/feed/*"].Sessions != 2 || stats.Mounts["/feed/*"].Limit != 2 || stats.Mounts["/echo"].Mode != "echo" {
		t.Errorf("%d %v %s", resp.StatusCode, err, body)
	}
	if _, err := client.Dial(t.Context(), "ws+unix://"+p.socket("s")+":/nowhere"); err == nil {
		t.Error("a session nowhere")
	}
	p.Signal(syscall.SIGTERM)
	a.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

// behindNginx starts nginx with the shipped configuration before a daemon's
// socket, and returns its own.
func behindNginx(t *testing.T, socket string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvh") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	selfsigned.Files(t, dir, "localhost")
	front := filepath.Join(dir, "443")
	nginx.Start(t, nginx.Options{Dir: dir, Main: "events {}\n", Site: nginx.Shipped(t, dir, socket), Listen: front})
	return front
}

// -check finds what a route names and nobody can serve.
func TestCheckLooksAtRoutes(t *testing.T) {
	t.Parallel()
	p := launch(t, append(configured(t, "[[route]]\npath = \"/app/*\"\nfiles = \"/nowhere/at/all\"\n"), "-check"))
	p.Ends(1)
	if !strings.Contains(p.Said(), "route /app/*: files: ") {
		t.Error(p.Said())
	}
}

// eventually waits for what nobody tells.
var eventually = await.That
