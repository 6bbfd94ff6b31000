package systemd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// host is the name in the certificate.
const host = "sessions.test"

// A client is a session's other end: it answers each request with what was asked, and notes how it ends.
type client struct {
	conn  net.Conn
	ready chan struct{} // closed when the daemon has sent its first message
	code  chan ws.StatusCode
}

// envelope is a message of the session protocol.
type envelope struct {
	Type string          `json:"___type___"`
	ID   string          `json:"___id___,omitempty"`
	Data json.RawMessage `json:"___data___"`
}

// connect opens a session over wss in the box, trusting only cert.
func connect(t *testing.T, b box, cert string) *client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(cert)) {
		t.Fatal("the certificate is not one")
	}
	d := ws.Dialer{
		NetDial:   func(context.Context, string, string) (net.Conn, error) { return b.Dial("tcp", "127.0.0.1:443") },
		TLSConfig: &tls.Config{RootCAs: roots, ServerName: host},
		Header:    ws.HandshakeHeaderString("Origin: https://" + host + "\r\n"),
		Timeout:   30 * time.Second,
	}
	conn, buffered, _, err := d.Dial(context.Background(), "wss://"+host+"/")
	if err != nil {
		t.Fatalf("wss: %v", err)
	}
	c := &client{conn: conn, ready: make(chan struct{}), code: make(chan ws.StatusCode, 1)}
	var r io.Reader = conn
	if buffered != nil {
		r = buffered
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.code <- c.serve(t, r)
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	select {
	case <-c.ready:
	case <-time.After(30 * time.Second):
		t.Fatal("connected, but the daemon says nothing")
	}
	return c
}

// serve reads until the end and gives the close code, 1006 when there was none.
func (c *client) serve(t *testing.T, r io.Reader) ws.StatusCode {
	ready := c.ready
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || h.Length > 1<<16 {
			return ws.StatusAbnormalClosure
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r, payload); err != nil {
			return ws.StatusAbnormalClosure
		}
		switch h.OpCode {
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			_ = ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewCloseFrame(payload)))
			return code
		case ws.OpText:
			var e envelope
			if json.Unmarshal(payload, &e) != nil {
				continue
			}
			if e.Type == "___sreq___" {
				reply, _ := json.Marshal(envelope{"___cres___", e.ID, json.RawMessage(`{"you said":` + string(e.Data) + `}`)})
				if err := wsutil.WriteClientText(c.conn, reply); err != nil {
					t.Error(err)
				}
			}
			if ready != nil {
				close(ready)
				ready = nil
			}
		}
	}
}

// closed waits for the end.
func (c *client) closed(t *testing.T) ws.StatusCode {
	t.Helper()
	select {
	case code := <-c.code:
		return code
	case <-time.After(30 * time.Second):
		t.Fatal("the session goes on")
		return 0
	}
}
