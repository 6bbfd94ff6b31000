package ws

import (
	"math/rand/v2"
	"testing"
	"time"
)

// wheelModel is a wheel as a map of deadlines.
type wheelModel struct {
	t   testing.TB
	w   wheel
	due map[*Conn]int64
}

func (m *wheelModel) set(c *Conn, due int64) {
	m.w.set(c, due)
	m.due[c] = max(due, m.w.now+1)
}

func (m *wheelModel) stop(c *Conn) {
	m.w.stop(c)
	delete(m.due, c)
}

func (m *wheelModel) advance(to int64, again func(*Conn)) {
	m.w.advance(to, func(c *Conn) {
		due, ok := m.due[c]
		if !ok {
			m.t.Fatal("expired, and was not set")
		}
		if m.w.now != due {
			m.t.Fatalf("due at %d, expired at %d", due, m.w.now)
		}
		delete(m.due, c)
		if again != nil {
			again(c)
		}
	})
	if m.w.now != to {
		m.t.Fatalf("advanced to %d, want %d", m.w.now, to)
	}
	for c, due := range m.due {
		if due <= to {
			m.t.Fatalf("due at %d, has not expired by %d", due, to)
		}
		if c.timer.slot == 0 || c.timer.due != due {
			m.t.Fatal("lost")
		}
	}
	// Sleeping as long as wait says oversleeps nothing.
	wait := m.w.wait(1 << 20)
	if wait < 1 {
		m.t.Fatalf("wait is %d", wait)
	}
	for _, due := range m.due {
		if due < to+wait && due>>wheelBits == to>>wheelBits {
			m.t.Fatalf("wait says %d, and something is due in %d", wait, due-to)
		}
	}
	if len(m.due) > 0 && wait > wheelSlots {
		m.t.Fatalf("wait says %d with %d timers", wait, len(m.due))
	}
}

func TestWheelAgainstModel(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 5))
		m := wheelModel{t: t, due: make(map[*Conn]int64)}
		conns := make([]*Conn, 1+r.IntN(60))
		for i := range conns {
			conns[i] = new(Conn)
		}
		reach := []int64{1, 3, 255, 256, 257, 300, 65279, 65280, 65281, 65536, 100_000, 1 << 20}
		any := func() *Conn { return conns[r.IntN(len(conns))] }
		later := func() int64 { return m.w.now - 2 + r.Int64N(3+reach[r.IntN(len(reach))]) }
		exact := func() int64 { return m.w.now + reach[r.IntN(len(reach))] }
		for range 1500 {
			switch r.IntN(8) {
			case 0:
				m.stop(any())
			case 1:
				m.set(any(), exact())
			case 2, 3, 4:
				m.set(any(), later())
			default:
				step := 1 + r.Int64N(reach[r.IntN(len(reach)-r.IntN(len(reach)))])
				m.advance(m.w.now+step, func(c *Conn) {
					switch r.IntN(4) {
					case 0:
						m.set(c, later()) // again, itself
					case 1:
						m.set(any(), exact()) // any other, maybe one that is due as well
					case 2:
						m.stop(any())
					}
				})
			}
		}
		for _, c := range conns {
			m.stop(c)
		}
		m.advance(m.w.now+1<<17, nil)
		if m.w.used != [2][wheelSlots / 64]uint64{} || m.w.slots != [2][wheelSlots]*Conn{} {
			t.Fatal("an empty wheel holds something")
		}
	}
}

// Every distance there is, to both sides of the levels' edges.
func TestWheelDistances(t *testing.T) {
	for _, start := range []int64{0, 1, 200, 255, 256, 65279, 65535} {
		for _, d := range []int64{1, 2, 255, 256, 257, 511, 512, 65279, 65280, 65281, 65535, 65536, 65537, 200_000} {
			m := wheelModel{t: t, due: make(map[*Conn]int64)}
			m.advance(start, nil)
			c := new(Conn)
			m.set(c, start+d)
			m.advance(start+d-1, nil)
			if c.timer.slot == 0 {
				t.Fatalf("%d from %d: early", d, start)
			}
			m.advance(start+d, nil)
			if c.timer.slot != 0 {
				t.Fatalf("%d from %d: late", d, start)
			}
		}
	}
}

func TestTickOf(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, wheelTick - 1: 1, wheelTick: 1, wheelTick + 1: 2, time.Hour: 225_000} {
		if got := tickOf(d); got != want {
			t.Errorf("%v: %d, want %d", d, got, want)
		}
	}
}

// The handler's timer: once, not early, replaced and stopped.
func TestTimer(t *testing.T) {
	h := newRecorder(t)
	fired := make(chan time.Time, 10)
	set := make(chan time.Time, 10)
	h.timer = func(_ *Batch, c *Conn) {
		if c.TimerLeft() != 0 {
			t.Error("time is left in Timer")
		}
		fired <- time.Now()
	}
	h.message = func(_ *Batch, c *Conn, _ OpCode, p []byte) {
		switch string(p) {
		case "set":
			c.SetTimer(time.Hour)
			c.SetTimer(100 * time.Millisecond) // replaces
			if left := c.TimerLeft(); left < 100*time.Millisecond || left > 100*time.Millisecond+wheelTick {
				t.Errorf("%v left", left)
			}
			set <- c.loop.srv.start.Add(c.loop.now)
		case "stop":
			c.SetTimer(10 * time.Millisecond)
			c.SetTimer(0)
			set <- time.Now()
		}
	}
	s := serve(t, "unix", h, Options{Loops: 1})
	c := s.dial()
	c.send(OpText, "stop")
	<-set
	c.send(OpText, "set")
	begin := receive(t, "set", set)
	if d := receive(t, "timer", fired).Sub(begin); d < 100*time.Millisecond {
		t.Fatal("early:", d)
	}
	select {
	case <-fired:
		t.Fatal("twice")
	default:
	}
}
