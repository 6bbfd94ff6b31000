package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// soon comes back at once, for tests.
func soon(r Reconnect) Option {
	r.MinDelay, r.MaxDelay = time.Millisecond, 5*time.Millisecond
	return WithReconnect(r)
}

// started makes a Client that is closed at the end of the test.
func started(t *testing.T, url string, opts ...Option) *Client {
	t.Helper()
	c, err := New(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseNow()
		wait(t, c.Done())
	})
	return c
}

// conns numbers the connections of a server, from 1.
type conns struct {
	mu sync.Mutex
	n  int
}

func (c *conns) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

// A lost connection comes back; handlers, changed ones too, and the order of
// all that happens are kept.
func TestReconnects(t *testing.T) {
	var nth conns
	url := server(t, func(p *peer) {
		n := nth.next()
		_, b, err := p.data()
		if err != nil || string(b) != "login" {
			t.Errorf("connection %d began with %q, %v", n, b, err)
		}
		p.text(fmt.Sprint("welcome ", n))
		if n < 3 {
			p.send(ws.OpClose, ws.NewCloseFrameBody(4000, "again"))
			p.closing()
			return
		}
		p.echo()
	})
	in, handlers := newInbox()
	ends := make(chan Disconnect, 10)
	c, err := Connect(within(t), url, handlers, soon(Reconnect{
		OnConnect: func(conn *Conn) {
			if err := conn.SendString(context.Background(), "login"); err != nil {
				t.Error(err)
			}
		},
		OnDisconnect: func(d Disconnect) { ends <- d },
	}))
	must(t, err)
	t.Cleanup(func() { c.CloseNow() })
	other := make(chan string, 10)
	for n := range 2 {
		d := recv(t, ends)
		var why *CloseError
		if !errors.As(d.Err, &why) || why.Code != 4000 || why.Reason != "again" || d.Final || d.Attempts != n+1 || d.Delay > 5*time.Millisecond {
			t.Errorf("disconnected: %+v", d)
		}
	}
	for n := range 3 {
		if got := recv(t, in.text); got != fmt.Sprint("welcome ", n+1) {
			t.Errorf("got %q", got)
		}
	}
	c.ChangeHandlers(func(h *Handlers) { h.String = func(_ *Conn, s string) { other <- s } })
	must(t, c.SendString(within(t), "hello"))
	if got := recv(t, other); got != "hello" || len(in.text) != 0 {
		t.Errorf("the new handler got %q, the old one %d", got, len(in.text))
	}
	conn, err := c.Conn(within(t))
	must(t, err)
	must(t, conn.Close(within(t), 4001, "one more, please"))
	if d := recv(t, ends); !errors.Is(d.Err, ErrClosed) || d.Final {
		t.Errorf("dropped: %+v", d)
	}
	if got := recv(t, other); got != "welcome 4" {
		t.Errorf("after dropping the connection: %q", got)
	}
	must(t, c.Close(within(t), CloseNormal, "bye"))
	wait(t, c.Done())
	if d := recv(t, ends); !d.Final {
		t.Errorf("last: %+v", d)
	}
	if s := c.Stats(); s.Connects != 4 || s.Failures != 0 || s.Sent != 1 || s.State != StateClosed || c.State() != StateClosed {
		t.Errorf("stats %+v", s)
	}
	var why *CloseError
	if !errors.As(c.Err(), &why) || why.Reason != "bye" {
		t.Errorf("Err is %v", c.Err())
	}
	if err := c.SendString(within(t), "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("sent after the end: %v", err)
	}
	if _, err := c.EnqueueString(within(t), "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("queued after the end: %v", err)
	}
	if _, err := c.Request(within(t), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("asked after the end: %v", err)
	}
	if _, err := c.Conn(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("a connection after the end: %v", err)
	}
	must(t, c.CloseNow())
}

