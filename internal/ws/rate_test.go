package ws

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// rated is the options of a server with these rates.
func rated(r Rates) Options {
	return Options{Loops: 1, Mounts: []*Mount{{Rates: r, Limits: Limits{Message: 1 << 20}}}}
}

// hits is how often a limit was run into.
func (s *testServer) hits(what limit) uint64 { return s.Totals().Limited[limitNames[what]] }

func nth(i int) string { return fmt.Sprintf("message %d", i) }

// flood is messages, numbered, as one piece of bytes; every third in fragments.
func flood(n int) (b []byte) {
	for i := range n {
		msg := []byte(nth(i))
		if i%3 == 0 {
			b = append(append(b, clientFrame(false, OpText, msg[:4])...), clientFrame(true, OpContinuation, msg[4:])...)
		} else {
			b = append(b, clientFrame(true, OpText, msg)...)
		}
	}
	return b
}

// What comes too fast is delayed: nothing is lost, the order is kept, and it
// takes the time that the rate says.
func TestRateDelaysMessages(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t).echo(), rated(Rates{Messages: 200, MessageBurst: 10}))
		began := time.Now()
		c := s.dialRaw()
		c.write(append([]byte(handshake), flood(50)...)) // the first ones come with the handshake
		c.upgraded()
		go func() { _, _ = c.Write(flood(60)) }()
		for i := range 110 {
			if i >= 50 {
				i -= 50
			}
			c.expect(OpText, nth(i))
		}
		if took := time.Since(began); took < 500*time.Millisecond { // the last 100 of them
			t.Errorf("110 messages took %s", took)
		}
		if s.hits(limitDelayed) == 0 || s.hits(limitDropped) != 0 {
			t.Errorf("%v", s.Totals().Limited)
		}
	})
}

func TestRateDelaysBytes(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t).echo(), rated(Rates{Bytes: 1 << 20, ByteBurst: 1 << 10}))
		c := s.dial()
		big, began := strings.Repeat("x", 100<<10), time.Now()
		go func() { _, _ = c.Write(join(binmsg(big), text("a"), binmsg(big), binmsg(big), binmsg(big), text("b"))) }()
		for _, want := range []string{big, "a", big, big, big, "b"} {
			if _, p, err := c.next(); err != nil || string(p) != want {
				t.Fatalf("%d bytes, want %d: %v", len(p), len(want), err)
			}
		}
		if took := time.Since(began); took < 300*time.Millisecond { // 400 KiB, of which one read came at once
			t.Errorf("it took %s", took)
		}
	})
}

// However the bytes are cut and whatever they are, a delayed peer gets what one
// that is not delayed gets.
func TestRateDelayChangesNothing(t *testing.T) {
	h := newRecorder(t).echo()
	s := serve(t, "unix", h, rated(Rates{Messages: 2000, MessageBurst: 3, Bytes: 1 << 20, ByteBurst: 500}))
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		c := s.dial()
		var want []wireFrame
		var sent []byte
		for i := range 60 {
			msg := []byte(strings.Repeat("y", rnd.IntN(300)) + fmt.Sprint(i))
			switch rnd.IntN(3) {
			case 0:
				sent = append(sent, clientFrame(true, OpPing, msg[:min(len(msg), 100)])...)
				want = append(want, wireFrame{op: OpPong, payload: msg[:min(len(msg), 100)]})
			case 1:
				sent = append(append(sent, clientFrame(false, OpText, msg[:1])...), clientFrame(true, OpContinuation, msg[1:])...)
				want = append(want, wireFrame{op: OpText, payload: msg})
			default:
				sent = append(sent, clientFrame(true, OpBinary, msg)...)
				want = append(want, wireFrame{op: OpBinary, payload: msg})
			}
		}
		go func() {
			for len(sent) > 0 {
				n := min(len(sent), 1+rnd.IntN(400))
				if _, err := c.Write(sent[:n]); err != nil {
					return
				}
				sent = sent[n:]
			}
		}()
		for _, f := range want {
			c.expect(f.op, string(f.payload))
		}
		c.send(OpClose, closeBody(1000, ""))
		c.expectClose(1000)
		wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})
	}
	if s.hits(limitDelayed) == 0 {
		t.Error("nothing was delayed")
	}
}

