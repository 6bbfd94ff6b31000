package ws

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A handshake whose judgement takes time: nothing of it is lost, the frames
// that came with it included, and only the first answer counts.
func TestDeferredHandshake(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		asked := make(chan *Conn, 1)
		h.check = func(c *Conn, r *Request) *Response {
			asked <- c
			return Deferred
		}
		s := serve(t, network, h, Options{})

		c := s.dialRaw()
		c.write(append([]byte(handshake), clientFrame(true, OpText, []byte("with it"))...))
		conn := receive(t, "Check", asked)
		if conn.Open() || conn.Send(OpText, nil) != Gone {
			t.Error("open before it was decided")
		}
		c.write(clientFrame(true, OpText, []byte("after it")))
		conn.Answer(nil)
		conn.Answer(refuseOrigin)
		c.upgraded()
		c.expect(OpText, "with it")
		c.expect(OpText, "after it")
		c.Close()

		c = s.dialRaw()
		c.write([]byte(handshake))
		receive(t, "Check", asked).Answer(&Response{Status: 403, Detail: "no"})
		if _, detail := c.refused(403); detail != "no\n" {
			t.Errorf("%q", detail)
		}
	})
}

// A peer that goes away is not waited for, and an answer that comes too late
// harms nobody.
func TestDeferredPeerLeaves(t *testing.T) {
	h := newRecorder(t)
	asked := make(chan *Conn, 1)
	h.check = func(c *Conn, r *Request) *Response { asked <- c; return Deferred }
	s := serve(t, "unix", h, Options{})
	c := s.dialRaw()
	c.write([]byte(handshake))
	conn := receive(t, "Check", asked)
	c.Close()
	eventually(t, "the connection is gone", func() bool { return s.Conns() == 0 })
	conn.Answer(nil)
	d := s.dialRaw()
	d.write([]byte(handshake))
	receive(t, "Check", asked).Answer(nil)
	d.upgraded()
}

// A peer that ends its side while it is decided about is answered as one that is
// answered at once, and has what it sent before handled; one that ends both sides is
// gone at once.
func TestRFC6455_7_1_1_HalfClosedWhileItIsDecided(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		asked := make(chan *Conn, 1)
		h.check = func(c *Conn, _ *Request) *Response { asked <- c; return Deferred }
		h.plain = h.check
		s := serve(t, network, h, Options{Loops: 1, HandshakeTimeout: time.Hour})
		l := s.loops[0]
		// leaves has a peer end its side after a request, and waits until the loop has
		// seen it and looks for it no more.
		leaves := func(wire ...[]byte) (*client, *Conn) {
			c := s.dialRaw()
			c.write(join(wire...))
			conn := receive(t, "Check or Plain", asked)
			c.halfClose()
			eventually(t, "its end is no event any more", func() bool {
				seen := true
				onLoop(t, l, func() {
					events := make([]unix.EpollEvent, 8)
					for _, ev := range events[:l.poll.ready(events)] {
						seen = seen && ev.Fd != conn.fd
					}
				})
				return seen
			})
			if conn.state() != stateDeciding {
				t.Fatal("it was not waited for")
			}
			return c, conn
		}
		shut := &Response{Status: 403, Detail: "no"}

		c, conn := leaves([]byte(handshake))
		conn.Answer(shut)
		if _, detail := c.refused(403); detail != "no\n" {
			t.Errorf("%q", detail)
		}
		c, conn = leaves([]byte(handshake), text("with it"))
		conn.Answer(nil)
		c.upgraded()
		c.expect(OpText, "with it")
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: CloseAbnormal})
		c, conn = leaves([]byte(handshake))
		onLoop(t, l, func() { l.expire(conn) })
		c.refused(503)
		c, conn = leaves([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		conn.Answer(shut)
		c.refused(403)
		c.Close()
		eventually(t, "all are gone", func() bool { return s.Conns() == 0 })

		// In the middle of it: the end of both sides is told, too.
		c, conn = leaves([]byte(handshake))
		c.reset()
		eventually(t, "it is gone", func() bool { return conn.state() == stateClosed })
		d := s.dialRaw()
		d.write([]byte(handshake))
		conn = receive(t, "Check", asked)
		d.reset()
		eventually(t, "it is gone", func() bool { return conn.state() == stateClosed })
		conn.Answer(nil)
	})
}

