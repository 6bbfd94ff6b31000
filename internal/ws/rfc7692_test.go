package ws

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/deflate"
)

// What RFC 7692 demands of a connection; its codec and negotiation as functions
// are tested in internal/deflate.

const noContexts = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// inflating runs an echo server that compresses; with contexts if keep.
func inflating(t *testing.T, keep bool) *testServer {
	t.Helper()
	o := deflate.Options{ServerContextTakeover: keep, ClientContextTakeover: keep}
	return serve(t, "tcp", newRecorder(t).echo(), Options{Mounts: []*Mount{compressing(CompressionOn, o)}})
}

// violates checks that a compressing connection is failed by these bytes, without
// any that follow.
func (s *testServer) violates(wire []byte, e *ProtocolError) {
	s.t.Helper()
	d := s.dialDeflate("permessage-deflate", noContexts)
	d.write(wire)
	d.failed(s, e)
}

func TestRFC7692_5_OffersInOrder(t *testing.T) {
	s := inflating(t, true)
	for _, tt := range []struct{ fields, answer string }{
		{"x-other, permessage-deflate", "permessage-deflate"},
		{"permessage-deflate; unknown, permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"},
		{"permessage-deflate; server_max_window_bits=16\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
		{"permessage-deflate; client_max_window_bits=7, permessage-deflate; server_no_context_takeover=1", ""},
		{"permessage-deflate; server_max_window_bits=\"10\"", "permessage-deflate; server_max_window_bits=10"},
		{"Permessage-Deflate", ""},
	} {
		got := fieldOf(s.accepts(requestWith("", "Sec-WebSocket-Extensions: "+tt.fields+"\r\n")), "Sec-WebSocket-Extensions")
		if strings.Join(got, "|") != tt.answer || tt.answer == "" && got != nil {
			t.Errorf("%q is answered %q", tt.fields, got)
		}
	}
	shut(t).refuses(requestWith("", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\r\n"), http.StatusBadRequest)
}

func TestRFC7692_6_1_RSV1OnAFirstDataFrameOnly(t *testing.T) {
	s := inflating(t, false)
	for _, op := range []OpCode{OpPing, OpPong, OpClose} {
		s.violates([]byte{0x80 | rsv1 | byte(op)}, ErrReservedBits)
	}
	s.violates(join(masked(0x01|rsv1, "\xf2"), []byte{rsv1}), ErrReservedBits) // a continuation
	s.violates([]byte{rsv1}, ErrReservedBits)                                  // of nothing
	for _, rsv := range []byte{0x10, 0x20, 0x30, 0x50, 0x60, 0x70} {
		s.violates([]byte{0x81 | rsv}, ErrReservedBits)
	}
}

// Plain messages and compressed ones on one connection, with pings between the
// fragments of both.
func TestRFC7692_6_PlainAndCompressedMessages(t *testing.T) {
	s := inflating(t, false)
	d := s.dialDeflate("permessage-deflate", noContexts)
	for n := 1; n <= 4; n++ {
		d.sendPacked(OpText, "compressed", n)
		d.write(join(frag(OpText, false, "pl"), clientFrame(true, OpPing, []byte("p")), frag(0, true, "ain")))
		if _, got := d.hears(); got != "compressed" {
			t.Fatalf("%q", got)
		}
		d.expect(OpPong, "p")
		if _, got := d.hears(); got != "plain" {
			t.Fatalf("%q", got)
		}
	}
	d.closes(s, 1000)
}

// The RFC's own bytes, as a client sends them.
func TestRFC7692_7_2_3_ExamplesOnTheWire(t *testing.T) {
	s := inflating(t, true)
	d := s.dialDeflate("permessage-deflate", "permessage-deflate")
	for _, tt := range []struct {
		name string
		wire []byte
	}{
		{"7.2.3.1", masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00")},
		{"7.2.3.1, in fragments", join(masked(0x41, "\xf2\x48\xcd"), masked(0x80, "\xc9\xc9\x07\x00"))},
		{"7.2.3.2, with the context", masked(0xc1, "\xf2\x00\x11\x00\x00")},
		{"7.2.3.3, without compression", masked(0xc1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")},
		{"7.2.3.4, a final block", masked(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")},
		{"7.2.3.5, two blocks", masked(0xc1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")},
	} {
		d.write(tt.wire)
		if op, got := d.hears(); op != OpText || got != "Hello" {
			t.Fatalf("%s: opcode %d, %q", tt.name, op, got)
		}
	}
	d.closes(s, 1000)
}

func TestRFC7692_7_2_3_6_EmptyMessagesAndFragments(t *testing.T) {
	s := inflating(t, false)
	d := s.dialDeflate("permessage-deflate", noContexts)
	for _, wire := range [][]byte{
		masked(0xc1, "\x00"), masked(0x81, ""), join(masked(0x41, ""), masked(0x80, "\x00")), join(masked(0x41, "\x00"), masked(0x00, ""), masked(0x80, "")),
		masked(0xc1, ""), masked(0xc1, "\x02\x00"), masked(0xc1, "\x03\x00\x00"), masked(0xc1, "\x00\x00\x00\xff\xff\x00"),
	} {
		d.write(wire)
		if op, got := d.hears(); op != OpText || got != "" {
			t.Fatalf("% x: opcode %d, %q", wire, op, got)
		}
	}
	d.write(join(masked(0x41, ""), masked(0x00, "\xf2\x48\xcd"), masked(0x00, ""), masked(0x80, "\xc9\xc9\x07\x00")))
	if _, got := d.hears(); got != "Hello" {
		t.Fatalf("%q", got)
	}
	d.closes(s, 1000)
}

func TestRFC7692_7_2_2_CorruptMessagesFail(t *testing.T) {
	s := inflating(t, false)
	for name, payload := range map[string]string{
		"reserved block type": "\x06", "a stored block's length and its complement": "\x00\x05\x00\x00\x00Hello\x00",
		"cut off": "\xf2\x48\xcd", "before the message": "\xf2\x00\x11\x00\x00", "noise": "\xde\xad\xbe\xef",
	} {
		t.Run(name, func(t *testing.T) {
			d := s.as(t).dialDeflate("permessage-deflate", noContexts)
			d.write(masked(0xc2, payload))
			d.expectClose(CloseInvalidPayload)
			d.expectEnd()
			d.Close()
			s.h.end()
		})
	}
}
