package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// decodeEvent is an Event whose payload is a copy. Its opcode has RSV1 in it when
// the payload is compressed.
type decodeEvent struct {
	Op      OpCode
	Payload string
	Code    int
}

// decodeAll feeds a stream in chunks of the given sizes, over and over (none:
// in one), as the loop does. It fails the test for what Next may never do.
func decodeAll(t testing.TB, stream []byte, lim Limits, sizes ...int) (events []decodeEvent, idle bool, err error) {
	t.Helper()
	var d Decoder
	defer d.Reset()
	for i := 0; len(stream) > 0; i++ {
		k := len(stream)
		if len(sizes) > 0 {
			k = min(k, sizes[i%len(sizes)])
		}
		// A chunk is the decoder's to modify, and gone after it.
		chunk := bytes.Clone(stream[:k])
		stream = stream[k:]
		for {
			ev, n, err := d.Next(chunk, &lim)
			if n < 0 || n > len(chunk) {
				t.Fatalf("consumed %d of %d bytes", n, len(chunk))
			}
			if err != nil {
				if _, ok := err.(*ProtocolError); !ok || ev.Op != 0 {
					t.Fatalf("error %v (%T) with event %v", err, err, ev)
				}
				return events, false, err
			}
			chunk = chunk[n:]
			if ev.Op == OpContinuation {
				if len(chunk) != 0 {
					t.Fatalf("no event, and %d bytes left", len(chunk))
				}
				break
			}
			if ev.Compressed {
				ev.Op |= rsv1
			}
			events = append(events, decodeEvent{ev.Op, string(ev.Payload), ev.Code})
		}
		for i := range chunk[:cap(chunk)] {
			chunk[:cap(chunk)][i] = 0xff // what the decoder keeps, it has copied
		}
		if d.Idle() != (d.p == nil) {
			t.Fatalf("idle %v, and holds memory: %v", d.Idle(), d.p != nil)
		}
	}
	return events, d.Idle(), nil
}

// join concatenates frames.
func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// withHeader is a masked frame with these first bytes as they are, and a mask
// of zeros.
func withHeader(payload string, first ...byte) []byte {
	return append(append(first, 0, 0, 0, 0), payload...)
}

func text(s string) []byte   { return clientFrame(true, OpText, []byte(s)) }
func binmsg(s string) []byte { return clientFrame(true, OpBinary, []byte(s)) }
func frag(op OpCode, fin bool, s string) []byte {
	return clientFrame(fin, op, []byte(s))
}

