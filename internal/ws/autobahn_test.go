package ws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An autobahnCase is a case of the Autobahn test suite: what its client sends,
// and what a server has to answer to be judged OK (not NON-STRICT). The real
// suite wants Python 2; this plays its conversations, each in one write, frame
// by frame and octet by octet, so that cases that differ only there are one.
type autobahnCase struct {
	ids    string // further numbers of the same bytes after a blank
	frames [][]byte
	want   []reply
	code   int // of the close frame that the server sends in the end
}

func TestAutobahn(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t).echo(), Options{})
	cases := slices.Concat(autobahnFraming(), autobahnPings(), autobahnReserved(), autobahnFragments(), autobahnUTF8(), autobahnClose(), autobahnLimits())
	for _, tt := range cases {
		t.Run(tt.ids, func(t *testing.T) {
			whole := join(tt.frames...)
			sizes := []int{len(whole), 0, 1}
			if len(whole) > 10_000 {
				sizes = []int{len(whole), 0, 997}
			}
			for _, size := range sizes {
				pieces := tt.frames
				if size > 0 {
					pieces = slices.Collect(slices.Chunk(whole, size))
				}
				s.as(t).plays(pieces, tt.want, tt.code)
			}
		})
	}
}

// plays holds one conversation, of which the server has to send the last word.
func (s *testServer) plays(pieces [][]byte, want []reply, code int) {
	s.t.Helper()
	c := s.dial()
	written := make(chan bool)
	go func() {
		defer close(written)
		for _, b := range pieces {
			if _, err := c.Write(b); err != nil {
				return // the server has ended the socket, which its close frame explains
			}
		}
	}()
	for _, r := range want {
		c.expect(r.op, r.payload)
	}
	c.expectClose(code)
	c.expectEnd()
	<-written
	c.Close()
	s.h.end()
}

const hello = "Hello, world!"

// goodbye is the close frame that ends a case in which nothing is wrong.
func goodbye() []byte { return clientFrame(true, OpClose, []byte(closeBody(1000, ""))) }

// echoed is a case whose message comes back.
func echoed(ids string, op OpCode, payload string, frames ...[]byte) autobahnCase {
	return autobahnCase{ids, append(frames, goodbye()), []reply{{op, payload}}, 1000}
}

// broken is a case that fails the connection, with nothing answered but want.
func broken(ids string, code int, want []reply, frames ...[]byte) autobahnCase {
	return autobahnCase{ids, frames, want, code}
}

// 1: framing. 10: the same in fragments.
func autobahnFraming() (cases []autobahnCase) {
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		for k, op := range []OpCode{OpText, OpBinary} {
			p := strings.Repeat("*", n)
			cases = append(cases, echoed(fmt.Sprintf("1.%d.%d", k+1, i+1), op, p, frag(op, true, p)))
		}
	}
	p := strings.Repeat("*", 65536)
	return append(cases, echoed("10.1.1", OpText, p, fragmented(OpText, p, 1300)...))
}

// fragmented is a message in frames of n bytes.
func fragmented(op OpCode, p string, n int) (frames [][]byte) {
	for i := 0; i < len(p); i += n {
		frames = append(frames, frag(op, i+n >= len(p), p[i:min(i+n, len(p))]))
		op = OpContinuation
	}
	return frames
}

// 2: pings and pongs.
func autobahnPings() []autobahnCase {
	ping := func(p string) []byte { return clientFrame(true, OpPing, []byte(p)) }
	pong := func(p string) []byte { return clientFrame(true, OpPong, []byte(p)) }
	bytes, long := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", strings.Repeat("\xfe", 125)
	ten := autobahnCase{ids: "2.10 2.11", code: 1000}
	for i := range 10 {
		p := fmt.Sprint("payload-", i)
		ten.frames, ten.want = append(ten.frames, ping(p)), append(ten.want, reply{OpPong, p})
	}
	ten.frames = append(ten.frames, goodbye())
	return []autobahnCase{
		echoed("2.1", OpPong, "", ping("")), echoed("2.2", OpPong, hello, ping(hello)), echoed("2.3", OpPong, bytes, ping(bytes)),
		echoed("2.4 2.6", OpPong, long, ping(long)), broken("2.5", 1002, nil, ping(long+"\xfe")),
		broken("2.7", 1000, nil, pong(""), goodbye()), broken("2.8", 1000, nil, pong("unsolicited pong payload"), goodbye()),
		echoed("2.9", OpPong, "ping payload", pong("unsolicited pong payload"), ping("ping payload")), ten,
	}
}

