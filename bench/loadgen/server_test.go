package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// testServer is a server of the plainest kind, written apart from loadgen's own
// frame code so that the two check each other. The hooks make it misbehave.
type testServer struct {
	forward bool
	answer  bool          // also answer each message that is forwarded
	pings   time.Duration // JSON pings and ping frames to all, this often

	// mangle may alter or drop what is about to be sent; n counts the messages
	// sent by this server from 1. Nil frames are not sent.
	mangle func(n int, frame []byte) []byte
	accept func(key string) string // answer to a key, nil for the right one
	piece  int                     // write in pieces of so many bytes, 0 for whole
	split  int                     // fragment messages into frames of so many bytes

	mu    sync.Mutex // guards what follows, and writing
	conns map[net.Conn]bool
	sent  int
}

// start serves on a fresh socket until the test ends.
func (s *testServer) start(t *testing.T, network string) (addr string) {
	t.Helper()
	where := "127.0.0.1:0"
	if network == "unix" {
		where = t.TempDir() + "/s"
	}
	l, err := net.Listen(network, where)
	if err != nil {
		t.Fatal(err)
	}
	s.conns = map[net.Conn]bool{}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	addr = network + ":" + l.Addr().String()
	ends := &openEnds{changed: make(chan struct{})}
	servers.Store(addr, ends)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			ends.add(1)
			wg.Go(func() {
				defer ends.add(-1)
				s.serve(c)
			})
		}
	})
	if s.pings > 0 {
		wg.Go(func() { s.pingAll(stop) })
	}
	t.Cleanup(func() {
		close(stop)
		l.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		wg.Wait()
	})
	return addr
}

// servers has the open ends of each test server under its address.
var servers sync.Map

// openEnds counts the connections a server has not closed.
type openEnds struct {
	mu      sync.Mutex // guards what follows
	n       int
	changed chan struct{} // closed and replaced when n changes
}

func (e *openEnds) add(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n += n
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *openEnds) now() (n int, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n, e.changed
}

func (s *testServer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	key := req.Header.Get("Sec-WebSocket-Key")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	accept := base64.StdEncoding.EncodeToString(sum[:])
	if s.accept != nil {
		accept = s.accept(key)
	}
	s.mu.Lock()
	s.conns[c] = true
	// The first envelope follows the answer at once, as it may in real life.
	s.write(c, append([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+accept+"\r\n\r\n"),
		encode(0x81, []byte(`{"___type___":"___cfg___","___data___":{"sessid":"x","keepaliveInterval":10}}`))...))
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	for {
		opcode, b, err := decode(r)
		if err != nil {
			return
		}
		s.mu.Lock()
		done := s.receive(c, opcode, b)
		s.mu.Unlock()
		if done {
			return
		}
	}
}

func (s *testServer) receive(c net.Conn, opcode byte, b []byte) (done bool) {
	const envelope = `{"___type___":"___pong___","___id___":"i","___data___":"10"}`
	switch {
	case opcode == 9:
		s.write(c, encode(0x8a, b))
	case opcode == 8:
		s.write(c, encode(0x88, b))
		return true
	case strings.Contains(string(b), "___ping___"):
		s.write(c, encode(0x81, []byte(envelope)))
	case opcode == 10, strings.Contains(string(b), "___pong___"):
	case s.forward:
		for other := range s.conns {
			if other != c {
				s.send(other, opcode, b)
			}
		}
		if s.answer {
			s.send(c, opcode, fmt.Appendf(nil, `{"answer":"%s"}`, strings.Split(string(b), `"`)[3]))
		}
	default:
		s.send(c, opcode, b)
	}
	return false
}

func (s *testServer) send(c net.Conn, opcode byte, b []byte) {
	s.sent++
	var frame []byte
	first := 0x80 | opcode
	for s.split > 0 && len(b) > s.split {
		frame = append(frame, encode(first&0x7f, b[:s.split])...)
		frame = append(frame, encode(0x89, nil)...) // a ping may come between
		first, b = 0x80, b[s.split:]
	}
	frame = append(frame, encode(first, b)...)
	if s.mangle != nil {
		frame = s.mangle(s.sent, frame)
	}
	s.write(c, frame)
}

func (s *testServer) write(c net.Conn, b []byte) {
	for s.piece > 0 && len(b) > s.piece {
		c.Write(b[:s.piece])
		b = b[s.piece:]
	}
	c.Write(b)
}

func (s *testServer) pingAll(stop chan struct{}) {
	tick := time.NewTicker(s.pings)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for c := range s.conns {
			s.write(c, encode(0x89, []byte("p")))
			s.write(c, encode(0x81, []byte(`{"___type___":"___ping___","___id___":"i","___data___":"10"}`)))
		}
		s.mu.Unlock()
	}
}

func encode(first byte, b []byte) []byte {
	head := []byte{first, byte(len(b))}
	switch {
	case len(b) > 65535:
		head = binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(len(b)))
	case len(b) > 125:
		head = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(len(b)))
	}
	return append(head, b...)
}

// decode reads one frame and insists on what a client must do.
func decode(r *bufio.Reader) (opcode byte, b []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] & 0x7f)
	if wide := map[uint64]int{126: 2, 127: 8}[n]; wide > 0 {
		var long [8]byte
		if _, err := io.ReadFull(r, long[8-wide:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(long[:])
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 == 0 {
		return 0, nil, fmt.Errorf("client sent a frame starting %x", head)
	}
	var key [4]byte
	if _, err := io.ReadFull(r, key[:]); err != nil {
		return 0, nil, err
	}
	b = make([]byte, n)
	_, err = io.ReadFull(r, b)
	for i := range b {
		b[i] ^= key[i%4]
	}
	return head[0] & 15, b, err
}
