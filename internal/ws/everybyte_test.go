package ws

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// endings are how a peer may leave, its side of the socket as it is.
var endings = map[string]func(*client){
	// TCP: a reset. A unix socket: a reset as well, when it leaves something unread.
	"reset": (*client).reset,
	"close": func(c *client) { c.Close() },
	"half": func(c *client) { // what the server still sends is read to its end
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		_, _ = io.Copy(io.Discard, c.br)
		c.Close()
	},
}

// A peer may leave in each of three ways after each byte that it sends, and
// after each byte of what it is sent, in a handshake, in a frame, in a message
// of several with a ping between, in the closing handshake. Each that was opened
// is closed once, nothing is left over (see serve), and a session beside it
// loses nothing.
func TestPeerLeavesAtEveryByte(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		s := serve(t, network, h, Options{Loops: 2})
		beside := bystand(s)

		said := [][]byte{
			[]byte(handshake),
			clientFrame(true, OpText, []byte("whole")),
			clientFrame(false, OpBinary, bytes.Repeat([]byte{1}, 130)),
			clientFrame(true, OpPing, []byte("between")),
			clientFrame(true, OpContinuation, []byte{2}),
			clientFrame(true, OpClose, []byte(closeBody(1000, "bye"))),
		}
		all := bytes.Join(said, nil)
		c := s.dialRaw()
		c.write(all)
		heard, err := io.ReadAll(c.br)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()

		for how, leave := range endings {
			for n := range len(all) + 1 {
				c := s.dialRaw()
				c.write(all[:n])
				leave(c)
			}
			for n := range len(heard) + 1 {
				c := s.dialRaw()
				c.write(all)
				got := make([]byte, n)
				if _, err := io.ReadFull(c.br, got); err != nil || !bytes.Equal(got, heard[:n]) {
					t.Fatalf("%s: %q %v", how, got, err)
				}
				leave(c)
			}
			// Message by message, so that the server has answered each before the end.
			for n := range len(said) {
				c := s.dial()
				for _, frame := range said[1 : n+1] {
					c.write(frame)
				}
				leave(c)
			}
		}
		eventually(t, "all but one are gone", func() bool { return s.Conns() == 1 })
		if rounds := beside(); rounds == 0 {
			t.Error("the session beside it did nothing")
		}
	})
}

// bystand has a session exchange messages until the function it returns is
// called, which tells how many there were.
func bystand(s *testServer) (rest func() int) {
	c := s.dial()
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { done <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = c.SetDeadline(deadline())
			want := fmt.Sprint("message ", n)
			if _, err := c.Write(clientFrame(true, OpText, []byte(want))); err != nil {
				s.t.Errorf("the session beside it: %v", err)
				return
			}
			if op, got, err := c.next(); err != nil || op != OpText || string(got) != want {
				s.t.Errorf("the session beside it: %q %v", got, err)
				return
			}
		}
	}()
	return func() int {
		close(stop)
		n := <-done
		_ = c.Conn.Close()
		return n
	}
}
