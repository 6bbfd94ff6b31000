package ws

import (
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// numbered is a message of n bytes that begins with its number.
func numbered(i, n int) []byte {
	b := make([]byte, max(n, 4))
	binary.BigEndian.PutUint32(b, uint32(i))
	return b
}

// number reads the next message's number, and checks its length.
func (c *client) number(n int) int {
	c.t.Helper()
	op, p, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	if op != OpBinary || len(p) != n {
		c.t.Fatalf("opcode %d with %d bytes: %.50q", op, len(p), p)
	}
	return int(binary.BigEndian.Uint32(p))
}

// overfill sends numbered messages until n of them were not taken, and returns
// the result of each. Every way of sending has its turn.
func overfill(t *testing.T, conn *Conn, size, n int) (results []SendResult) {
	t.Helper()
	fr := conn.loop.srv.opt.Fragmentation
	for slow := 0; slow < n; {
		i := len(results)
		var r SendResult
		switch i % 3 {
		case 0:
			r = conn.Send(OpBinary, numbered(i, size))
		case 1:
			r = conn.SendFrame(fr.NewFrame(OpBinary, numbered(i, size)))
		default:
			done := make(chan bool)
			conn.loop.post(func() { r = conn.loop.batch.Send(conn, OpBinary, numbered(i, size)); close(done) })
			<-done
		}
		if q := conn.Stats().Queued; q > conn.loop.srv.opt.QueueBytes+maxControl+2 {
			t.Fatalf("%d bytes are queued", q)
		}
		if results = append(results, r); r == Slow || r == Gone {
			slow++
		}
		if i > 1<<20 {
			t.Fatal("the queue is never full")
		}
	}
	return results
}

var slowSizes = []struct{ message, threshold, queue int }{{1000, 0, 50_000}, {100, 0, 10_000}, {5000, 700, 100_000}, {70_000, 0, 200_000}}

// SlowClose: the connection gets the messages that were queued and had begun,
// and 1013, as soon as it reads.
func TestSlowClose(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, sz := range slowSizes {
			h := newRecorder(t)
			open := h.capture()
			s := serve(t, network, h, Options{QueueBytes: sz.queue, Fragmentation: Fragmentation{sz.threshold}})
			c := s.dial()
			conn := receive(t, "connection", open)
			results := overfill(t, conn, sz.message, 1)
			if r := conn.Send(OpText, nil); r != Gone {
				t.Fatal(r)
			}
			got := 0
			for {
				op, p, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if op == OpClose {
					if string(p) != closeBody(CloseTryAgainLater, errSlowConsumer.Reason) {
						t.Fatalf("%q", p)
					}
					break
				}
				if n := int(binary.BigEndian.Uint32(p)); n != got || len(p) != sz.message {
					t.Fatalf("message %d (%d bytes), want %d", n, len(p), got)
				}
				got++
			}
			c.expectEnd()
			c.Close()
			wantEnd(t, h, CloseInfo{Code: CloseTryAgainLater, Reason: errSlowConsumer.Reason, Err: errSlowConsumer})
			dropped := uint64(len(results) - got)
			if st, n := conn.Stats(), s.Totals(); st.Dropped != dropped || n.Dropped != dropped || n.SlowClosed != 1 || dropped == 0 {
				t.Fatalf("%d of %d messages came; counted %d, %d dropped", got, len(results), st.Dropped, n.Dropped)
			}
		}
	})
}

// The handler finds its peer slow in the middle of a chunk of messages, with
// the peer's close frame behind: one close frame leaves, and it is ours.
func TestSlowCloseBeforePeersClose(t *testing.T) {
	h := newRecorder(t)
	h.message = func(b *Batch, c *Conn, _ OpCode, _ []byte) {
		for r := Queued; r != Slow; {
			r = b.Send(c, OpBinary, make([]byte, 1000))
		}
	}
	s := serve(t, "unix", h, Options{QueueBytes: 10_000})
	c := s.dial()
	c.write(join(text("x"), clientFrame(true, OpPing, nil), clientFrame(true, OpClose, []byte(closeBody(1000, "")))))
	for {
		op, p, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if op == OpClose {
			if string(p) != closeBody(CloseTryAgainLater, errSlowConsumer.Reason) {
				t.Fatalf("%q", p)
			}
			break
		}
	}
	c.expectEnd()
	c.Close()
	wantEnd(t, h, CloseInfo{Code: CloseTryAgainLater, Reason: errSlowConsumer.Reason, Err: errSlowConsumer})
}