func TestDecoderRules(t *testing.T) {
	type want = []decodeEvent
	long := strings.Repeat("x", 65536)
	for _, tt := range []struct {
		name   string // with the section of RFC 6455
		stream []byte
		lim    Limits
		events want
		err    error
	}{
		// 5.2, the base framing
		{"5.2 text", text("hello"), Limits{}, want{{OpText, "hello", 0}}, nil},
		{"5.2 empty text", text(""), Limits{}, want{{OpText, "", 0}}, nil},
		{"5.2 binary", binmsg("\xff\x00"), Limits{}, want{{OpBinary, "\xff\x00", 0}}, nil},
		{"5.2 125 bytes", binmsg(long[:125]), Limits{}, want{{OpBinary, long[:125], 0}}, nil},
		{"5.2 126 bytes", binmsg(long[:126]), Limits{}, want{{OpBinary, long[:126], 0}}, nil},
		{"5.2 65535 bytes", binmsg(long[:65535]), Limits{}, want{{OpBinary, long[:65535], 0}}, nil},
		{"5.2 65536 bytes", binmsg(long), Limits{}, want{{OpBinary, long, 0}}, nil},
		{"5.2 RSV1", withHeader("", 0xc1, 0x80), Limits{}, nil, ErrReservedBits},
		{"5.2 RSV2", withHeader("", 0xa1, 0x80), Limits{}, nil, ErrReservedBits},
		{"5.2 RSV3", withHeader("", 0x91, 0x80), Limits{}, nil, ErrReservedBits},
		{"5.2 RSV1 on a ping", withHeader("", 0xc9, 0x80), Limits{}, nil, ErrReservedBits},
		{"7692 6 RSV1", join(frag(OpText|rsv1, true, "\xff"), text("a")), Limits{deflate: true}, want{{OpText | rsv1, "\xff", 0}, {OpText, "a", 0}}, nil},
		{"7692 6 RSV1, fragments", join(frag(OpText|rsv1, false, "\xff"), frag(0, false, "a"), clientFrame(true, OpPing, nil), frag(0, true, "b"), text("a")), Limits{deflate: true},
			want{{OpPing, "", 0}, {OpText | rsv1, "\xffab", 0}, {OpText, "a", 0}}, nil},
		{"7692 6 RSV1 on a ping", withHeader("", 0xc9, 0x80), Limits{deflate: true}, nil, ErrReservedBits},
		{"7692 6 RSV1 on a close", withHeader("", 0xc8, 0x80), Limits{deflate: true}, nil, ErrReservedBits},
		{"7692 6 RSV1 on a continuation", join(frag(OpText|rsv1, false, "a"), frag(rsv1, true, "b")), Limits{deflate: true}, nil, ErrReservedBits},
		{"7692 6 RSV1 and RSV2", withHeader("", 0xe1, 0x80), Limits{deflate: true}, nil, ErrReservedBits},
		{"7692 6 RSV3", withHeader("", 0x91, 0x80), Limits{deflate: true}, nil, ErrReservedBits},
		{"7692 6 UTF-8 as it is", join(frag(OpText, true, "\xff")), Limits{deflate: true}, nil, ErrInvalidUTF8},
		{"5.2 length 125 in 16 bits", withHeader(long[:125], 0x82, 0xfe, 0, 125), Limits{}, nil, ErrNonMinimalLength},
		{"5.2 length 0 in 16 bits", withHeader("", 0x82, 0xfe, 0, 0), Limits{}, nil, ErrNonMinimalLength},
		{"5.2 length 126 in 64 bits", withHeader(long[:126], 0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 126), Limits{}, nil, ErrNonMinimalLength},
		{"5.2 length 65535 in 64 bits", withHeader("", 0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff), Limits{}, nil, ErrNonMinimalLength},
		{"5.2 top bit of the length", withHeader("", 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), Limits{}, nil, ErrNegativeLength},
		{"5.2 all bits of the length", withHeader("", 0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), Limits{}, nil, ErrNegativeLength},
		{"5.2 longest length, waits", withHeader("abc", 0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), Limits{}, nil, nil},
		{"5.1 unmasked", []byte{0x81, 0x01, 'a'}, Limits{}, nil, ErrUnmasked},
		{"5.1 unmasked, empty", []byte{0x81, 0x00}, Limits{}, nil, ErrUnmasked},
		{"5.1 unmasked ping", []byte{0x89, 0x00}, Limits{}, nil, ErrUnmasked},
		{"5.1 unmasked close", []byte{0x88, 0x00}, Limits{}, nil, ErrUnmasked},

		// 5.4, fragmentation
		{"5.4 fragments", join(frag(OpText, false, "a"), frag(0, false, "b"), frag(0, true, "c")), Limits{}, want{{OpText, "abc", 0}}, nil},
		{"5.4 empty fragments", join(frag(OpText, false, ""), frag(0, false, ""), frag(0, true, "")), Limits{}, want{{OpText, "", 0}}, nil},
		{"5.4 control frames between", join(frag(OpBinary, false, "a"), clientFrame(true, OpPing, []byte("p")), frag(0, false, "b"), clientFrame(true, OpPong, nil), frag(0, true, "c"), text("d")),
			Limits{}, want{{OpPing, "p", 0}, {OpPong, "", 0}, {OpBinary, "abc", 0}, {OpText, "d", 0}}, nil},
		{"5.4 close between", join(frag(OpBinary, false, "a"), clientFrame(true, OpClose, []byte(closeBody(1000, "x")))), Limits{}, want{{OpClose, "x", 1000}}, nil},
		{"5.4 stray continuation", frag(0, true, "a"), Limits{}, nil, ErrStrayContinuation},
		{"5.4 stray continuation, not final", frag(0, false, "a"), Limits{}, nil, ErrStrayContinuation},
		{"5.4 stray after a message", join(text("a"), frag(0, true, "b")), Limits{}, want{{OpText, "a", 0}}, ErrStrayContinuation},
		{"5.4 stray after fragments", join(frag(OpText, false, "a"), frag(0, true, "b"), frag(0, true, "c")), Limits{}, want{{OpText, "ab", 0}}, ErrStrayContinuation},
		{"5.4 text inside text", join(frag(OpText, false, "a"), text("b")), Limits{}, nil, ErrMissingContinuation},
		{"5.4 binary inside text", join(frag(OpText, false, "a"), frag(OpBinary, false, "b")), Limits{}, nil, ErrMissingContinuation},

		// 5.5, control frames
		{"5.5 ping of 125", clientFrame(true, OpPing, []byte(long[:125])), Limits{}, want{{OpPing, long[:125], 0}}, nil},
		{"5.5 ping of 126", clientFrame(true, OpPing, []byte(long[:126])), Limits{}, nil, ErrLongControl},
		{"5.5 close of 126", clientFrame(true, OpClose, []byte(long[:126])), Limits{}, nil, ErrLongControl},
		{"5.5 ping of 2^63", withHeader("", 0x89, 0xff), Limits{}, nil, ErrLongControl},
		{"5.5 fragmented ping", clientFrame(false, OpPing, nil), Limits{}, nil, ErrFragmentedControl},
		{"5.5 fragmented pong", clientFrame(false, OpPong, nil), Limits{}, nil, ErrFragmentedControl},
		{"5.5 fragmented close", clientFrame(false, OpClose, nil), Limits{}, nil, ErrFragmentedControl},
		{"5.5.1 empty close", clientFrame(true, OpClose, nil), Limits{}, want{{OpClose, "", CloseNoStatus}}, nil},
		{"5.5.1 close of one byte", clientFrame(true, OpClose, []byte{3}), Limits{}, nil, ErrShortClose},
		{"5.5.1 longest reason", clientFrame(true, OpClose, []byte(closeBody(1000, long[:123]))), Limits{}, want{{OpClose, long[:123], 1000}}, nil},
		{"5.5.1 reason is not UTF-8", clientFrame(true, OpClose, []byte(closeBody(1000, "\xff"))), Limits{}, nil, ErrCloseReason},
		{"5.5.1 reason ends inside a character", clientFrame(true, OpClose, []byte(closeBody(1000, "\xe2\x82"))), Limits{}, nil, ErrCloseReason},

		// 8.1, text
		{"8.1 all lengths of characters", text("a\u00e9\u20ac\U0001f600"), Limits{}, want{{OpText, "a\u00e9\u20ac\U0001f600", 0}}, nil},
		{"8.1 character over fragments", join(frag(OpText, false, "\xf0\x9f"), frag(0, false, ""), frag(0, false, "\x98"), frag(0, true, "\x80")), Limits{}, want{{OpText, "\U0001f600", 0}}, nil},
		{"8.1 last character", text("\U0010ffff"), Limits{}, want{{OpText, "\U0010ffff", 0}}, nil},
		{"8.1 noncharacters are legal", text("\ufffe\uffff"), Limits{}, want{{OpText, "\ufffe\uffff", 0}}, nil},
		{"8.1 ends inside a character", text("a\xe2\x82"), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 fragments end inside a character", join(frag(OpText, false, "a\xe2"), frag(0, true, "\x82")), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 surrogate", text("\xed\xa0\x80"), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 overlong slash", text("\xc0\xaf"), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 overlong NUL", text("\xe0\x80\x80"), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 beyond the last character", text("\xf4\x90\x80\x80"), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 continuation byte alone", text("\x80"), Limits{}, nil, ErrInvalidUTF8},
		{"8.1 binary is not judged", join(frag(OpBinary, false, "\xff"), frag(0, true, "\xfe")), Limits{}, want{{OpBinary, "\xff\xfe", 0}}, nil},

		// 10.4, limits
		{"10.4 frame at its limit", binmsg("1234"), Limits{Frame: 4}, want{{OpBinary, "1234", 0}}, nil},
		{"10.4 frame above", binmsg("12345"), Limits{Frame: 4}, nil, ErrFrameTooBig},
		{"10.4 control frames are not limited", clientFrame(true, OpPing, []byte("12345")), Limits{Frame: 4, Message: 4}, want{{OpPing, "12345", 0}}, nil},
		{"10.4 message at its limit", binmsg("1234"), Limits{Message: 4}, want{{OpBinary, "1234", 0}}, nil},
		{"10.4 message above", binmsg("12345"), Limits{Message: 4}, nil, ErrMessageTooBig},
		{"10.4 fragments at the limit", join(frag(OpBinary, false, "12"), frag(0, true, "34"), binmsg("1234")), Limits{Message: 4}, want{{OpBinary, "1234", 0}, {OpBinary, "1234", 0}}, nil},
		{"10.4 fragments above", join(frag(OpBinary, false, "12"), frag(0, true, "345")), Limits{Message: 4}, nil, ErrMessageTooBig},
		{"10.4 judged by the header alone", withHeader("", 0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0), Limits{Message: 4}, nil, ErrMessageTooBig},
		{"10.4 frame's limit comes first", withHeader("", 0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0), Limits{Frame: 4, Message: 4}, nil, ErrFrameTooBig},
		{"10.4 number of fragments", join(frag(OpBinary, false, ""), frag(0, false, ""), frag(0, true, "")), Limits{Fragments: 3}, want{{OpBinary, "", 0}}, nil},
		{"10.4 too many fragments", join(frag(OpBinary, false, ""), frag(0, false, ""), clientFrame(true, OpPing, nil), frag(0, false, "")), Limits{Fragments: 2}, want{{OpPing, "", 0}}, ErrTooManyFragments},
		{"10.4 each message anew", join(text("a"), text("b"), text("c")), Limits{Fragments: 1}, want{{OpText, "a", 0}, {OpText, "b", 0}, {OpText, "c", 0}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, sizes := range [][]int{nil, {1}, {2}, {3, 1}, {5}, {7, 4096}} {
				events, _, err := decodeAll(t, tt.stream, tt.lim, sizes...)
				if fmt.Sprint(events) != fmt.Sprint(tt.events) || err != tt.err {
					t.Fatalf("in chunks of %v: got %.200s, %v; want %.200s, %v", sizes, fmt.Sprint(events), err, fmt.Sprint(tt.events), tt.err)
				}
			}
		})
	}
}

