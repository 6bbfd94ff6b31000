package ws

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const memoryLimit = 8 << 20

// peak looks at what connections hold until the function it returns is called,
// which tells the most that there was.
func peak() (most func() int64) {
	stop, found := make(chan struct{}), make(chan int64)
	go func() {
		var n int64
		for {
			n = max(n, inUse.Load())
			select {
			case <-stop:
				found <- n
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-found }
}

// Many times the limit is what all connections together are allowed each for
// itself. Those that hold most are closed with 1013, the others notice nothing,
// and all is given back.
func TestMemoryOfAllIsBounded(t *testing.T) {
	const peers, size = 40, 1 << 20
	opt := Options{Loops: 2, Memory: memoryLimit, QueueBytes: 2 * size}
	for name, hoard := range map[string]func(s *testServer, c *client, conn *Conn){
		"messages in part": func(s *testServer, c *client, _ *Conn) {
			whole := clientFrame(true, OpBinary, make([]byte, size))
			go func() { _, _ = c.Write(whole[:size-1]) }() // it may not be taken to its end
		},
		"unread messages": func(s *testServer, _ *client, conn *Conn) {
			for range size >> 16 {
				conn.Send(OpBinary, make([]byte, 1<<16))
			}
		},
		"unread messages of a batch": func(s *testServer, _ *client, conn *Conn) {
			conn.loop.post(func() {
				for range size >> 10 {
					conn.loop.batch.Send(conn, OpBinary, make([]byte, 1<<10))
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newRecorder(t)
			h.message = func(b *Batch, c *Conn, op OpCode, payload []byte) {
				if op == OpText {
					b.Send(c, op, payload)
				}
			}
			opened := h.capture()
			s := serve(t, "unix", h, opt)
			beside := bystand(s)
			receive(t, "Open", opened)
			most := peak()
			var clients []*client
			for range peers {
				c := s.dial()
				clients = append(clients, c)
				hoard(s, c, receive(t, "Open", opened))
			}
			eventually(t, "some are closed for it, and there is room again", func() bool {
				return closedForIt(s) > peers/4 && inUse.Load() <= memoryLimit
			})
			// The limit, a quarter, and the buffer that each loop was just making larger.
			if n := most(); n > 2*memoryLimit {
				t.Errorf("%d bytes were held, the limit is %d", n, memoryLimit)
			}
			for range closedForIt(s) {
				if info := h.end(); info.Code != CloseTryAgainLater { // or for a full queue, which it is then

					t.Errorf("%+v", info)
				}
			}
			if rounds := beside(); rounds == 0 {
				t.Error("the session beside it did nothing")
			}
			for _, c := range clients {
				c.Close()
			}
			eventually(t, "all are gone, and what they held", func() bool { return s.Conns() == 0 && inUse.Load() == 0 })
		})
	}
}

// closedForIt counts those that were closed for what they held: searched out, or
// when they would have held more.
func closedForIt(s *testServer) uint64 {
	t := s.Totals()
	return t.MemoryClosed + t.SlowClosed
}

// A handshake that is not whole holds memory, too.
func TestMemoryOfHandshakesIsBounded(t *testing.T) {
	h := newRecorder(t)
	s := serve(t, "unix", h, Options{Loops: 1, Memory: 1 << 20, MaxHeadBytes: 128 << 10})
	head := strings.TrimSuffix(handshake, "\r\n") + "X: " + strings.Repeat("x", 100<<10)
	var clients []*client
	for range 40 {
		c := s.dialRaw()
		clients = append(clients, c)
		c.write([]byte(head))
	}
	eventually(t, "some are refused", func() bool { return s.Totals().Refused[503] > 20 && inUse.Load() <= 1<<20 })
	s.dial().Close()
	for _, c := range clients {
		c.Close()
	}
}

// What waits for many is held once: a large broadcast to those who do not read
// is no reason to close anybody.
func TestMemoryOfABroadcastCountsOnce(t *testing.T) {
	h := newRecorder(t)
	opened := h.capture()
	s := serve(t, "unix", h, Options{Loops: 2, Memory: memoryLimit})
	var clients []*client
	var conns []*Conn
	for range 10 {
		clients = append(clients, s.dial())
		conns = append(conns, receive(t, "Open", opened))
	}
	f := s.NewFrame(OpBinary, make([]byte, memoryLimit/2))
	for _, c := range conns {
		if r := c.SendFrame(f); r != Queued {
			t.Fatal(r)
		}
	}
	if n := inUse.Load(); n < memoryLimit/2 || n > memoryLimit {
		t.Errorf("%d bytes are counted", n)
	}
	for _, c := range clients {
		_ = c.SetDeadline(deadline())
		_, got, err := c.next()
		if err != nil || !bytes.Equal(got, make([]byte, memoryLimit/2)) {
			t.Fatal(len(got), err)
		}
		c.Close()
	}
	eventually(t, "nothing is held", func() bool { return inUse.Load() == 0 })
	if n := s.Totals().MemoryClosed; n != 0 {
		t.Errorf("%d were closed", n)
	}
}
