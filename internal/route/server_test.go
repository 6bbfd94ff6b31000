package route

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// A site is a running server of sessions and routes.
type site struct {
	t        testing.TB
	routes   *Server
	sessions *session.Server
	addr     string
}

// start serves routes beside sessions at /ws and health at /healthz until the
// test's end.
func start(t testing.TB, opt Options, change ...func(*session.Options)) *site {
	t.Helper()
	if opt.MaxBodyBytes == 0 {
		opt.MaxBodyBytes = 1 << 20
	}
	routes, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	so := session.Options{
		HealthPath: "/healthz", Routes: routes, TrustedProxies: []string{"unix"},
		WS: ws.Options{Loops: 2, Borrower: routes.Borrow, MaxHeadBytes: 8192, Mounts: []*ws.Mount{{Paths: []string{"/ws", "/app/ws"}}}},
	}
	for _, f := range change {
		f(&so)
	}
	s, err := session.NewServer(so)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	if err := s.Start([]*ws.Listener{{FD: int(f.Fd()), Network: "tcp"}}); err != nil {
		t.Fatal(err)
	}
	st := &site{t: t, routes: routes, sessions: s, addr: addr}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx, ws.CloseGoingAway, ""); err != nil && err != ws.ErrServerShutdown {
			t.Error("shutdown:", err)
		}
		if err := routes.Close(ctx); err != nil {
			t.Error("routes:", err)
		}
		// What was idle when it closed net/http counts off in its own time.
		eventually(t, "no request is counted", func() bool { return routes.Busy() == 0 })
		f.Close()
	})
	return st
}

// A wire is a connection at the level of bytes.
type wire struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func (s *site) dial() *wire {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	s.t.Cleanup(func() { c.Close() })
	return &wire{c, s.t, bufio.NewReader(c)}
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.Conn, text); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads a whole answer to a request of that method.
func (w *wire) answer(method string) (*http.Response, string) {
	w.t.Helper()
	resp, err := http.ReadResponse(w.br, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal("no answer: ", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal("no whole answer: ", err)
	}
	return resp, string(body)
}

// ends checks that the connection ends.
func (w *wire) ends() {
	w.t.Helper()
	if b, err := w.br.ReadByte(); err != io.EOF {
		w.t.Fatalf("in place of the end: %q, %v", b, err)
	}
}

// ask sends one request and reads its answer.
func (s *site) ask(request string) (*http.Response, string) {
	s.t.Helper()
	w := s.dial()
	defer w.Close()
	w.send(request)
	method, _, _ := strings.Cut(request, " ")
	return w.answer(method)
}

func get(path string, fields ...string) string { return request("GET", path, fields...) }

func request(method, path string, fields ...string) string {
	r := method + " " + path + " HTTP/1.1\r\nHost: example.com\r\n"
	for _, f := range fields {
		r += f + "\r\n"
	}
	return r + "\r\n"
}

const handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

// tree writes files and returns their directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// eventually waits for what nobody tells.
var eventually = await.That

// contextOver is a context that is over soon.
func contextOver() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 100*time.Millisecond)
}
