package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455, section 5.2.
const (
	OpContinuation byte = 0x0
	OpText         byte = 0x1
	OpBinary       byte = 0x2
	OpClose        byte = 0x8
	OpPing         byte = 0x9
	OpPong         byte = 0xA
)

// Compressed is set in the opcode of a message whose sender compressed it (RFC
// 7692, section 6).
const Compressed byte = 0x40

// MaskKey masks every frame sent. Clients must mask (RFC 6455, section 5.3) and
// should pick a key at random; a constant lets frames be encoded once, and is
// non-zero so that no server can skip the unmasking it has to do.
var MaskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// maxPayload bounds what a server may declare: more than any scenario sends, so
// a length beyond it is a broken server and not a reason to allocate.
const maxPayload = 64 << 20

var ErrProtocol = errors.New("the server broke the protocol")

// AppendFrame appends one final masked frame to dst.
func AppendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, MaskKey[:]...)
	for i, b := range payload {
		dst = append(dst, b^MaskKey[i&3])
	}
	return dst
}

// Decoder turns the bytes a server sends into messages and control frames. It
// keeps what is incomplete between two calls, so any split of the same bytes
// gives the same result. An idle connection holds no buffer.
type Decoder struct {
	// Deflate is whether permessage-deflate was agreed on.
	Deflate bool

	rest   []byte // start of a frame whose end has not come
	frag   []byte // payload of a fragmented message so far
	fragOp byte   // opcode of that message, 0 outside of one
}

// InFrame tells whether a frame has begun and its end has not come.
func (d *Decoder) InFrame() bool { return len(d.rest) > 0 }

// Partial tells whether a message has begun and its end has not come.
func (d *Decoder) Partial() bool { return len(d.rest) > 0 || d.fragOp != 0 }

// Feed decodes b and calls deliver for each whole message and control frame, in
// order. The payload is valid during the call only.
func (d *Decoder) Feed(b []byte, deliver func(opcode byte, payload []byte) error) error {
	held := len(d.rest) > 0
	if held {
		d.rest = append(d.rest, b...)
		b = d.rest
	}
	for len(b) > 0 {
		fin, opcode, payload, n, err := d.parse(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		b = b[n:]
		if err := d.frame(fin, opcode, payload, deliver); err != nil {
			return err
		}
	}
	switch {
	case len(b) == 0 && held:
		d.rest = nil
	case len(b) < len(d.rest) || !held:
		d.rest = append(d.rest[:0], b...) // else it is there, at the start
	}
	return nil
}

func (d *Decoder) frame(fin bool, opcode byte, payload []byte, deliver func(byte, []byte) error) error {
	switch {
	case opcode&0xf >= OpClose:
		return deliver(opcode, payload)
	case opcode == OpContinuation && d.fragOp == 0:
		return fmt.Errorf("%w: continuation of nothing", ErrProtocol)
	case opcode != OpContinuation && d.fragOp != 0:
		return fmt.Errorf("%w: new message inside a fragmented one", ErrProtocol)
	case fin && d.fragOp == 0:
		return deliver(opcode, payload)
	}
	if d.fragOp == 0 {
		d.fragOp = opcode
	}
	d.frag = append(d.frag, payload...)
	if !fin {
		return nil
	}
	opcode, payload = d.fragOp, d.frag
	d.fragOp, d.frag = 0, nil
	return deliver(opcode, payload)
}

// parse reads the frame at the start of b and returns how many bytes it
// takes, 0 if it is not complete yet.
func (d *Decoder) parse(b []byte) (fin bool, opcode byte, payload []byte, n int, err error) {
	if len(b) < 2 {
		return false, 0, nil, 0, nil
	}
	fin, opcode = b[0]&0x80 != 0, b[0]&0x0f
	reserved := b[0] & 0x70
	if d.Deflate && (opcode == OpText || opcode == OpBinary) {
		reserved &^= Compressed
	}
	length, head := uint64(b[1]&0x7f), 2
	switch {
	case reserved != 0:
		err = fmt.Errorf("%w: reserved bit set, no extension that was negotiated uses it", ErrProtocol)
	case b[1]&0x80 != 0:
		err = fmt.Errorf("%w: masked frame from a server", ErrProtocol)
	case opcode > OpBinary && opcode < OpClose || opcode > OpPong:
		err = fmt.Errorf("%w: unknown opcode %#x", ErrProtocol, opcode)
	case opcode >= OpClose && (!fin || length > 125):
		err = fmt.Errorf("%w: fragmented or long control frame", ErrProtocol)
	}
	if err != nil {
		return false, 0, nil, 0, err
	}
	switch length {
	case 126:
		if len(b) < 4 {
			return false, 0, nil, 0, nil
		}
		length, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return false, 0, nil, 0, nil
		}
		length, head = binary.BigEndian.Uint64(b[2:]), 10
	}
	if length > maxPayload {
		return false, 0, nil, 0, fmt.Errorf("%w: frame of %d bytes", ErrProtocol, length)
	}
	n = head + int(length)
	if len(b) < n {
		return false, 0, nil, 0, nil
	}
	return fin, opcode | b[0]&Compressed, b[head:n], n, nil
}
