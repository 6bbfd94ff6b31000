package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// readAll gives messages and control frames as text to compare, and how a close
// frame reads.
func readAll(r io.Reader, maxFrame, maxMessage int64) (got []string, err error) {
	fr := frameReader{src: r, maxFrame: maxFrame, maxMessage: maxMessage}
	for {
		op, payload, err := fr.next()
		if err != nil {
			return got, err
		}
		got = append(got, fmt.Sprintf("%x:%s", byte(op), payload))
		if op == ws.OpClose {
			code, reason, err := parseClose(payload)
			if err != nil {
				return got, err
			}
			return append(got, fmt.Sprintf("%d %s", code, reason)), io.EOF
		}
	}
}

// modelled is what a server's bytes mean by RFC 6455, and the close code that
// they get: 0 when they only end.
func modelled(b []byte, maxFrame, maxMessage uint64) (got []string, code int) {
	open, op, message, fragments := false, byte(0), []byte(nil), 0
	for len(b) >= 2 {
		head, mask, size, hn := b[0], b[1]&0x80, uint64(b[1]&0x7f), 2
		opcode, fin := head&0x0f, head&0x80 != 0
		control := opcode >= 8
		if head&0x70 != 0 || mask != 0 || opcode > 2 && opcode < 8 || opcode > 10 || control && (!fin || size > 125) || !control && (opcode == 0) != open {
			return got, CloseProtocol
		}
		switch {
		case size == 126 && len(b) < 4, size == 127 && len(b) < 10:
			return got, 0
		case size == 126:
			size, hn = uint64(binary.BigEndian.Uint16(b[2:])), 4
		case size == 127:
			size, hn = binary.BigEndian.Uint64(b[2:]), 10
		}
		switch {
		case hn == 4 && size < 126, hn == 10 && (size < 1<<16 || size >= 1<<63):
			return got, CloseProtocol
		case size > maxFrame:
			return got, CloseTooBig
		}
		if !control {
			if fragments++; fragments > maxFragments {
				return got, ClosePolicy
			}
			if uint64(len(message))+size > maxMessage {
				return got, CloseTooBig
			}
		}
		if uint64(len(b)-hn) < size {
			if (opcode == 1 || opcode == 0 && op == 1) && !startsText(append(slices.Clip(message), b[hn:]...)) {
				return got, CloseInvalid
			}
			return got, 0
		}
		payload := b[hn:][:size]
		b = b[hn:][size:]
		if opcode < 8 {
			if opcode != 0 {
				op = opcode
			}
			message, open = append(message, payload...), !fin
			if op == 1 && !startsText(message) || op == 1 && fin && !utf8.Valid(message) {
				return got, CloseInvalid
			}
			if fin {
				got = append(got, fmt.Sprintf("%x:%s", op, message))
				message, fragments = nil, 0
			}
			continue
		}
		got = append(got, fmt.Sprintf("%x:%s", opcode, payload))
		if opcode != 8 {
			continue
		}
		if size == 0 {
			return append(got, "1005 "), 0
		}
		if size == 1 {
			return got, CloseProtocol
		}
		n := int(binary.BigEndian.Uint16(payload))
		switch {
		case n < 1000 || n >= 1004 && n <= 1006 || n >= 1015 && n < 3000 || n > 4999:
			return got, CloseProtocol
		case !utf8.Valid(payload[2:]):
			return got, CloseInvalid
		}
		return append(got, fmt.Sprintf("%d %s", n, payload[2:])), 0
	}
	return got, 0
}

// startsText reports whether bytes can be the beginning of UTF-8.
func startsText(b []byte) bool {
	for _, end := range []string{"", "\x80", "\x80\x80", "\x80\x80\x80", "\xbf", "\xbf\xbf", "\xbf\xbf\xbf", "\x90\x80", "\x90\x80\x80"} {
		if utf8.Valid(append(slices.Clip(b), end...)) {
			return true
		}
	}
	return false
}

// FuzzFrames: what a server sends means what RFC 6455 says, however it is cut.
func FuzzFrames(f *testing.F) {
	frame := func(head byte, payload string) []byte {
		h := ws.Header{Fin: head&0x80 != 0, OpCode: ws.OpCode(head & 0x0f), Length: int64(len(payload))}
		var b bytes.Buffer
		_ = ws.WriteHeader(&b, h)
		return append(b.Bytes(), payload...)
	}
	for _, seed := range [][]byte{
		nil, frame(0x81, "hello"), slices.Concat(frame(1, "a"), frame(0x89, "p"), frame(0, ""), frame(0x80, "b"), frame(0x82, "")),
		frame(0x88, ""), frame(0x88, "\x03\xe8bye"), frame(0x88, "\x03"), frame(0x88, "\x03\xed"), frame(0x88, "\x03\xe8\xff"),
		frame(0x82, string(make([]byte, 300))), frame(0x82, string(make([]byte, 70000))), frame(0x80, "x"), frame(0x81, "\xff"),
		{0xc1, 0}, {0x81, 0x81, 1, 2, 3, 4, 5}, {0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0x82, 0x7e, 0, 5, 1, 2, 3, 4, 5}, {0x83, 0}, {0x09, 0}, {0x89, 0x7e, 0, 126},
	} {
		f.Add(seed, uint16(1000), uint16(2000))
		f.Add(seed, uint16(200), uint16(100))
	}
	f.Fuzz(func(t *testing.T, b []byte, frame, message uint16) {
		maxFrame, maxMessage := int64(frame), int64(message)
		want, code := modelled(b, uint64(frame), uint64(message))
		for name, r := range map[string]io.Reader{"whole": bytes.NewReader(b), "bytes": iotest.OneByteReader(bytes.NewReader(b)), "halves": iotest.HalfReader(bytes.NewReader(b))} {
			got, err := readAll(r, maxFrame, maxMessage)
			if !slices.Equal(got, want) {
				t.Fatalf("%s of %x: %q, want %q (%v)", name, b, got, want, err)
			}
			var broke *protocolError
			if errors.As(err, &broke) != (code != 0) || code != 0 && broke.code != code {
				t.Fatalf("%s of %x: %v, want a close with %d", name, b, err, code)
			}
			if code == 0 && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s of %x: %v", name, b, err)
			}
		}
	})
}
