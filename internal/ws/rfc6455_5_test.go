package ws

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func TestRFC6455_5_1_UnmaskedFrameCloses(t *testing.T) {
	s := echoing(t, Limits{})
	for _, wire := range [][]byte{{0x81, 0}, {0x82, 1, 'x'}, {0x89, 0}, {0x8a, 0}, {0x88, 0}, {0x88, 2, 3, 232}, {0x81, 126}, {0x81, 127}, join(frag(OpText, false, "a"), []byte{0x80, 0})} {
		s.fails(wire, ErrUnmasked)
	}
}

// readFrame refuses a masked frame; here is one of each kind that this server
// sends.
func TestRFC6455_5_1_ServerDoesNotMask(t *testing.T) {
	h := newRecorder(t).echo()
	open := h.capture()
	s := serve(t, "tcp", h, Options{Fragmentation: Fragmentation{Threshold: 100}})
	c := s.dial()
	c.write(join(text("a"), binmsg(strings.Repeat("b", 250)), clientFrame(true, OpPing, []byte("c"))))
	c.expect(OpText, "a")
	c.expect(OpBinary, strings.Repeat("b", 250))
	c.expect(OpPong, "c")
	conn := receive(t, "connection", open)
	conn.Ping([]byte("d"))
	c.expect(OpPing, "d")
	_ = conn.Close(1000, "")
	c.expectClose(1000)
}

func TestRFC6455_5_2_ReservedBitsFail(t *testing.T) {
	s := echoing(t, Limits{})
	for rsv := byte(0x10); rsv < 0x80; rsv += 0x10 {
		for _, first := range []byte{0x81, 0x82, 0x89, 0x8a, 0x88, 0x01} {
			s.fails(join(text("before"), masked(first|rsv, "")), ErrReservedBits, reply{OpText, "before"})
		}
		s.fails(join(frag(OpText, false, "a"), masked(0x80|rsv, "")), ErrReservedBits)
		s.fails([]byte{0x81 | rsv}, ErrReservedBits) // known by the first byte
	}
}

func TestRFC6455_5_2_UnknownOpcodesFail(t *testing.T) {
	s := echoing(t, Limits{})
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		s.fails(join(text("before"), masked(0x80|op, "x")), ErrReservedOpcode, reply{OpText, "before"})
		s.fails(masked(op, ""), ErrReservedOpcode)
		s.fails(join(frag(OpText, false, "a"), masked(0x80|op, "")), ErrReservedOpcode)
		s.fails([]byte{0x80 | op}, ErrReservedOpcode)
	}
}

func TestRFC6455_5_2_LengthsOfAllForms(t *testing.T) {
	s := echoing(t, Limits{})
	for _, n := range []int{0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 1 << 20} {
		payload := strings.Repeat("x", n)
		s.answers(join(text(payload), binmsg(payload)), reply{OpText, payload}, reply{OpBinary, payload})
	}
}

func TestRFC6455_5_2_LengthMustBeMinimal(t *testing.T) {
	s := echoing(t, Limits{})
	for _, n := range []uint16{0, 1, 124, 125} {
		s.fails(binary.BigEndian.AppendUint16([]byte{0x82, 0xfe}, n), ErrNonMinimalLength)
	}
	for _, n := range []uint64{0, 125, 126, 65535} {
		s.fails(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, n), ErrNonMinimalLength)
	}
}

func TestRFC6455_5_2_TopBitOfTheLengthFails(t *testing.T) {
	s := echoing(t, Limits{Frame: 1 << 20, Message: 1 << 20})
	for _, n := range []uint64{1 << 63, 1<<63 + 5, 1<<64 - 1} {
		s.fails(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, n), ErrNegativeLength) // without a mask, without payload
	}
	s.fails(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<63-1), ErrFrameTooBig)
}

func TestRFC6455_5_3_MaskIsRemoved(t *testing.T) {
	s := echoing(t, Limits{})
	payload := "0123456789"
	for _, mask := range [][4]byte{{}, {0, 0, 0, 1}, {1}, {0xff, 0xff, 0xff, 0xff}, {0x37, 0xfa, 0x21, 0x3d}} {
		for n := range len(payload) + 1 {
			wire := append([]byte{0x82, 0x80 | byte(n)}, mask[:]...)
			for i := range n {
				wire = append(wire, payload[i]^mask[i%4])
			}
			s.answers(wire, reply{OpBinary, payload[:n]})
		}
	}
}

