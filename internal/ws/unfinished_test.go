package ws

import (
	"strings"
	"testing"
	"time"
)

// A message that does not become whole is the end of its session, whatever
// trickles in, and of no other.
func TestMessageTimeout(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, begin := range [][]byte{
			clientFrame(true, OpText, []byte("hello"))[:1],
			clientFrame(true, OpText, []byte("hello"))[:8],
			clientFrame(false, OpText, []byte("hello")),
			clientFrame(true, OpPing, []byte("hello"))[:7],
			join(frag(OpText, false, "a"), clientFrame(true, OpPing, nil), clientFrame(false, 0, nil)),
		} {
			h := newRecorder(t).echo()
			s := serve(t, network, h, Options{Loops: 1, MessageTimeout: 100 * time.Millisecond})
			c, other := s.dial(), s.dial()
			c.write(begin)
			began := time.Now()
			for op := OpPong; op == OpPong; {
				var p []byte
				var err error
				if op, p, err = c.next(); err != nil {
					t.Fatal(err)
				}
				if op != OpPong && (op != OpClose || string(p) != closeBody(ClosePolicy, ErrUnfinished.Reason)) {
					t.Fatalf("opcode %d %q", op, p)
				}
			}
			if took := time.Since(began); took < 90*time.Millisecond {
				t.Errorf("closed after %s", took)
			}
			c.expectEnd()
			if info := h.end(); info.Err != ErrUnfinished {
				t.Errorf("%+v", info)
			}
			other.send(OpText, "unharmed")
			other.expect(OpText, "unharmed")
			if n := s.hits(limitMessageTime); n != 1 {
				t.Errorf("counted %d", n)
			}
		}
	})
}

// Bytes that trickle do not put it off; those that flow do.
func TestMessageTimeoutIsOfTheWholeMessage(t *testing.T) {
	h := newRecorder(t).echo()
	s := serve(t, "unix", h, Options{MessageTimeout: 200 * time.Millisecond})
	trickle := s.dial()
	go func() {
		for _, b := range binmsg(strings.Repeat("x", 1<<10)) { // at 100 B/s
			if _, err := trickle.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	trickle.expectClose(ClosePolicy)
	h.end()

	c := s.dial()
	big := strings.Repeat("y", 40<<10)
	frame := binmsg(big)
	c.write(frame[:len(frame)-1]) // for which it has forty seconds
	eventually(t, "it has waited for longer than an empty message may", func() bool { return s.clockOf(c) > 600*time.Millisecond })
	c.write(frame[len(frame)-1:])
	c.expect(OpBinary, big)
}

// clockOf is the time since c last sent something.
func (s *testServer) clockOf(*client) (idle time.Duration) {
	s.table.each(func(c *Conn) {
		if c.state() == stateOpen {
			idle = c.IdleFor()
		}
	})
	return idle
}

// Sessions that stay busy for longer than any message may take are not touched,
// however their messages are cut, and nor are idle ones.
func TestMessageTimeoutSparesTheBusy(t *testing.T) {
	h := newRecorder(t).echo()
	s := serve(t, "unix", h, Options{Loops: 1, MessageTimeout: 1500 * time.Millisecond})
	idle := s.dial()
	c := s.dial()
	const cut = 4
	frame := text(nth(0))
	c.write(frame[:cut])
	for i, began := 0, time.Now(); time.Since(began) < 2*time.Second; i++ { // always in the middle of a message
		next := text(nth(i + 1))
		c.write(append(frame[cut:], next[:cut]...))
		c.expect(OpText, nth(i))
		frame = next
	}
	idle.send(OpText, "still")
	idle.expect(OpText, "still")
	if n := s.hits(limitMessageTime); n != 0 {
		t.Errorf("%d closed", n)
	}
}

// The time in which a session is made to wait is not its message's.
func TestMessageTimeoutWaitsForTheDelayed(t *testing.T) {
	opt := rated(Rates{Messages: 4, MessageBurst: 1})
	opt.MessageTimeout = 100 * time.Millisecond
	s := serve(t, "unix", newRecorder(t).echo(), opt)
	c := s.dial()
	ping := clientFrame(true, OpPing, nil)
	c.write(join(frag(OpText, false, "be"), ping, ping, ping, ping, frag(0, true, "gun")))
	for range 4 {
		c.expect(OpPong, "")
	}
	c.expect(OpText, "begun")
	if s.hits(limitDelayed) == 0 || s.hits(limitMessageTime) != 0 {
		t.Errorf("%v", s.Totals().Limited)
	}
}
