package hostile

import (
	"bytes"
	"compress/flate"
	"fmt"
	"net/http"
	"strings"
)

var noRequest = &http.Request{Header: http.Header{}}

// deflated is a message's payload as RFC 7692, 7.2.1, makes it.
func deflated(message string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write([]byte(message))
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // the destination is memory
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// compressed are cases of RFC 7692. Without permessage-deflate agreed on, RSV1
// is a reserved bit like others: see frames.
func compressed() []Case {
	const accepted = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
	with := func(c Case, bytes ...[]byte) Case {
		c.Compression = true
		c.serve = func(c *conn) { c.write(join(c.head(accepted), text("good"), join(bytes...))) }
		return c
	}
	violation := func(name string, code int, bytes ...[]byte) Case {
		return with(opened(name, Violation, code), bytes...)
	}
	long := strings.Repeat("Grüße, 世界! ", 500)
	parts := deflated(long)
	fine := with(legal("RFC 7692, 6: messages compressed and not, in fragments, pings between", []string{"plain", long, long, "", "", "last"}),
		text("plain"), frame(fin|rsv1|opText, deflated(long)),
		frame(rsv1|opText, parts[:10]), frame(fin|opPing, "x"), frame(opCont, ""), frame(fin|opCont, parts[10:]),
		frame(fin|rsv1|opText, "\x00"), frame(rsv1|opText, ""), frame(fin|opCont, "\x00"), text("last"), closing(1000, ""))
	takenOver := violation("RFC 7692, 7.1.1.1: a context taken over against what was agreed", 1007,
		frame(fin|rsv1|opText, deflated("Hello")), frame(fin|rsv1|opText, "\xf2\x00\x11\x00\x00"))
	takenOver.Messages = append(takenOver.Messages, "Hello")
	cases := []Case{
		fine,
		with(opened("RFC 7692, 7.2.2: a message that is too big when inflated", TooBig, 1009),
			frame(fin|rsv1|opBinary, deflated(strings.Repeat("\x00", MaxMessage+1)))),
		with(opened("RFC 7692, 7.2.2: 8 MB in 8 KB", TooBig, 1009), frame(fin|rsv1|opBinary, deflated(strings.Repeat("\x00", 8<<20)))),
		with(opened("10.4 a compressed frame over the limit, at its head", TooBig, 1009), header(fin|rsv1|opBinary, MaxMessage+1)),
		violation("RFC 7692, 7.2.2: garbage", 1007, frame(fin|rsv1|opBinary, "\xff\xff\xff\xff")),
		violation("RFC 7692, 7.2.2: cut short", 1007, frame(fin|rsv1|opText, parts[:len(parts)/2])),
		takenOver,
		violation("8.1 what is inflated is not UTF-8", 1007, frame(fin|rsv1|opText, deflated("x\xff"))),
		violation("RFC 7692, 6: RSV1 in a continuation", 1002, frame(rsv1|opText, parts[:10]), frame(fin|rsv1|opCont, parts[10:])),
		violation("RFC 7692, 6.1: RSV1 in a continuation of a plain message", 1002, frame(opText, "x"), frame(fin|rsv1|opCont, "\x00")),
		violation("RFC 7692, 6: RSV1 in a ping", 1002, frame(fin|rsv1|opPing, "\x00")),
		violation("RFC 7692, 6: RSV1 in a close frame", 1002, frame(fin|rsv1|opClose, "")),
		violation("5.2 RSV2 beside compression", 1002, frame(fin|rsv2|opText, "x")),
		violation("5.2 RSV1 and RSV2", 1002, frame(fin|rsv1|rsv2|opText, "\x00")),
		violation("5.2 RSV3 beside compression", 1002, frame(fin|rsv3|opText, "x")),
	}
	for _, answer := range []string{
		"permessage-deflate", // server_no_context_takeover was offered
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
		"permessage-deflate; server_no_context_takeover=1",
		"permessage-deflate; server_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=7",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=08",
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=16",
		"permessage-deflate; server_no_context_takeover; mystery",
		"permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
		"permessage-deflate; server_no_context_takeover, permessage-bzip2",
		"permessage-bzip2", "permessage-deflate;", ";",
	} {
		c := changed(fmt.Sprintf("RFC 7692, 7.1: the answer %q", answer), "Sec-WebSocket-Extensions: "+answer)
		c.Compression = true
		cases = append(cases, c)
	}
	return cases
}
