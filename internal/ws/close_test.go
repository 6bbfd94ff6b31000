package ws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// each runs a test on both kinds of sockets.
func each(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

// wantEnd waits for the connection's end and compares it.
func wantEnd(t *testing.T, h *recorder, want CloseInfo) {
	t.Helper()
	got := h.end()
	if want.Err != nil && errors.Is(got.Err, want.Err) {
		got.Err = want.Err
	}
	if got != want {
		t.Fatalf("closed with %+v, want %+v", got, want)
	}
}

// RFC 6455, section 5.5.1: the peer's close frame is answered with its code,
// and the server ends the socket (section 7.1.1).
func TestPeerCloses(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, tt := range []struct {
			code   int
			reason string
		}{{1000, "bye"}, {1001, ""}, {3000, "a\u20ac"}, {4999, strings.Repeat("x", 123)}, {0, ""}} {
			h := newRecorder(t)
			s := serve(t, network, h, Options{})
			c := s.dial()
			body, want := closeBody(tt.code, tt.reason), tt.code
			if tt.code == 0 {
				body, want = "", CloseNoStatus
			}
			c.send(OpClose, body)
			c.expectClose(tt.code)
			c.expectEnd()
			wantEnd(t, h, CloseInfo{Code: want, Reason: tt.reason, Remote: true, Clean: true})
		}
	})
}

// A close frame whose pieces come one by one keeps its reason.
func TestPeerClosesInPieces(t *testing.T) {
	h := newRecorder(t)
	s := serve(t, "tcp", h, Options{})
	c := s.dial()
	for _, b := range clientFrame(true, OpClose, []byte(closeBody(4000, "in pieces"))) {
		c.write([]byte{b})
	}
	c.expectClose(4000)
	c.expectEnd()
	wantEnd(t, h, CloseInfo{Code: 4000, Reason: "in pieces", Remote: true, Clean: true})
}

func TestServerCloses(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{})
		c := s.dial()
		conn := receive(t, "connection", open)
		if err := conn.Close(4001, "enough"); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(1000, ""); err != ErrClosed {
			t.Fatal("second Close:", err)
		}
		if conn.Open() || conn.Send(OpText, nil) != Gone || conn.Ping(nil) != Gone {
			t.Fatal("still open")
		}
		c.expect(OpClose, closeBody(4001, "enough"))
		c.send(OpClose, closeBody(4001, ""))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 4001, Reason: "enough", Clean: true})
		if err := conn.Close(1000, ""); err != ErrClosed {
			t.Fatal("Close after the end:", err)
		}
	})
}

// What a handler's Batch closes leaves behind what it sent before.
func TestBatchCloses(t *testing.T) {
	h := newRecorder(t)
	h.message = func(b *Batch, c *Conn, op OpCode, payload []byte) {
		b.Send(c, OpText, []byte("last"))
		if err := b.Close(c, 1000, "done"); err != nil {
			t.Error(err)
		}
		if b.Send(c, OpText, []byte("never")) != Gone || b.Close(c, 1000, "") != ErrClosed {
			t.Error("still open")
		}
	}
	s := serve(t, "unix", h, Options{})
	c := s.dial()
	c.write(join(text("a"), text("b"))) // b comes after our close frame: dropped
	c.expect(OpText, "last")
	c.expect(OpClose, closeBody(1000, "done"))
	c.send(OpClose, closeBody(1000, ""))
	c.expectEnd()
	wantEnd(t, h, CloseInfo{Code: 1000, Reason: "done", Clean: true})
}

// A peer that never answers our close frame is cut after CloseTimeout, and not
// before.
func TestCloseUnanswered(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		const timeout = 200 * time.Millisecond
		s := serve(t, network, h, Options{CloseTimeout: timeout})
		c := s.dial()
		begin := time.Now()
		if err := receive(t, "connection", open).Close(1000, ""); err != nil {
			t.Fatal(err)
		}
		c.expectClose(1000)
		c.send(OpText, "I talk on")
		c.expectEnd()
		if d := time.Since(begin); d < timeout || d > timeout+5*time.Second {
			t.Fatal("after", d)
		}
		wantEnd(t, h, CloseInfo{Code: 1000})
	})
}

// A timer of the handler neither replaces, stops nor shortens the closing
// handshake's deadline.
func TestCloseDeadlineIsOurs(t *testing.T) {
	for _, d := range []time.Duration{0, time.Nanosecond, time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			h := newRecorder(t)
			h.timer = func(*Batch, *Conn) { t.Error("Timer after Close") }
			h.message = func(b *Batch, c *Conn, _ OpCode, _ []byte) {
				c.SetTimer(time.Hour)
				_ = b.Close(c, 1000, "")
				c.SetTimer(d)
				if c.TimerLeft() != 0 {
					t.Error("a timer after Close")
				}
			}
			s := serve(t, "unix", h, Options{CloseTimeout: 150 * time.Millisecond})
			c := s.dial()
			begin := time.Now()
			c.send(OpText, "")
			c.expectClose(1000)
			c.expectEnd()
			if took := time.Since(begin); took < 150*time.Millisecond {
				t.Fatal("cut after", took)
			}
			wantEnd(t, h, CloseInfo{Code: 1000})
		})
	}
}