// RFC 6455, section 5.2: opcodes 3-7 and 11-15 are reserved.
func TestDecoderOpcodes(t *testing.T) {
	for op := OpCode(0); op < 16; op++ {
		for _, fin := range []bool{true, false} {
			_, _, err := decodeAll(t, clientFrame(fin, op, nil), Limits{})
			want := map[OpCode]error{OpContinuation: ErrStrayContinuation}[op]
			switch {
			case op >= 3 && op <= 7 || op >= 11:
				want = ErrReservedOpcode
			case op >= 8 && !fin:
				want = ErrFragmentedControl
			}
			if err != want {
				t.Errorf("opcode %d, final %v: %v, want %v", op, fin, err, want)
			}
		}
	}
}

// RFC 6455, section 7.4, and the registry: every code there is.
func TestDecoderCloseCodes(t *testing.T) {
	for code := range 1 << 16 {
		legal := code >= 3000 && code < 5000
		switch code {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			legal = true
		}
		if ValidCloseCode(code) != legal {
			t.Fatalf("ValidCloseCode(%d) is %v", code, !legal)
		}
		_, err := closeEvent([]byte(closeBody(code, "")))
		if (err == nil) != legal || err != nil && err != ErrCloseCode {
			t.Fatalf("%d: %v", code, err)
		}
	}
	if ValidCloseCode(-1) || ValidCloseCode(1<<16+1000) {
		t.Fatal("code beyond 16 bits")
	}
}

