package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/selfsigned"
)

// patience bounds every wait of a test; none is expected to last.
const patience = time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// serve accepts connections and hands each to script, without an upgrade. The
// test waits for all scripts; ln is closed by the cleanup.
func serve(t *testing.T, ln net.Listener, script func(p *peer)) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(patience))
				script(&peer{t: t, Conn: nc, br: bufio.NewReader(nc)})
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
}

// server is serve on TCP with the upgrade done.
func server(t *testing.T, script func(p *peer)) (url string) {
	t.Helper()
	return rawServer(t, func(p *peer) {
		if p.upgrade() {
			script(p)
		}
	})
}

// rawServer is serve on TCP.
func rawServer(t *testing.T, script func(p *peer)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, script)
	return "ws://" + ln.Addr().String() + "/"
}

// peer is the server's end of a connection.
type peer struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
	hs ws.Handshake
}

func (p *peer) upgrade() bool {
	u := ws.Upgrader{Protocol: func(name []byte) bool { return string(name) == "chat" }}
	var err error
	p.hs, err = u.Upgrade(p.Conn)
	return err == nil
}

// frame reads one frame of the client and checks that it is masked.
func (p *peer) frame() (ws.Frame, error) {
	f, err := p.anyFrame()
	if err != nil {
		return f, err
	}
	h := f.Header
	if err := ws.CheckHeader(ws.Header{OpCode: h.OpCode, Fin: h.Fin, Masked: h.Masked, Length: h.Length, Rsv: h.Rsv},
		ws.StateServerSide|fragmentState(h)); err != nil {
		p.t.Errorf("client sent an illegal frame: %v", err)
	}
	return f, nil
}

// anyFrame is frame without the check.
func (p *peer) anyFrame() (ws.Frame, error) {
	h, err := ws.ReadHeader(p.br)
	if err != nil {
		return ws.Frame{}, err
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.br, payload); err != nil {
		return ws.Frame{}, err
	}
	ws.Cipher(payload, h.Mask, 0)
	return ws.Frame{Header: h, Payload: payload}, nil
}

func fragmentState(h ws.Header) ws.State {
	if h.OpCode == ws.OpContinuation {
		return ws.StateFragmented
	}
	return 0
}

// message reads the next message or control frame.
func (p *peer) message() (ws.OpCode, []byte, error) {
	var op ws.OpCode
	var all []byte
	for {
		f, err := p.frame()
		if err != nil {
			return 0, nil, err
		}
		if f.Header.OpCode.IsControl() {
			return f.Header.OpCode, f.Payload, nil
		}
		if f.Header.OpCode != ws.OpContinuation {
			op = f.Header.OpCode
		}
		all = append(all, f.Payload...)
		if f.Header.Fin {
			return op, all, nil
		}
	}
}

// data reads the next data message that is not the client's own ___cfg___,
// ___ping___ or ___pong___.
func (p *peer) data() (ws.OpCode, []byte, error) {
	for {
		op, b, err := p.message()
		if err != nil || op == ws.OpClose {
			return op, b, err
		}
		env, ok := ParseEnvelope(b)
		if op.IsControl() || ok && (env.Type == TypeCfg || env.Type == TypePing || env.Type == TypePong) {
			continue
		}
		return op, b, nil
	}
}

// until reads on to the message of that type.
func (p *peer) until(typ string) (Envelope, bool) {
	for {
		op, b, err := p.message()
		if err != nil || op == ws.OpClose {
			p.t.Errorf("no %s came: op %v %v", typ, op, err)
			return Envelope{}, false
		}
		if env, ok := ParseEnvelope(b); ok && env.Type == typ {
			return env, true
		}
	}
}

func (p *peer) send(op ws.OpCode, payload []byte) { p.raw(ws.NewFrame(op, true, payload)) }
func (p *peer) text(s string)                     { p.send(ws.OpText, []byte(s)) }

func (p *peer) raw(f ws.Frame) { p.bytes(ws.MustCompileFrame(f)) }

// bytes writes; a client that has hung up is not this side's problem.
func (p *peer) bytes(b []byte) { p.Write(b) }

func (p *peer) envelope(typ, id string, data string) {
	b, _ := json.Marshal(Envelope{Type: typ, ID: id, Data: json.RawMessage(data)})
	p.send(ws.OpText, b)
}

// closing reads to the client's close frame and gives its code and reason.
func (p *peer) closing() (code int, reason string) {
	for {
		op, b, err := p.message()
		if err != nil {
			return CloseAbnormal, err.Error()
		}
		if op != ws.OpClose {
			continue
		}
		if len(b) < 2 {
			return CloseNoStatus, ""
		}
		return int(binary.BigEndian.Uint16(b)), string(b[2:])
	}
}

// shut does the server's part of the close handshake.
func (p *peer) shut() (code int, reason string) {
	code, reason = p.closing()
	var body []byte
	if sendable(code) {
		body = ws.NewCloseFrameBody(ws.StatusCode(code), "")
	}
	p.send(ws.OpClose, body)
	return code, reason
}

// echo returns data messages until the client closes.
func (p *peer) echo() {
	for {
		op, b, err := p.data()
		if err != nil {
			return
		}
		p.send(op, b)
		if op == ws.OpClose {
			return
		}
	}
}

// dialed dials and drops the connection at the end of the test.
func dialed(t *testing.T, url string, opts ...Option) *Conn {
	t.Helper()
	c, err := Dial(within(t), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseNow()
		wait(t, c.Done())
	})
	return c
}

func wait(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-within(t).Done():
		t.Fatal("waited in vain")
	}
}

func recv[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-within(t).Done():
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// certificate makes a certificate for 127.0.0.1 and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	certPEM, keyPEM := selfsigned.PEM(t, "127.0.0.1")
	cert, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certPEM))
	return cert, pool
}

// socketPath is short enough for a unix socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s.sock")
}
