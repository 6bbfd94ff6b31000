package ws

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of the tests. It is never the expected length of
// one.
const patience = time.Minute

// deadline is patience from now.
func deadline() time.Time { return time.Now().Add(patience) }

// eventually waits until ok holds, giving the processor to others meanwhile.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := deadline(); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// receive takes a value from a channel.
func receive[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("nothing came: %s", what)
	}
	return v
}

func TestMain(m *testing.M) {
	if path := os.Getenv(serveEnv); path != "" {
		serveForParent(path)
		return
	}
	// The runtime opens its poller's descriptors at first use, and keeps them.
	if c, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
		c.Close()
	}
	os.Exit(m.Run())
}

// openFDs counts the process's descriptors.
func openFDs(t testing.TB) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// noLeaks fails the test when, after the cleanups registered later, goroutines
// or descriptors are left over.
func noLeaks(t testing.TB) {
	t.Helper()
	goroutines, fds := runtime.NumGoroutine(), openFDs(t)
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		for end := time.Now().Add(patience); ; runtime.Gosched() {
			g, f := runtime.NumGoroutine(), openFDs(t)
			if g <= goroutines && f <= fds {
				return
			}
			if time.Now().After(end) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines more and %d descriptors more than before\n%s",
					g-goroutines, f-fds, buf[:runtime.Stack(buf, true)])
			}
		}
	})
}

// ended is one call of Handler.Close.
type ended struct {
	c    *Conn
	info CloseInfo
}

// recorder is a Handler made of functions, any of which may be nil. It checks
// what Handler promises: one Close for each Open, and nothing outside of them.
type recorder struct {
	t       testing.TB
	health  func(*Request) *Response
	plain   func(*Conn, *Request) *Response
	check   func(*Conn, *Request) *Response
	open    func(*Batch, *Conn, *Request)
	message func(*Batch, *Conn, OpCode, []byte)
	pong    func(*Batch, *Conn, []byte)
	timer   func(*Batch, *Conn)
	close   func(*Batch, *Conn, CloseInfo)

	ended chan ended // what Close was given, as far as there is room

	mu   sync.Mutex // guards what follows
	live map[*Conn]bool
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, ended: make(chan ended, 1<<14), live: make(map[*Conn]bool)}
}

func (h *recorder) must(c *Conn, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.live[c] {
		h.t.Errorf("%s outside of Open and Close", what)
	}
}

func (h *recorder) Check(c *Conn, r *Request) *Response {
	if h.check != nil {
		return h.check(c, r)
	}
	return nil
}

func (h *recorder) Health(r *Request) *Response {
	if h.health != nil {
		return h.health(r)
	}
	return nil
}

func (h *recorder) Plain(c *Conn, r *Request) *Response {
	if h.plain != nil {
		return h.plain(c, r)
	}
	return nil
}

func (h *recorder) Open(b *Batch, c *Conn, r *Request) {
	h.mu.Lock()
	if h.live[c] {
		h.t.Error("Open twice")
	}
	h.live[c] = true
	h.mu.Unlock()
	if h.open != nil {
		h.open(b, c, r)
	}
}

func (h *recorder) Message(b *Batch, c *Conn, op OpCode, payload []byte) {
	h.must(c, "Message")
	if h.message != nil {
		h.message(b, c, op, payload)
	}
}

func (h *recorder) Pong(b *Batch, c *Conn, payload []byte) {
	h.must(c, "Pong")
	if h.pong != nil {
		h.pong(b, c, payload)
	}
}

func (h *recorder) Timer(b *Batch, c *Conn) {
	h.must(c, "Timer")
	if h.timer != nil {
		h.timer(b, c)
	}
}

func (h *recorder) Close(b *Batch, c *Conn, info CloseInfo) {
	h.must(c, "Close")
	h.mu.Lock()
	delete(h.live, c)
	h.mu.Unlock()
	if h.close != nil {
		h.close(b, c, info)
	}
	select {
	case h.ended <- ended{c, info}:
	default:
	}
}

// end waits for the next Close.
func (h *recorder) end() CloseInfo {
	h.t.Helper()
	return receive(h.t, "Handler.Close", h.ended).info
}

// echo makes h return every message to its sender.
func (h *recorder) echo() *recorder {
	h.message = func(b *Batch, c *Conn, op OpCode, payload []byte) { b.Send(c, op, payload) }
	return h
}

// capture makes h hand out each connection when it opens.
func (h *recorder) capture() <-chan *Conn {
	ch := make(chan *Conn, 1<<14)
	h.open = func(_ *Batch, c *Conn, _ *Request) { ch <- c }
	return ch
}

