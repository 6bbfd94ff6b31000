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
	in, handlers := recorder()
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
	in, handlers := recorder()
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
