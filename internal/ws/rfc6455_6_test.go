package ws

import (
	"strings"
	"testing"
	"time"
)

func TestRFC6455_6_1_1_SendsOnlyWhileOpen(t *testing.T) {
	h := newRecorder(t)
	conns := make(chan *Conn, 1)
	h.check = func(c *Conn, _ *Request) *Response {
		if r := c.Send(OpText, []byte("too early")); r != Gone {
			t.Errorf("before the answer, Send says %v", r)
		}
		conns <- c
		return nil
	}
	s := serve(t, "tcp", h, Options{})
	c := s.dial()
	conn := receive(t, "connection", conns)
	if r := conn.Send(OpText, []byte("in time")); r != Sent {
		t.Errorf("Send says %v", r)
	}
	c.expect(OpText, "in time")
	c.closes(s, 1000)
	if r := conn.Send(OpText, []byte("too late")); r != Gone {
		t.Errorf("after the end, Send says %v", r)
	}
}

// Messages of every size leave in frames with the right opcode and FIN, whole
// or, by a threshold, in fragments.
func TestRFC6455_6_1_2_MessagesLeaveInFrames(t *testing.T) {
	for _, threshold := range []int{0, 1, 125, 126, 1000} {
		h := newRecorder(t).echo()
		s := serve(t, "tcp", h, Options{Fragmentation: Fragmentation{Threshold: threshold}})
		c := s.dial()
		for _, op := range []OpCode{OpText, OpBinary} {
			for _, n := range []int{0, 1, 2, 125, 126, 127, 999, 1000, 1001, 2000, 70000} {
				if threshold > 0 && n/threshold > 3000 {
					continue
				}
				c.send(op, strings.Repeat("x", n))
				want := op
				for got, fin := 0, false; !fin; want = OpContinuation {
					f, err := readFrame(c.br)
					if err != nil {
						t.Fatal(err)
					}
					got, fin = got+len(f.payload), f.fin
					if f.op != want || fin != (got == n) || threshold > 0 && len(f.payload) > threshold {
						t.Fatalf("threshold %d, message of %d: opcode %d, %d bytes, final %v, after %d bytes", threshold, n, f.op, len(f.payload), fin, got)
					}
				}
			}
		}
		c.closes(s, 1000)
	}
}

func TestRFC6455_6_2_TypeIsThatOfTheFirstFrame(t *testing.T) {
	s := echoing(t, Limits{})
	s.answers(join(frag(OpBinary, false, "\xff"), frag(0, true, "\xfe"), frag(OpText, false, "a"), frag(0, true, "b"), binmsg("")),
		reply{OpBinary, "\xff\xfe"}, reply{OpText, "ab"}, reply{OpBinary, ""})
}

// However the bytes are cut into segments, the messages are the same.
func TestRFC6455_6_2_ParsedAsFramesHoweverTheyCome(t *testing.T) {
	s := echoing(t, Limits{})
	wire := join(text("a\u20ac"), frag(OpBinary, false, strings.Repeat("b", 130)), clientFrame(true, OpPing, []byte("p")), frag(0, true, ""), text(strings.Repeat("c", 300)))
	for _, size := range []int{1, 2, 3, 7, 64} {
		c := s.dial()
		for i := 0; i < len(wire); i += size {
			c.write(wire[i:min(i+size, len(wire))])
		}
		c.expect(OpText, "a\u20ac")
		c.expect(OpPong, "p")
		c.expect(OpBinary, strings.Repeat("b", 130))
		c.expect(OpText, strings.Repeat("c", 300))
		c.closes(s, 1000)
	}
}

// 16 MiB whose frame's beginning and end come byte by byte, and as many bytes as
// a limit allows in fragments of one byte, each in its own write.
func TestRFC6455_6_2_LargeMessagesInSmallWrites(t *testing.T) {
	const size, fragments = 16 << 20, 2000
	s := echoing(t, Limits{Frame: size, Message: size, Fragments: fragments})
	big := strings.Repeat("0123456789abcde\n", size/16)
	wire := text(big)
	c := s.dial()
	_ = c.SetDeadline(time.Now().Add(5 * patience)) // it is much, for a busy machine
	begin := time.Now()
	byByte := func(b []byte) {
		for i := range b {
			c.write(b[i : i+1])
		}
	}
	byByte(wire[:1024])
	go func() {
		_, _ = c.Write(wire[1024 : len(wire)-1024])
		for i := len(wire) - 1024; i < len(wire); i++ {
			_, _ = c.Write(wire[i : i+1])
		}
	}()
	c.expect(OpText, big)
	t.Logf("16 MiB there and back: %v", time.Since(begin))
	begin = time.Now()
	byByte(text(big[:1<<17]))
	c.expect(OpText, big[:1<<17])
	t.Logf("128 KiB in writes of one byte: %v", time.Since(begin))
	for i := range fragments {
		c.write(frag(map[bool]OpCode{true: OpText}[i == 0], i == fragments-1, big[i:i+1]))
	}
	c.expect(OpText, big[:fragments])
	c.closes(s, 1000)
}

// 16 MiB of text fed to the decoder byte by byte: the work for each byte does not
// grow with what came before it.
func TestRFC6455_6_2_16MiBByteByByte(t *testing.T) {
	size := 16 << 20
	if raceEnabled {
		size >>= 4
	}
	want := strings.Repeat("\u20acb", size/4)
	wire, lim := text(want), Limits{Frame: int64(size), Message: int64(size)}
	var d Decoder
	defer d.Reset()
	begin := time.Now()
	for i := range wire {
		ev, n, err := d.Next(wire[i:i+1], &lim)
		if last := i == len(wire)-1; err != nil || n != 1 || (ev.Op == OpText) != last || last && string(ev.Payload) != want {
			t.Fatalf("byte %d: opcode %d, %d consumed, %v", i, ev.Op, n, err)
		}
	}
	if d := time.Since(begin); d > patience {
		t.Fatalf("took %v", d)
	}
}
