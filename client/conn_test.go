package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// record collects what handlers get.
type record struct {
	text   chan string
	json   chan string
	binary chan []byte
	reqs   chan Envelope
	cfgs   chan Cfg
	closed chan *CloseError
}

func recorder() (*record, Option) {
	in := &record{
		make(chan string, 1000), make(chan string, 1000), make(chan []byte, 1000),
		make(chan Envelope, 1000), make(chan Cfg, 1000), make(chan *CloseError, 1000),
	}
	return in, WithHandlers(Handlers{
		String:  func(_ *Conn, s string) { in.text <- s },
		JSON:    func(_ *Conn, j json.RawMessage) { in.json <- string(j) },
		Binary:  func(_ *Conn, b []byte) { in.binary <- b },
		Request: func(_ *Conn, e Envelope) { in.reqs <- e },
		Cfg:     func(_ *Conn, c Cfg) { in.cfgs <- c },
		Close:   func(_ *Conn, err *CloseError) { in.closed <- err },
	})
}

func TestEchoOfEveryKind(t *testing.T) {
	unix := socketPath(t)
	cert, pool := certificate(t)
	listeners := map[string]func() (net.Listener, string, error){
		"ws": func() (net.Listener, string, error) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			return ln, "ws://" + ln.Addr().String(), err
		},
		"wss": func() (net.Listener, string, error) {
			ln, err := tlsListen(cert)
			return ln, "wss://" + ln.Addr().String() + "/a/b?c=d", err
		},
		"ws+unix": func() (net.Listener, string, error) {
			ln, err := net.Listen("unix", unix)
			return ln, "ws+unix://" + unix + ":/a/b", err
		},
	}
	for name, listen := range listeners {
		t.Run(name, func(t *testing.T) {
			ln, url, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			serve(t, ln, func(p *peer) {
				if p.upgrade() {
					p.echo()
				}
			})
			in, handlers := recorder()
			c := dialed(t, url, handlers, WithTLS(tlsTrust(pool)))
			ctx := within(t)
			big := bytes.Repeat([]byte("0123456789"), 100_000) // 62 fragments, each masked apart
			must(t, c.SendString(ctx, "héllo"))
			must(t, c.SendJSON(ctx, map[string]any{"a": "<b>&"}))
			must(t, c.SendBinary(ctx, big))
			must(t, c.SendBinary(ctx, nil))
			must(t, c.SendString(ctx, ""))
			if got := recv(t, in.text); got != "héllo" {
				t.Errorf("string %q", got)
			}
			if got := recv(t, in.json); got != `{"a":"<b>&"}` {
				t.Errorf("JSON %q", got)
			}
			if got := recv(t, in.binary); !bytes.Equal(got, big) {
				t.Errorf("binary of %d bytes differs", len(got))
			}
			if got := recv(t, in.binary); len(got) != 0 {
				t.Errorf("empty binary is %q", got)
			}
			if got := recv(t, in.text); got != "" {
				t.Errorf("empty string is %q", got)
			}
			must(t, c.Close(ctx, CloseNormal, "bye"))
			why := recv(t, in.closed)
			if why.Code != CloseNormal || why.Reason != "bye" || why.Remote || why.Err != nil {
				t.Errorf("closed for %v", why)
			}
		})
	}
}

// The caller's bytes are masked in a copy.
func TestSendLeavesPayloadAlone(t *testing.T) {
	for _, fragment := range []int{0, 100, DefaultFragment} {
		c := dialed(t, server(t, (*peer).echo), WithFragment(fragment))
		b := bytes.Repeat([]byte{1, 2, 3}, 50_000)
		want := bytes.Clone(b)
		must(t, c.SendBinary(within(t), b))
		if !bytes.Equal(b, want) {
			t.Error("the payload was changed")
		}
	}
}

