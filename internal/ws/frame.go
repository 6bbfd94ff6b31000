package ws

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// A Frame is a message encoded for the wire, ready to be sent to any number of
// connections (server frames are not masked, so the bytes are the same for
// all). It may consist of several fragments. A Frame is immutable and safe for
// concurrent use. However many connections it is sent to, it is compressed once
// for all that have agreed on the same parameters and keep no context.
type Frame struct {
	wire []byte
	z    *variants // nil: it is sent as it is
	held *holding  // of wire; nil: it is copied where it waits
}

// Len is the number of bytes on the wire when it is not compressed.
func (f Frame) Len() int { return len(f.wire) }

// Fragmentation says how large outgoing messages are cut into frames. The zero
// value does not cut.
type Fragmentation struct {
	Threshold int // largest payload of one frame, bytes; 0: no limit
}

// NewFrame encodes a message for any number of connections. The payload is
// copied.
func (s *Server) NewFrame(op OpCode, payload []byte) Frame {
	opt := s.now()
	f := opt.Fragmentation.NewFrame(op, payload)
	if opt.compresses && len(payload) > 0 {
		f.z = &variants{op: op, fr: opt.Fragmentation}
		if n := frameHeaderLen(len(payload)); len(f.wire) == n+len(payload) {
			f.z.payload = f.wire[n:]
		} else {
			f.z.payload = bytes.Clone(payload)
		}
	}
	return f
}

// NewFrame encodes a message that is not to be compressed. The payload is copied.
func (fr Fragmentation) NewFrame(op OpCode, payload []byte) Frame {
	return wired(fr.encode(op, payload))
}

// wired is a frame of what it is on the wire.
func wired(wire []byte) Frame { return Frame{wire: wire, held: newHolding(wire)} }

func (fr Fragmentation) encode(op OpCode, payload []byte) []byte {
	return fr.Append(make([]byte, 0, fr.wireLen(len(payload))), op, payload)
}

// wireLen is the number of bytes that a data message of n bytes takes.
func (fr Fragmentation) wireLen(n int) int {
	if fr.Threshold <= 0 || n <= fr.Threshold {
		return frameHeaderLen(n) + n
	}
	whole, rest := n/fr.Threshold, n%fr.Threshold
	size := whole * (frameHeaderLen(fr.Threshold) + fr.Threshold)
	if rest > 0 {
		size += frameHeaderLen(rest) + rest
	}
	return size
}

// Append encodes a data message to dst: one frame, or as many as the threshold
// demands.
func (fr Fragmentation) Append(dst []byte, op OpCode, payload []byte) []byte {
	if fr.Threshold <= 0 || len(payload) <= fr.Threshold {
		return appendFrame(dst, op, true, payload)
	}
	for len(payload) > fr.Threshold {
		dst = appendFrame(dst, op, false, payload[:fr.Threshold])
		payload = payload[fr.Threshold:]
		op = OpContinuation
	}
	return appendFrame(dst, op, true, payload)
}

func frameHeaderLen(n int) int {
	switch {
	case n <= 125:
		return 2
	case n < 1<<16:
		return 4
	default:
		return 10
	}
}

// appendFrame encodes one unmasked frame.
func appendFrame(dst []byte, op OpCode, fin bool, payload []byte) []byte {
	b0 := byte(op)
	if fin {
		b0 |= 0x80
	}
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, b0, byte(n))
	case n < 1<<16:
		dst = append(dst, b0, 126, byte(n>>8), byte(n))
	default:
		dst = append(dst, b0, 127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, payload...)
}

// appendClose encodes a close frame; CloseNoStatus gives an empty one.
func appendClose(dst []byte, code int, reason string) []byte {
	if code == CloseNoStatus {
		return append(dst, 0x80|byte(OpClose), 0)
	}
	reason = truncateReason(reason)
	dst = append(dst, 0x80|byte(OpClose), byte(2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// maxControl is the longest payload of a control frame (RFC 6455, section 5.5).
const maxControl = 125

// maxCloseReason is what a control frame leaves for the reason.
const maxCloseReason = maxControl - 2

// truncateReason cuts reason to what a close frame can hold, at a character's
// boundary.
func truncateReason(reason string) string {
	if len(reason) <= maxCloseReason {
		return reason
	}
	n := maxCloseReason
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// messageLen returns the length on the wire of the message that begins at b[0],
// all its fragments included, and whether that message is whole in b. b begins
// at a frame's first byte and was made by this package.
func messageLen(b []byte) (n int, whole bool) {
	for n+2 <= len(b) {
		fin, op := b[n]&0x80 != 0, OpCode(b[n]&0x0f)
		size := int(b[n+1] & 0x7f)
		hn := 2
		switch size {
		case 126:
			hn = 4
		case 127:
			hn = 10
		}
		if n+hn > len(b) {
			return len(b), false
		}
		switch size {
		case 126:
			size = int(binary.BigEndian.Uint16(b[n+2:]))
		case 127:
			size = int(binary.BigEndian.Uint64(b[n+2:]))
		}
		n += hn + size
		if n > len(b) {
			return len(b), false
		}
		if fin || op.IsControl() {
			return n, true
		}
	}
	return len(b), false
}
