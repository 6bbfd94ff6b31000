package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/hostile"
	"github.com/nvsess/nvsess/test/node"
	"github.com/nvsess/nvsess/test/nvsessd"
	"github.com/nvsess/nvsess/web"
)

func TestMain(m *testing.M) { nvsessd.M{M: m}.Run() }

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
	chromium := node.Chromium(t)
	// It compresses all it can: browsers always offer to.
	d := nvsessd.Start(t, nvsessd.Options{Config: "compression = \"on\"\n[deflate]\nthreshold_bytes = 0\n", Args: []string{"-mode", "forward"}})
	site := pages(t, &url.URL{Scheme: "http", Host: d.TCP})
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
			node.Test(t, file, "NVSESS_BIN="+nvsessd.Programs(t), "NVSESS_ADMIN="+d.Admin, "NVSESS_SITE="+site, "NVSESS_HOSTILE="+breaker.Control(), "CHROMIUM="+chromium)
		})
	}
}
