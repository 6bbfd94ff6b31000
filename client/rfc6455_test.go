package client

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The tests named TestRFC6455_SECTION_... show one requirement each; the table
// of them is docs/conformance.md. What a client must refuse is in conformance_test.go.

func TestRFC6455_4_1_ClientRequest(t *testing.T) {
	requests := make(chan *http.Request, 2)
	url := rawServer(t, func(p *peer) {
		r, err := http.ReadRequest(p.br)
		if err != nil {
			t.Error(err)
			return
		}
		// Before the answer the client sends nothing more.
		if err := p.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		if b, err := p.br.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the request came %q, %v", b, err)
		}
		requests <- r
	})
	keys := map[string]bool{}
	for range 2 {
		if _, err := Dial(within(t), url+"chat?room=1", WithSubprotocols("v2", "v1")); !errors.Is(err, ErrHandshake) {
			t.Fatalf("dialed with %v", err)
		}
		r := recv(t, requests)
		host := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/")
		if r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || r.RequestURI != "/chat?room=1" || r.Host != host || r.ContentLength > 0 {
			t.Errorf("%s %s %s of %s", r.Method, r.RequestURI, r.Proto, r.Host)
		}
		for name, want := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "v2, v1"} {
			if got := r.Header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		key := r.Header.Get("Sec-Websocket-Key")
		if raw, err := base64.StdEncoding.Strict().DecodeString(key); err != nil || len(raw) != 16 || keys[key] {
			t.Errorf("key %q (%v), or it is not fresh", key, err)
		}
		keys[key] = true
	}
}

func TestRFC6455_4_1_5_ClientNamesTheServerToTLS(t *testing.T) {
	cert, _ := certificate(t)
	names := make(chan string, 1)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates:       []tls.Certificate{cert},
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { names <- h.ServerName; return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, func(p *peer) { io.Copy(io.Discard, p) })
	_, port, _ := strings.Cut(ln.Addr().String(), ":")
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan error, 1)
	go func() {
		_, err := Dial(ctx, "wss://localhost:"+port+"/", WithTLS(&tls.Config{InsecureSkipVerify: true}))
		done <- err
	}()
	if name := recv(t, names); name != "localhost" {
		t.Errorf("named %q", name)
	}
	cancel()
	if err := recv(t, done); err == nil {
		t.Error("dialed a server that does not answer")
	}
}

// Every frame has a key of its own (the peer refuses one that is not masked).
func TestRFC6455_5_3_ClientMasksEachFrameAfresh(t *testing.T) {
	const messages = 300
	masks := make(chan [4]byte, messages)
	c := dialed(t, server(t, func(p *peer) {
		defer close(masks)
		for range messages {
			f, err := p.frame()
			if err != nil {
				t.Error(err)
				return
			}
			if !f.Header.Masked {
				t.Error("a frame is not masked")
			}
			masks <- f.Header.Mask
		}
	}), WithKeepalive(0))
	for range messages {
		if err := c.SendString(within(t), "the same"); err != nil {
			break // the server has had enough: the client's own first messages count, too
		}
	}
	seen := map[[4]byte]bool{}
	for m := range masks {
		seen[m] = true
	}
	if len(seen) < messages-1 { // of 2^32, two may be equal, if seldom
		t.Errorf("%d keys for %d frames", len(seen), messages)
	}
}

// Pings are answered each, in order, and before what is sent after them: here
// the echo of a message, with pings before, within and after it.
func TestRFC6455_5_5_2_ClientAnswersEachPing(t *testing.T) {
	type frame struct {
		op      ws.OpCode
		payload string
	}
	want := []frame{{ws.OpPong, "1"}, {ws.OpPong, "2"}, {ws.OpText, "ab"}}
	for i := range 20 {
		want = append(want, frame{ws.OpPong, fmt.Sprint("more ", i)})
	}
	heard := make(chan frame, len(want))
	dialed(t, server(t, func(p *peer) {
		p.send(ws.OpPing, []byte("1"))
		p.raw(ws.NewFrame(ws.OpText, false, []byte("a")))
		p.send(ws.OpPing, []byte("2"))
		p.raw(ws.NewFrame(ws.OpContinuation, true, []byte("b")))
		for range 3 {
			op, b, err := p.message()
			if err != nil {
				t.Error(err)
				return
			}
			heard <- frame{op, string(b)}
		}
		for i := range 20 {
			p.send(ws.OpPing, []byte(fmt.Sprint("more ", i)))
		}
		for range 20 {
			op, b, err := p.message()
			if err != nil {
				t.Error(err)
				return
			}
			heard <- frame{op, string(b)}
		}
		p.send(ws.OpClose, nil)
		p.closing()
	}), WithKeepalive(0), WithHandlers(Handlers{String: func(c *Conn, s string) {
		if err := c.SendString(context.Background(), s); err != nil {
			t.Error(err)
		}
	}}))
	for _, w := range want {
		if got := recv(t, heard); got != w {
			t.Fatalf("got %d %q, want %d %q", got.op, got.payload, w.op, w.payload)
		}
	}
}
