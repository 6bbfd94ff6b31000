package hostile

import (
	"fmt"
	"strings"
)

// closes are cases of RFC 6455, sections 5.5.1 and 7.
func closes() []Case {
	cases := []Case{
		opened("5.5.1 a close frame of one byte", Violation, 1002, frame(fin|opClose, "\x03")),
		opened("5.5.1 a reason that is not UTF-8", Violation, 1007, closing(1000, "\xff")),
		opened("5.5.1 a reason cut within a character", Violation, 1007, closing(1000, "\xe4\xb8")),
		opened("7.1.5 a close frame without a code", Closed, 1005, frame(fin|opClose, "")),
		opened("5.5.1 a reason of 123 bytes", Closed, 4000, closing(4000, strings.Repeat("x", 123))),
		opened("5.5.1 data after the close frame", Closed, 1001, closing(1001, ""), text("more"), frame(fin|opPing, "")),
		opened("5.5.1 garbage after the close frame", Closed, 1001, closing(1001, ""), []byte{0xff, 0xff, 0xff, 0xff}),
		opened("5.5.1 another close frame after the close frame", Closed, 1001, closing(1001, ""), closing(1002, "")),
		opened("5.4 a close frame within a message", Closed, 1001, frame(opText, "half"), closing(1001, ""), frame(fin|opCont, "half")),
	}
	for _, code := range []int{1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, opened(fmt.Sprintf("7.4 the code %d", code), Closed, code, closing(code, "warum nicht: ü")))
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, opened(fmt.Sprintf("7.4 the code %d, which is none", code), Violation, 1002, closing(code, "")))
	}
	lingers := opened("7.1.1 a server that does not hang up", Closed, 1001)
	lingers.serve = func(c *conn) {
		c.rude.Store(true)
		c.write(join(c.head(), text("good"), closing(1001, "")))
	}
	floods := opened("7.1.1 a server that goes on and on after the close frame", Closed, 1001)
	floods.serve = func(c *conn) {
		c.rude.Store(true)
		c.write(join(c.head(), text("good"), closing(1001, "")))
		c.endless(text("more"))
	}
	deaf := opened("7.1.7 a server that goes on and on after a violation", Violation, 1002)
	deaf.serve = func(c *conn) {
		c.rude.Store(true)
		c.write(join(c.head(), text("good"), frame(fin|3, "")))
		c.endless(text("more"))
	}
	return append(cases, lingers.hurry(), floods.whole().hurry(), deaf.whole().hurry())
}

// ends are connections that end at each byte, without and with a reset.
func ends() (cases []Case) {
	all := func(c *conn) []byte {
		return join(c.head(), text("one"), frame(opText, "t"), frame(fin|opPing, "p"), frame(fin|opCont, "wo"), frame(fin|opBinary, "three"), closing(1001, "bye"))
	}
	// What was delivered when so many bytes have come. A head's length does not
	// depend on the key.
	head := len((&conn{request: noRequest}).head())
	total := len(all(&conn{request: noRequest}))
	marks := []struct {
		at      int
		message string
	}{{head + 5, "one"}, {head + 15, "two"}, {head + 22, "binary 5"}}
	for n := range total + 1 {
		var messages []string
		for _, m := range marks {
			if n >= m.at {
				messages = append(messages, m.message)
			}
		}
		end := Case{End: Broken, Code: 1006, Messages: messages}
		switch {
		case n < head:
			end.End, end.Code = Unconnected, 0
		case n == total:
			end.End, end.Code = Closed, 1001
		}
		over := end
		over.Name = fmt.Sprintf("7.1.5 the server hangs up after %d of %d bytes", n, total)
		over.serve = func(c *conn) {
			c.write(all(c)[:n])
			c.tcp.CloseWrite()
		}
		reset := end
		reset.Name = fmt.Sprintf("7.1.5 a reset after %d of %d bytes", n, total)
		if n >= head { // the client may notice the reset first
			reset.Or = Unconnected
		}
		if n == total {
			reset.End, reset.Code, reset.Or = Broken, 1006, Closed
		}
		reset.serve = func(c *conn) {
			c.write(all(c)[:n])
			c.reset()
		}
		cases = append(cases, over.whole(), reset.whole())
	}
	return cases
}