// SlowDropNewest: what was taken comes, in order; what was not, does not.
func TestSlowDropNewest(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, sz := range slowSizes {
			h := newRecorder(t)
			open := h.capture()
			s := serve(t, network, h, Options{Slow: SlowDropNewest, QueueBytes: sz.queue, Fragmentation: Fragmentation{sz.threshold}})
			c := s.dial()
			conn := receive(t, "connection", open)
			results := overfill(t, conn, sz.message, 50)
			var dropped uint64
			for i, r := range results {
				if r == Slow {
					dropped++
				} else if n := c.number(sz.message); n != i {
					t.Fatalf("message %d, want %d", n, i)
				}
			}
			conn.Send(OpText, []byte("end"))
			c.expect(OpText, "end")
			if st, n := conn.Stats(), s.Totals(); st.Dropped != dropped || n.Dropped != dropped || n.SlowClosed != 0 || st.Queued != 0 ||
				st.MessagesOut != uint64(len(results))-dropped+1 {
				t.Fatalf("%d dropped, counted %+v", dropped, st)
			}
		}
	})
}

// SlowDropOldest: whole messages come, in order, the last ones among them.
func TestSlowDropOldest(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, sz := range slowSizes {
			h := newRecorder(t)
			open := h.capture()
			s := serve(t, network, h, Options{Slow: SlowDropOldest, QueueBytes: sz.queue, Fragmentation: Fragmentation{sz.threshold}})
			c := s.dial()
			conn := receive(t, "connection", open)
			sent := 0
			for conn.Stats().Dropped < 50 {
				if r := conn.Send(OpBinary, numbered(sent, sz.message)); r == Slow || r == Gone {
					t.Fatal(r)
				}
				sent++
			}
			got, last := 0, -1
			for last != sent-1 {
				n := c.number(sz.message)
				if n <= last {
					t.Fatalf("message %d after %d", n, last)
				}
				last = n
				got++
			}
			conn.Send(OpText, []byte("end"))
			c.expect(OpText, "end")
			if st := conn.Stats(); st.Dropped != uint64(sent-got) || s.Totals().Dropped != st.Dropped {
				t.Fatalf("%d of %d came, counted %+v", got, sent, st)
			}
		}
	})
}

// One message may be larger than the whole queue.
func TestMessageLargerThanQueue(t *testing.T) {
	s := serve(t, "unix", newRecorder(t).echo(), Options{QueueBytes: 1000})
	c := s.dial()
	big := strings.Repeat("x", 3<<20)
	go func() { _, _ = c.Write(binmsg(big)) }()
	c.expect(OpBinary, big)
}

// A reader that never reads costs what the queue may hold, and delays nobody.
func TestNeverReads(t *testing.T) {
	for _, policy := range []SlowPolicy{SlowDropNewest, SlowDropOldest} {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, "unix", h, Options{Loops: 1, Slow: policy, QueueBytes: 1 << 20})
		idle, other := s.dial(), s.dial()
		conn, otherConn := receive(t, "connection", open), receive(t, "connection", open)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		small := Fragmentation{}.NewFrame(OpText, []byte("tick"))
		message := make([]byte, 10_000)
		for range 3000 { // 30 MB
			conn.Send(OpBinary, message)
			conn.SendFrame(small)
		}
		for range 100 {
			otherConn.Send(OpText, []byte("x"))
			other.expect(OpText, "x")
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 6<<20 {
			t.Fatalf("%d bytes are held for a queue of 1 MiB", grown)
		}
		if q := conn.Stats().Queued; q > 1<<20 {
			t.Fatal(q)
		}
		idle.Close()
	}
}

// recordSocket hands the loop one end of a pair of SOCK_SEQPACKET sockets: what
// the server writes with one system call is one record at the other end.
func recordSocket(t *testing.T, s *testServer, l *loop) *os.File {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "records")
	t.Cleanup(func() { f.Close() })
	_ = f.SetDeadline(deadline())
	l.post(func() { s.adopt(int32(fds[0]), &Peer{Network: "unix"}, nil, l) })
	return f
}

