package ws

import (
	"strings"
	"testing"
)

// badUTF8 is each kind of bytes that are not UTF-8, cut after the first byte that
// shows it: what is before that byte could still become text.
var badUTF8 = map[string]string{
	"continuation byte alone":             "\x80",
	"last continuation byte alone":        "\xbf",
	"overlong of two bytes":               "\xc0",
	"overlong DEL":                        "\xc1",
	"overlong of three bytes":             "\xe0\x80",
	"longest overlong of three bytes":     "\xe0\x9f",
	"overlong of four bytes":              "\xf0\x80",
	"longest overlong of four bytes":      "\xf0\x8f",
	"first surrogate":                     "\xed\xa0",
	"last surrogate":                      "\xed\xbf",
	"beyond U+10FFFF":                     "\xf4\x90",
	"far beyond U+10FFFF":                 "\xf5",
	"five bytes":                          "\xf8",
	"six bytes":                           "\xfc",
	"impossible 0xfe":                     "\xfe",
	"impossible 0xff":                     "\xff",
	"two bytes, the second ASCII":         "\xc3A",
	"two bytes, the second a lead":        "\xc3\xc3",
	"three bytes, the second ASCII":       "\xe2A",
	"three bytes, the third ASCII":        "\xe2\x82A",
	"three bytes, the third a lead":       "\xe2\x82\xe2",
	"four bytes, the second ASCII":        "\xf0A",
	"four bytes, the third ASCII":         "\xf0\x9fA",
	"four bytes, the fourth ASCII":        "\xf0\x9f\x98A",
	"four bytes, the fourth a lead":       "\xf0\x9f\x98\xf0",
	"surrogate before the pair's second":  "\xed\xa0",
	"continuation after a character":      "\u20ac\x80",
	"second character":                    "\u20ac\xe2(",
	"after a character of four":           "\U0010ffff\xf4\xbf",
	"overlong after the last of two":      "\u07ff\xc0",
	"noncharacter, then a surrogate":      "\uffff\xed\xb0",
	"NUL, then an overlong one":           "\x00\xe0\x81",
	"long text before it":                 strings.Repeat("\u00e9", 3000) + "\xff",
	"long text, a byte off, before it":    "a" + strings.Repeat("\u20ac", 3000) + "\xf0\x9f(",
	"end of a chunk of the loop's buffer": strings.Repeat("x", readBufferSize-10) + "\xe2\x82\xc2",
}

// A text is failed by the byte that shows that it is none, while its frame goes
// on, however it is cut into segments.
func TestRFC6455_8_1_FirstBadByteFailsWithinAFrame(t *testing.T) {
	s := echoing(t, Limits{})
	for name, bad := range badUTF8 {
		t.Run(name, func(t *testing.T) {
			s := s.as(t)
			wire := text(bad + strings.Repeat("x", 500))
			wire = wire[:len(wire)-500]
			s.fails(wire, ErrInvalidUTF8) // in one segment
			if len(bad) > 100 {
				return
			}
			c := s.dial()
			for i := range wire { // in segments of one byte
				c.write(wire[i : i+1])
			}
			c.failed(s, ErrInvalidUTF8)
		})
	}
}

// The same over fragments. That the bytes before the bad one are not failed is
// shown by a ping before it, which is answered.
func TestRFC6455_8_1_FirstBadByteFailsWithinAMessage(t *testing.T) {
	s := echoing(t, Limits{})
	for name, bad := range badUTF8 {
		t.Run(name, func(t *testing.T) {
			s := s.as(t)
			n := len(bad) - 1
			first := frag(OpText, false, bad[:n])
			if n > 0 && n < 100 {
				first = nil
				for i := range n {
					first = append(first, frag(map[bool]OpCode{true: OpText}[i == 0], false, bad[i:i+1])...)
				}
			}
			c := s.dial()
			c.write(join(first, clientFrame(true, OpPing, []byte("so far"))))
			c.expect(OpPong, "so far")
			last := frag(0, false, bad[n:]+"xyz")
			c.write(last[:len(last)-3])
			c.failed(s, ErrInvalidUTF8)
		})
	}
}

// A text that ends within a character fails at its end, not before.
func TestRFC6455_8_1_TextEndsWithinACharacter(t *testing.T) {
	s := echoing(t, Limits{})
	for _, cut := range []string{"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x98", "ok\xed\x9f", "\xf4\x8f\xbf"} {
		s.fails(text(cut), ErrInvalidUTF8)
		s.fails(join(frag(OpText, false, cut), clientFrame(true, OpPing, nil), frag(0, true, "")), ErrInvalidUTF8, reply{OpPong, ""})
	}
}

func TestRFC6455_5_6_TextIsAnyUTF8AndBinaryAnything(t *testing.T) {
	s := echoing(t, Limits{})
	all := "\x00\x7f\u0080\u07ff\u0800\ud7ff\ue000\ufdd0\ufffe\uffff\U00010000\U0001fffe\U0010ffff"
	var split []byte
	var want []reply
	for i := range len(all) { // cut at every byte, into fragments
		split = append(split, join(frag(OpText, false, all[:i]), frag(0, true, all[i:]))...)
		want = append(want, reply{OpText, all})
	}
	s.answers(split, want...)
	for _, bad := range badUTF8 {
		s.answers(binmsg(bad), reply{OpBinary, bad})
	}
}

// A close frame's reason is judged like a text, and by its code first.
func TestRFC6455_5_5_1_ReasonIsUTF8(t *testing.T) {
	s := echoing(t, Limits{})
	for name, bad := range badUTF8 {
		if len(bad) > 100 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := s.as(t)
			s.fails(clientFrame(true, OpClose, []byte(closeBody(1000, bad))), ErrCloseReason)
			wire := clientFrame(true, OpClose, []byte(closeBody(1000, bad+"rest")))
			s.fails(wire[:len(wire)-4], ErrCloseReason)
			c := s.dial()
			for i := range len(wire) - 4 {
				c.write(wire[i : i+1])
			}
			c.failed(s, ErrCloseReason)
		})
	}
	s.fails(clientFrame(true, OpClose, []byte(closeBody(1000, "cut \xe2\x82"))), ErrCloseReason)
	s.fails(clientFrame(true, OpClose, []byte(closeBody(1005, "\xff"))), ErrCloseCode)
}