// A timer that comes due between Close, on another goroutine, and the loop's
// hearing of it is not the deadline of the end.
func TestCloseOvertakesTimer(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "unix", h, Options{CloseTimeout: time.Hour})
	c := s.dial()
	conn := receive(t, "connection", open)
	held, release := make(chan bool), make(chan bool)
	conn.loop.post(func() {
		conn.SetTimer(wheelTick)
		held <- true
		<-release // the loop stands still until the timer is due
	})
	<-held
	_ = conn.Close(1000, "")
	conn.loop.mu.Lock() // the loop must hear of it in the next pass only
	queue := conn.loop.queue
	conn.loop.queue = nil
	conn.loop.mu.Unlock()
	end := time.Now().Add(2 * wheelTick)
	eventually(t, "two ticks", func() bool { return time.Now().After(end) })
	release <- true
	eventually(t, "the loop has nothing due", func() bool {
		done := make(chan int16)
		conn.loop.post(func() { done <- conn.timer.slot })
		return <-done > 0 && conn.state() == stateClosing
	})
	conn.loop.mu.Lock()
	conn.loop.queue = append(conn.loop.queue, queue...)
	conn.loop.mu.Unlock()
	c.expectClose(1000)
	c.send(OpClose, closeBody(1000, ""))
	c.expectEnd()
	wantEnd(t, h, CloseInfo{Code: 1000, Clean: true})
}

// Both close at once: the frames cross.
func TestSimultaneousClose(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		h.message = func(b *Batch, c *Conn, _ OpCode, _ []byte) { _ = b.Close(c, 4000, "mine") }
		s := serve(t, network, h, Options{})
		c := s.dial()
		c.write(join(text("x"), clientFrame(true, OpClose, []byte(closeBody(4002, "yours")))))
		c.expect(OpClose, closeBody(4000, "mine"))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 4000, Reason: "mine", Clean: true})
	})
}

// RFC 6455, section 5.5.1: nothing after the close frame counts.
func TestDataAfterClose(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		h.message = func(*Batch, *Conn, OpCode, []byte) { t.Error("a message after the close frame") }
		s := serve(t, network, h, Options{})
		c := s.dial()
		c.write(join(clientFrame(true, OpClose, []byte(closeBody(1000, ""))), text("late"), []byte{0xff, 0xff}, clientFrame(true, OpClose, nil)))
		c.expectClose(1000)
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})
	})
}

// A socket that ends without a close frame is 1006.
func TestPeerVanishes(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		s := serve(t, network, h, Options{})
		s.dial().Close()
		wantEnd(t, h, CloseInfo{Code: CloseAbnormal})
		c := s.dial()
		c.write([]byte{0x81})
		c.Close()
		wantEnd(t, h, CloseInfo{Code: CloseAbnormal})
		c = s.dial()
		c.reset()
		if i := h.end(); i.Code != CloseAbnormal || i.Clean || i.Remote || (network == "tcp") != (i.Err != nil) {
			t.Fatalf("%+v", i)
		}
	})
}

// The peer's close frame comes, and its socket is gone before ours can be
// written: that is not clean.
func TestPeerClosesAndVanishes(t *testing.T) {
	h := newRecorder(t)
	held, release := make(chan bool), make(chan bool)
	h.message = func(*Batch, *Conn, OpCode, []byte) { held <- true; <-release }
	s := serve(t, "unix", h, Options{})
	c := s.dial()
	c.send(OpText, "hold the loop")
	<-held
	c.send(OpClose, closeBody(1000, "gone"))
	c.Close()
	release <- true
	wantEnd(t, h, CloseInfo{Code: 1000, Reason: "gone", Remote: true})
}