// record reads what one write wrote.
func record(t *testing.T, f *os.File) string {
	t.Helper()
	b := make([]byte, 1<<20)
	n, err := f.Read(b)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(b[:n])
}

// What one pass produces for a connection leaves with one system call.
func TestOneWritePerPass(t *testing.T) {
	h := newRecorder(t)
	big := Fragmentation{}.NewFrame(OpBinary, make([]byte, 1000))
	small := Fragmentation{}.NewFrame(OpText, []byte("small"))
	var others []*Conn
	h.open = func(b *Batch, c *Conn, _ *Request) {
		others = append(others, c) // there is one loop
		b.Send(c, OpText, []byte("welcome"))
		b.SendFrame(c, small)
	}
	var want string
	h.message = func(b *Batch, _ *Conn, _ OpCode, p []byte) {
		for _, c := range others {
			for range 20 {
				b.Send(c, OpText, p)
				b.SendFrame(c, small)
				b.Ping(c, nil)
			}
			b.SendFrame(c, big)
			for range 100 {
				b.SendFrame(c, small)
			}
			c.Send(OpText, p) // not through the batch, and in order all the same
			b.SendFrame(c, big)
		}
	}
	one := func(op OpCode, s string) string { return string(appendFrame(nil, op, true, []byte(s))) }
	want = strings.Repeat(one(OpText, "payload")+one(OpText, "small")+one(OpPing, ""), 20) + string(big.wire) +
		strings.Repeat(one(OpText, "small"), 100) + one(OpText, "payload") + string(big.wire)

	s := serve(t, "unix", h, Options{Loops: 1})
	a, b := recordSocket(t, s, s.loops[0]), recordSocket(t, s, s.loops[0])
	for _, f := range []*os.File{a, b} {
		if _, err := f.WriteString(handshake); err != nil {
			t.Fatal(err)
		}
		if got := record(t, f); !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\n"+one(OpText, "welcome")+one(OpText, "small")) {
			t.Fatalf("%q", got)
		}
	}
	if _, err := a.Write(text("payload")); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*os.File{"the sender": a, "another": b} {
		if got := record(t, f); got != want {
			t.Fatalf("to %s: one write of %d bytes, want %d", name, len(got), len(want))
		}
	}
	// Many messages in one read are answered with one write, too.
	if _, err := b.Write(join(clientFrame(true, OpPing, []byte("1")), clientFrame(true, OpPing, []byte("2")), clientFrame(true, OpClose, nil))); err != nil {
		t.Fatal(err)
	}
	if got := record(t, b); got != one(OpPong, "1")+one(OpPong, "2")+one(OpClose, "") {
		t.Fatalf("%q", got)
	}
}

// Messages of Batch.Send and Conn.Send to one connection keep their order, also
// when the socket is full in between.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		const n, size = 4000, 600
		h := newRecorder(t)
		h.message = func(b *Batch, c *Conn, _ OpCode, _ []byte) {
			for i := range n {
				p := numbered(i, size)
				switch i % 4 {
				case 0:
					b.Send(c, OpBinary, p)
				case 1:
					c.Send(OpBinary, p)
				case 2:
					b.SendFrame(c, Fragmentation{}.NewFrame(OpBinary, p))
				default:
					c.SendFrame(Fragmentation{}.NewFrame(OpBinary, p))
				}
			}
		}
		s := serve(t, network, h, Options{})
		c := s.dial()
		c.send(OpText, "go")
		for i := range n {
			if got := c.number(size); got != i {
				t.Fatalf("message %d, want %d", got, i)
			}
		}
	})
}

// Large messages both ways at once, with a client that first writes all and
// then reads all: nobody waits for the other.
func TestLargeBothWays(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t).echo(), Options{Loops: 1})
		c, other := s.dial(), s.dial()
		big := strings.Repeat("b", 2<<20)
		for range 8 {
			c.send(OpBinary, big)
		}
		other.send(OpText, "quick")
		other.expect(OpText, "quick")
		for range 8 {
			c.expect(OpBinary, big)
		}
		begin := time.Now()
		c.send(OpPing, "")
		c.expect(OpPong, "")
		if d := time.Since(begin); d > 5*time.Second {
			t.Fatal(d)
		}
	})
}
