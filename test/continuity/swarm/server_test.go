package swarm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A faulty server echoes, answers requests, and breaks each of its rules as its
// fields say, with the session whose messages say that they are of sender 1.
type faulty struct {
	// change gets each message of the faulty session that comes back (its number
	// counts all of them) and gives the messages to send in place of it.
	change func(number int, b []byte) [][]byte
	answer func(b []byte) [][]byte // the same of answers to requests
	greet  int                     // further greetings
	pings  bool                    // all the time
	// after is the message of the faulty session after which end is done.
	after int
	end   func(p *peer)

	sessions atomic.Int32
	mu       sync.Mutex // guards peers
	peers    []*peer
}

// A peer is a session's other end.
type peer struct {
	net.Conn
	mu     sync.Mutex // guards closed, and writing
	closed bool       // a close frame was sent
}

func (p *peer) send(op ws.OpCode, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_ = ws.WriteFrame(p.Conn, ws.NewFrame(op, true, b))
		p.closed = op == ws.OpClose
	}
}

// serve listens and gives the address.
func (f *faulty) serve(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p := &peer{Conn: c}
			f.mu.Lock()
			f.peers = append(f.peers, p)
			f.mu.Unlock()
			all.Go(func() {
				defer c.Close()
				f.session(p)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, p := range f.peers {
			p.Close()
		}
		f.mu.Unlock()
		all.Wait()
	})
	return "unix:" + path
}

func (f *faulty) session(c *peer) {
	br := bufio.NewReader(c)
	rw := struct {
		io.Reader
		io.Writer
	}{br, c}
	if _, err := ws.Upgrade(rw); err != nil {
		return
	}
	n := int(f.sessions.Add(1)) - 1
	send := c.send
	greeting := []byte(`{"___type___":"___cfg___","___data___":{"sessid":"` + strings.Repeat("x", 60) + `"}}`)
	send(ws.OpText, greeting)
	if n == 0 {
		for range f.greet {
			send(ws.OpText, greeting)
		}
	}
	if f.pings {
		over := make(chan struct{})
		defer close(over)
		go func() {
			for {
				send(ws.OpPing, []byte("ping"))
				send(ws.OpText, []byte(`{"___type___":"___ping___","___id___":"x","___data___":1}`))
				select {
				case <-over:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		}()
	}
	var whole []byte
	var kind ws.OpCode
	for number := 0; ; {
		h, err := ws.ReadHeader(br)
		if err != nil {
			return
		}
		b := make([]byte, h.Length)
		if _, err := io.ReadFull(br, b); err != nil {
			return
		}
		ws.Cipher(b, h.Mask, 0)
		switch h.OpCode {
		case ws.OpClose:
			send(ws.OpClose, b)
			return
		case ws.OpPing:
			send(ws.OpPong, b)
			continue
		case ws.OpPong:
			continue
		case ws.OpContinuation:
		default:
			kind, whole = h.OpCode, nil
		}
		if whole = append(whole, b...); !h.Fin {
			continue
		}
		b = whole
		out := [][]byte{b}
		if bytes.HasPrefix(b, envelopePrefix) {
			out[0] = bytes.Replace(b, []byte("___creq___"), []byte("___sres___"), 1)
			if f.answer != nil && bytes.Contains(b, []byte(`"00000001-`)) {
				out = f.answer(out[0])
			}
		} else if string(b[senderAt:senderAt+8]) == "00000001" {
			if number++; number > f.after && f.end != nil {
				f.end(c)
				return
			}
			if f.change != nil {
				out = f.change(number, bytes.Clone(b))
			}
		}
		for _, m := range out {
			op := kind
			if m[0] == 'n' {
				op = ws.OpText
			}
			send(op, m)
		}
	}
}

// closing sends a close frame, and waits for the answer.
func closing(code int) func(*peer) {
	return func(p *peer) {
		p.send(ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(code)))
		_, _ = p.Read(make([]byte, 1))
	}
}

// within cuts a connection within a frame.
func within(p *peer) { _, _ = p.Write([]byte{0x82, 100, 1, 2, 3}) }

// abrupt cuts it between two.
func abrupt(*peer) {}

// silent leaves the session open and deaf.
func silent(p *peer) { _, _ = io.Copy(io.Discard, p) }