// Each violation is answered with its code, and the socket ends in order.
func TestViolations(t *testing.T) {
	lim := Limits{Frame: 1000, Message: 1500, Fragments: 3}
	for _, tt := range []struct {
		name  string
		wire  []byte
		err   *ProtocolError
		after bool // more follows
	}{
		{"unmasked", []byte{0x81, 1, 'a'}, ErrUnmasked, false},
		{"top bit", withHeader("", 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), ErrNegativeLength, false},
		{"not UTF-8", text("\xff"), ErrInvalidUTF8, false},
		{"frame too big", binmsg(strings.Repeat("x", 1001)), ErrFrameTooBig, true},
		{"message too big", join(frag(OpBinary, false, strings.Repeat("x", 1000)), frag(0, true, strings.Repeat("x", 501))), ErrMessageTooBig, true},
		{"too many fragments", join(frag(OpBinary, false, ""), frag(0, false, ""), frag(0, false, ""), frag(0, false, "")), ErrTooManyFragments, true},
		{"close of one byte", clientFrame(true, OpClose, []byte{3}), ErrShortClose, false},
		{"close code 1005", clientFrame(true, OpClose, []byte(closeBody(1005, ""))), ErrCloseCode, false},
		{"close reason", clientFrame(true, OpClose, []byte(closeBody(1000, "\xff"))), ErrCloseReason, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, network string) {
				h := newRecorder(t).echo()
				s := serve(t, network, h, Options{Mounts: []*Mount{{Limits: lim}}})
				c := s.dial()
				c.write(join(text("before"), tt.wire, text("after")))
				c.expect(OpText, "before")
				c.expect(OpClose, closeBody(tt.err.Code, tt.err.Reason))
				c.expectEnd() // before we end our side
				c.Close()
				wantEnd(t, h, CloseInfo{Code: tt.err.Code, Reason: tt.err.Reason, Err: tt.err})
				if n := s.Totals().Violations[tt.err.Code]; n != 1 {
					t.Fatalf("counted %d violations", n)
				}
			})
		})
	}
}

// The close frame of a failed connection arrives although megabytes that the
// peer had sent are unread: closing at once would reset the socket, and the
// reset destroys what the peer has not read yet.
func TestFailingWithUnreadInput(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		s := serve(t, network, h, Options{Mounts: []*Mount{{Limits: Limits{Frame: 1000}}}})
		for _, megabytes := range []int{1, 5, 12} {
			c := s.dial()
			junk := bytes.Repeat([]byte{0xff}, megabytes<<20)
			c.write(join(binmsg(strings.Repeat("x", 1001)), junk)) // all of it, before anything is read
			c.expectClose(CloseTooBig)
			c.expectEnd()
			c.Close()
			wantEnd(t, h, CloseInfo{Code: CloseTooBig, Reason: ErrFrameTooBig.Reason, Err: ErrFrameTooBig})
		}
	})
}

// A failed peer that goes on for ever is cut.
func TestFailingIsBounded(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		c := s.dial()
		junk := bytes.Repeat([]byte{0xff}, 1<<16)
		n := 0
		for {
			k, err := c.Write(junk)
			n += k
			if err != nil {
				break
			}
			if n > 100<<20 {
				t.Fatal("takes for ever")
			}
		}
		if n < maxLinger {
			t.Fatalf("cut after %d bytes", n)
		}
		if i := h.end(); i.Code != CloseProtocolError {
			t.Fatalf("%+v", i)
		}
	})
}

// A failed peer that neither reads nor ends is cut after CloseTimeout, also
// when its own input never lets the last answer leave.
func TestFailingHasDeadline(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: 100 * time.Millisecond})
		c := s.dial()
		conn := receive(t, "connection", open)
		for r := Sent; r == Sent; {
			r = conn.Send(OpBinary, make([]byte, 1<<20))
		}
		c.write([]byte{0xff, 0xff})
		if i := h.end(); i.Code != CloseProtocolError || i.Clean {
			t.Fatalf("%+v", i)
		}
	})
}

// A peer that was not reading when it broke the rules gets all that was queued,
// the close frame and the socket's end as soon as it reads.
func TestFailingEndsWhenRead(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		c := s.dial()
		conn := receive(t, "connection", open)
		sent := 0
		for r := Sent; r == Sent; sent++ {
			r = conn.Send(OpBinary, make([]byte, 1<<20))
		}
		c.write([]byte{0xff, 0xff})
		eventually(t, "failing", func() bool { return conn.state() == stateFailing })
		c.write([]byte("still talking, to nobody"))
		for range sent {
			c.expect(OpBinary, string(make([]byte, 1<<20)))
		}
		c.expectClose(CloseProtocolError)
		c.expectEnd() // not after an hour
		c.Close()
		h.end()
	})
}

// A peer that says goodbye and ends its side, but reads slowly, is still sent
// what is queued for it.
func TestHalfClosedPeerIsServed(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		c := s.dial()
		conn := receive(t, "connection", open)
		sent := 0
		for r := Sent; r == Sent; sent++ {
			r = conn.Send(OpBinary, make([]byte, 1<<20))
		}
		c.send(OpClose, closeBody(1000, "done"))
		if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the close frame came", func() bool { return conn.state() == stateFlushing })
		passes := conn.loop.beats.Load()
		<-time.After(50 * time.Millisecond) // not for something: to see that nothing happens
		if n := conn.loop.beats.Load() - passes; n > 20 {
			t.Fatalf("the loop spins: %d passes", n)
		}
		for range sent {
			c.expect(OpBinary, string(make([]byte, 1<<20)))
		}
		c.expectClose(1000)
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1000, Reason: "done", Remote: true, Clean: true})
	})
}

