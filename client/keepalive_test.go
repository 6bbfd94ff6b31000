package client

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The pings of a stock Node client: a ___ping___ and a ping frame every quarter
// of the interval, with the interval as a string.
func TestPings(t *testing.T) {
	type ping struct {
		at    time.Time
		frame bool
		env   Envelope
	}
	pings := make(chan ping, 100)
	begin := time.Now()
	c := dialed(t, server(t, func(p *peer) {
		for {
			op, b, err := p.message()
			if err != nil {
				return
			}
			env, _ := ParseEnvelope(b)
			switch {
			case op == ws.OpPing, env.Type == TypePing:
				pings <- ping{time.Now(), op == ws.OpPing, env}
				p.send(ws.OpPong, nil) // alive
			case op == ws.OpClose:
				p.send(ws.OpClose, b)
				return
			}
		}
	}), WithKeepalive(400*time.Millisecond))
	const quarter = 100 * time.Millisecond
	var id string
	for i := range 4 {
		message, frame := recv(t, pings), recv(t, pings)
		if message.frame || !frame.frame {
			t.Fatalf("ping %d: %+v then %+v", i, message, frame)
		}
		if string(message.env.Data) != `"400"` || len(message.env.ID) != 64 || message.env.ID == id {
			t.Errorf("ping message %+v", message.env)
		}
		id = message.env.ID
		if early := begin.Add(time.Duration(i+1) * quarter); message.at.Before(early) {
			t.Errorf("ping %d came %v early", i, early.Sub(message.at))
		}
	}
	must(t, c.Err())
	must(t, c.Close(within(t), CloseNormal, ""))
}

func TestAnswersPings(t *testing.T) {
	for _, interval := range []time.Duration{0, DefaultKeepalive} {
		c := dialed(t, server(t, func(p *peer) {
			p.envelope(TypePing, "x", `"5000"`)
			env, ok := p.until(TypePong)
			if ok && (string(env.Data) != `"20000"` || len(env.ID) != 64) {
				t.Errorf("pong %+v", env)
			}
			p.send(ws.OpPing, []byte("abc"))
			for {
				op, b, err := p.message()
				if err != nil {
					t.Errorf("no pong frame: %v", err)
					return
				}
				if op == ws.OpPong {
					if string(b) != "abc" {
						t.Errorf("pong frame %q", b)
					}
					break
				}
			}
			p.send(ws.OpClose, ws.NewCloseFrameBody(1000, ""))
			p.closing()
		}), WithKeepalive(interval))
		wait(t, c.Done())
	}
}

// A server that says nothing is given up after the interval, with the code
// stock browser clients give.
func TestSilentServer(t *testing.T) {
	in, handlers := recorder()
	said := make(chan int, 1)
	begin := time.Now()
	c := dialed(t, server(t, func(p *peer) {
		code, _ := p.closing()
		said <- code
	}), handlers, WithKeepalive(200*time.Millisecond))
	why := recv(t, in.closed)
	if !errors.Is(why, ErrKeepalive) || why.Code != CloseKeepalive || why.Remote {
		t.Errorf("closed for %v", why)
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("given up after %v", took)
	}
	if code := recv(t, said); code != CloseKeepalive {
		t.Errorf("server was told %d", code)
	}
	if !errors.Is(c.Err(), ErrKeepalive) {
		t.Errorf("Err is %v", c.Err())
	}
}

// Any message renews liveness: here a string answers each ping.
func TestLivenessRenewed(t *testing.T) {
	enough := make(chan struct{})
	c := dialed(t, server(t, func(p *peer) {
		for n := 0; ; {
			op, b, err := p.message()
			if err != nil {
				return
			}
			if op == ws.OpClose {
				p.send(op, b)
				return
			}
			if op == ws.OpPing {
				p.text("still here")
				if n++; n == 12 { // three intervals
					close(enough)
				}
			}
		}
	}), WithKeepalive(600*time.Millisecond))
	wait(t, enough)
	must(t, c.Err())
	must(t, c.Close(within(t), CloseNormal, ""))
}

// A handler that lags holds the server back, not the memory, and a server held
// back is not a silent one.
func TestLaggingHandler(t *testing.T) {
	const size, n = 100 << 10, 200
	release, started := make(chan struct{}), make(chan struct{}, n)
	got := 0
	stuck := make(chan struct{})
	c := dialed(t, server(t, func(p *peer) {
		sent := 0
		frame := ws.MustCompileFrame(ws.NewBinaryFrame(make([]byte, size)))
		for ; sent < n; sent++ {
			// The kernel's buffers take some megabytes; then a write waits.
			p.SetWriteDeadline(time.Now().Add(time.Second))
			m, err := p.Write(frame)
			if err == nil {
				continue
			}
			select {
			case <-stuck:
			default:
				close(stuck)
			}
			p.SetWriteDeadline(time.Now().Add(patience))
			p.bytes(frame[m:])
		}
		p.shut()
	}), WithMaxMessage(1<<20), WithKeepalive(300*time.Millisecond), WithHandlers(Handlers{
		Binary: func(_ *Conn, b []byte) {
			started <- struct{}{}
			<-release
			got++
		},
	}))
	recv(t, started)
	wait(t, stuck)
	if q := c.inbox.size(); q > 1<<20+size {
		t.Errorf("%d bytes wait for a handler", q)
	}
	must(t, c.Err()) // three intervals later
	close(release)
	for range n - 1 {
		recv(t, started)
	}
	must(t, c.Close(within(t), CloseNormal, ""))
	wait(t, c.Done())
	if got != n {
		t.Errorf("%d messages of %d", got, n)
	}
}

// A server that does not read ends the connection by the write deadline, and a
// flood of its pings in the meantime costs nothing.
func TestServerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	in, handlers := recorder()
	over := make(chan struct{})
	c := dialed(t, server(t, func(p *peer) {
		ping := ws.MustCompileFrame(ws.NewPingFrame(make([]byte, 125)))
		for range 10_000 {
			p.bytes(ping)
		}
		<-over
	}), handlers, WithWriteTimeout(200*time.Millisecond), WithCloseTimeout(200*time.Millisecond))
	defer close(over)
	var err error
	for err == nil {
		err = c.SendBinary(within(t), make([]byte, 1<<20))
	}
	if !errors.Is(err, ErrClosed) {
		t.Errorf("sending: %v", err)
	}
	if err := c.SendString(within(t), "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("sending after: %v", err)
	}
	why := recv(t, in.closed)
	if why.Code != CloseAbnormal || why.Err == nil {
		t.Errorf("closed for %v", why)
	}
}

// A close frame is not lost to a write that fails because the server is gone.
func TestCloseFrameBeatsBrokenPipe(t *testing.T) {
	in, handlers := recorder()
	ready := make(chan struct{})
	c := dialed(t, server(t, func(p *peer) {
		p.until(TypeCfg)
		p.text("x")
		<-ready
		p.send(ws.OpClose, ws.NewCloseFrameBody(1001, "restart"))
		io.CopyN(io.Discard, p.br, 1)
	}), handlers)
	recv(t, in.text)
	close(ready)
	for c.SendBinary(within(t), make([]byte, 1<<20)) == nil {
	}
	if why := recv(t, in.closed); why.Code != CloseGoingAway || why.Reason != "restart" {
		t.Errorf("closed for %v", why)
	}
}
