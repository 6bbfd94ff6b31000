package hostile

import (
	"fmt"
	"strings"
)

// frames are cases of RFC 6455, section 5.
func frames() []Case {
	ended := opened("5.4 a continuation of a message that has ended", Violation, 1002, frame(opText, "o"), frame(fin|opCont, "n"), frame(opCont, "x"))
	ended.Messages = append(ended.Messages, "on")
	cases := []Case{
		opened("5.1 a masked frame", Violation, 1002, []byte{fin | opText, 0x81, 1, 2, 3, 4, 'x' ^ 1}),
		opened("5.1 an empty masked frame", Violation, 1002, []byte{fin | opText, 0x80, 0, 0, 0, 0}),
		opened("5.2 a length of 0 in three bytes", Violation, 1002, []byte{fin | opBinary, 126, 0, 0}),
		opened("5.2 a length of 125 in three bytes", Violation, 1002, []byte{fin | opBinary, 126, 0, 125}),
		opened("5.2 a length of 1 in nine bytes", Violation, 1002, long(fin|opBinary, 1)),
		opened("5.2 a length of 65535 in nine bytes", Violation, 1002, long(fin|opBinary, 65535)),
		opened("5.2 a length of 2^63", Violation, 1002, long(fin|opBinary, 1<<63)),
		opened("5.2 a length of 2^64-1", Violation, 1002, long(fin|opBinary, 1<<64-1)),
		opened("10.4 a frame of 2^62 bytes", TooBig, 1009, long(fin|opBinary, 1<<62)),
		opened("10.4 a frame of 2^53+1 bytes", TooBig, 1009, long(fin|opBinary, 1<<53+1)),
		opened("10.4 a frame of 4 GiB", TooBig, 1009, long(fin|opBinary, 1<<32)),
		opened("10.4 a frame one byte over the limit, at its head", TooBig, 1009, header(fin|opBinary, MaxMessage+1)),
		opened("10.4 a first fragment over the limit", TooBig, 1009, header(opBinary, MaxMessage+1)),
		opened("10.4 a message over the limit in fragments, at the head of the last", TooBig, 1009,
			frame(opBinary, strings.Repeat("x", MaxMessage/2)), frame(opCont, strings.Repeat("x", MaxMessage/2)), header(opCont, 1)),
		endless("10.4 endless fragments", TooBig, 1009, frame(opBinary, "x"), frame(opCont, "x")),
		endless("10.4 endless fragments of nothing", TooBig, 1008, frame(opText, ""), frame(opCont, "")),
		legal("10.4 a message of just the limit", []string{fmt.Sprint("binary ", MaxMessage)}, frame(fin|opBinary, strings.Repeat("x", MaxMessage))),
		legal("5.4 fragments of all sizes, pings between", []string{"ab", "binary 127"},
			frame(opText, "a"), frame(fin|opPing, "between"), frame(opCont, ""), frame(fin|opCont, "b"),
			frame(opBinary, ""), frame(opCont, strings.Repeat("x", 126)), frame(fin|opPong, ""), frame(fin|opCont, "x")),
		legal("5.6 empty messages", []string{"", "binary 0", ""}, text(""), frame(fin|opBinary, ""), frame(opText, ""), frame(fin|opCont, "")),
		opened("5.4 a continuation of nothing", Violation, 1002, frame(fin|opCont, "x")),
		ended,
		opened("5.4 text within text", Violation, 1002, frame(opText, "x"), text("y")),
		opened("5.4 binary within text", Violation, 1002, frame(opText, "x"), frame(opBinary, "y")),
		opened("5.4 text within text, after a ping", Violation, 1002, frame(opText, "x"), frame(fin|opPing, ""), text("y")),
		opened("5.5 a ping of 126 bytes", Violation, 1002, frame(fin|opPing, strings.Repeat("x", 126))),
		opened("5.5 a pong of 65536 bytes", Violation, 1002, header(fin|opPong, 65536)),
		opened("5.5 a close frame of 126 bytes", Violation, 1002, closing(1000, strings.Repeat("x", 124))),
		opened("5.5 a ping in fragments", Violation, 1002, frame(opPing, "x")),
		opened("5.5 a pong in fragments", Violation, 1002, frame(opPong, "x")),
		opened("5.5 a close frame in fragments", Violation, 1002, frame(opClose, "\x03\xe8")),
		legal("5.5.3 pongs that nobody asked for", nil, frame(fin|opPong, ""), frame(fin|opPong, strings.Repeat("x", 125))),
		legal("5.5.2 a flood of pings", []string{"on"}, join(manyPings(2000)...), text("on")).whole(),
	}
	for _, rsv := range []byte{rsv1, rsv2, rsv3, rsv1 | rsv2 | rsv3} {
		for _, opcode := range []byte{opText, opBinary, opPing, opPong, opClose} {
			cases = append(cases, opened(fmt.Sprintf("5.2 reserved bits %03b with opcode %d", rsv>>4, opcode), Violation, 1002, frame(fin|rsv|opcode, "")))
		}
		cases = append(cases, opened(fmt.Sprintf("5.2 reserved bits %03b in a continuation", rsv>>4), Violation, 1002, frame(opText, "x"), frame(fin|rsv|opCont, "y")))
	}
	for _, opcode := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases, opened(fmt.Sprintf("5.2 the opcode %d", opcode), Violation, 1002, frame(fin|opcode, "")))
	}
	return cases
}

