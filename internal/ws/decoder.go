package ws

import (
	"encoding/binary"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/runes"
)

// OpCode is a frame's opcode (RFC 6455, section 5.2).
type OpCode = gobwas.OpCode

// The opcodes in use.
const (
	OpContinuation = gobwas.OpContinuation
	OpText         = gobwas.OpText
	OpBinary       = gobwas.OpBinary
	OpClose        = gobwas.OpClose
	OpPing         = gobwas.OpPing
	OpPong         = gobwas.OpPong
)

// Limits bounds what one peer may make a [Decoder] hold. All in bytes but
// Fragments, the number of frames a message may come in; 0 means no bound. What
// is compressed is bounded as it comes, with room for data that grow by being
// compressed, and again while it is inflated.
type Limits struct {
	Frame     int64
	Message   int64
	Fragments int

	deflate bool // permessage-deflate was agreed on: RSV1 marks a compressed message
}

// An Event is one whole message or control frame.
//
// Payload is borrowed: it points into the caller's chunk or the decoder's own
// buffer and is valid until the next call of Next. For a close frame, Code is
// the peer's code (CloseNoStatus for an empty frame) and Payload its reason.
type Event struct {
	Op      OpCode // OpContinuation: there was no whole event in the chunk
	Payload []byte
	Code    int

	// Compressed says that Payload is a message's DEFLATE data (RFC 7692,
	// section 7.2), of which nothing has been checked.
	Compressed bool
}

// A Decoder turns the bytes of one client into messages. It is pure: it does no
// input or output, and however the same bytes are cut into chunks, the events
// and the error are the same. The zero Decoder is ready; between messages it
// holds nothing. A Decoder is not safe for concurrent use.
type Decoder struct {
	p *partial
}

// Idle reports whether the decoder stands between two messages.
func (d *Decoder) Idle() bool { return d.p == nil || d.p.idle() }

// Size is the number of bytes that have come of the message or frame that is not
// whole yet.
func (d *Decoder) Size() int {
	if d.p == nil || d.p.done {
		return 0
	}
	return d.p.message.len()
}

// unjudged reports whether more has come of a compressed message, which is not
// whole, than has been looked at.
func (d *Decoder) unjudged() bool {
	p := d.p
	return p != nil && p.deflated && p.messageOp != OpContinuation && p.message.len() > p.ahead.seen
}

// Reset gives back all that the decoder holds. What was incomplete is lost.
func (d *Decoder) Reset() {
	if d.p != nil {
		d.p.free()
		putPartial(d.p)
		d.p = nil
	}
}

// Next decodes from the beginning of chunk, which it may modify (payloads are
// unmasked in place), up to the first whole event, and returns it with the
// number of bytes consumed. Op is OpContinuation when the chunk held no whole
// event; all of it is consumed then. After an error (always a *ProtocolError)
// the decoder must not be used but for Reset.
func (d *Decoder) Next(chunk []byte, lim *Limits) (ev Event, n int, err error) {
	if d.p != nil && d.p.done {
		d.p.endMessage()
		if d.p.idle() {
			d.Reset()
		}
	}
	if d.p == nil {
		// The common case: the chunk begins with a whole, unfragmented frame,
		// which needs no memory at all.
		var ok bool
		if ev, n, ok, err = decodeWhole(chunk, lim); ok || err != nil {
			return ev, n, err
		}
		if len(chunk) == 0 {
			return Event{}, 0, nil
		}
		d.p = getPartial()
	}
	p := d.p
	for n < len(chunk) {
		if !p.inFrame {
			used, err := p.header(chunk[n:], lim)
			n += used
			if err != nil {
				return Event{}, n, err
			}
			if !p.inFrame {
				return Event{}, n, nil
			}
		}
		used, whole, err := p.payload(chunk[n:])
		n += used
		if err != nil {
			return Event{}, n, err
		}
		if !whole {
			return Event{}, n, nil
		}
		if ev, err := p.endFrame(); ev.Op != OpContinuation || err != nil {
			return ev, n, err
		}
	}
	if p.idle() {
		d.Reset()
	}
	return Event{}, n, nil
}

