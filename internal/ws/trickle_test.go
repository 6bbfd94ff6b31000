package ws

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// passes are how often the loops have turned since they were asked last.
func (s *testServer) passes() (n int64) {
	for _, l := range s.loops {
		n += l.beats.Swap(0)
	}
	return n
}

// Peers that read a byte at a time, through the smallest buffers there are: what
// they are sent comes whole and in order, in many partial writes, and
// the loops turn for what happens only, not to look.
func TestTrickle(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		const peers = 4
		const messages = 120
		h := newRecorder(t)
		opened := h.capture()
		s := serve(t, network, h, Options{Loops: 1})
		var conns []*Conn
		var clients []*client
		for range peers {
			c := s.dial()
			if sc, ok := c.Conn.(interface{ SetReadBuffer(int) error }); ok {
				_ = sc.SetReadBuffer(8 << 10) // of TCP; with less its own timers set the pace
			}
			conn := receive(t, "Open", opened)
			if err := unix.SetsockoptInt(int(conn.fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
				t.Fatal(err)
			}
			conns, clients = append(conns, conn), append(clients, c)
		}
		message := func(i int) string { return fmt.Sprint(i, " ", strings.Repeat("x", i*37%5000)) }
		sent := 0
		for i := range messages {
			sent += peers * len(message(i))
		}
		s.passes()
		var senders sync.WaitGroup
		for _, conn := range conns {
			senders.Go(func() {
				for i := range messages {
					if r := conn.Send(OpText, []byte(message(i))); r != Sent && r != Queued {
						t.Errorf("message %d: %v", i, r)
					}
				}
			})
		}
		senders.Wait()

		// Nobody reads yet: there is nothing to do.
		s.passes()
		<-time.After(300 * time.Millisecond) // it is this time that is tested
		if n := s.passes(); n > 30 {
			t.Errorf("the loop turned %d times for nothing", n)
		}

		var readers sync.WaitGroup
		for _, c := range clients {
			readers.Go(func() {
				c.br.Reset(&byByte{c})
				for i := range messages {
					op, got, err := c.next()
					if err != nil || op != OpText || string(got) != message(i) {
						t.Errorf("message %d: %.40q (%d bytes), %v", i, got, len(got), err)
						return
					}
				}
			})
		}
		readers.Wait()
		n := s.passes()
		t.Logf("%d bytes to %d peers: %d passes", sent, peers, n)
		if n > int64(sent)/50 {
			t.Errorf("%d passes for %d bytes", n, sent)
		}
		for _, c := range clients {
			c.Close()
		}
		eventually(t, "all are gone", func() bool { return s.Conns() == 0 })
	})
}

// byByte reads a byte at a time, and bears with a slow test.
type byByte struct{ c *client }

func (b *byByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, io.ErrShortBuffer
	}
	_ = b.c.SetDeadline(deadline())
	return b.c.Conn.Read(p[:1])
}