func TestRFC6455_5_4_ControlFramesAreNotFragmented(t *testing.T) {
	s := echoing(t, Limits{})
	for _, op := range []OpCode{OpPing, OpPong, OpClose} {
		s.fails(clientFrame(false, op, nil), ErrFragmentedControl)
		s.fails([]byte{byte(op)}, ErrFragmentedControl)
		s.fails(join(clientFrame(false, op, []byte("a")), frag(0, true, "b")), ErrFragmentedControl)
		s.fails(join(frag(OpText, false, "a"), clientFrame(false, op, nil)), ErrFragmentedControl)
	}
}

func TestRFC6455_5_4_FragmentsAreDeliveredInOrder(t *testing.T) {
	s := echoing(t, Limits{})
	var wire []byte
	var whole strings.Builder
	for i := range 300 {
		part := fmt.Sprint(i, " ")
		whole.WriteString(part)
		wire = append(wire, frag(map[bool]OpCode{true: OpText}[i == 0], i == 299, part)...)
	}
	s.answers(wire, reply{OpText, whole.String()})
}

func TestRFC6455_5_4_MessagesAreNotInterleaved(t *testing.T) {
	s := echoing(t, Limits{})
	for _, first := range []OpCode{OpText, OpBinary} {
		for _, second := range []OpCode{OpText, OpBinary} {
			for _, fin := range []bool{true, false} {
				s.fails(join(frag(first, false, "a"), frag(second, fin, "b")), ErrMissingContinuation)
			}
		}
	}
}

func TestRFC6455_5_4_ContinuationNeedsAMessage(t *testing.T) {
	s := echoing(t, Limits{})
	for _, fin := range []bool{true, false} {
		s.fails(frag(0, fin, "a"), ErrStrayContinuation)
		s.fails(frag(0, fin, ""), ErrStrayContinuation)
		s.fails(join(text("a"), frag(0, fin, "b")), ErrStrayContinuation, reply{OpText, "a"})
		s.fails(join(frag(OpText, false, "a"), frag(0, true, "b"), frag(0, fin, "c")), ErrStrayContinuation, reply{OpText, "ab"})
	}
	s.fails([]byte{0x80}, ErrStrayContinuation)
}

// Pings between fragments are answered at once, in order, before the message.
func TestRFC6455_5_4_ControlFramesWithinAMessage(t *testing.T) {
	s := echoing(t, Limits{})
	c := s.dial()
	c.write(join(frag(OpText, false, "a"), clientFrame(true, OpPing, []byte("1")), clientFrame(true, OpPong, []byte("none asked"))))
	c.expect(OpPong, "1") // the message is not whole
	c.write(join(frag(0, false, "b"), clientFrame(true, OpPing, []byte("2")), clientFrame(true, OpPing, []byte("3"))))
	c.expect(OpPong, "2")
	c.expect(OpPong, "3")
	c.write(join(clientFrame(true, OpPing, nil), frag(0, true, "c"), clientFrame(true, OpPing, []byte("4"))))
	c.expect(OpPong, "")
	c.expect(OpText, "abc")
	c.expect(OpPong, "4")
	c.write(join(frag(OpBinary, false, "d"), clientFrame(true, OpClose, []byte(closeBody(1001, "")))))
	c.expect(OpClose, closeBody(1001, ""))
	c.expectEnd()
}

func TestRFC6455_5_4_WholeAndFragmentedMessages(t *testing.T) {
	s := echoing(t, Limits{})
	s.answers(join(text("a"), frag(OpBinary, false, "b"), frag(0, true, "c"), binmsg("d"), frag(OpText, false, ""), frag(0, false, ""), frag(0, true, ""), text("")),
		reply{OpText, "a"}, reply{OpBinary, "bc"}, reply{OpBinary, "d"}, reply{OpText, ""}, reply{OpText, ""})
}