// testServer is a running server and where it listens.
type testServer struct {
	*Server
	t             testing.TB
	h             *recorder
	network, addr string
	tls           *tls.Config // of its clients; nil: plain
	down          bool        // the test has shut it down
	next          *testServer // that its connections were handed over to; nil: none
	state         *os.File    // that it came from; nil: none
}

var networks = []string{"unix", "tcp"}

// listen returns a listening socket and its address.
func listen(t testing.TB, network string) (*Listener, string) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	// The listener's own descriptor goes at once: only the server's is left.
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	ln.Close()
	t.Cleanup(func() { f.Close() })
	return &Listener{FD: int(f.Fd()), Network: network}, ln.Addr().String()
}

// serve runs a server on a socket of that network until the test's end, and
// checks then that nothing is left.
func serve(t testing.TB, network string, h *recorder, opt Options) *testServer {
	t.Helper()
	return serveOn(t, network, h, opt, nil, nil)
}

// serveOn is serve with the two sides' TLS configurations.
func serveOn(t testing.TB, network string, h *recorder, opt Options, server, clients *tls.Config) *testServer {
	t.Helper()
	noLeaks(t)
	opt.Handler = h
	s, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	ln, addr := listen(t, network)
	ln.TLS = server
	ts := &testServer{Server: s, t: t, h: h, network: network, addr: addr, tls: clients}
	if err := s.Start([]*Listener{ln}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for ; ts.next != nil; ts = ts.next {
			ts.gone()
		}
		if !ts.down {
			// The peers' cleanups ran before: there is nothing to wait for.
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := ts.Shutdown(ctx, CloseGoingAway, ""); err != nil {
				t.Error("shutdown:", err)
			}
		}
		ts.gone()
	})
	return ts
}

// gone checks that a stopped server has nothing left.
func (s *testServer) gone() {
	s.t.Helper()
	if n := s.Conns(); n != 0 {
		s.t.Errorf("%d connections are left", n)
	}
	s.table.each(func(c *Conn) { s.t.Errorf("descriptor still in the table (state %d)", c.state()) })
	for i, l := range s.loops {
		if n := l.conns.Load(); n != 0 {
			s.t.Errorf("loop %d counts %d connections", i, n)
		}
		for level := range l.wheel.used {
			for _, word := range l.wheel.used[level] {
				if word != 0 {
					s.t.Errorf("loop %d has timers left", i)
				}
			}
		}
	}
	for i, l := range s.loops {
		if len(l.waiting) != 0 || len(l.open.m) != 0 {
			s.t.Errorf("loop %d has %d connections held and %d with a message under way", i, len(l.waiting), len(l.open.m))
		}
	}
	for i, l := range s.loops {
		if n := len(l.lagging.list(nil)); n != 0 {
			s.t.Errorf("loop %d has %d connections that lag", i, n)
		}
	}
	if n := len(s.tracers.m); n != 0 {
		s.t.Errorf("%d connections are traced", n)
	}
	adm := s.admission
	if adm.sessions != 0 || len(adm.table.m) != adm.table.n {
		s.t.Errorf("%d sessions are counted, %d addresses of which %d are idle", adm.sessions, len(adm.table.m), adm.table.n)
	}
	for k, a := range adm.table.m {
		if a.refs != 0 || a.conns != 0 || a.sessions != 0 {
			s.t.Errorf("%s: %+v", k, a)
		}
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if len(s.h.live) != 0 {
		s.t.Errorf("%d connections were opened and not closed", len(s.h.live))
	}
}

// client is the raw other end of a connection.
type client struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

// dialRaw connects, and says nothing.
func (s *testServer) dialRaw() *client {
	s.t.Helper()
	c, err := net.Dial(s.network, s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.tls != nil {
		c = tls.Client(c, s.tls)
	}
	return newClient(s.t, c)
}

func newClient(t testing.TB, c net.Conn) *client {
	_ = c.SetDeadline(deadline())
	t.Cleanup(func() { c.Close() })
	return &client{Conn: c, t: t, br: bufio.NewReader(c)}
}

const testKey = "dGhlIHNhbXBsZSBub25jZQ==" // of RFC 6455, section 1.3

// handshake is a legal request.
const handshake = "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + testKey + "\r\nSec-WebSocket-Version: 13\r\n\r\n"

// dial connects and shakes hands.
func (s *testServer) dial() *client {
	s.t.Helper()
	c := s.dialRaw()
	c.write([]byte(handshake))
	c.upgraded()
	return c
}

// head reads the head of an HTTP answer.
func (c *client) head() string {
	c.t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := c.br.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			c.t.Fatalf("answer ends early: %q: %v", b.String(), err)
		}
	}
	return b.String()
}

