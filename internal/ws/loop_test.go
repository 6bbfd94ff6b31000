package ws

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An idle connection is this struct.
func TestConnSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 288 { // as much as the allocator gives
		t.Fatalf("a Conn takes %d bytes, the budget is 288", n)
	}
	t.Logf("a Conn takes %d bytes", unsafe.Sizeof(Conn{}))
}

// onLoop runs f on a connection's loop and waits for it.
func onLoop(t testing.TB, l *loop, f func()) {
	t.Helper()
	done := make(chan bool)
	if !l.post(func() { f(); close(done) }) {
		t.Fatal("the loop has ended")
	}
	receive(t, "posted function", done)
}

// An idle connection holds no buffer, no segment, no partial frame, no timer.
func TestIdleHoldsNothing(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		open := h.capture()
		s := serve(t, network, h, Options{})
		c := s.dialRaw()
		for _, b := range []byte(handshake) { // its head was kept for a while
			c.write([]byte{b})
		}
		c.upgraded()
		conn := receive(t, "connection", open)
		big := strings.Repeat("x", 3<<20)
		c.write(join(binmsg(big), frag(OpText, false, "a"), clientFrame(true, OpPing, nil), frag(0, true, "b")))
		c.expect(OpBinary, big)
		c.expect(OpPong, "")
		c.expect(OpText, "ab")
		eventually(t, "idle", func() (idle bool) {
			onLoop(t, conn.loop, func() {
				conn.mu.Lock()
				defer conn.mu.Unlock()
				o := &conn.out
				idle = conn.in.p == nil && conn.head == nil && o.first.b == nil && o.first.own == nil && o.rest == nil && o.size == 0 &&
					conn.timer.slot == 0 && !conn.armed && !conn.dirty && conn.end == nil
			})
			return idle
		})
	})
}

// Thousands of connections come and go while others talk: descriptors are used
// again at once, and nobody gets what is another's.
func TestChurn(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		var stop atomic.Bool
		s := serve(t, network, h, Options{Loops: 2})
		var wg sync.WaitGroup
		for i := range 3 { // the steady ones
			c := s.dial()
			wg.Go(func() {
				for n := 0; !stop.Load(); n++ {
					msg := fmt.Sprintf("steady %d message %d", i, n)
					if _, err := c.Write(text(msg)); err != nil {
						t.Error(err)
						return
					}
					if _, p, err := c.next(); err != nil || string(p) != msg {
						t.Errorf("%q came for %q: %v", p, msg, err)
						return
					}
				}
			})
		}
		var churn sync.WaitGroup
		for i := range 4 {
			churn.Go(func() {
				for n := range 250 {
					c := s.dialRaw()
					msg := fmt.Sprintf("churn %d connection %d", i, n)
					switch n % 5 {
					case 0: // ends in the middle of the handshake
						_, _ = c.Write([]byte(handshake[:20+n%100]))
						c.reset()
						continue
					case 1: // before the answer
						_, _ = c.Write([]byte(handshake))
						c.Close()
						continue
					}
					_, _ = c.Write(join([]byte(handshake), text(msg)))
					if line, err := c.br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 101") {
						t.Errorf("%q %v", line, err)
						return
					}
					for line := ""; line != "\r\n"; {
						line, _ = c.br.ReadString('\n')
					}
					if _, p, err := c.next(); err != nil || string(p) != msg {
						t.Errorf("%q came for %q: %v", p, msg, err)
					}
					switch n % 5 {
					case 2:
						_, _ = c.Write(clientFrame(true, OpClose, nil))
						if op, _, err := c.next(); err != nil || op != OpClose {
							t.Errorf("opcode %d: %v", op, err)
						}
						c.Close()
					case 3:
						_, _ = c.Write([]byte{0xff, 0xff})
						c.Close()
					default:
						c.reset()
					}
				}
			})
		}
		churned := make(chan bool)
		go func() { churn.Wait(); close(churned) }()
		eventually(t, "all have come and gone", func() bool {
			s.deadlines()
			select {
			case <-churned:
				return true
			default:
				return false
			}
		})
		stop.Store(true)
		wg.Wait()
		eventually(t, "only the steady ones are left", func() bool { return s.Conns() == 3 })
	})
}

// deadlines checks, on every loop, that whatever is not open has a deadline and
// thus cannot stay for ever. Being open has none: that is the handler's.
func (s *testServer) deadlines() {
	s.t.Helper()
	for _, l := range s.loops {
		onLoop(s.t, l, func() {
			s.table.each(func(c *Conn) {
				if c.loop != l || c.lastRead.Load() == 0 {
					return // another's, or handed over and not yet begun
				}
				st := c.state()
				if st == stateOpen || st == stateClosing && !c.ending {
					return // or Close, elsewhere, is about to tell the loop
				}
				if c.timer.slot == 0 || st != stateHandshake && !c.ending {
					s.t.Errorf("a connection in state %d has no deadline (ending %v)", st, c.ending)
				}
			})
		})
	}
}