// A peer that stops reading for good, but not writing, cannot be written to and
// must not stay half alive.
func TestPeerShutsItsReading(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "unix", h, Options{})
	c := s.dial()
	conn := receive(t, "connection", open)
	if err := c.Conn.(interface{ CloseRead() error }).CloseRead(); err != nil {
		t.Fatal(err)
	}
	if r := conn.Send(OpText, []byte("x")); r != Gone {
		t.Fatal(r)
	}
	wantEnd(t, h, CloseInfo{Code: CloseAbnormal})
}

func TestCloseRefusesBadArguments(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "unix", h, Options{})
	s.dial()
	conn := receive(t, "connection", open)
	for _, code := range []int{-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1 << 16, 1<<16 + 1000} {
		if err := conn.Close(code, ""); err != ErrBadCloseCode {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, reason := range []string{strings.Repeat("x", 124), "\xff", "\xed\xa0\x80"} {
		if err := conn.Close(1000, reason); err != ErrLongReason {
			t.Errorf("%q: %v", reason, err)
		}
	}
	for code, want := range map[int]error{1006: ErrBadCloseCode, 5000: ErrBadCloseCode} {
		if err := s.CloseAll(code, ""); err != want {
			t.Error(err)
		}
		if err := s.Shutdown(context.Background(), code, ""); err != want {
			t.Error(err)
		}
	}
	if !conn.Open() {
		t.Fatal("closed all the same")
	}
}

// Close from many goroutines, the peer and the loop at once: one of them wins,
// the handler hears of it once.
func TestCloseRaces(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		open := h.capture()
		s := serve(t, network, h, Options{Loops: 2, CloseTimeout: time.Second})
		const rounds = 60
		for i := range rounds {
			c := s.dial()
			conn := receive(t, "connection", open)
			var wg sync.WaitGroup
			var won sync.Map
			for g := range 4 {
				wg.Go(func() {
					conn.Send(OpText, []byte("x"))
					if conn.Close(4000+g, "") == nil {
						won.Store(g, true)
					}
				})
			}
			wg.Go(func() {
				switch i % 3 {
				case 0:
					_, _ = c.Write(clientFrame(true, OpClose, []byte(closeBody(1000, ""))))
				case 1:
					_, _ = c.Write([]byte{0xff, 0xff})
				default:
					c.reset()
				}
			})
			wg.Wait()
			winners := 0
			won.Range(func(g, _ any) bool { winners++; return true })
			if winners > 1 {
				t.Fatal("Close succeeded twice")
			}
			c.Close()
			if info := h.end(); winners == 1 && (info.Code < 4000 || info.Remote) {
				t.Fatalf("Close returned nil, and the connection ended with %+v", info)
			}
		}
		if s.Totals().Opens != rounds {
			t.Fatal(s.Totals().Opens)
		}
		eventually(t, "all closed", func() bool { return s.Conns() == 0 })
		var n uint64
		for _, k := range s.Totals().Closes {
			n += k
		}
		if n != rounds {
			t.Fatalf("%d closes counted", n)
		}
	})
}

// Pings are answered, also between fragments and after our close frame.
func TestPings(t *testing.T) {
	h := newRecorder(t).echo()
	pongs := make(chan string, 10)
	h.pong = func(_ *Batch, _ *Conn, p []byte) { pongs <- string(p) }
	open := h.capture()
	s := serve(t, "tcp", h, Options{})
	c := s.dial()
	conn := receive(t, "connection", open)
	full := strings.Repeat("p", 125)
	c.write(join(frag(OpText, false, "a"), clientFrame(true, OpPing, []byte(full)), frag(0, false, ""), clientFrame(true, OpPing, nil), frag(0, true, "b")))
	c.expect(OpPong, full)
	c.expect(OpPong, "")
	c.expect(OpText, "ab")
	conn.Ping([]byte(full + "too long"))
	c.expect(OpPing, full)
	c.send(OpPong, full)
	if got := receive(t, "pong", pongs); got != full {
		t.Fatal(got)
	}
	var b fmt.Stringer = conn.Ping(nil)
	if b.String() != "sent" {
		t.Fatal(b)
	}
	c.expect(OpPing, "")
	done := make(chan bool)
	conn.loop.post(func() { conn.loop.batch.Ping(conn, []byte(full+"too long")); close(done) })
	<-done
	c.expect(OpPing, full)
	_ = conn.Close(1000, "")
	c.expectClose(1000)
	c.send(OpPing, "still")
	c.expect(OpPong, "still")
	c.send(OpClose, closeBody(1000, ""))
	c.expectEnd()
}