// upgraded reads the answer to a handshake, which must be 101.
func (c *client) upgraded() string {
	c.t.Helper()
	h := c.head()
	if !strings.HasPrefix(h, "HTTP/1.1 101 ") || !strings.Contains(h, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") {
		c.t.Fatalf("not upgraded: %q", h)
	}
	return h
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) send(op OpCode, payload string) {
	c.t.Helper()
	c.write(clientFrame(true, op, []byte(payload)))
}

// wireFrame is a frame as read from the server.
type wireFrame struct {
	fin     bool
	op      OpCode
	payload []byte
}

// readFrame reads one frame and checks that a server may send it.
func readFrame(br *bufio.Reader) (f wireFrame, err error) {
	var h [10]byte
	if _, err := io.ReadFull(br, h[:2]); err != nil {
		return f, err
	}
	f.fin, f.op = h[0]&0x80 != 0, OpCode(h[0]&0x0f)
	if h[0]&0x70 != 0 || h[1]&0x80 != 0 || f.op.IsReserved() {
		return f, fmt.Errorf("illegal frame: % x", h[:2])
	}
	size := int(h[1])
	switch h[1] {
	case 126:
		if _, err := io.ReadFull(br, h[2:4]); err != nil {
			return f, err
		}
		if size = int(binary.BigEndian.Uint16(h[2:])); size < 126 {
			return f, errors.New("length is not minimal")
		}
	case 127:
		if _, err := io.ReadFull(br, h[2:10]); err != nil {
			return f, err
		}
		if size = int(binary.BigEndian.Uint64(h[2:])); size < 1<<16 {
			return f, errors.New("length is not minimal")
		}
	}
	if f.op.IsControl() && (!f.fin || size > 125) {
		return f, errors.New("illegal control frame")
	}
	f.payload = make([]byte, size)
	_, err = io.ReadFull(br, f.payload)
	return f, err
}

// next reads the next message or control frame.
func (c *client) next() (op OpCode, payload []byte, err error) {
	for {
		f, err := readFrame(c.br)
		switch {
		case err != nil:
			return 0, nil, err
		case f.op.IsControl() && op == 0:
			return f.op, f.payload, nil
		case f.op.IsControl():
			return 0, nil, errors.New("control frame between fragments: this server sends messages whole")
		case (f.op == OpContinuation) != (op != 0):
			return 0, nil, errors.New("fragments in disorder")
		}
		if f.op != OpContinuation {
			op = f.op
		}
		if payload = append(payload, f.payload...); f.fin {
			return op, payload, nil
		}
	}
}

// expect reads the next message or control frame, which must be this one.
func (c *client) expect(op OpCode, payload string) {
	c.t.Helper()
	gotOp, got, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	if gotOp != op || string(got) != payload {
		c.t.Fatalf("got opcode %d %.100q (%d bytes), want opcode %d %.100q (%d bytes)", gotOp, got, len(got), op, payload, len(payload))
	}
}

// closeBody is a close frame's payload.
func closeBody(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// expectClose reads a close frame with that code (0: an empty one), whatever
// its reason.
func (c *client) expectClose(code int) {
	c.t.Helper()
	op, p, err := c.next()
	if err != nil {
		c.t.Fatalf("no close frame: %v", err)
	}
	got := 0
	if len(p) >= 2 {
		got = int(binary.BigEndian.Uint16(p))
	}
	if op != OpClose || got != code || len(p) == 1 {
		c.t.Fatalf("got opcode %d %q, want a close frame with %d", op, p, code)
	}
}

// expectEnd reads the socket's end, which must be orderly.
func (c *client) expectEnd() {
	c.t.Helper()
	if b, err := c.br.ReadByte(); err != io.EOF {
		c.t.Fatalf("got %#x and %v, want the end", b, err)
	}
}

// reset makes closing a TCP connection send a reset.
func (c *client) reset() {
	if tc, ok := c.Conn.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	c.Close()
}

// clientFrame encodes a masked frame.
func clientFrame(fin bool, op OpCode, payload []byte) []byte {
	b := appendFrame(nil, op, fin, payload)
	hn := len(b) - len(payload)
	var mask [4]byte
	binary.NativeEndian.PutUint32(mask[:], rand.Uint32())
	out := append(bytes.Clone(b[:hn]), mask[:]...)
	out[1] |= 0x80
	for i, x := range b[hn:] {
		out = append(out, x^mask[i&3])
	}
	return out
}