// 3: reserved bits. 4: reserved opcodes.
func autobahnReserved() (cases []autobahnCase) {
	ping, before := clientFrame(true, OpPing, nil), []reply{{OpText, hello}}
	cases = append(cases,
		broken("3.1", 1002, nil, masked(0x91, hello)),
		broken("3.2", 1002, before, text(hello), masked(0xa1, hello), ping), broken("3.3", 1002, before, text(hello), masked(0xb1, hello), ping),
		broken("3.4", 1002, before, text(hello), masked(0xc1, hello), ping),
		broken("3.5", 1002, nil, masked(0xd2, "\x00\xff\xfe")), broken("3.6", 1002, nil, masked(0xe9, hello)), broken("3.7", 1002, nil, masked(0xf8, "")))
	for k, first := range []byte{3, 11} {
		for i := range byte(5) {
			id, op := fmt.Sprintf("4.%d.%d", k+1, i+1), 0x80|(first+i)
			if i < 2 {
				cases = append(cases, broken(id, 1002, nil, masked(op, strings.Repeat("reserved", int(i)))))
			} else {
				cases = append(cases, broken(id, 1002, before, text(hello), masked(op, strings.Repeat(hello, int(i)-2)), ping))
			}
		}
	}
	return cases
}

// 5: fragmentation.
func autobahnFragments() []autobahnCase {
	ping := func(p string) []byte { return clientFrame(true, OpPing, []byte(p)) }
	a, b := frag(OpText, false, "fragment1"), frag(0, true, "fragment2")
	whole := reply{OpText, "fragment1fragment2"}
	stray, strayOpen := frag(0, true, "non-continuation"), frag(0, false, "non-continuation")
	return []autobahnCase{
		broken("5.1", 1002, nil, clientFrame(false, OpPing, []byte("fragment1")), b),
		broken("5.2", 1002, nil, clientFrame(false, OpPong, []byte("fragment1")), b),
		echoed("5.3 5.4 5.5", OpText, whole.payload, a, b),
		{"5.6 5.7 5.8", [][]byte{a, ping("ping payload"), b, goodbye()}, []reply{{OpPong, "ping payload"}, whole}, 1000},
		broken("5.9 5.10 5.11", 1002, nil, stray, text(hello)),
		broken("5.12 5.13 5.14", 1002, nil, strayOpen, text(hello)),
		broken("5.15", 1002, []reply{whole}, a, b, frag(0, false, "fragment3"), text("fragment4")),
		broken("5.16", 1002, nil, strayOpen, a, b, strayOpen, a, b),
		broken("5.17", 1002, nil, stray, a, b, stray, a, b),
		broken("5.18", 1002, nil, a, text("fragment2")),
		{"5.19 5.20", [][]byte{a, frag(0, false, "2"), ping("1!"), frag(0, false, "3"), frag(0, false, "4"), ping("2!"), frag(0, true, "5"), goodbye()},
			[]reply{{OpPong, "1!"}, {OpPong, "2!"}, {OpText, "fragment12345"}}, 1000},
	}
}

