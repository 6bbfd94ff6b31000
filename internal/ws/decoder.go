package ws

import (
	"encoding/binary"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
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

// partial is what a decoder must remember between two chunks. It is borrowed
// from a pool while a frame or message is incomplete.
type partial struct {
	head  [14]byte // the current frame's header, as far as it came
	nhead int

	inFrame bool // the header is whole; what follows is payload
	fin     bool
	op      OpCode
	mask    [4]byte
	size    int64 // of the current frame's payload
	got     int64 // bytes of it seen so far

	message   *buffer // of the current data message, unmasked; nil before its first byte
	messageOp OpCode  // OpContinuation: no fragmented message is open
	deflated  bool    // the message is compressed
	fragments int
	checked   int // bytes of message known to be UTF-8

	control [125]byte // payload of the current control frame
	done    bool      // message was handed out; its buffer is free at the next call
}

// Idle reports whether the decoder stands between two messages.
func (d *Decoder) Idle() bool { return d.p == nil || d.p.idle() }

func (p *partial) idle() bool {
	return p.done || (p.nhead == 0 && !p.inFrame && p.messageOp == OpContinuation)
}

// Size is the number of bytes that have come of the message or frame that is not
// whole yet.
func (d *Decoder) Size() int {
	if d.p == nil || d.p.done {
		return 0
	}
	return d.p.message.len()
}

// Reset gives back all that the decoder holds. What was incomplete is lost.
func (d *Decoder) Reset() {
	if d.p != nil {
		d.p.message.free()
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

// header collects the current frame's header from b, judges each part of it as
// soon as it is here, and turns to the payload when it is whole.
func (p *partial) header(b []byte, lim *Limits) (n int, err error) {
	for want := p.headerPart(); ; want = p.headerPart() {
		k := copy(p.head[p.nhead:want], b[n:])
		p.nhead += k
		n += k
		if p.nhead < want {
			return n, nil
		}
		if err := p.judge(lim); err != nil {
			return n, err
		}
		if p.nhead > 2 && p.nhead == headerLen(p.head[1]) {
			break
		}
	}
	if !p.op.IsControl() {
		if p.fragments++; lim.Fragments > 0 && p.fragments > lim.Fragments {
			return n, ErrTooManyFragments
		}
		if p.op != OpContinuation {
			p.messageOp = p.op
		}
	}
	p.mask = [4]byte(p.head[p.nhead-4 : p.nhead])
	p.nhead, p.got, p.inFrame = 0, 0, true
	return n, nil
}

// headerPart is where the part of the header ends that is being collected: the
// first byte, the second, the length, the mask.
func (p *partial) headerPart() int {
	if p.nhead < 2 {
		return p.nhead + 1
	}
	size := headerLen(p.head[1]) - 4
	if p.nhead < size {
		return size
	}
	return size + 4
}

// judge is called at the end of each part of the header.
func (p *partial) judge(lim *Limits) (err error) {
	fragmented := p.messageOp != OpContinuation
	switch n := p.nhead; {
	case n == 1: // as if a legal second byte followed
		return checkFirst(p.head[0], 0x80, fragmented, lim)
	case n == 2:
		if err := checkFirst(p.head[0], p.head[1], fragmented, lim); err != nil {
			return err
		}
	}
	if p.nhead != headerLen(p.head[1])-4 {
		return nil
	}
	p.fin = p.head[0]&0x80 != 0
	p.op = OpCode(p.head[0] & 0x0f)
	if p.size, err = payloadLen(p.head[:]); err != nil {
		return err
	}
	if !p.op.IsControl() && p.op != OpContinuation {
		p.deflated = p.head[0]&rsv1 != 0
	}
	return checkSize(p.op, p.size, int64(p.message.len()), p.deflated, lim)
}

// payload takes what b has of the current frame's payload. whole reports
// whether that was all of it.
func (p *partial) payload(b []byte) (n int, whole bool, err error) {
	n = int(min(int64(len(b)), p.size-p.got))
	b = b[:n]
	if p.op.IsControl() {
		copy(p.control[p.got:], b)
		gobwas.Cipher(p.control[p.got:int(p.got)+n], p.mask, int(p.got&3))
		if p.op == OpClose {
			if err := checkClosePrefix(p.control[:int(p.got)+n]); err != nil {
				return n, false, err
			}
		}
	} else if n > 0 {
		gobwas.Cipher(b, p.mask, int(p.got&3))
		// Memory follows the bytes that came, never the length that was
		// declared.
		p.message = p.message.append(b)
		if p.messageOp == OpText && !p.deflated {
			if err := p.checkText(); err != nil {
				return n, false, err
			}
		}
	}
	p.got += int64(n)
	return n, p.got == p.size, nil
}

// checkText fails as soon as the text so far cannot become valid UTF-8.
func (p *partial) checkText() error {
	k, ok := validPrefix(p.message.b[p.checked:])
	if !ok {
		return ErrInvalidUTF8
	}
	p.checked += k
	return nil
}

// endFrame is called when the current frame is whole. The event's Op is
// OpContinuation when the message goes on.
func (p *partial) endFrame() (Event, error) {
	p.inFrame = false
	if p.op.IsControl() {
		payload := p.control[:p.size]
		if p.op == OpClose {
			return closeEvent(payload)
		}
		return Event{Op: p.op, Payload: payload}, nil
	}
	if !p.fin {
		return Event{}, nil
	}
	if p.messageOp == OpText && !p.deflated && p.checked != p.message.len() {
		return Event{}, ErrInvalidUTF8 // ends inside a character
	}
	p.done = true
	ev := Event{Op: p.messageOp, Payload: p.message.bytes(), Compressed: p.deflated}
	p.messageOp = OpContinuation
	return ev, nil
}

func (p *partial) endMessage() {
	p.message.free()
	p.message, p.fragments, p.checked, p.done = nil, 0, 0, false
}

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
	if _, ok := validPrefix(b[2:]); !ok {
		return ErrCloseReason
	}
	return nil
}

// validPrefix returns how many bytes of b are whole valid characters; ok is
// false when what follows them cannot become one.
func validPrefix(b []byte) (n int, ok bool) {
	n = len(b)
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				n = len(b) - i
			}
			break
		}
	}
	return n, utf8.Valid(b[:n])
}