// decodeWhole decodes an unfragmented frame that lies in chunk entirely; ok is
// false when there is none, and nothing was consumed then.
func decodeWhole(chunk []byte, lim *Limits) (ev Event, n int, ok bool, err error) {
	if len(chunk) < 6 {
		return ev, 0, false, nil
	}
	op := OpCode(chunk[0] & 0x0f)
	if err := checkFirst(chunk[0], chunk[1], false, lim); err != nil {
		return ev, 0, false, err
	}
	deflated := chunk[0]&rsv1 != 0
	if chunk[0]&0x80 == 0 {
		return ev, 0, false, nil
	}
	hn := headerLen(chunk[1])
	if len(chunk) < hn {
		return ev, 0, false, nil
	}
	size, err := payloadLen(chunk)
	if err != nil {
		return ev, 0, false, err
	}
	if err := checkSize(op, size, 0, deflated, lim); err != nil {
		return ev, 0, false, err
	}
	if size > int64(len(chunk)-hn) {
		return ev, 0, false, nil
	}
	n = hn + int(size)
	payload := chunk[hn:n:n]
	gobwas.Cipher(payload, [4]byte(chunk[hn-4:hn]), 0)
	switch op {
	case OpText:
		if !deflated && !utf8.Valid(payload) {
			return ev, n, false, ErrInvalidUTF8
		}
	case OpClose:
		ev, err = closeEvent(payload)
		return ev, n, err == nil, err
	}
	return Event{Op: op, Payload: payload, Compressed: deflated}, n, true, nil
}

// checkFirst judges the first two bytes of a frame (RFC 6455, section 5.2).
// fragmented says that a message is open. RSV1 is for the first frame of a
// compressed message only (RFC 7692, section 6).
func checkFirst(b0, b1 byte, fragmented bool, lim *Limits) error {
	if rsv := b0 & 0x70; rsv != 0 {
		if op := OpCode(b0 & 0x0f); rsv != rsv1 || !lim.deflate || op.IsControl() || op == OpContinuation {
			return ErrReservedBits
		}
	}
	switch op := OpCode(b0 & 0x0f); {
	case op.IsReserved():
		return ErrReservedOpcode
	case op.IsControl():
		if b0&0x80 == 0 {
			return ErrFragmentedControl
		}
		if b1&0x7f > 125 {
			return ErrLongControl
		}
		if op == OpClose && b1&0x7f == 1 {
			return ErrShortClose
		}
	case op == OpContinuation && !fragmented:
		return ErrStrayContinuation
	case op != OpContinuation && fragmented:
		return ErrMissingContinuation
	}
	if b1&0x80 == 0 {
		return ErrUnmasked
	}
	return nil
}

// rsv1 in a frame's first byte.
const rsv1 = 0x40

// headerLen is the length of a masked frame's header, from its second byte.
func headerLen(b1 byte) int {
	switch b1 & 0x7f {
	case 126:
		return 2 + 2 + 4
	case 127:
		return 2 + 8 + 4
	}
	return 2 + 4
}

// payloadLen reads the payload length from a whole header.
func payloadLen(h []byte) (int64, error) {
	switch n := h[1] & 0x7f; n {
	case 126:
		v := binary.BigEndian.Uint16(h[2:])
		if v < 126 {
			return 0, ErrNonMinimalLength
		}
		return int64(v), nil
	case 127:
		v := binary.BigEndian.Uint64(h[2:])
		if v>>63 != 0 {
			return 0, ErrNegativeLength
		}
		if v < 1<<16 {
			return 0, ErrNonMinimalLength
		}
		return int64(v), nil
	default:
		return int64(n), nil
	}
}

// checkSize bounds a data frame of size bytes that joins a message of which
// have bytes are here already. It runs before a byte of the payload is kept.
func checkSize(op OpCode, size, have int64, deflated bool, lim *Limits) error {
	if op.IsControl() {
		return nil
	}
	frame, message := lim.Frame, lim.Message
	if deflated {
		frame, message = deflatedLimit(frame), deflatedLimit(message)
	}
	if lim.Frame > 0 && size > frame {
		return ErrFrameTooBig
	}
	if lim.Message > 0 && size > message-have {
		return ErrMessageTooBig
	}
	return nil
}

// deflatedLimit is the limit of compressed data of which not more than n bytes
// are to become: stored blocks, and the empty one at the end, add a little.
func deflatedLimit(n int64) int64 { return n + n>>10 + 64 }

// closeEvent decodes a close frame's payload (RFC 6455, sections 5.5.1, 7.4).
func closeEvent(payload []byte) (Event, error) {
	if len(payload) == 0 {
		return Event{Op: OpClose, Code: CloseNoStatus}, nil
	}
	if err := checkClosePrefix(payload); err != nil {
		return Event{}, err
	}
	if !utf8.Valid(payload[2:]) {
		return Event{}, ErrCloseReason // ends inside a character
	}
	code := int(binary.BigEndian.Uint16(payload))
	return Event{Op: OpClose, Code: code, Payload: payload[2:]}, nil
}

// checkClosePrefix judges what is here of a close frame's payload.
func checkClosePrefix(b []byte) error {
	if len(b) < 2 {
		return nil
	}
	if !ValidCloseCode(int(binary.BigEndian.Uint16(b))) {
		return ErrCloseCode
	}
	if _, ok := runes.ValidPrefix(b[2:]); !ok {
		return ErrCloseReason
	}
	return nil
}