// Who is made to wait keeps nobody else waiting, and is not silent.
func TestRateDelayIsTheSendersAlone(t *testing.T) {
	h := newRecorder(t).echo()
	open := h.capture()
	s := serve(t, "unix", h, rated(Rates{Messages: 0.001, MessageBurst: 8}))
	c := s.dial()
	conn := receive(t, "connection", open)
	c.write(flood(50))
	for i := range 8 {
		c.expect(OpText, nth(i))
	}
	eventually(t, "it is held", func() bool { return s.hits(limitDelayed) == 1 })
	other := s.dial()
	for i := range 8 {
		other.send(OpText, nth(i))
		other.expect(OpText, nth(i))
	}
	if n, idle := conn.Stats().MessagesIn, conn.IdleFor(); n != 8 || idle != 0 {
		t.Errorf("%d messages, idle for %s", n, idle)
	}
	onLoop(t, conn.loop, func() { // a full queue's rest leaves although nothing is read
		conn.mu.Lock()
		defer conn.mu.Unlock()
		if !conn.held || conn.flow.wait.rest == nil {
			t.Error("not held")
		}
	})
	conn.Send(OpText, []byte(strings.Repeat("z", 4<<20)))
	c.expect(OpText, strings.Repeat("z", 4<<20))
}

// A close from this side ends the waiting.
func TestRateDelayEndsWithClose(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		opt := rated(Rates{Messages: 0.001, MessageBurst: 8})
		opt.CloseTimeout = patience
		s := serve(t, network, h, opt)
		c := s.dial()
		conn := receive(t, "connection", open)
		c.write(flood(5000))
		eventually(t, "it is held", func() bool { return s.hits(limitDelayed) == 1 })
		if err := conn.Close(4000, "enough"); err != nil {
			t.Fatal(err)
		}
		c.expectClose(4000)
		c.send(OpClose, closeBody(4000, ""))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 4000, Reason: "enough", Clean: true})
	})
}

// A peer that leaves after it sent too much: all that can be handled within
// CloseTimeout is.
func TestRateDelayedPeerLeaves(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, how := range []string{"close", "half"} {
			h := newRecorder(t)
			got := make(chan string, 1000)
			h.message = func(_ *Batch, _ *Conn, _ OpCode, payload []byte) { got <- string(payload) }
			opt := rated(Rates{Messages: 500, MessageBurst: 3})
			opt.CloseTimeout = patience
			s := serve(t, network, h, opt)
			c := s.dial()
			c.write(flood(100))
			eventually(t, "it is held", func() bool { return s.hits(limitDelayed) > 0 })
			if how == "close" {
				c.Close()
			} else {
				_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
			}
			for i := range 100 {
				if m := receive(t, "message", got); m != nth(i) {
					t.Fatalf("%q, want %q", m, nth(i))
				}
			}
			wantEnd(t, h, CloseInfo{Code: CloseAbnormal})
		}
	})
}

// Its end is not put off by what it sent.
func TestRateDelayedPeerIsGoneInTime(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, end := range []func(c *client){
			func(c *client) { c.Close() },
			func(c *client) { c.reset() },
			func(c *client) { _ = c.Conn.(interface{ CloseWrite() error }).CloseWrite() },
		} {
			h := newRecorder(t)
			opt := rated(Rates{Messages: 0.001, MessageBurst: 3})
			opt.CloseTimeout = 50 * time.Millisecond
			s := serve(t, network, h, opt)
			c := s.dial()
			c.write(flood(100))
			eventually(t, "it is held", func() bool { return s.hits(limitDelayed) > 0 })
			end(c)
			if info := h.end(); info.Code != CloseAbnormal {
				t.Errorf("%+v", info)
			}
		}
	})
}

func TestRateDrops(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		s := serve(t, network, h, rated(Rates{Messages: 0.001, MessageBurst: 5, Policy: RateDrop}))
		c := s.dialRaw()
		c.write(join([]byte(handshake), flood(20), clientFrame(true, OpPing, []byte("?")), clientFrame(true, OpPong, nil)))
		c.upgraded()
		for i := range 5 {
			c.expect(OpText, nth(i))
		}
		c.send(OpClose, closeBody(1000, ""))
		c.expectClose(1000)
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})
		if n := s.hits(limitDropped); n != 16 {
			t.Errorf("%d were dropped", n)
		}
	})
}