func TestDeferredTooLong(t *testing.T) {
	h := newRecorder(t)
	h.check = func(*Conn, *Request) *Response { return Deferred }
	s := serve(t, "unix", h, Options{HandshakeTimeout: 50 * time.Millisecond})
	c := s.dialRaw()
	c.write([]byte(handshake))
	c.refused(503)
}

// Who is being judged when the server ends hears of it.
func TestDeferredShutdown(t *testing.T) {
	h := newRecorder(t)
	asked := make(chan *Conn, 1)
	h.check = func(c *Conn, r *Request) *Response { asked <- c; return Deferred }
	s := serve(t, "unix", h, Options{})
	c := s.dialRaw()
	c.write([]byte(handshake))
	receive(t, "Check", asked)
	s.down = true
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background(), CloseGoingAway, "") }()
	c.refused(503)
	c.Close()
	if err := receive(t, "Shutdown", done); err != nil {
		t.Error(err)
	}
}

// Requests that ask for no upgrade may be answered, now or later.
func TestPlain(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		page := &Response{Status: 200, Header: "Content-Type: text/html\r\n", Body: []byte(strings.Repeat("<p>", 100_000))}
		h := newRecorder(t)
		h.plain = func(c *Conn, r *Request) *Response {
			switch path := string(r.Path()); {
			case !r.Reads():
			case path == "/now":
				return page
			case path == "/later":
				go c.Answer(page)
				return Deferred
			case path == "/nothing":
				go c.Answer(nil)
				return Deferred
			}
			return nil
		}
		s := serve(t, network, h, Options{Mounts: []*Mount{{Paths: []string{"/ws"}}}})
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return s.dialRaw().Conn, nil }}}
		for _, tt := range []struct {
			method, path string
			status, size int
		}{
			{"GET", "/now", 200, len(page.Body)}, {"GET", "/later", 200, len(page.Body)}, {"HEAD", "/now", 200, 0}, {"HEAD", "/later", 200, 0},
			{"GET", "/nothing", 404, -1}, {"GET", "/else", 404, -1}, {"POST", "/now", 404, -1}, {"GET", "/ws", 426, -1}, {"HEAD", "/ws", 426, -1},
			{"POST", "/ws", 405, -1}, {"OPTIONS", "/ws", 405, -1}, {"BREW", "/ws", 501, -1}, {"GET", "/ws/x", 404, -1},
		} {
			req, _ := http.NewRequest(tt.method, "http://x"+tt.path, nil)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(tt, err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != tt.status || tt.size >= 0 && len(body) != tt.size {
				t.Error(tt, resp.StatusCode, len(body), err)
			}
			if tt.status == 200 && (resp.ContentLength != int64(len(page.Body)) || resp.Header.Get("Content-Type") != "text/html") {
				t.Error(tt, resp.ContentLength, resp.Header)
			}
		}
		if n := s.Totals().Refused[200]; n != 0 {
			t.Error("pages are counted as refusals")
		}
	})
}

// A server can be closed to newcomers and opened again; who is there stays.
func TestSetClosed(t *testing.T) {
	h := newRecorder(t).echo()
	s := serve(t, "unix", h, Options{})
	old := s.dialRaw()
	old.write([]byte(handshake))
	old.upgraded()
	s.SetClosed(true)
	c := s.dialRaw()
	c.write([]byte(handshake))
	if header, _ := c.refused(503); header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	old.write(clientFrame(true, OpText, []byte("still here")))
	old.expect(OpText, "still here")
	s.SetClosed(false)
	c = s.dialRaw()
	c.write([]byte(handshake))
	c.upgraded()
}

// A listener may join while the server runs, also while accepting pauses, and
// none when it ends.
func TestListenLater(t *testing.T) {
	for _, network := range networks {
		s := serve(t, "unix", newRecorder(t).echo(), Options{})
		ln, addr := listen(t, network)
		if err := s.Listen(ln); err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, nc)
		c.write([]byte(handshake))
		c.upgraded()
		c.send(OpText, "later")
		c.expect(OpText, "later")
		c.Close()
		s.Drain()
		late, _ := listen(t, network)
		if err := s.Listen(late); err != ErrServerShutdown {
			t.Errorf("%s: %v", network, err)
		}
	}
}