func TestFragmentsOfThreshold(t *testing.T) {
	sizes := make(chan int64, 100)
	c := dialed(t, server(t, func(p *peer) {
		for {
			f, err := p.frame()
			if err != nil {
				return
			}
			if f.Header.OpCode == ws.OpClose {
				p.send(ws.OpClose, f.Payload)
				return
			}
			sizes <- f.Header.Length
		}
	}), WithFragment(1000), WithKeepalive(0))
	must(t, c.SendBinary(within(t), make([]byte, 2500)))
	must(t, c.SendBinary(within(t), make([]byte, 1000)))
	for _, want := range []int64{1000, 1000, 500, 1000} {
		if got := recv(t, sizes); got != want {
			t.Errorf("frame of %d bytes, want %d", got, want)
		}
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}

// Fragments with control frames between them are one message.
func TestReceivesFragments(t *testing.T) {
	in, handlers := recorder()
	pongs := make(chan string, 10)
	c := dialed(t, server(t, func(p *peer) {
		snowman := "a☃b"
		p.raw(ws.NewFrame(ws.OpText, false, []byte(snowman[:2])))
		p.raw(ws.NewPingFrame([]byte("between")))
		p.raw(ws.NewFrame(ws.OpContinuation, false, nil))
		p.raw(ws.NewFrame(ws.OpContinuation, true, []byte(snowman[2:])))
		for {
			op, b, err := p.message()
			if err != nil {
				return
			}
			if op == ws.OpPong {
				pongs <- string(b)
				p.shut()
				return
			}
		}
	}), handlers)
	if got := recv(t, in.text); got != "a☃b" {
		t.Errorf("got %q", got)
	}
	if got := recv(t, pongs); got != "between" {
		t.Errorf("pong %q", got)
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}

// Frames in the segment of the 101 are not lost, and what came before the
// close is delivered before it.
func TestFramesRightAfterHandshake(t *testing.T) {
	in, handlers := recorder()
	url := rawServer(t, func(p *peer) {
		var answer bytes.Buffer
		rw := struct {
			*peer
			w *bytes.Buffer
		}{p, &answer}
		if _, err := (ws.Upgrader{}).Upgrade(buffered{rw.peer, rw.w}); err != nil {
			return
		}
		for range 300 {
			answer.Write(ws.MustCompileFrame(ws.NewTextFrame([]byte("x"))))
		}
		answer.Write(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "full"))))
		p.bytes(answer.Bytes())
		p.closing()
	})
	c := dialed(t, url, handlers, WithKeepalive(0))
	why := recv(t, in.closed)
	if len(in.text) != 300 {
		t.Errorf("%d messages before the close", len(in.text))
	}
	if why.Code != 4001 || why.Reason != "full" || !why.Remote {
		t.Errorf("closed for %v", why)
	}
	if err := c.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("Err is %v", err)
	}
	if err := c.SendString(within(t), "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("sending after the end: %v", err)
	}
}

// buffered reads from the peer and writes to a buffer.
type buffered struct {
	*peer
	w *bytes.Buffer
}

func (b buffered) Write(p []byte) (int, error) { return b.w.Write(p) }