// A text is refused at the first byte that cannot be part of one, even when
// the frame and the message go on (RFC 6455, section 8.1: "as early as
// possible" is what the test suites ask for).
func TestDecoderEarlyUTF8(t *testing.T) {
	for _, tt := range []struct{ good, bad string }{
		{"abc", "\xff"},
		{"\xed", "\xa0"},         // surrogate
		{"\xe0", "\x9f"},         // overlong
		{"\xf0", "\x8f"},         // overlong
		{"\xf4", "\x90"},         // beyond U+10FFFF
		{"\xe2\x82", "a"},        // broken off
		{"\xf0\x9f\x98", "\xc3"}, // broken off
		{"", "\xc0"},
		{"", "\xf5"},
		{"", "\x80"},
	} {
		for _, cut := range []bool{false, true} { // the bad byte comes in a frame of its own
			var d Decoder
			stream := clientFrame(false, OpText, []byte(tt.good+tt.bad+strings.Repeat("x", 300)))
			stream = stream[:len(stream)-300]
			if cut {
				next := clientFrame(false, 0, []byte(tt.bad+"xxx"))
				stream = append(clientFrame(false, OpText, []byte(tt.good)), next[:len(next)-3]...)
			}
			last := len(stream) - 1
			for i := range stream {
				_, _, err := d.Next(stream[i:i+1], &Limits{})
				if (err != nil) != (i == last) {
					t.Fatalf("%q %q (cut %v): byte %d of %d: %v", tt.good, tt.bad, cut, i, last, err)
				}
			}
			d.Reset()
		}
	}
}

