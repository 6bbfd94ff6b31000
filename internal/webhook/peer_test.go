package webhook

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/session"
)

// A peer is a WebSocket client at the level of frames.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	sess *session.Session
}

// dial connects. Its session is the newest, so peers must be dialled one after
// the other.
func (h *host) dial(t testing.TB, header ...string) *peer {
	t.Helper()
	p, err := h.tryDial("/", header...)
	if err != nil {
		t.Fatal(err)
	}
	p.t = t
	t.Cleanup(func() { p.conn.Close() })
	return p
}

func (h *host) tryDial(path string, header ...string) (*peer, error) {
	d := gobwas.Dialer{
		NetDial: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", h.sock) },
		Timeout: patience,
	}
	if len(header) > 0 {
		d.Header = gobwas.HandshakeHeaderString(strings.Join(header, "\r\n") + "\r\n")
	}
	d.Protocols = []string{"chat"}
	c, br, _, err := d.Dial(context.Background(), "ws://example.org"+path)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	var r io.Reader = c
	if br != nil {
		r = br
	}
	return &peer{conn: c, r: bufio.NewReader(r), sess: h.Last()}, nil
}

// refused dials and gives the status of the refusal.
func (h *host) refused(t testing.TB, path string) int {
	t.Helper()
	p, err := h.tryDial(path)
	var status gobwas.StatusError
	switch {
	case err == nil:
		p.conn.Close()
		t.Fatal("not refused")
	case !errors.As(err, &status):
		t.Fatal(err)
	}
	return int(status)
}

func (p *peer) write(op gobwas.OpCode, payload []byte) {
	p.t.Helper()
	frame, err := gobwas.CompileFrame(gobwas.MaskFrame(gobwas.NewFrame(op, true, payload)))
	if err == nil {
		_, err = p.conn.Write(frame)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) text(s string) { p.t.Helper(); p.write(gobwas.OpText, []byte(s)) }

// ask sends a request and returns its id.
func (p *peer) ask(id, data string) string {
	p.t.Helper()
	id = strings.Repeat(id, 64)[:64]
	p.text(`{"___type___":"___creq___","___id___":"` + id + `","___data___":` + data + `}`)
	return id
}

// next reads a message, in one frame or several; a close frame is "closed CODE
// REASON" under its opcode.
func (p *peer) next() (op gobwas.OpCode, s string) {
	p.t.Helper()
	for {
		h, err := gobwas.ReadHeader(p.r)
		if err != nil {
			p.t.Fatal(err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(p.r, payload); err != nil {
			p.t.Fatal(err)
		}
		if h.OpCode == gobwas.OpClose {
			return h.OpCode, string(payload[2:])
		}
		if h.OpCode != gobwas.OpContinuation {
			op = h.OpCode
		}
		s += string(payload)
		if h.Fin {
			return op, s
		}
	}
}

func (p *peer) want(op gobwas.OpCode, s string) {
	p.t.Helper()
	if gotOp, got := p.next(); gotOp != op || got != s {
		p.t.Fatalf("got %v %.200q, want %v %.200q", gotOp, got, op, s)
	}
}

// quiet makes sure that nothing is on its way: what comes next is the answer to
// a ping envelope sent now.
func (p *peer) quiet() {
	p.t.Helper()
	p.text(`{"___type___":"___ping___","___data___":"1"}`)
	if _, s := p.next(); !strings.Contains(s, "___pong___") {
		p.t.Errorf("unexpected: %.200q", s)
	}
}