// 6: texts. What 6.4 sends after the first bad octet is not sent here: the server
// has to answer before.
func autobahnUTF8() []autobahnCase {
	kosme := "\u03ba\u1f79\u03c3\u03bc\u03b5"
	surrogate, beyond := kosme+"\xed\xa0\x80edited", kosme+"\xf4\x90\x80\x80edited"
	umlauts := "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"
	cut := func(wire []byte, n int) []byte { return wire[:len(wire)-n] }
	cases := []autobahnCase{
		echoed("6.1.1", OpText, "", text("")), echoed("6.1.2", OpText, "", frag(OpText, false, ""), frag(0, false, ""), frag(0, true, "")),
		echoed("6.1.3", OpText, "middle", frag(OpText, false, ""), frag(0, false, "middle"), frag(0, true, "")),
		echoed("6.2.1", OpText, umlauts, text(umlauts)), echoed("6.2.2", OpText, umlauts, fragmented(OpText, umlauts, 13)...),
		echoed("6.2.3", OpText, umlauts, fragmented(OpText, umlauts, 1)...), echoed("6.2.4", OpText, kosme, fragmented(OpText, kosme, 1)...),
		broken("6.3.1", 1007, nil, text(surrogate)), broken("6.3.2", 1007, nil, fragmented(OpText, surrogate, 1)...),
		broken("6.4.1", 1007, nil, frag(OpText, false, kosme), frag(0, false, beyond[11:15])),
		broken("6.4.2", 1007, nil, frag(OpText, false, beyond[:12]), frag(0, false, beyond[12:13])),
		broken("6.4.3", 1007, nil, cut(text(beyond), 6)), broken("6.4.4", 1007, nil, cut(text(beyond), 8)),
	}
	good := map[string][]string{
		"6.5": {"hello$world", "hello\u00a2world", "hello\u20acworld", "hello\U00024b62world", kosme},
		"6.7": {"\x00", "\u0080", "\u0800", "\U00010000"}, "6.9": {"\x7f", "\u07ff", "\uffff", "\U0010ffff"},
		"6.11": {"\xed\x9f\xbf", "\ue000", "\ufffd", "\U0010ffff"}, "6.23": {"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"},
	}
	for plane := rune(0); plane <= 16; plane++ {
		good["6.22"] = append(good["6.22"], string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	bad := map[string][]string{
		"6.8": {"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}, "6.10": {"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		"6.11 bad": {"\xf4\x90\x80\x80"},
		"6.12":     {"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf"},
		"6.13":     {"\xc0 \xc1 \xc2 ", "\xe0 \xe1 \xef ", "\xf0 \xf1 \xf7 ", "\xf8 \xfb ", "\xfc \xfd "},
		"6.14":     {"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"},
		"6.15":     {"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf"}, "6.16": {"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		"6.17": {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		"6.18": {"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		"6.19": {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		"6.20": {"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"},
	}
	for _, high := range []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf"} {
		bad["6.21"] = append(bad["6.21"], high+"\xed\xb0\x80", high+"\xed\xbf\xbf")
	}
	for n := 1; n <= len(kosme); n++ { // 6.6: prefixes
		if p := kosme[:n]; strings.ToValidUTF8(p, "") == p {
			good["6.6"] = append(good["6.6"], p)
		} else {
			bad["6.6 bad"] = append(bad["6.6 bad"], p)
		}
	}
	for id, texts := range good {
		for i, p := range texts {
			cases = append(cases, echoed(fmt.Sprintf("%s.%d", id, i+1), OpText, p, text(p)))
		}
	}
	for id, texts := range bad {
		for i, p := range texts {
			cases = append(cases, broken(fmt.Sprintf("%s.%d", id, i+1), 1007, nil, text(p)))
		}
	}
	return cases
}

// 7: closing.
func autobahnClose() []autobahnCase {
	closing := func(code int, reason string) []byte {
		return clientFrame(true, OpClose, []byte(closeBody(code, reason)))
	}
	big := strings.Repeat("BAsd7&jh23", 26215)
	cases := []autobahnCase{
		echoed("7.1.1", OpText, hello, text(hello)),
		broken("7.1.2", 1000, nil, goodbye(), clientFrame(true, OpClose, nil)), broken("7.1.3", 1000, nil, goodbye(), clientFrame(true, OpPing, nil)),
		broken("7.1.4", 1000, nil, goodbye(), text(hello)), broken("7.1.5", 1000, nil, frag(OpText, false, "a"), goodbye(), frag(0, true, "b")),
		{"7.1.6", [][]byte{text(big), text(hello), goodbye(), clientFrame(true, OpPing, nil)}, []reply{{OpText, big}, {OpText, hello}}, 1000},
		broken("7.3.1", 0, nil, clientFrame(true, OpClose, nil)), broken("7.3.2", 1002, nil, clientFrame(true, OpClose, []byte("a"))),
		broken("7.3.3", 1000, nil, goodbye()), broken("7.3.4", 1000, nil, closing(1000, hello)),
		broken("7.3.5", 1000, nil, closing(1000, strings.Repeat("*", 123))), broken("7.3.6", 1002, nil, closing(1000, strings.Repeat("*", 124))),
		broken("7.5.1", 1007, nil, closing(1000, "\u03ba\xed\xa0\x80edited")),
		broken("7.13.1", 1002, nil, closing(5000, "")), broken("7.13.2", 1002, nil, closing(65535, "")),
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, broken(fmt.Sprintf("7.7.%d", i+1), code, nil, closing(code, "")))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, broken(fmt.Sprintf("7.9.%d", i+1), 1002, nil, closing(code, "")))
	}
	return cases
}

// 9: limits, up to 4 MiB; 16 MiB is in TestRFC6455_6_2_LargeMessagesInSmallWrites.
func autobahnLimits() (cases []autobahnCase) {
	mega := strings.Repeat("BAsd7&jh23+-\u20ac!", 1<<16)
	for k, op := range []OpCode{OpText, OpBinary} {
		for i, n := range []int{1 << 16, 1 << 18, 1 << 20} {
			cases = append(cases, echoed(fmt.Sprintf("9.%d.%d", k+1, i+1), op, mega[:n], frag(op, true, mega[:n])))
		}
		for i, n := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20} {
			cases = append(cases, echoed(fmt.Sprintf("9.%d.%d", k+3, i+1), op, mega, fragmented(op, mega, n)...))
		}
		for i, n := range []int{0, 16, 64, 256, 1024} {
			tt := autobahnCase{ids: fmt.Sprintf("9.%d.%d", k+7, i+1), code: 1000}
			for range 1000 {
				tt.frames, tt.want = append(tt.frames, frag(op, true, mega[:n])), append(tt.want, reply{op, mega[:n]})
			}
			tt.frames = append(tt.frames, goodbye())
			cases = append(cases, tt)
		}
	}
	return cases
}