// Memory follows the bytes that came, not the length that was declared.
func TestDecoderDeclaredLength(t *testing.T) {
	for _, size := range []uint64{1 << 20, 1 << 40, 1 << 62, 1<<63 - 1} {
		var d Decoder
		stream := append(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, size), 1, 2, 3, 4, 'a', 'b', 'c')
		ev, n, err := d.Next(stream, &Limits{})
		if ev.Op != 0 || n != len(stream) || err != nil {
			t.Fatal(ev, n, err)
		}
		if k := cap(d.p.message.b); k > 1<<minBufferBits {
			t.Fatalf("%d bytes declared, 3 came, %d kept", size, k)
		}
		d.Reset()
	}
	// A header alone keeps nothing but itself.
	var d Decoder
	_, _, _ = d.Next(withHeader("", 0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0), &Limits{})
	if d.p.message != nil {
		t.Fatal("a buffer was taken for no byte")
	}
	d.Reset()
}

// Between messages a decoder holds nothing.
func TestDecoderGivesBack(t *testing.T) {
	stream := join(text("a"), frag(OpText, false, "b"), clientFrame(true, OpPing, []byte("p")), frag(0, true, "c"), clientFrame(true, OpPong, nil), text(""))
	if _, idle, err := decodeAll(t, stream, Limits{}, 1); !idle || err != nil { // also asserts that memory is held exactly when not idle
		t.Fatal(idle, err)
	}
	var d Decoder
	if !d.Idle() {
		t.Fatal("the zero Decoder is not idle")
	}
	_, _, _ = d.Next([]byte{0x81}, &Limits{})
	if d.Idle() {
		t.Fatal("idle after half a header")
	}
	d.Reset()
	if !d.Idle() || d.p != nil {
		t.Fatal("holds something after Reset")
	}
	if _, n, err := d.Next(nil, &Limits{}); n != 0 || err != nil || d.p != nil {
		t.Fatal("an empty chunk changed something")
	}
}

