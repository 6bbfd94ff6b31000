package ws

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzClose: a close frame that we write has as much of the reason as it can
// hold; one that we read is taken or refused by the table of RFC 6455, section
// 7.4, and is answered so that a peer can read it in its turn.
func FuzzClose(f *testing.F) {
	for _, reason := range []string{"", "bye", strings.Repeat("x", 124), strings.Repeat("\u20ac", 42), strings.Repeat("\U0001f600", 31), "\xff", "a\xe2\x82", "\xed\xa0\x80"} {
		f.Add(1000, reason)
		f.Add(4999, reason)
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1014, 1015, 1016, 2999, 3000, 5000, 65535} {
		f.Add(code, "x")
	}
	f.Fuzz(func(t *testing.T, code int, reason string) {
		legal := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || code >= 3000 && code <= 4999
		if ok := checkClose(code, reason) == nil; ok != (legal && len(reason) <= 123 && utf8.ValidString(reason)) {
			t.Fatalf("close %d %q may be sent: %v", code, reason, ok)
		}
		if code < 0 || code > 0xffff || code == CloseNoStatus {
			return
		}
		wire := appendClose(nil, code, reason)
		if wire[0] != 0x88 || int(wire[1]) != len(wire)-2 || len(wire) > 127 {
			t.Fatalf("%x is no close frame", wire)
		}
		sent := string(wire[4:])
		if rest, ok := strings.CutPrefix(reason, sent); !ok {
			t.Fatalf("%q left as %q", reason, sent)
		} else if _, n := utf8.DecodeRuneInString(rest); utf8.ValidString(reason) && (!utf8.ValidString(sent) || len(sent)+n <= 123 && rest != "") {
			t.Fatalf("%q was cut to %q, %d bytes", reason, sent, len(sent))
		}
		var d Decoder
		b := clientFrame(true, OpClose, wire[2:])
		ev, _, err := d.Next(bytes.Clone(b), &Limits{})
		var v *ProtocolError
		switch {
		case !legal:
			if !errors.As(err, &v) || v.Code != CloseProtocolError {
				t.Fatalf("close %d: %+v, %v", code, ev, err)
			}
		case !utf8.ValidString(sent):
			if !errors.As(err, &v) || v.Code != CloseInvalidPayload {
				t.Fatalf("close %d %q: %+v, %v", code, sent, ev, err)
			}
		case err != nil || ev.Code != code || string(ev.Payload) != sent:
			t.Fatalf("close %d %q was read as %+v, %v", code, sent, ev, err)
		}
	})
}