// Senders on many goroutines do not mind that connections die under them.
func TestSendersWhileConnectionsDie(t *testing.T) {
	h := newRecorder(t).echo()
	var mu sync.Mutex
	live := map[*Conn]bool{}
	h.open = func(_ *Batch, c *Conn, _ *Request) { mu.Lock(); live[c] = true; mu.Unlock() }
	var dead []*Conn // still sent to: a sender may have it in its hand
	h.close = func(_ *Batch, c *Conn, _ CloseInfo) {
		mu.Lock()
		delete(live, c)
		dead = append(dead, c)
		mu.Unlock()
	}
	s := serve(t, "tcp", h, Options{Loops: 2, QueueBytes: 20_000, CloseTimeout: 200 * time.Millisecond})
	var stop atomic.Bool
	var senders sync.WaitGroup
	frame := Fragmentation{}.NewFrame(OpBinary, make([]byte, 700))
	for g := range 20 {
		senders.Go(func() {
			for n := 0; !stop.Load(); n++ {
				mu.Lock()
				var to []*Conn
				for c := range live {
					to = append(to, c)
				}
				to = append(to, dead[max(0, len(dead)-3):]...)
				mu.Unlock()
				for _, c := range to {
					switch (g + n) % 5 {
					case 0:
						c.Send(OpText, []byte("hello"))
					case 1:
						c.Ping(nil)
					case 2:
						if n%50 == 0 {
							_ = c.Close(1000, "")
						}
					case 3:
						_, _, _ = c.Stats(), c.IdleFor(), c.Open()
					default:
						c.SendFrame(frame)
					}
				}
			}
		})
	}
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for n := range 40 {
				c := s.dialRaw()
				_, _ = c.Write([]byte(handshake))
				for range n % 7 {
					if _, err := c.br.ReadByte(); err != nil {
						break
					}
				}
				if (i+n)%2 == 0 {
					c.reset()
				}
				c.Close()
			}
		})
	}
	eventually(t, "all gone", func() bool {
		s.deadlines()
		return s.Conns() == 0 && s.Totals().Opens > 0
	})
	clients.Wait()
	eventually(t, "all gone", func() bool { s.deadlines(); return s.Conns() == 0 })
	stop.Store(true)
	senders.Wait()
}

// However the kernel deals connections to the loops, none gets many more than
// another.
func TestBalance(t *testing.T) {
	s := serve(t, "unix", newRecorder(t).echo(), Options{Loops: 4})
	const n = 300
	var clients []int
	t.Cleanup(func() {
		for _, fd := range clients {
			_ = unix.Close(fd)
		}
	})
	onLoop(t, s.loops[0], func() { // all come to the first
		for range n {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Error(err)
				return
			}
			clients = append(clients, fds[1])
			s.adopt(int32(fds[0]), &Peer{Network: "unix"}, nil, s.loops[0])
		}
	})
	var total int64
	least, most := int64(n), int64(0)
	for _, l := range s.loops {
		k := l.conns.Load()
		total += k
		least, most = min(least, k), max(most, k)
	}
	if total != n || most > least+16+least/8+1 {
		t.Fatalf("%d connections in all; loops have %d to %d", total, least, most)
	}
	for _, fd := range clients { // those handed over live
		if _, err := unix.Write(fd, []byte(handshake)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are open", func() bool { return s.Totals().Opens == n })
}

// Connections are let in at the given rate, all of them.
func TestHandshakeRate(t *testing.T) {
	const rate, n = 100, 40
	s := serve(t, "unix", newRecorder(t).echo(), Options{Loops: 2, HandshakeRate: rate})
	begin := time.Now()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = s.dialRaw()
		clients[i].write([]byte(handshake))
	}
	for _, c := range clients {
		c.upgraded()
	}
	// A tenth of a second's worth may come at once, and what had gathered.
	if d := time.Since(begin); d < (n-rate/10-2)*time.Second/rate {
		t.Fatalf("%d connections in %v at %d per second", n, d, rate)
	}
}

// A posted function runs once, in order, or post says that it will not.
func TestPost(t *testing.T) {
	s := serve(t, "unix", newRecorder(t), Options{Loops: 1})
	l := s.loops[0]
	var ran, accepted atomic.Int64
	var wg sync.WaitGroup
	started := make(chan bool, 8)
	for range 8 {
		wg.Go(func() {
			last := int64(-1)
			for i := int64(0); ; i++ {
				if !l.post(func() {
					if last >= i {
						t.Error("out of order")
					}
					last = i
					ran.Add(1)
				}) {
					return
				}
				accepted.Add(1)
				if i == 100 {
					started <- true
				}
			}
		})
	}
	for range 8 {
		receive(t, "poster", started)
	}
	s.shutdown()
	wg.Wait()
	if ran.Load() != accepted.Load() {
		t.Fatalf("%d were accepted, %d ran", accepted.Load(), ran.Load())
	}
}

// Healthy is true while loops run, idle or not, and false while one hangs.
func TestHealthy(t *testing.T) {
	h := newRecorder(t)
	held, release := make(chan bool), make(chan bool)
	h.message = func(*Batch, *Conn, OpCode, []byte) { held <- true; <-release }
	s := serve(t, "unix", h, Options{Loops: 2})
	for range 3 {
		eventually(t, "healthy", s.Healthy)
	}
	c := s.dial()
	c.send(OpText, "")
	<-held
	s.Healthy()
	if s.Healthy() {
		t.Error("healthy, and a loop hangs")
	}
	release <- true
	eventually(t, "healthy again", s.Healthy)
}
