package ws

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// fuzzLimits are chosen from by a fuzzer's byte.
var fuzzLimits = []Limits{{}, {Frame: 100}, {Message: 150}, {Fragments: 3}, {Frame: 126, Message: 300, Fragments: 4}, {deflate: true}, {Frame: 100, Message: 150, deflate: true}}

// FuzzDecoder feeds arbitrary bytes: any way of cutting them gives the events
// and the error that the reference decoder finds in the whole.
func FuzzDecoder(f *testing.F) {
	long := strings.Repeat("z", 70000)
	for _, seed := range [][]byte{
		nil,
		text("hello"), binmsg(long[:126]), binmsg(long),
		join(frag(OpText, false, "\xe2"), clientFrame(true, OpPing, []byte("p")), frag(0, false, "\x82"), frag(0, true, "\xac"), text("next")),
		join(text("a"), clientFrame(true, OpClose, []byte(closeBody(1000, "bye")))),
		clientFrame(true, OpClose, []byte(closeBody(1005, ""))),
		clientFrame(true, OpClose, []byte{3}),
		text("\xed\xa0\x80"), text("\xf4\x90"), frag(OpText, false, "\xc0"),
		withHeader("x", 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0),
		withHeader("x", 0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0),
		withHeader("x", 0x82, 0xfe, 0, 125), withHeader("", 0xc1, 0x80), join(frag(OpText|rsv1, false, "\xff"), frag(0, true, "\xe2")), {0x81, 1, 'a'},
		join(frag(OpBinary, false, "a"), text("b")), frag(0, true, ""), clientFrame(false, OpPing, nil),
		join(frag(OpBinary, false, ""), frag(0, false, ""), frag(0, false, ""), frag(0, true, "")),
	} {
		f.Add(seed, uint8(0), []byte{2, 3})
		f.Add(seed, uint8(4), []byte{1, 6, 200})
	}
	f.Fuzz(func(t *testing.T, stream []byte, limits uint8, cut []byte) {
		compareDecoders(t, stream, fuzzLimits[int(limits)%len(fuzzLimits)], cutSizes(cut))
	})
}

func cutSizes(cut []byte) []int {
	sizes := []int{}
	for _, k := range cut {
		sizes = append(sizes, int(k)+1)
	}
	if len(sizes) == 0 {
		return nil
	}
	return sizes
}

// FuzzDecoderFrames makes frames from the fuzzer's bytes, most of them legal,
// so that long conversations are reached at once.
func FuzzDecoderFrames(f *testing.F) {
	f.Add([]byte("\x01\x05\x81\x05\x80\x03"), uint8(0), []byte{0})
	f.Add([]byte("\x01\xff\x09\x10\x00\xff\x80\x01"), uint8(4), []byte{4, 9})
	f.Add([]byte("\x02\x7f\x00\x7f\x00\x7f\x80\x7f\x88\x02"), uint8(2), []byte{5})
	f.Fuzz(func(t *testing.T, program []byte, limits uint8, cut []byte) {
		compareDecoders(t, framesOf(program), fuzzLimits[int(limits)%len(fuzzLimits)], cutSizes(cut))
	})
}

// framesOf turns each pair of bytes into a frame: its first byte, and what is
// in it.
func framesOf(program []byte) (stream []byte) {
	words := []string{"a", "\u00e9", "\u20ac", "\U0001f600", "\xe2", "\x82", "\xac", "\xff", strings.Repeat("y", 60), closeBody(1000, "")}
	for len(program) >= 2 && len(stream) < 1<<16 {
		first, n := program[0], int(program[1])
		program = program[2:]
		var payload []byte
		for k := n; k > 0; k /= len(words) {
			payload = append(payload, words[k%len(words)]...)
		}
		fr := clientFrame(first&0x80 != 0, OpCode(first&0x0f), payload)
		if first&0x70 == 0x70 || first&0x70 == rsv1 { // seldom: keep the reserved bits
			fr[0] = first
		}
		stream = append(stream, fr...)
	}
	return stream
}

// TestDecoderAgainstReference is the fuzzers' property on random conversations.
func TestDecoderAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		stream := []byte{}
		open := false
		for range r.IntN(12) {
			payload := []byte(strings.Repeat([]string{"x", "\u20ac", "\U0001f600"}[r.IntN(3)], r.IntN(60)))
			op, fin := OpCode(1+r.IntN(2)), r.IntN(3) > 0
			switch k := r.IntN(20); {
			case k < 4:
				op, fin = OpCode(9+r.IntN(2)), true
				payload = payload[:min(len(payload), 125)]
			case open:
				op = 0
			}
			if !op.IsControl() {
				open = !fin
			}
			if r.IntN(10) == 0 && len(payload) > 0 {
				payload = payload[:r.IntN(len(payload))] // may cut a character
			}
			fr := clientFrame(fin, op, payload)
			if r.IntN(40) == 0 {
				fr[r.IntN(len(fr))] ^= 1 << r.IntN(8)
			}
			stream = append(stream, fr...)
		}
		if r.IntN(4) == 0 && len(stream) > 0 {
			stream = stream[:r.IntN(len(stream))]
		}
		compareDecoders(t, stream, fuzzLimits[r.IntN(len(fuzzLimits))], []int{1 + r.IntN(9)}, []int{1 + r.IntN(100), 1 + r.IntN(9)})
	}
}
