package session

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// A peer is a WebSocket client at the level of frames.
type peer struct {
	t     testing.TB
	conn  net.Conn
	r     *bufio.Reader
	sess  *Session
	pings int // ping frames seen
	pongs []string
}

// dialing changes how a peer connects.
type dialing struct {
	network, path, header, host string
	subprotocols                []string
}

// dial connects on the unix socket. Its session is the newest, so peers whose
// session matters must be dialled one after the other.
func (h *host) dial(t testing.TB, change ...func(*dialing)) *peer {
	t.Helper()
	p, err := h.tryDial(change...)
	if err != nil {
		t.Fatal(err)
	}
	p.t = t
	t.Cleanup(func() { p.conn.Close() })
	return p
}

func (h *host) tryDial(change ...func(*dialing)) (*peer, error) {
	o := dialing{network: "unix", path: "/"}
	for _, f := range change {
		f(&o)
	}
	addr := map[string]string{"unix": h.unix, "tcp": h.tcp}[o.network]
	d := gobwas.Dialer{
		NetDial:   func(context.Context, string, string) (net.Conn, error) { return net.Dial(o.network, addr) },
		Header:    gobwas.HandshakeHeaderString(o.header),
		Host:      o.host,
		Protocols: o.subprotocols,
		Timeout:   patience,
	}
	c, br, _, err := d.Dial(context.Background(), "ws://localhost"+o.path)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	var r io.Reader = c
	if br != nil {
		r = br
	}
	return &peer{conn: c, r: bufio.NewReaderSize(r, 512), sess: h.Last()}, nil
}

func overTCP(o *dialing) { o.network = "tcp" }

func withHeader(lines ...string) func(*dialing) {
	return func(o *dialing) { o.header += strings.Join(lines, "\r\n") + "\r\n" }
}

// write sends a frame.
func (p *peer) write(op gobwas.OpCode, payload []byte) {
	p.t.Helper()
	if err := p.tryWrite(op, payload); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) tryWrite(op gobwas.OpCode, payload []byte) error {
	frame, err := gobwas.CompileFrame(gobwas.MaskFrame(gobwas.NewFrame(op, true, payload)))
	if err == nil {
		_, err = p.conn.Write(frame)
	}
	return err
}

func (p *peer) text(s string)   { p.t.Helper(); p.write(gobwas.OpText, []byte(s)) }
func (p *peer) binary(s string) { p.t.Helper(); p.write(gobwas.OpBinary, []byte(s)) }

// closeError is the server's close frame.
type closeError struct {
	code   int
	reason string
}

func (e closeError) Error() string { return fmt.Sprintf("closed with %d %q", e.code, e.reason) }

// frame reads a frame.
func (p *peer) frame() (f gobwas.Frame, err error) {
	if f.Header, err = gobwas.ReadHeader(p.r); err != nil {
		return f, err
	}
	if f.Header.Masked || f.Header.Length > 64<<20 {
		return f, fmt.Errorf("a server's frame with the header %+v", f.Header)
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(p.r, f.Payload)
	return f, err
}

// read returns the next message, put together; ping and pong frames are noted
// and not answered.
func (p *peer) read() (gobwas.OpCode, string, error) {
	var op gobwas.OpCode
	var message []byte
	for {
		f, err := p.frame()
		if err != nil {
			return 0, "", err
		}
		switch f.Header.OpCode {
		case gobwas.OpPing:
			p.pings++
			continue
		case gobwas.OpPong:
			p.pongs = append(p.pongs, string(f.Payload))
			continue
		case gobwas.OpClose:
			code, reason := gobwas.ParseCloseFrameData(f.Payload)
			return 0, "", closeError{int(code), reason}
		case gobwas.OpContinuation:
		default:
			op = f.Header.OpCode
		}
		if message = append(message, f.Payload...); f.Header.Fin {
			return op, string(message), nil
		}
	}
}

// next reads a message, which there must be.
func (p *peer) next() (gobwas.OpCode, string) {
	p.t.Helper()
	op, s, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	return op, s
}

// want reads a message and compares it.
func (p *peer) want(op gobwas.OpCode, s string) {
	p.t.Helper()
	if gotOp, got := p.next(); gotOp != op || got != s {
		p.t.Fatalf("got %v %.200q, want %v %.200q", gotOp, got, op, s)
	}
}

// wire is an envelope as a client sees it.
type wire struct {
	Type string          `json:"___type___"`
	ID   string          `json:"___id___"`
	Data json.RawMessage `json:"___data___"`
}

// envelope reads a message, which must be an envelope of that type.
func (p *peer) envelope(typ string) wire {
	p.t.Helper()
	op, s := p.next()
	var w wire
	if err := json.Unmarshal([]byte(s), &w); err != nil || op != gobwas.OpText || w.Type != typ {
		p.t.Fatalf("got %v %.200q (%v), want a %s", op, s, err, typ)
	}
	return w
}

// quiet makes sure that nothing is on its way to the peer: what comes next is
// the answer to a ping envelope sent now.
func (p *peer) quiet() {
	p.t.Helper()
	p.text(`{"___type___":"___ping___","___id___":"` + strings.Repeat("q", 64) + `","___data___":"1"}`)
	p.envelope("___pong___")
}

// closed reads until the server's close frame and answers it.
func (p *peer) closed() closeError {
	p.t.Helper()
	for {
		_, s, err := p.read()
		if e, ok := err.(closeError); ok {
			_ = p.tryWrite(gobwas.OpClose, gobwas.NewCloseFrameBody(gobwas.StatusCode(e.code), ""))
			return e
		}
		if err != nil {
			p.t.Fatal(err)
		}
		_ = s
	}
}

// leave closes and waits until the session is gone.
func (p *peer) leave() {
	p.t.Helper()
	p.write(gobwas.OpClose, gobwas.NewCloseFrameBody(1000, "bye"))
	gone(p.t, p.sess)
}

// gone waits for a session's end.
func gone(t testing.TB, s *Session) {
	t.Helper()
	select {
	case <-s.closed():
	case <-time.After(patience):
		t.Fatal("the session never ends")
	}
}
