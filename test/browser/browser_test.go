package browser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/hostile"
	"github.com/nvsess/nvsess/web"
)

// patience bounds the whole; none of it is expected to last.
const patience = 5 * time.Minute

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("chromium is not installed: run make setup")
	return ""
}

// daemon starts nvsessd in forward mode and gives its address. It compresses all
// it can: browsers always offer to.
func daemon(t *testing.T, bin, admin string) *url.URL {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nvsess.toml")
	if err := os.WriteFile(file, []byte("compression = \"on\"\n[deflate]\nthreshold_bytes = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "nvsessd"), "-config", file, "-mode", "forward", "-listen", "tcp:127.0.0.1:0", "-admin", admin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("nvsessd ended with %v: %s", err, stderr.String())
		}
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if _, addr, ok := strings.Cut(lines.Text(), "clients:"); ok {
			u, err := url.Parse(strings.TrimSpace(addr))
			if err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, stdout) // ends with the daemon
			u.Scheme = "http"
			return u
		}
	}
	t.Fatalf("nvsessd did not start: %s", stderr.String())
	return nil
}

// pages serves what the daemon's own server would: the client, its page, and the
// daemon's WebSocket at the same address.
func pages(t *testing.T, upstream *url.URL) string {
	t.Helper()
	serve := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /nvsess.mjs", serve("text/javascript", web.Module()))
	mux.HandleFunc("GET /bwsess.js", serve("text/javascript", web.Script()))
	mux.HandleFunc("GET /blank", serve("text/html", []byte("<!doctype html><title>blank</title>")))
	mux.HandleFunc("GET /script", serve("text/html", []byte(`<!doctype html><script src="bwsess.js"></script>`)))
	mux.HandleFunc("GET /module", serve("text/html",
		[]byte(`<!doctype html><script type="module">import Bwsess, * as nvsess from "./nvsess.mjs"; window.Bwsess = Bwsess; window.nvsess = nvsess;</script>`)))
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	demo := serve("text/html; charset=utf-8", web.Demo())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			proxy.ServeHTTP(w, r)
			return
		}
		demo(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// TestChromium runs *.test.mjs here.
func TestChromium(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	browser := chromium(t)
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		t.Skip("the npm package playwright-core is not installed: run make setup, or npm ci --ignore-scripts in test/browser")
	}
	dir, err := os.MkdirTemp("", "nvb") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if out, err := exec.Command("go", "build", "-o", dir, "../../cmd/nvsessd", "../../cmd/nvsessctl").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	admin := filepath.Join(dir, "a")
	site := pages(t, daemon(t, dir, admin))
	breaker, err := hostile.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(breaker.Close)
	files, err := filepath.Glob("*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatal("no tests", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".test.mjs"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec", "--test-timeout=240000", file)
			cmd.Env = append(os.Environ(), "NVSESS_BIN="+dir, "NVSESS_ADMIN="+admin, "NVSESS_SITE="+site, "NVSESS_HOSTILE="+breaker.Control(), "CHROMIUM="+browser)
			// Ended, it ends its Chromium first.
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.WaitDelay = 5 * time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