func TestRFC6455_5_5_ControlPayloadIsAtMost125Bytes(t *testing.T) {
	s := echoing(t, Limits{})
	long := strings.Repeat("x", 126)
	s.answers(clientFrame(true, OpPing, []byte(long[:125])), reply{OpPong, long[:125]})
	for _, op := range []OpCode{OpPing, OpPong, OpClose} {
		s.fails(clientFrame(true, op, []byte(long))[:2], ErrLongControl) // known by the second byte
		s.fails(join(text("before"), clientFrame(true, op, make([]byte, 1<<16))[:2]), ErrLongControl, reply{OpText, "before"})
	}
}

func TestRFC6455_5_5_1_BodyBeginsWithACode(t *testing.T) {
	s := echoing(t, Limits{})
	s.fails(clientFrame(true, OpClose, []byte{3}), ErrShortClose)
	s.fails(clientFrame(true, OpClose, []byte{3})[:2], ErrShortClose)
	c := s.dial()
	c.write(clientFrame(true, OpClose, nil)) // no body is legal
	c.expect(OpClose, "")
	c.expectEnd()
	s.h.end()
	s.fails(clientFrame(true, OpClose, []byte(closeBody(1005, "and a reason that is not needed")))[:8], ErrCloseCode) // the header and the code
}

func TestRFC6455_5_5_1_NoDataAfterOurClose(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "tcp", h, Options{})
	c := s.dial()
	conn := receive(t, "connection", open)
	if err := conn.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	if r := conn.Send(OpText, []byte("late")); r != Gone {
		t.Errorf("Send says %v", r)
	}
	onLoop(t, conn.loop, func() {
		if r := conn.loop.batch.Send(conn, OpText, []byte("late")); r != Gone {
			t.Errorf("Batch.Send says %v", r)
		}
	})
	c.expectClose(1000)
	c.send(OpClose, closeBody(1000, ""))
	c.expectEnd()
}

func TestRFC6455_5_5_1_CloseIsAnswered(t *testing.T) {
	s := echoing(t, Limits{})
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		s.dial().closes(s, code)
	}
	// What was sent before has been answered before.
	c := s.dial()
	c.write(join(text("a"), clientFrame(true, OpPing, nil), clientFrame(true, OpClose, []byte(closeBody(1000, strings.Repeat("r", 123))))))
	c.expect(OpText, "a")
	c.expect(OpPong, "")
	c.expect(OpClose, closeBody(1000, ""))
	c.expectEnd()
}

func TestRFC6455_5_5_2_PingIsAnswered(t *testing.T) {
	s := echoing(t, Limits{})
	var wire []byte
	var want []reply
	for n := range 126 {
		payload := strings.Repeat(string(rune('a'+n%26)), n)
		wire = append(wire, clientFrame(true, OpPing, []byte(payload))...)
		want = append(want, reply{OpPong, payload})
	}
	s.answers(wire, want...)
	s.answers(clientFrame(true, OpPing, []byte("\x00\xff\xfe")), reply{OpPong, "\x00\xff\xfe"})
}

// A ping is answered until the peer's close frame has come, even after ours.
func TestRFC6455_5_5_2_PingAfterCloseFrames(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "tcp", h, Options{})
	c := s.dial()
	_ = receive(t, "connection", open).Close(1000, "")
	c.expectClose(1000)
	c.send(OpPing, "ours has been sent")
	c.expect(OpPong, "ours has been sent")
	c.write(join(clientFrame(true, OpClose, []byte(closeBody(1000, ""))), clientFrame(true, OpPing, []byte("theirs, too"))))
	c.expectEnd()
}

func TestRFC6455_5_5_3_PongIsNotAnswered(t *testing.T) {
	s := echoing(t, Limits{})
	s.answers(join(clientFrame(true, OpPong, nil), clientFrame(true, OpPong, []byte("unasked")), text("a")), reply{OpText, "a"})
}

// Extensions that are not negotiated have no bits: see 5.2. Those that are, have
// tests named after RFC 7692.
func TestRFC6455_5_8_NoExtensionWithoutNegotiation(t *testing.T) {
	s := echoing(t, Limits{})
	c := s.dialRaw()
	c.write([]byte(requestWith("", "Sec-WebSocket-Extensions: permessage-deflate\r\n")))
	if got := fieldOf(c.upgraded(), "Sec-WebSocket-Extensions"); got != nil {
		t.Fatalf("agreed to %q, and compression is off", got)
	}
	c.write(masked(0xc1, "x"))
	c.failed(s, ErrReservedBits)
}
