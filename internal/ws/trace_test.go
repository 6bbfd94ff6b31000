package ws

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/nvsess/nvsess/internal/deflate"
)

// A connection that is traced shows all that comes and goes, by whichever way it
// is sent; the others show nothing, and nor does it when that is over.
func TestTrace(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, opt := range []Options{
			{},
			{Fragmentation: Fragmentation{Threshold: 7}},
			{Mounts: []*Mount{{Compression: Compression{Mode: CompressionOn, Deflate: deflate.Options{ServerWindowBits: 15, ClientWindowBits: 15}}}}},
		} {
			h := newRecorder(t).echo()
			open := h.capture()
			s := serve(t, network, h, opt)
			c, other := s.dialRaw(), s.dial()
			otherConn := receive(t, "connection", open)
			c.write([]byte(strings.Replace(handshake, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)))
			c.upgraded()
			conn := receive(t, "connection", open)
			var mu sync.Mutex
			var seen []Traced
			conn.Trace(func(x Traced) {
				mu.Lock()
				defer mu.Unlock()
				x.Payload = bytes.Clone(x.Payload)
				seen = append(seen, x)
			})
			long := strings.Repeat("long ", 40)
			c.send(OpText, "hello")
			c.next()
			c.send(OpPing, "p")
			c.next()
			conn.Send(OpBinary, []byte(long))
			otherConn.Send(OpText, []byte("not this"))
			f := s.NewFrame(OpText, []byte("frame"))
			conn.SendFrame(f)
			onLoop(t, conn.loop, func() {
				conn.loop.batch.SendFrame(conn, f)
				conn.loop.batch.Ping(conn, []byte("b"))
			})
			conn.Ping([]byte("n"))
			c.send(OpPong, "n")
			eventually(t, "the pong", func() bool { mu.Lock(); defer mu.Unlock(); return seen[len(seen)-1].Op == OpPong })
			if err := conn.Close(CloseNormal, "bye"); err != nil {
				t.Fatal(err)
			}
			var got []string
			mu.Lock()
			for _, x := range seen {
				way := "in"
				if x.Out {
					way = "out"
				}
				if !strings.HasPrefix(long, string(x.Payload)) && x.Size != len(x.Payload) || x.Size < len(x.Payload) || x.Result > Queued {
					t.Errorf("%+v", x)
				}
				got = append(got, way+" "+string(rune('0'+x.Op))+" "+string(x.Payload[:min(len(x.Payload), 5)]))
			}
			mu.Unlock()
			want := "in 1 hello,out 1 hello,in 9 p,out : p,out 2 long ,out 1 frame,out 1 frame,out 9 b,out 9 n,in : n,out 8 \x03\xe8bye"
			if strings.Join(got, ",") != want {
				t.Errorf("%+v:\n%q\n%q", opt.Fragmentation, strings.Join(got, ","), want)
			}
			for _, x := range seen {
				if x.Op == OpBinary && x.Size != len(long) {
					t.Errorf("%d of %d bytes", x.Size, len(long))
				}
			}
			conn.Trace(nil)
			if conn.traced() || otherConn.traced() || conn.state() != stateClosing {
				t.Error("the bit is wrong")
			}
			n := len(seen)
			c.send(OpPing, "unseen")
			c.Close()
			other.Close()
			h.end()
			h.end()
			if len(seen) != n {
				t.Errorf("shown after the end: %+v", seen[n:])
			}
		}
	})
}

// Tracing changes while messages come and go.
func TestTraceWhileSending(t *testing.T) {
	h := newRecorder(t).echo()
	open := h.capture()
	s := serve(t, "unix", h, Options{})
	c := s.dial()
	conn := receive(t, "connection", open)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for range 1000 {
			conn.Trace(func(Traced) {})
			conn.Trace(nil)
		}
	})
	for range 500 {
		c.send(OpText, "x")
		c.expect(OpText, "x")
	}
	wg.Wait()
	c.send(OpClose, "\x03\xe8")
	c.expectClose(CloseNormal)
	h.end()
}
