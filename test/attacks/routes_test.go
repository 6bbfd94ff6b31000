package attacks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// No path leads out of a directory that is served, however it is spelled, and
// no link does; nothing but GET and HEAD reads it.
func TestFilesStayInTheirDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const secret = "TOP SECRET"
	root := filepath.Join(dir, "www")
	for file, text := range map[string]string{"secret": secret, "www/index.html": "index", "www/a.txt": "a", "www/sub/b.txt": "b", "wwwx/secret": secret} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": "../secret", "out": "..", "abs": filepath.Join(dir, "secret")} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	attack(t, setting{config: fmt.Sprintf("paths = [\"/bystander\"]\n[[route]]\npath = \"/app/*\"\nfiles = %q\n", root)}, 16*mebi, func(d *daemon) {
		get := func(target string) string {
			p := d.raw("unix")
			defer p.Close()
			p.write([]byte("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
			return p.rest()
		}
		if got := get("/app/a.txt"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, "\r\n\r\na") {
			t.Fatalf("the directory is not served: %q", got)
		}
		for _, up := range []string{"..", "%2e%2e", ".%2e", "%2E.", "..;", "..%00", "..%5c", "%252e%252e", "%c0%ae%c0%ae", "sub/../..", "%2e%2e%2f", "..%2f", "...", "./..", ".//.."} {
			for _, pattern := range []string{"/app/%s/secret", "/app/%s%%2fsecret", "/app//%s/secret", "/app/sub/%s/%[1]s/secret", "/app/%s/wwwx/secret", "/app%s/secret", "/app/x/%s/%[1]s/%[1]s/secret", "/%s/secret"} {
				target := fmt.Sprintf(pattern, up)
				if got := get(target); strings.Contains(got, secret) || strings.HasPrefix(got, "HTTP/1.1 5") {
					t.Errorf("%s: %q", target, got)
				}
			}
		}
		for _, target := range []string{"/app/link", "/app/abs", "/app/out/secret", "/app/out/www/../secret", "/app/" + strings.TrimPrefix(dir, "/") + "/secret", "/app//" + dir + "/secret",
			"/app/a.txt/../../secret", "/app/a.txt/", "/app/index.html/../..", "/app/\\..\\secret", "/app/..\\secret", "/appx/../secret", "//app/../secret", "/app/a.txt%00.html", "/app/.%00./secret",
			"/app/x:secret", "/app/a.txt::$DATA", "/app/http://localhost/secret"} {
			if got := get(target); strings.Contains(got, secret) || strings.HasPrefix(got, "HTTP/1.1 5") {
				t.Errorf("%s: %q", target, got)
			}
		}
		for _, method := range []string{"PUT", "DELETE", "POST", "TRACE", "OPTIONS", "PROPFIND"} {
			p := d.raw("unix")
			p.write([]byte(method + " /app/a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			if got := p.rest(); strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("%s: %q", method, got)
			}
			p.Close()
		}
		if text, err := os.ReadFile(filepath.Join(root, "a.txt")); string(text) != "a" {
			t.Errorf("the file is now %q, %v", text, err)
		}
	})
}

// The same requests, with an upgrade and without, at a path that the daemon
// passes on to a web server: that hears of no other path, and nothing of what a
// client says about itself in the daemon's name.
func TestSmugglingPastRoutes(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "back")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var heard atomic.Int64
	back := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard.Add(1)
		body, _ := io.ReadAll(r.Body)
		if !strings.HasPrefix(r.URL.Path, "/api/") {
			t.Errorf("the server hears of %s %s, %q", r.Method, r.RequestURI, body)
		}
		if len(r.Header.Values("X-Forwarded-For")) > 1 || len(r.TransferEncoding) > 0 && r.ContentLength > 0 {
			t.Errorf("the server is told %v", r.Header)
		}
	})}
	go func() { _ = back.Serve(ln) }()
	t.Cleanup(func() { back.Close() })
	attack(t, setting{config: fmt.Sprintf("paths = [\"/bystander\"]\n[[route]]\npath = \"/api/*\"\nproxy = \"http+unix://%s\"\n[close]\ntimeout = \"1s\"", socket)}, 16*mebi, func(d *daemon) {
		p := d.raw("unix")
		p.write([]byte("GET /api/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
		if got := p.rest(); !strings.HasPrefix(got, "HTTP/1.1 200 ") || heard.Load() != 1 {
			t.Fatalf("the server is not asked: %q", got)
		}
		p.Close()
		for _, c := range smuggling() {
			c = strings.ReplaceAll(c, " / HTTP/1.", " /api/x HTTP/1.")
			for _, c := range []string{c, strings.ReplaceAll(c, "Upgrade: websocket\r\nConnection: Upgrade\r\n", "")} {
				d.answersTo(c)
			}
		}
		t.Logf("the server heard %d requests", heard.Load())
	})
}