// A request that left is never sent again; one that waits for a connection is
// sent on it.
func TestRequestOverReconnect(t *testing.T) {
	var nth conns
	seen := make(chan string, 10)
	down, up := make(chan struct{}), make(chan struct{})
	url := rawServer(t, func(p *peer) {
		n := nth.next()
		if n == 2 {
			close(down)
			<-up
		}
		if !p.upgrade() {
			return
		}
		for {
			_, b, err := p.data()
			if err != nil {
				return
			}
			env, ok := ParseEnvelope(b)
			if !ok {
				p.send(ws.OpClose, nil)
				return
			}
			seen <- string(env.Data)
			if n == 1 {
				return // without an answer
			}
			p.envelope(TypeSres, env.ID, string(env.Data))
		}
	})
	c := started(t, url, soon(Reconnect{}), WithRequestTimeout(patience))
	if _, err := c.Request(context.Background(), "first"); !errors.Is(err, ErrClosed) {
		t.Errorf("the server hung up: %v", err)
	}
	wait(t, down)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Request(short, "never"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no connection: %v", err)
	}
	answers := make(chan string, 1)
	go func() {
		env, err := c.Request(context.Background(), "second")
		answers <- fmt.Sprint(string(env.Data), err)
	}()
	for c.Stats().Queued == 0 {
		runtime.Gosched()
	}
	close(up)
	if got := recv(t, answers); got != `"second"<nil>` {
		t.Errorf("answer %s", got)
	}
	must(t, c.Close(within(t), CloseNormal, ""))
	if a, b := recv(t, seen), recv(t, seen); a != `"first"` || b != `"second"` || len(seen) != 0 {
		t.Errorf("the server saw %s, %s and %d more", a, b, len(seen))
	}
}

// A handler that waits for a request sees it through a reconnect, and no other
// handler runs meanwhile.
func TestHandlerOverReconnect(t *testing.T) {
	var nth conns
	url := server(t, func(p *peer) {
		p.text("hello")
		if nth.next() == 1 {
			return
		}
		if env, ok := p.until(TypeCreq); ok {
			p.envelope(TypeSres, env.ID, `1`)
		}
		p.shut()
	})
	var c *Client
	made, log := make(chan struct{}), make(chan string, 10)
	closed := make(chan struct{}, 10)
	c = started(t, url, soon(Reconnect{}), WithHandlers(Handlers{
		String: func(*Conn, string) {
			log <- "begin"
			<-made
			if len(closed) == 0 {
				conn, _ := c.Conn(context.Background())
				for conn != nil && c.Stats().Connects < 2 {
					runtime.Gosched()
				}
				_, err := c.Request(within(t), 1)
				log <- fmt.Sprint("answer ", err)
			}
			log <- "end"
		},
		Close: func(*Conn, *CloseError) { closed <- struct{}{} },
	}))
	close(made)
	for _, want := range []string{"begin", "answer <nil>", "end", "begin", "end"} {
		if got := recv(t, log); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}

// A handler that never returns does not make the Client collect connections.
func TestStuckHandler(t *testing.T) {
	var nth conns
	url := server(t, func(p *peer) { nth.next(); p.text("x") })
	release, ends := make(chan struct{}), make(chan Disconnect, 100)
	c := started(t, url, WithCloseTimeout(50*time.Millisecond), soon(Reconnect{OnDisconnect: func(d Disconnect) { ends <- d }}),
		WithHandlers(Handlers{String: func(*Conn, string) { <-release }}))
	for range maxLagging {
		recv(t, ends)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Close(short, CloseNormal, ""); err == nil {
		t.Error("closed with a handler at work")
	}
	if n := c.Stats().Connects; n != maxLagging {
		t.Errorf("%d connections, want %d", n, maxLagging)
	}
	close(release)
	wait(t, c.Done())
}

func TestConnectGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Connect(ctx, "ws+unix:///nowhere/at/all.sock", soon(Reconnect{}))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("connected: %v", err)
	}
	for _, attempts := range []int{1, 3} {
		ends := make(chan Disconnect, 10)
		_, err = Connect(within(t), "ws+unix:///nowhere/at/all.sock", soon(Reconnect{
			MaxAttempts: attempts, OnDisconnect: func(d Disconnect) { ends <- d },
		}))
		if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), fmt.Sprintf("gave up after %d attempts", attempts)) {
			t.Errorf("connected: %v", err)
		}
		for n := range attempts {
			if d := recv(t, ends); d.Attempts != n+1 || d.Final != (n+1 == attempts) {
				t.Errorf("attempt %d: %+v", n, d)
			}
		}
	}
	if _, err := Connect(within(t), "http://h/"); !errors.Is(err, ErrURL) {
		t.Errorf("bad URL: %v", err)
	}
	if _, err := New("ws://h/", WithQueue(0, 1)); !errors.Is(err, ErrOption) {
		t.Errorf("bad option: %v", err)
	}
}

