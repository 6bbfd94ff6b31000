package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// A rogue is a client that breaks the rules, or the connection.
type rogue struct {
	run *phase
	c   net.Conn
	br  *bufio.Reader
}

const rogueRequest = "GET / HTTP/1.1\r\nHost: soak\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func (p *phase) dialRogue(ctx context.Context, tcp bool) (*rogue, error) {
	var d net.Dialer
	network, addr := "unix", strings.TrimPrefix(p.d.unix, "ws+unix://")
	if tcp {
		network, addr = "tcp", p.d.tcp
	}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	return &rogue{run: p, c: c, br: bufio.NewReader(c)}, nil
}

// upgrade opens a session.
func (r *rogue) upgrade() error {
	if _, err := r.c.Write([]byte(rogueRequest)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(r.br, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the handshake was answered with %s", resp.Status)
	}
	r.run.count.joined.Add(1)
	return nil
}

func (r *rogue) send(op ws.OpCode, payload []byte) error {
	return ws.WriteFrame(r.c, ws.MaskFrame(ws.NewFrame(op, true, payload)))
}

// until reads frames until f takes one.
func (r *rogue) until(f func(ws.Frame) bool) error {
	for {
		h, err := ws.ReadHeader(r.br)
		if err != nil {
			return err
		}
		if h.Length > 1<<20 {
			return fmt.Errorf("a frame of %d bytes", h.Length)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r.br, payload); err != nil {
			return err
		}
		if f(ws.Frame{Header: h, Payload: payload}) {
			return nil
		}
	}
}

func closeBody(code int) []byte { return ws.NewCloseFrameBody(ws.StatusCode(code), "") }

// violations are frames that end a session, with the code they end it with.
var violations = []struct {
	name string
	wire []byte
	code int
}{
	{"an unmasked frame", ws.MustCompileFrame(ws.NewTextFrame([]byte("x"))), 1002},
	{"a reserved opcode", ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(3, true, nil))), 1002},
	{"a continuation of nothing", ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, nil))), 1002},
	{"a ping in pieces", ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpPing, false, nil))), 1002},
	{"a reserved close code", ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(closeBody(1005)))), 1002},
	{"text that is not UTF-8", ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("\xc3\x28")))), 1007},
	{"a frame of a gigabyte", []byte{0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4}, 1009},
	{"a compressed frame without agreement", append([]byte{0xc1, 0x80}, 0, 0, 0, 0), 1002},
}

// violate breaks a rule and wants the close frame for it.
func (r *rogue) violate(which int) error {
	v := violations[which%len(violations)]
	r.run.violated(v.code)
	if _, err := r.c.Write(v.wire); err != nil {
		return err
	}
	code := 0
	err := r.until(func(f ws.Frame) bool {
		if f.Header.OpCode == ws.OpClose && len(f.Payload) >= 2 {
			code = int(binary.BigEndian.Uint16(f.Payload))
		}
		return f.Header.OpCode == ws.OpClose
	})
	if err != nil || code != v.code {
		return fmt.Errorf("%s was answered with %d, %v", v.name, code, err)
	}
	return nil
}

// reset ends the connection within a frame, so that the peer gets an RST.
func (r *rogue) reset() error {
	if _, err := r.c.Write([]byte{0x82, 0xff, 0, 0}); err != nil {
		return err
	}
	if tcp, ok := r.c.(*net.TCPConn); ok {
		return tcp.SetLinger(0)
	}
	return nil
}

// pester sends many pings and wants the last answered.
func (r *rogue) pester(n int) error {
	for i := range n {
		if err := r.send(ws.OpPing, fmt.Appendf(nil, "%d", i)); err != nil {
			return err
		}
	}
	last := fmt.Sprint(n - 1)
	if err := r.until(func(f ws.Frame) bool { return f.Header.OpCode == ws.OpPong && string(f.Payload) == last }); err != nil {
		return fmt.Errorf("%d pings: %w", n, err)
	}
	return r.bye()
}

// forge answers requests that nobody made.
func (r *rogue) forge(n int) error {
	for i := range n {
		id := fmt.Sprintf("%064d", i)
		if err := r.send(ws.OpText, []byte(`{"___type___":"___cres___","___id___":"`+id+`","___data___":{"forged":true}}`)); err != nil {
			return err
		}
	}
	r.run.count.forged.Add(uint64(n))
	return r.bye()
}

// bye closes in good manners.
func (r *rogue) bye() error {
	if err := r.send(ws.OpClose, closeBody(1000)); err != nil {
		return err
	}
	return r.until(func(f ws.Frame) bool { return f.Header.OpCode == ws.OpClose })
}

// misbehave does one of the things above.
func (p *phase) misbehave(ctx context.Context, what int, tcp bool) {
	r, err := p.dialRogue(ctx, tcp)
	if err != nil {
		p.fault("a hostile client cannot connect: %v", err)
		return
	}
	defer r.c.Close()
	switch what % 6 {
	case 0: // goes away within the handshake
		_, err = r.c.Write([]byte(rogueRequest[:40]))
	case 1: // does not speak HTTP
		if _, err = r.c.Write([]byte("\x16\x03\x01 no HTTP\r\n\r\n")); err == nil {
			var resp *http.Response
			if resp, err = http.ReadResponse(r.br, nil); err == nil && resp.StatusCode != http.StatusBadRequest {
				err = fmt.Errorf("nonsense was answered with %s", resp.Status)
			}
		}
	default:
		if err = r.upgrade(); err != nil {
			break
		}
		switch what % 6 {
		case 2:
			err = r.reset()
		case 3:
			err = r.pester(100)
		case 4:
			err = r.forge(20)
		case 5:
			err = r.violate(what / 6)
		}
	}
	if err != nil {
		p.fault("a hostile client (%d): %v", what, err)
	}
	p.count.hostile.Add(1)
}