func endless(name, end string, code int, first, more []byte) Case {
	c := opened(name, end, code)
	c.serve = func(c *conn) {
		c.write(join(c.head(), text("good"), first))
		c.endless(more)
	}
	return c.whole()
}

func manyPings(n int) (all [][]byte) {
	for i := range n {
		all = append(all, frame(fin|opPing, fmt.Sprintf("%0125d", i)))
	}
	return all
}

// texts are cases of RFC 6455, section 8.1: what is not UTF-8 ends the
// connection when it is seen, not when the message is whole.
func texts() []Case {
	cases := []Case{
		legal("8.1 characters of all lengths, cut anywhere", []string{"\U0010ffffé世\x00\u007f", "世"},
			text("\U0010ffffé世\x00\u007f"), frame(opText, "\xe4"), frame(opCont, "\xb8"), frame(opCont, ""), frame(fin|opCont, "\x96")),
		legal("8.1 bytes of no character in a binary message", []string{"binary 2"}, frame(fin|opBinary, "\xff\xfe")),
		legal("8.1 a byte order mark is a character", []string{"\ufeffx"}, text("\ufeffx")),
		opened("8.1 a character that the end cuts", Violation, 1007, text("x\xe4\xb8")),
		opened("8.1 a character that the end of the last fragment cuts", Violation, 1007, frame(opText, "x\xf0\x9f"), frame(fin|opCont, "\x98")),
		opened("8.1 a character cut by another fragment's", Violation, 1007, frame(opText, "\xe4"), frame(opCont, "x")),
		opened("8.1 half a character, then an end of nothing", Violation, 1007, frame(opText, "\xe4\xb8"), frame(fin|opCont, "")),
	}
	for _, bad := range []struct{ name, bytes string }{
		{"a continuation byte", "\x80"}, {"a lead of nothing", "\xc3("}, {"0xff", "\xff"}, {"0xfe", "\xfe"},
		{"overlong /", "\xc0"}, {"overlong, two bytes", "\xc1"}, {"overlong, three bytes", "\xe0\x9f"}, {"overlong, four bytes", "\xf0\x8f"},
		{"a surrogate", "\xed\xa0"}, {"beyond U+10FFFF", "\xf4\x90"}, {"five bytes", "\xf8"}, {"a third byte that is none", "\xe4\xb8A"},
	} {
		cases = append(cases,
			opened("8.1 "+bad.name, Violation, 1007, text("abc"+bad.bytes)),
			// Nothing follows: the client must not wait for it.
			opened("8.1 "+bad.name+", in a frame that does not end", Violation, 1007, header(fin|opText, 9000), []byte("abc"+bad.bytes)),
			opened("8.1 "+bad.name+", in a message that does not end", Violation, 1007, frame(opText, "abc"), frame(opCont, bad.bytes[:1]), header(opCont, 100), []byte(bad.bytes[1:]+"\x80")))
	}
	return cases
}