// What the server will not change by itself ends the Client; the rest does not.
func TestRefusals(t *testing.T) {
	refuser := func(status, header string) string {
		return rawServer(t, func(p *peer) {
			p.Conn.Read(make([]byte, 4096))
			fmt.Fprintf(p, "HTTP/1.1 %s\r\n%sContent-Length: 3\r\n\r\nno\n", status, header)
		})
	}
	for _, status := range []int{400, 401, 403, 404, 405, 414, 426, 501} {
		url := refuser(fmt.Sprint(status, " No"), "")
		c := started(t, url, soon(Reconnect{}))
		queued, err := c.EnqueueString(context.Background(), "x")
		if err == nil { // else it has ended already
			wait(t, queued.Done())
			err = queued.Err()
		}
		var refused *HandshakeError
		if !errors.Is(err, ErrClosed) || !errors.As(err, &refused) || refused.Status != status || refused.Body != "no\n" {
			t.Errorf("%d: queued message: %v", status, err)
		}
		wait(t, c.Done())
		if !errors.As(c.Err(), &refused) || refused.Status != status || c.Stats().Failures != 1 {
			t.Errorf("%d: ended for %v", status, c.Err())
		}
		again := make(chan Disconnect, 100)
		c = started(t, url, soon(Reconnect{RetryRefused: true, MaxAttempts: 3, OnDisconnect: func(d Disconnect) { again <- d }}))
		wait(t, c.Done())
		if len(again) != 3 {
			t.Errorf("%d: %d attempts", status, len(again))
		}
	}
	for _, status := range []int{200, 302, 408, 429, 500, 502, 503} {
		again := make(chan Disconnect, 100)
		c := started(t, refuser(fmt.Sprint(status, " No"), ""), soon(Reconnect{MaxAttempts: 2, OnDisconnect: func(d Disconnect) { again <- d }}))
		wait(t, c.Done())
		if len(again) != 2 || !errors.Is(c.Err(), ErrHandshake) {
			t.Errorf("%d: %d attempts, %v", status, len(again), c.Err())
		}
	}
	ends := make(chan Disconnect, 1)
	c := started(t, refuser("503 Wait", "Retry-After: 100\r\n"), soon(Reconnect{OnDisconnect: func(d Disconnect) { ends <- d }}))
	if d := recv(t, ends); d.Delay < 100*time.Second || d.Delay > 101*time.Second || c.State() != StateWaiting {
		t.Errorf("Retry-After: %+v", d)
	}
	must(t, c.Close(within(t), CloseNormal, "")) // does not wait for it
}

func TestServerAsksForDelay(t *testing.T) {
	ends := make(chan Disconnect, 1)
	started(t, server(t, func(p *peer) {
		p.send(ws.OpClose, ws.NewCloseFrameBody(1013, "busy, retry_after_ms=60000"))
		p.closing()
	}), soon(Reconnect{OnDisconnect: func(d Disconnect) { ends <- d }}))
	if d := recv(t, ends); d.Delay < time.Minute {
		t.Errorf("%+v", d)
	}
}

// While CheckNetwork says no nothing is tried, or counted.
func TestCheckNetwork(t *testing.T) {
	var nth conns
	url := server(t, func(p *peer) {
		if nth.next() > 1 {
			p.echo()
		}
	})
	ends := make(chan Disconnect, 10)
	checks := 0
	offline := errors.New("offline")
	c := started(t, url, soon(Reconnect{
		MaxAttempts:  2,
		OnDisconnect: func(d Disconnect) { ends <- d },
		CheckNetwork: func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the check has no deadline")
			}
			if checks++; checks <= 5 {
				return offline
			}
			return nil
		},
	}))
	if d := recv(t, ends); !errors.Is(d.Err, ErrClosed) || d.Attempts != 1 {
		t.Errorf("first: %+v", d)
	}
	for range 5 {
		if d := recv(t, ends); !errors.Is(d.Err, ErrNetwork) || !errors.Is(d.Err, offline) || d.Attempts != 1 || d.Final {
			t.Errorf("offline: %+v", d)
		}
	}
	must(t, c.SendString(within(t), "x"))
	must(t, c.Close(within(t), CloseNormal, ""))
	if s := c.Stats(); checks != 6 || s.Connects != 2 {
		t.Errorf("%d checks, %+v", checks, s)
	}
}

