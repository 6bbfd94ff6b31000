package ws

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// echoHandler returns every message to its sender.
type echoHandler struct {
	closed chan CloseInfo
}

func (h *echoHandler) Check(*Conn, *Request) *Refusal       { return nil }
func (h *echoHandler) Open(_ *Batch, c *Conn, _ *Request)   {}
func (h *echoHandler) Pong(_ *Batch, _ *Conn, _ []byte)     {}
func (h *echoHandler) Timer(_ *Batch, _ *Conn)              {}
func (h *echoHandler) Close(_ *Batch, _ *Conn, i CloseInfo) { h.closed <- i }
func (h *echoHandler) Message(b *Batch, c *Conn, op OpCode, payload []byte) {
	b.Send(c, op, payload)
}

// listenUnix returns a listening socket and its path.
func listenUnix(t *testing.T) (*Listener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); ln.Close() })
	return &Listener{FD: int(f.Fd()), Network: "unix"}, path
}

func startServer(t *testing.T, opt Options) (*Server, string) {
	t.Helper()
	s, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	ln, path := listenUnix(t)
	if err := s.Start([]*Listener{ln}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx, CloseGoingAway, "")
	})
	return s, path
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	d := gobwas.Dialer{NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}
	c, br, _, err := d.Dial(context.Background(), "ws://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	if br != nil {
		t.Fatal("unexpected early frames")
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEchoAndClose(t *testing.T) {
	h := &echoHandler{closed: make(chan CloseInfo, 1)}
	_, path := startServer(t, Options{Handler: h, Fragmentation: Fragmentation{Threshold: 1000}})
	c := dial(t, path)
	for _, n := range []int{0, 1, 125, 126, 999, 1000, 1001, 65535, 65536, 500_000} {
		msg := make([]byte, n)
		for i := range msg {
			msg[i] = byte(i * 7)
		}
		want := string(msg)
		go func() { _ = wsutil.WriteClientBinary(c, msg) }()
		got, err := wsutil.ReadServerBinary(c)
		if err != nil {
			t.Fatal(n, err)
		}
		if string(got) != want {
			t.Fatalf("%d bytes: came back changed (%d bytes)", n, len(got))
		}
	}
	if err := gobwas.WriteFrame(c, gobwas.MaskFrame(gobwas.NewCloseFrame(gobwas.NewCloseFrameBody(1000, "bye")))); err != nil {
		t.Fatal(err)
	}
	f, err := gobwas.ReadFrame(c)
	if err != nil || f.Header.OpCode != OpClose {
		t.Fatal(f.Header, err)
	}
	if i := <-h.closed; i.Code != 1000 || i.Reason != "bye" || !i.Remote || !i.Clean {
		t.Fatalf("%+v", i)
	}
}
