package attacks

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A peer is a client that writes what it likes.
type peer struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

const handshake = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// request is the handshake for a target, with further header lines.
func request(target string, lines ...string) string {
	s := strings.Replace(handshake, "GET / ", "GET "+target+" ", 1)
	for _, l := range lines {
		s = strings.TrimSuffix(s, "\r\n") + l + "\r\n\r\n"
	}
	return s
}

// dial connects and says nothing. A full backlog is waited for.
func dial(network, address string) (net.Conn, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := net.DialTimeout(network, address, patience)
		if err == nil {
			return c, c.SetDeadline(time.Now().Add(patience))
		}
		if time.Now().After(deadline) || !isFull(err) {
			return nil, err
		}
	}
}

// isFull reports whether an error of connecting to a unix socket means that its
// backlog is full.
func isFull(err error) bool { return strings.Contains(err.Error(), "resource temporarily unavailable") }

// raw connects to the daemon's unix socket, or else over TCP.
func (d *daemon) raw(network string) *peer {
	d.t.Helper()
	address := d.Sock
	if network == "tcp" {
		address = d.TCP
	}
	c, err := dial(network, address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return &peer{d.t, c, bufio.NewReaderSize(c, 512)}
}

// open is a session on the unix socket.
func (d *daemon) open(lines ...string) *peer {
	d.t.Helper()
	p := d.raw("unix")
	p.upgrade(request("/", lines...))
	return p
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.Conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) upgrade(request string) {
	p.t.Helper()
	p.write([]byte(request))
	if status, head := p.answer(); status != 101 {
		p.t.Fatalf("refused: %s", head)
	}
}

// answer reads the head of the answer to a request, and its status.
func (p *peer) answer() (status int, head string) {
	p.t.Helper()
	head, err := readHead(p.r)
	if err != nil {
		p.t.Fatalf("no answer but %q, %v", head, err)
	}
	if _, err := fmt.Sscanf(head, "HTTP/1.1 %d ", &status); err != nil {
		p.t.Fatalf("no HTTP: %q", head)
	}
	return status, head
}

func readHead(r *bufio.Reader) (head string, err error) {
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := r.ReadString('\n')
		head += line
		if err != nil {
			return head, err
		}
	}
	return head, nil
}

// The opcodes (RFC 6455, section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// frame is a masked frame. first is its first byte: 0x80 and an opcode, when it
// is all of a message.
func frame(first byte, payload []byte) []byte {
	b := append(header(first, len(payload)), 1, 2, 3, 4)
	for i, c := range payload {
		b = append(b, c^byte(i%4+1))
	}
	return b
}

// header is a frame's beginning, up to the mask.
func header(first byte, n int) []byte {
	switch {
	case n < 126:
		return []byte{first, 0x80 | byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, uint64(n))
}

func text(s string) []byte { return frame(0x80|opText, []byte(s)) }

func closing(code int, reason string) []byte {
	return frame(0x80|opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// A message is what the daemon sends: data or a control frame.
type message struct {
	op      byte
	payload string
}

// read gives the next message.
func (p *peer) read() (m message, err error) {
	for {
		var h [2]byte
		if _, err := io.ReadFull(p.r, h[:]); err != nil {
			return m, err
		}
		n := int(h[1])
		switch n {
		case 126:
			var b [2]byte
			if _, err := io.ReadFull(p.r, b[:]); err != nil {
				return m, err
			}
			n = int(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			if _, err := io.ReadFull(p.r, b[:]); err != nil {
				return m, err
			}
			n = int(binary.BigEndian.Uint64(b[:]))
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(p.r, b); err != nil {
			return m, err
		}
		if op := h[0] & 15; op != opContinuation {
			m.op = op
		}
		m.payload += string(b)
		if h[0]&0x80 != 0 {
			return m, nil
		}
	}
}

// next gives the next message that is no keepalive or configuration.
func (p *peer) next() message {
	p.t.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.t.Fatalf("no message: %v", err)
		}
		if m.op == opText && (strings.HasPrefix(m.payload, `{"___type___":"___cfg___"`) || strings.HasPrefix(m.payload, `{"___type___":"___ping___"`)) {
			continue
		}
		return m
	}
}

// hears checks the next text.
func (p *peer) hears(want string) {
	p.t.Helper()
	if m := p.next(); m.op != opText || m.payload != want {
		p.t.Fatalf("got %d %.200q, not %.200q", m.op, m.payload, want)
	}
}

// id waits for the session's id. What comes before it is told as well: the
// daemon holds nothing back that others send.
func (p *peer) id() (id string, before []string) {
	p.t.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.t.Fatal(err)
		}
		var cfg struct {
			Type string `json:"___type___"`
			Data struct {
				ID string `json:"sessid"`
			} `json:"___data___"`
		}
		if json.Unmarshal([]byte(m.payload), &cfg) == nil && cfg.Type == "___cfg___" {
			return cfg.Data.ID, before
		}
		before = append(before, m.payload)
	}
}

// asked waits for a must-reply request and gives its id.
func (p *peer) asked() string {
	p.t.Helper()
	var env struct {
		Type string `json:"___type___"`
		ID   string `json:"___id___"`
	}
	if m := p.next(); json.Unmarshal([]byte(m.payload), &env) != nil || env.Type != "___sreq___" || len(env.ID) != 64 {
		p.t.Fatalf("no request but %.200q", m.payload)
	}
	return env.ID
}

// ends reads to the end and gives the close code: 1006 when there was none.
func (p *peer) ends() (code int) {
	p.t.Helper()
	code = 1006
	for {
		m, err := p.read()
		switch {
		case err == nil && m.op == opClose && len(m.payload) >= 2:
			code = int(binary.BigEndian.Uint16([]byte(m.payload)))
		case err == nil:
		case errors.Is(err, io.EOF) || isReset(err):
			return code
		default:
			p.t.Fatalf("the connection does not end: %v", err)
		}
	}
}

// isReset reports whether the other end closed a socket with input unread.
func isReset(err error) bool {
	return strings.Contains(err.Error(), "connection reset") || strings.Contains(err.Error(), "broken pipe")
}

func reply(id, data string) []byte {
	return text(`{"___type___":"___cres___","___id___":"` + id + `","___data___":` + data + `}`)
}

// halfClose says that nothing more comes.
func (p *peer) halfClose() error { return p.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// rest is all that still comes.
func (p *peer) rest() string {
	p.t.Helper()
	b, err := io.ReadAll(p.r)
	if err != nil && !isReset(err) {
		p.t.Fatalf("the connection does not end: %v", err)
	}
	return string(b)
}

// dialer is for HTTP on a unix socket.
func dialer(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return dial("unix", path) }
}
