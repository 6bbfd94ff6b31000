package ws

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shutdown ends the server, which must have an orderly end within patience.
func (s *testServer) shutdown() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.down = true
	if err := s.Shutdown(ctx, CloseGoingAway, "going"); err != nil {
		s.t.Fatal(err)
	}
	s.gone()
}

// Shutdown closes everybody with its code, and waits for them.
func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		open := h.capture()
		s := serve(t, network, h, Options{Loops: 2})
		var clients []*client
		for range 20 {
			clients = append(clients, s.dial())
		}
		conn := receive(t, "connection", open)
		half, silent := s.dialRaw(), s.dialRaw()
		half.write([]byte(handshake[:50]))
		eventually(t, "accepted", func() bool { return s.Conns() == 22 })
		var wg sync.WaitGroup
		wg.Go(s.shutdown)
		for _, c := range clients {
			c.expect(OpClose, closeBody(CloseGoingAway, "going"))
			c.send(OpClose, closeBody(CloseGoingAway, ""))
			c.expectEnd()
		}
		half.refused(503)
		half.Close()
		silent.refused(503)
		silent.Close()
		wg.Wait()
		for range clients {
			wantEnd(t, h, CloseInfo{Code: CloseGoingAway, Reason: "going", Clean: true})
		}
		// Whatever is called now is refused, and touches no descriptor.
		if conn.Send(OpText, nil) != Gone || conn.Close(1000, "") != ErrClosed || conn.Ping(nil) != Gone || conn.Open() {
			t.Error("alive after the end")
		}
		if err := s.Shutdown(context.Background(), 1001, ""); err != ErrServerShutdown {
			t.Error(err)
		}
		s.Drain()
		if err := s.CloseAll(1001, ""); err != nil {
			t.Error(err)
		}
		_, _, _ = s.Healthy(), s.Totals(), s.Conns()
		// The listener is not ours: it still takes connections, and nobody answers.
		c, err := net.Dial(s.network, s.addr)
		if err != nil {
			t.Fatal("the listener was closed:", err)
		}
		c.Close()
	})
}

// Until the last connection from before is gone, those that come at a listener
// served WhileDraining are told; what they do or leave undone holds nothing up.
// What comes at others waits in the backlog.
func TestShutdownTellsWhoComesLate(t *testing.T) {
	for _, network := range []string{"unix", "tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			h := newRecorder(t)
			h.health = func(r *Request) *Response {
				if string(r.Path()) != "/up" {
					return nil
				}
				return &Response{Status: 503, Detail: "draining"}
			}
			opt := Options{Loops: 2, CloseTimeout: time.Hour, HandshakeTimeout: time.Hour}
			var s *testServer
			if network == "tls" {
				s = serveTLS(t, h, opt)
			} else {
				s = serve(t, network, h, opt)
			}
			listenTo := func(while bool) (*Listener, string) {
				ln, addr := listen(t, s.network)
				ln.WhileDraining = while
				if network == "tls" {
					ln.TLS, _ = certificate()
				}
				if err := s.Listen(ln); err != nil {
					t.Fatal(err)
				}
				return ln, addr
			}
			left, leftAddr := listenTo(false)
			_, s.addr = listenTo(true)

			before := s.dial()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			down := make(chan error, 1)
			s.down = true
			go func() { down <- s.Shutdown(ctx, CloseGoingAway, "") }()
			before.expectClose(CloseGoingAway)

			waiting, err := net.Dial(s.network, leftAddr)
			if err != nil {
				t.Fatal(err)
			}
			defer waiting.Close()
			late, health, half := s.dialRaw(), s.dialRaw(), s.dialRaw()
			half.write([]byte(handshake[:20]))
			late.write([]byte(handshake))
			late.refused(503) // and does not end its side
			health.write([]byte("GET /up HTTP/1.1\r\nHost: x\r\n\r\n"))
			if _, body := health.refused(503); !strings.Contains(body, "draining") {
				t.Errorf("health: %q", body)
			}
			silent, err := net.Dial(s.network, s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			select {
			case err := <-down:
				t.Fatalf("the end came before that of a connection from before: %v", err)
			default:
			}
			before.send(OpClose, closeBody(CloseGoingAway, ""))
			before.expectEnd()
			before.Close()
			if err := receive(t, "Shutdown's end", down); err != nil {
				t.Fatal(err)
			}
			s.gone()
			fd, _, errno := accept(left)
			if errno != 0 {
				t.Fatalf("what came at another listener is not in its backlog: %v", errno)
			}
			closeFD(fd)
		})
	}
}

// The deadline cuts those that do not answer, with megabytes queued or not.
func TestShutdownCuts(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		mute := s.dial()
		deaf := s.dial()
		receive(t, "connection", open)
		conn := receive(t, "connection", open)
		for r := Sent; r == Sent; {
			r = conn.Send(OpBinary, make([]byte, 1<<20))
		}
		failed := s.dial()
		failed.write([]byte{0xff, 0xff})
		failed.expectClose(CloseProtocolError) // and does not end its side
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		s.down = true
		if err := s.Shutdown(ctx, CloseGoingAway, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		s.gone()
		mute.expectClose(CloseGoingAway)
		mute.expectEnd()
		deaf.Close()
		for range 3 {
			if i := h.end(); i.Clean || i.Err == nil {
				t.Errorf("%+v", i)
			}
		}
	})
}

