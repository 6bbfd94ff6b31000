package script

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Only what is listed can be reached, however it is written.
func TestFetchList(t *testing.T) {
	t.Parallel()
	e := new(Engine)
	e.set.Store(Options{FetchHosts: []string{"example.com", "Example.org:8443", "*.example.net", "::1", "[::2]:99", "10.0.0.1:80"}}.settings())
	for address, want := range map[string]bool{
		"http://example.com/": true, "https://EXAMPLE.com:443/x": true, "http://example.com:80/": true, "http://example.com:8080/": false,
		"https://example.org:8443/": true, "https://example.org/": false, "http://a.example.net/": true, "http://a.b.example.net/": true,
		"http://example.net/": false, "http://evilexample.net/": false, "http://example.com.evil.test/": false, "http://example.com@evil.test/": false,
		"http://evil.test/#example.com": false, "http://evil.test/example.com": false, "http://[::1]/": true, "http://[::2]/": false, "http://[::2]:99/": true,
		"http://10.0.0.1/": true, "https://10.0.0.1/": false, "ftp://example.com/": false, "file:///etc/passwd": false, "unix:///run/x": false,
		"http://example.com./": true, "http:///x": false, "http://evil.example.net.": true, "http://.example.net/": false, "//example.com/": false,
		"http://user:pass@example.com/": true, "http://example.com:/": true, "https://10.0.0.1:80/": true,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.mayFetch(u) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// Requests and answers are what Node.js would have, and none outlives the
// engine, is redirected past the list or is larger than memory.
func TestFetch(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, `{"method":%q,"type":%q,"x":%q,"body":%q}`, r.Method, r.Header.Get("Content-Type"), r.Header.Get("X-A"), body)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:1/", http.StatusFound)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/huge", func(w http.ResponseWriter, r *http.Request) {
		for b := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	hanging := make(chan struct{}, 10)
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { hanging <- struct{}{}; <-r.Context().Done() })
	server := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-served })

	base := ln.Addr().String()
	st := newStage(t, script(func(o *Options) { o.FetchHosts = []string{base} }))
	st.js("var base = 'http://" + base + "'")
	st.is("var r = await fetch(base + '/echo', { method: 'post', headers: { 'X-A': 'b' }, body: 'text' }); [r.status, r.ok, r.headers.get('x-two'), await r.json()]",
		`[
  418,
  false,
  'a, b',
  {
    method: 'POST',
    type: 'text/plain;charset=UTF-8',
    x: 'b',
    body: 'text'
  }
]`)
	for body, want := range map[string]string{"Buffer.from('bytes')": "bytes", "new Uint8Array([104, 105])": "hi", "new Uint8Array([1, 104, 105, 2]).subarray(1, 3)": "hi", "new ArrayBuffer(0)": "", "12": "12"} {
		st.is("(await (await fetch(base + '/echo', { method: 'PUT', body: "+body+" })).json()).body", "'"+want+"'")
	}
	st.fails("await fetch(base + '/echo', { headers: { 'X-A': 'a\\r\\nX-B: c' } })", "invalid header field")
	st.fails("await fetch(base + '/echo', { headers: { 'X A': 'a' } })", "invalid header field")
	st.fails("await fetch(base + '/echo', { method: 'A B' })", "invalid method")
	st.fails("await fetch(base + '/away')", "does not list localhost:1")
	st.fails("await fetch(base + '/round')", "too many redirects")
	st.fails("await fetch(base + '/huge')", "longer than 8388608 bytes")
	st.fails("await fetch('http://127.0.0.1:1/')", "does not list")

	st.js("fetch(base + '/hang').catch(() => {}); 0")
	<-hanging
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := st.Close(ctx); err != nil {
		t.Errorf("a request outlives the engine: %v", err)
	}
	if got := strings.Join(st.now().FetchHosts, ""); got != base {
		t.Error(got)
	}
}
