package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/client"
)

// A guest is a client of the daemon, by the client library.
type guest struct {
	*client.Conn
	texts chan string
	ended chan *client.CloseError
}

// visit connects and waits until the daemon has greeted.
func visit(t *testing.T, url string, opts ...client.Option) *guest {
	t.Helper()
	g, err := tryVisit(t, url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func tryVisit(t *testing.T, url string, opts ...client.Option) (*guest, error) {
	t.Helper()
	g := &guest{texts: make(chan string, 100), ended: make(chan *client.CloseError, 1)}
	opts = append(opts, client.WithHandlers(client.Handlers{
		String:  func(_ *client.Conn, s string) { g.texts <- s },
		Close:   func(_ *client.Conn, err *client.CloseError) { g.ended <- err },
		JSON:    func(_ *client.Conn, j json.RawMessage) { g.texts <- string(j) },
		Request: func(c *client.Conn, r client.Envelope) { _ = c.Reply(context.Background(), r.ID, r.Data) },
	}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, opts...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.CloseNow(); <-c.Done() })
	g.Conn = c
	_, err = c.WaitSession(ctx)
	return g, err
}

func (g *guest) say(t *testing.T, s string) {
	t.Helper()
	if err := g.SendString(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func (g *guest) hears(t *testing.T, s string) {
	t.Helper()
	select {
	case got := <-g.texts:
		if got != s {
			t.Fatalf("heard %q, want %q", got, s)
		}
	case err := <-g.ended:
		t.Fatalf("the session ended: %v", err)
	case <-time.After(patience):
		t.Fatalf("%q is never heard", s)
	}
}

// isClosed waits for the daemon's close frame.
func (g *guest) isClosed(t *testing.T, code int, reason string) {
	t.Helper()
	select {
	case err := <-g.ended:
		if err.Code != code || err.Reason != reason {
			t.Errorf("closed: %v, want %d %q", err, code, reason)
		}
	case <-time.After(patience):
		t.Fatal("the session never ends")
	}
}

// A mute client takes the handshake and answers nothing more.
type mute struct {
	net.Conn
	r io.Reader
}

func visitMute(t *testing.T, path string) *mute {
	t.Helper()
	d := gobwas.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }, Timeout: patience}
	c, br, _, err := d.Dial(t.Context(), "ws://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	m := &mute{Conn: c, r: c}
	if br != nil {
		m.r = br
	}
	m.r = bufio.NewReader(m.r)
	return m
}

// closeCode reads up to the daemon's close frame, without answering.
func (m *mute) closeCode(t *testing.T) (code int, reason string) {
	t.Helper()
	for {
		h, err := gobwas.ReadHeader(m.r)
		if err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(m.r, payload); err != nil {
			t.Fatal(err)
		}
		if h.OpCode == gobwas.OpClose {
			c, s := gobwas.ParseCloseFrameData(payload)
			return int(c), s
		}
	}
}

// cut waits until the daemon has ended the connection.
func (m *mute) cut(t *testing.T) {
	t.Helper()
	if _, err := io.Copy(io.Discard, m.r); err != nil && errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