// Connections that are being accepted and handed from loop to loop while the
// server ends are neither lost nor leaked.
func TestShutdownWhileConnecting(t *testing.T) {
	for range 5 {
		h := newRecorder(t).echo()
		s := serve(t, "unix", h, Options{Loops: 3, CloseTimeout: 50 * time.Millisecond})
		var stop atomic.Bool
		var wg sync.WaitGroup
		var connected atomic.Int64
		for range 4 {
			wg.Go(func() {
				var held []net.Conn
				defer func() {
					for _, c := range held {
						c.Close()
					}
				}()
				for !stop.Load() && len(held) < 2000 {
					c, err := net.Dial(s.network, s.addr)
					if err != nil {
						continue
					}
					held = append(held, c)
					if _, err := io.WriteString(c, handshake); err == nil {
						connected.Add(1)
					}
					if len(held)%3 == 0 {
						c.Close()
					}
				}
			})
		}
		eventually(t, "some are connected", func() bool { return connected.Load() > 50 })
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		s.down = true
		if err := s.Shutdown(ctx, CloseGoingAway, ""); err != nil {
			t.Error(err)
		}
		cancel()
		stop.Store(true)
		wg.Wait()
		s.gone()
	}
}

// A connection that one loop hands to another which is about to end, ending, or
// has ended, is closed.
func TestHandOverTooLate(t *testing.T) {
	for _, when := range []string{"about to end", "ending", "ended"} {
		t.Run(when, func(t *testing.T) {
			h := newRecorder(t)
			open := h.capture()
			s := serve(t, "unix", h, Options{Loops: 2, CloseTimeout: time.Hour})
			s.dial() // and never answers
			receive(t, "connection", open)
			a, b := s.loops[0], s.loops[1]
			pair := func() (int32, *os.File) {
				fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
				if err != nil {
					t.Fatal(err)
				}
				f := os.NewFile(uintptr(fds[1]), "peer")
				t.Cleanup(func() { f.Close() })
				_ = f.SetDeadline(deadline())
				return int32(fds[0]), f
			}
			fd, peer := pair()

			// Shutdown has told both loops everything but to stop when both
			// have refused their handshakes.
			var half []*os.File
			for _, l := range s.loops {
				fd, f := pair()
				half = append(half, f)
				onLoop(t, l, func() { s.adopt(fd, &Peer{Network: "unix"}, nil, l) })
			}
			ctx, cut := context.WithCancel(context.Background())
			defer cut()
			down := make(chan error, 1)
			s.down = true
			go func() { down <- s.Shutdown(ctx, CloseGoingAway, "") }()
			for _, f := range half {
				if _, err := f.Read(make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
			}

			reach := func(l *loop) (release func()) {
				held, wait := make(chan bool), make(chan bool)
				l.post(func() { held <- true; <-wait })
				<-held
				return func() { close(wait) }
			}
			holdA, handOver := make(chan bool), make(chan bool)
			a.post(func() {
				holdA <- true
				<-handOver
				a.conns.Add(1000) // b has much less to do
				s.adopt(fd, &Peer{Network: "unix"}, nil, a)
				a.conns.Add(-1000)
				holdA <- true
			})
			<-holdA
			releaseB := reach(b)
			cut()
			for _, l := range s.loops {
				eventually(t, "the loops are told", func() bool {
					l.mu.Lock()
					defer l.mu.Unlock()
					return len(l.queue) > 0
				})
			}
			switch when {
			case "about to end":
				handOver <- true
				<-holdA
				releaseB()
			case "ending":
				held, release := make(chan bool), make(chan bool)
				b.post(func() { held <- true; <-release })
				releaseB()
				<-held
				handOver <- true
				<-holdA
				close(release)
			default:
				releaseB()
				eventually(t, "b has ended", func() bool {
					b.mu.Lock()
					defer b.mu.Unlock()
					return b.ended
				})
				handOver <- true
				<-holdA
			}
			if err := receive(t, "Shutdown's end", down); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("the peer reads %d bytes and %v", n, err)
			}
			s.gone()
		})
	}
}

// Start refuses what it cannot watch, and leaves nothing.
func TestStartFails(t *testing.T) {
	noLeaks(t)
	if _, err := NewServer(Options{}); err == nil {
		t.Fatal("a server without a handler")
	}
	for _, fd := range []int{-1, 1 << 20} {
		s, err := NewServer(Options{Handler: newRecorder(t), Loops: 3})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start([]*Listener{{FD: fd, Network: "unix"}}); err == nil {
			t.Fatal("started on no descriptor")
		}
		if err := s.Shutdown(context.Background(), 1001, ""); err != ErrServerShutdown {
			t.Fatal(err)
		}
	}
}