// The common case takes no memory.
func TestDecoderAllocates(t *testing.T) {
	const size = 300
	payload := make([]byte, size)
	stream := clientFrame(true, OpBinary, payload)
	chunk := make([]byte, len(stream))
	lim := Limits{Frame: 1 << 16, Message: 1 << 20, Fragments: 100}
	var d Decoder
	if n := testing.AllocsPerRun(100, func() {
		copy(chunk, stream)
		if ev, _, err := d.Next(chunk, &lim); len(ev.Payload) != size || err != nil {
			panic(fmt.Sprint(ev, err))
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// refDecode is the decoder as one would write it without a thought for speed
// or chunks: the whole stream lies there, frame after frame is judged.
func refDecode(b []byte, lim Limits) (events []decodeEvent, idle bool, err error) {
	var message []byte
	var messageOp OpCode
	open, packed, fragments := false, false, 0
	for len(b) > 0 {
		second := byte(0x80) // a legal one, until it is here
		if len(b) > 1 {
			second = b[1]
		}
		fin, op, short := b[0]>>7 == 1, OpCode(b[0]%16), int(second%128)
		control := op >= 8
		switch {
		case b[0]/16%8 != 0 && !(lim.deflate && b[0]/16%8 == 4 && (op == 1 || op == 2 || op > 2 && op < 8)):
			return events, false, ErrReservedBits
		case op > 2 && op < 8 || op > 10:
			return events, false, ErrReservedOpcode
		case control && !fin:
			return events, false, ErrFragmentedControl
		case control && short > 125:
			return events, false, ErrLongControl
		case op == OpClose && short == 1:
			return events, false, ErrShortClose
		case op == 0 && !open:
			return events, false, ErrStrayContinuation
		case (op == 1 || op == 2) && open:
			return events, false, ErrMissingContinuation
		case second>>7 == 0:
			return events, false, ErrUnmasked
		}
		ext := map[int]int{126: 2, 127: 8}[short]
		if len(b) < 2+ext {
			return events, false, nil
		}
		size := uint64(short)
		if ext > 0 {
			size = 0
			for _, x := range b[2 : 2+ext] {
				size = size<<8 | uint64(x)
			}
		}
		switch {
		case size >= 1<<63:
			return events, false, ErrNegativeLength
		case ext == 2 && size < 126, ext == 8 && size < 65536:
			return events, false, ErrNonMinimalLength
		}
		bound := lim
		if b[0]&0x40 != 0 || op == 0 && packed {
			bound.Frame += lim.Frame/1024 + 64
			bound.Message += lim.Message/1024 + 64
		}
		switch {
		case !control && lim.Frame > 0 && size > uint64(bound.Frame):
			return events, false, ErrFrameTooBig
		case !control && lim.Message > 0 && uint64(len(message))+size > uint64(bound.Message):
			return events, false, ErrMessageTooBig
		case len(b) < 2+ext+4:
			return events, false, nil
		}
		if !control {
			fragments++
			if lim.Fragments > 0 && fragments > lim.Fragments {
				return events, false, ErrTooManyFragments
			}
			if op != 0 {
				messageOp, open, packed = op, true, b[0]&0x40 != 0
			}
		}
		mask := b[2+ext : 2+ext+4]
		b = b[2+ext+4:]
		whole := uint64(len(b)) >= size
		if whole {
			// keep b for the rest
		} else {
			size = uint64(len(b))
		}
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = b[i] ^ mask[i%4]
		}
		b = b[size:]
		if control {
			ev := decodeEvent{Op: op, Payload: string(payload)}
			if op == OpClose {
				ev.Code = CloseNoStatus
				if len(payload) >= 2 {
					ev.Code = int(payload[0])<<8 + int(payload[1])
					ev.Payload = string(payload[2:])
					if ev.Code < 1000 || ev.Code == 1004 || ev.Code == 1005 || ev.Code == 1006 || ev.Code > 1014 && ev.Code < 3000 || ev.Code > 4999 {
						return events, false, ErrCloseCode
					}
					if !couldBeText(payload[2:], whole) {
						return events, false, ErrCloseReason
					}
				}
			}
			if !whole {
				return events, false, nil
			}
			events = append(events, ev)
			continue
		}
		message = append(message, payload...)
		if messageOp == OpText && !packed && !couldBeText(message, whole && fin) {
			return events, false, ErrInvalidUTF8
		}
		if !whole {
			return events, false, nil
		}
		if fin {
			if packed {
				messageOp |= rsv1
			}
			events = append(events, decodeEvent{Op: messageOp, Payload: string(message)})
			message, open, fragments = nil, false, 0
		}
	}
	return events, !open, nil
}

// couldBeText reports whether b is UTF-8, or, unless it is final, can be
// continued to be.
func couldBeText(b []byte, final bool) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			break
		}
		b = b[n:]
	}
	if len(b) == 0 || final {
		return len(b) == 0
	}
	// Try every way to complete the character.
	var complete func(b []byte) bool
	complete = func(b []byte) bool {
		if utf8.Valid(b) {
			return utf8.RuneCount(b) == 1
		}
		if len(b) >= 4 {
			return false
		}
		for _, x := range []byte{0x80, 0x90, 0xa0, 0xbf} {
			if complete(append(bytes.Clone(b), x)) {
				return true
			}
		}
		return false
	}
	return complete(b)
}

// compareDecoders checks a stream against the reference, cut in several ways.
func compareDecoders(t testing.TB, stream []byte, lim Limits, cuts ...[]int) {
	t.Helper()
	want, wantIdle, wantErr := refDecode(stream, lim)
	for _, sizes := range append(cuts, nil, []int{1}) {
		got, idle, err := decodeAll(t, stream, lim, sizes...)
		if !errors.Is(err, wantErr) || fmt.Sprint(got) != fmt.Sprint(want) || idle != wantIdle {
			t.Fatalf("limits %+v, chunks of %v, stream % x\ngot  %.300s, idle %v, %v\nwant %.300s, idle %v, %v",
				lim, sizes, stream[:min(len(stream), 400)], fmt.Sprint(got), idle, err, fmt.Sprint(want), wantIdle, wantErr)
		}
	}
}