// Of a flood as much gets through as the rate allows, and what is dropped is not
// paid for.
func TestRateDropsBytes(t *testing.T) {
	h := newRecorder(t)
	got := make(chan int, 1<<10)
	h.message = func(_ *Batch, _ *Conn, _ OpCode, payload []byte) { got <- len(payload) }
	s := serve(t, "unix", h, rated(Rates{Bytes: 1 << 20, ByteBurst: 1000, Policy: RateDrop}))
	c := s.dial()
	began := time.Now()
	go func() {
		for msg := binmsg(strings.Repeat("x", 10_000)); ; {
			if _, err := c.Write(msg); err != nil {
				return
			}
		}
	}()
	passed := 0
	for passed < 500_000 { // a debt would grow by a hundred times that
		passed += receive(t, "message", got)
	}
	most := int(time.Since(began).Seconds()*(1<<20)) + 200_000
	if n := s.hits(limitDropped); passed > most || n < 10 {
		t.Errorf("%d bytes passed, %d at most, %d were dropped", passed, most, n)
	}
	c.Close()
}

func TestRateCloses(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, r := range []Rates{{Messages: 0.001, MessageBurst: 5, Policy: RateClose}, {Bytes: 0.001, ByteBurst: 100, Policy: RateClose}} {
			h := newRecorder(t).echo()
			s := serve(t, network, h, rated(r))
			c, other := s.dial(), s.dial()
			c.write(join(flood(5), flood(5)))
			for {
				op, p, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if op == OpClose {
					if string(p) != closeBody(ClosePolicy, "rate limit") {
						t.Errorf("%q", p)
					}
					break
				}
			}
			c.expectEnd()
			if info := h.end(); info.Code != ClosePolicy || info.Err != errRate {
				t.Errorf("%+v", info)
			}
			if s.hits(limitRate) != 1 || s.Totals().Violations[ClosePolicy] != 1 {
				t.Errorf("%+v", s.Totals())
			}
			other.send(OpText, "unharmed")
			other.expect(OpText, "unharmed")
		}
	})
}

// The rate of a pass of messages without waiting is the burst; afterwards it is
// the rate.
func TestBucket(t *testing.T) {
	if b := newBucket(0, 5); b != nil || b.wait(0, 0) != 0 || !b.full(5, 0) {
		t.Error("no rate is a limit")
	}
	b := newBucket(1000, 50)
	var tat time.Duration
	passed := 0
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Microsecond {
		if b.wait(tat, now) == 0 {
			tat = b.take(tat, now)
			passed++
		} else if w := b.wait(tat, now); b.wait(tat, now+w) != 0 || b.wait(tat, now+w-1) == 0 {
			t.Fatalf("%s is not the time to wait", w)
		}
	}
	if passed < 10_049 || passed > 10_051 {
		t.Errorf("%d passed", passed)
	}
	if !b.full(tat, tat) || b.full(tat, tat-1) {
		t.Error("full")
	}
}

// BenchmarkReceive is what limits cost the path from a read to the handler.
func BenchmarkReceive(b *testing.B) {
	for _, x := range []struct {
		name string
		r    Rates
	}{
		{"off", Rates{}},
		{"messages", Rates{Messages: 1e12, MessageBurst: 1 << 40}},
		{"both", Rates{Messages: 1e12, MessageBurst: 1 << 40, Bytes: 1e12, ByteBurst: 1 << 40}},
	} {
		b.Run(x.name, func(b *testing.B) {
			got := 0
			l, c := unconnected(b, plainHandler{func() { got++ }}, &Mount{Rates: x.r}, nil)
			one := clientFrame(true, OpBinary, []byte(strings.Repeat("x", 64)))
			var chunk []byte
			for range 64 {
				chunk = append(chunk, one...)
			}
			b.ReportAllocs()
			for b.Loop() {
				l.now = l.srv.clock()
				l.receive(c, chunk)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/message")
		})
	}
}

// unconnected is an open connection without a socket, and its loop, which does not
// run: it is given what it reads.
func unconnected(t testing.TB, h Handler, m *Mount, z *codec) (*loop, *Conn) {
	t.Helper()
	s, err := NewServer(Options{Handler: h, Loops: 1, Mounts: []*Mount{m}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.closeFDs)
	c := &Conn{loop: l, mount: s.opt.Mounts[0], fd: -1, codec: z}
	c.life.Store(uint32(stateOpen))
	return l, c
}

// plainHandler only counts messages.
type plainHandler struct{ message func() }

func (plainHandler) Check(*Conn, *Request) *Response         { return nil }
func (plainHandler) Health(*Request) *Response               { return nil }
func (plainHandler) Plain(*Conn, *Request) *Response         { return nil }
func (plainHandler) Open(*Batch, *Conn, *Request)            {}
func (h plainHandler) Message(*Batch, *Conn, OpCode, []byte) { h.message() }
func (plainHandler) Pong(*Batch, *Conn, []byte)              {}
func (plainHandler) Timer(*Batch, *Conn)                     {}
func (plainHandler) Close(*Batch, *Conn, CloseInfo)          {}