func TestClientClose(t *testing.T) {
	said := make(chan string, 1)
	url := server(t, func(p *peer) {
		code, reason := p.shut()
		said <- fmt.Sprint(code, reason)
	})
	t.Run("open", func(t *testing.T) {
		in, handlers := newInbox()
		c, err := Connect(within(t), url, handlers)
		must(t, err)
		if err := c.Close(within(t), 1006, ""); err == nil {
			t.Error("1006 was sent")
		}
		if c.State() != StateOpen {
			t.Errorf("state %v", c.State())
		}
		must(t, c.Close(within(t), 4321, "enough"))
		if got := recv(t, said); got != "4321enough" {
			t.Errorf("the server was told %s", got)
		}
		if why := recv(t, in.closed); why.Code != 4321 || why.Remote {
			t.Errorf("the handler was told %v", why)
		}
		must(t, c.Close(within(t), CloseNormal, "")) // twice
	})
	t.Run("in OnConnect", func(t *testing.T) {
		var c *Client
		made, closing := make(chan struct{}), make(chan struct{})
		c = started(t, url, WithReconnect(Reconnect{OnConnect: func(conn *Conn) {
			<-made
			close(closing)
			if _, err := conn.Request(context.Background(), "never answered"); !errors.Is(err, ErrClosed) {
				t.Errorf("request: %v", err)
			}
		}}))
		close(made)
		wait(t, closing)
		must(t, c.Close(within(t), CloseNormal, ""))
		recv(t, said)
	})
	t.Run("dialing", func(t *testing.T) {
		arrived := make(chan struct{})
		c := started(t, rawServer(t, func(p *peer) { close(arrived); p.Read(make([]byte, 4096)); p.Read(make([]byte, 1)) }))
		wait(t, arrived)
		if c.State() != StateConnecting {
			t.Errorf("state %v", c.State())
		}
		must(t, c.Close(within(t), CloseNormal, ""))
		if s := c.Stats(); s.Failures != 0 || s.LastErr != nil {
			t.Errorf("called off, not failed: %+v", s)
		}
	})
	t.Run("in a handler", func(t *testing.T) {
		results := make(chan error, 1)
		var c *Client
		made := make(chan struct{})
		c = started(t, server(t, func(p *peer) { p.text("x"); p.shut() }), WithCloseTimeout(minKeepalive),
			WithHandlers(Handlers{String: func(*Conn, string) {
				<-made
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				results <- c.Close(ctx, CloseNormal, "")
			}}))
		close(made)
		if err := recv(t, results); err == nil {
			t.Error("a handler waited for itself")
		}
		wait(t, c.Done())
	})
}

// A server that listens again, on the same unix socket.
func TestServerRestart(t *testing.T) {
	path := socketPath(t)
	listen := func() net.Listener {
		ln, err := net.Listen("unix", path)
		must(t, err)
		return ln
	}
	first := listen()
	closing := make(chan struct{})
	serve(t, first, func(p *peer) {
		if p.upgrade() {
			<-closing
			p.send(ws.OpClose, ws.NewCloseFrameBody(1001, "retry_after_ms=10"))
			p.closing()
		}
	})
	in, handlers := newInbox()
	ends := make(chan Disconnect, 1000)
	c, err := Connect(within(t), "ws+unix://"+path, handlers, soon(Reconnect{OnDisconnect: func(d Disconnect) { ends <- d }}))
	must(t, err)
	t.Cleanup(func() { c.CloseNow() })
	first.Close()
	close(closing)
	if d := recv(t, ends); d.Delay < 10*time.Millisecond {
		t.Errorf("%+v", d)
	}
	if d := recv(t, ends); !strings.Contains(d.Err.Error(), "no such file") {
		t.Errorf("%+v", d)
	}
	m, err := c.EnqueueString(context.Background(), "meanwhile")
	must(t, err)
	serve(t, listen(), func(p *peer) {
		if p.upgrade() {
			p.echo()
		}
	})
	wait(t, m.Done())
	must(t, m.Err())
	if got := recv(t, in.text); got != "meanwhile" {
		t.Errorf("got %q", got)
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}