func TestSubprotocolAndHeaders(t *testing.T) {
	got := make(chan string, 1)
	url := rawServer(t, func(p *peer) {
		var seen []string
		u := ws.Upgrader{
			Protocol: func(b []byte) bool { return string(b) == "chat" },
			OnRequest: func(uri []byte) error {
				seen = append(seen, string(uri))
				return nil
			},
			OnHost: func(host []byte) error {
				seen = append(seen, "host="+string(host))
				return nil
			},
			OnHeader: func(k, v []byte) error {
				seen = append(seen, string(k)+"="+string(v))
				return nil
			},
		}
		if _, err := u.Upgrade(p.Conn); err == nil {
			got <- strings.Join(seen, "\n")
			p.echo()
		}
	})
	url = strings.Replace(url, "ws://", "ws://me:secret@", 1) + "a%2Fb//c?d=e f"
	c := dialed(t, url, WithSubprotocols("other", "chat"), WithOrigin("https://example.org"),
		WithHeader(map[string][]string{"X-Two": {"1", "2"}, "Host": {"chat.example.org"}}))
	if c.Subprotocol() != "chat" {
		t.Errorf("subprotocol %q", c.Subprotocol())
	}
	seen := recv(t, got)
	for _, want := range []string{"/a%2Fb//c?d=e%20f", "host=chat.example.org", "Origin=https://example.org",
		"X-Two=1", "X-Two=2", "Authorization=Basic bWU6c2VjcmV0", "User-Agent=nvsess-client"} {
		if !strings.Contains(seen+"\n", want+"\n") {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
}

func TestUnsendable(t *testing.T) {
	c := dialed(t, server(t, (*peer).echo))
	ctx := within(t)
	for name, err := range map[string]error{
		"string": c.SendString(ctx, "\xff"),
		"scalar": c.SendJSON(ctx, 5),
		"func":   c.SendJSON(ctx, func() {}),
		"raw":    c.SendJSON(ctx, json.RawMessage("{")),
	} {
		if !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.SendString(ended, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 2999, 5000} {
		if err := c.Close(ctx, code, ""); err == nil {
			t.Errorf("close code %d was sent", code)
		}
	}
	if err := c.Close(ctx, CloseNormal, strings.Repeat("x", 124)); err == nil {
		t.Error("a reason of 124 bytes was sent")
	}
	must(t, c.Err())
}

func TestSetHandlers(t *testing.T) {
	in, handlers := recorder()
	c := dialed(t, server(t, (*peer).echo), handlers)
	must(t, c.SendString(within(t), "one"))
	recv(t, in.text)
	other := make(chan string, 1)
	h := c.Handlers()
	h.String = func(_ *Conn, s string) { other <- s }
	c.SetHandlers(h)
	must(t, c.SendString(within(t), "two"))
	if got := recv(t, other); got != "two" || len(in.text) != 0 {
		t.Errorf("new handler got %q, the old one %d", got, len(in.text))
	}
}

// A handler may do everything, Request and Close included.
func TestHandlerCallsBack(t *testing.T) {
	closed := make(chan error, 1)
	c := dialed(t, server(t, func(p *peer) {
		p.text("go")
		env, ok := p.until(TypeCreq)
		if ok {
			p.envelope(TypeSres, env.ID, `"yes"`)
			p.shut()
		}
	}), WithHandlers(Handlers{String: func(c *Conn, s string) {
		answer, err := c.Request(context.Background(), "may I?")
		if err == nil && string(answer.Data) != `"yes"` {
			t.Errorf("answer %s", answer.Data)
		}
		closed <- errors.Join(err, c.Close(context.Background(), CloseNormal, ""))
	}}))
	must(t, recv(t, closed))
	wait(t, c.Done())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A server that ends a connection at once tells why by its close frame, although
// it takes nothing from this side any more.
func TestClosedAtOnce(t *testing.T) {
	sock := socketPath(t)
	ln, err := net.Listen("unix", sock)
	must(t, err)
	serve(t, ln, func(p *peer) {
		req, err := http.ReadRequest(p.br)
		if err != nil {
			t.Error(err)
			return
		}
		p.Conn.(*net.UnixConn).CloseRead() // the client cannot write from here on
		fmt.Fprintf(p, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptOf(req.Header.Get("Sec-WebSocket-Key")))
		p.raw(ws.NewCloseFrame(ws.NewCloseFrameBody(1013, "full; retry_after_ms=60000")))
	})
	in, handlers := recorder()
	c := dialed(t, "ws+unix://"+sock, handlers)
	if why := recv(t, in.closed); why.Code != CloseTryLater || why.Reason != "full; retry_after_ms=60000" || !why.Remote {
		t.Errorf("closed for %v", why)
	}
	wait(t, c.Done())
}

func TestCloseCodeName(t *testing.T) {
	for code, want := range map[int]string{1000: "normal", 1012: "service restart", 3002: "keepalive", 4000: "", 0: ""} {
		if got := CloseCodeName(code); got != want {
			t.Errorf("%d is %q", code, got)
		}
	}
}
