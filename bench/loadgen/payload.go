package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/nvsess/nvsess/bench/wire"
)

// Sentinels a verdict on a received payload wraps.
var (
	errCorrupt   = errors.New("wrong bytes")
	errLost      = errors.New("message lost")
	errRepeated  = errors.New("message repeated or out of order")
	errUnknown   = errors.New("message nobody sent")
	errTooShort  = errors.New("-bytes is too small for the kind of payload")
	errBadChoice = errors.New("not one of the allowed values")
)

// payload is the shape of all messages of a scenario: fixed bytes around the
// number of the sender (8 hex digits) and of the message (16 hex digits).
type payload struct {
	opcode byte
	plain  []byte // scratch: the bytes expected next
	at     int    // where the digits start
	prefix int    // leading bytes that tell a payload from an envelope
	sender uint32 // what plain holds now
	seq    uint64
}

const (
	senderDigits = 8
	seqDigits    = 16
	hexDigits    = "0123456789abcdef"
)

// newPayload makes a shape of exactly size bytes. kind is "json" (an object of
// many small members, as applications send, without white space, so that parsing
// it and printing it again gives the same bytes), "text" (not JSON) or "binary".
func newPayload(kind string, size int) (*payload, error) {
	var before, between, after string
	p := &payload{opcode: wire.OpText}
	switch kind {
	case "json":
		before, between, after = `{"n":"`, `"`, `,"fill":""}`
		between += members(size - len(before) - senderDigits - seqDigits - len(between) - len(after))
		between += `,"fill":"`
		after = `"}`
	case "text":
		before, between, after = `n=`, ` fill=`, `.`
	case "binary":
		before, between, after = "\xff\x00n", "\x00", "\xfe"
		p.opcode = wire.OpBinary
	default:
		return nil, fmt.Errorf("payload %q: %w: json, text, binary", kind, errBadChoice)
	}
	fill := size - len(before) - senderDigits - seqDigits - len(between) - len(after)
	if fill < 0 {
		return nil, fmt.Errorf("payload of %d bytes as %s: %w, the least is %d", size, kind, errTooShort, size-fill)
	}
	p.at, p.prefix = len(before), len(before)
	b := append([]byte(before), bytes.Repeat([]byte("0"), senderDigits+seqDigits)...)
	b = append(b, between...)
	for i := range fill {
		b = append(b, 'a'+byte(i%26))
	}
	p.plain = append(b, after...)
	return p, nil
}

// members makes the inside of a JSON object, each with a comma before it, of at
// most size bytes. No key looks like a number: those change places in JavaScript.
func members(size int) string {
	var b []byte
	for i := 0; ; i++ {
		had := len(b)
		switch i % 5 {
		case 0:
			b = fmt.Appendf(b, `,"user%d":"u%05d"`, i, i*7919%100000)
		case 1:
			b = fmt.Appendf(b, `,"at%d":17000%05d`, i, i*3571%100000)
		case 2:
			b = fmt.Appendf(b, `,"online%d":true`, i)
		case 3:
			b = fmt.Appendf(b, `,"pos%d":[%d,-%d]`, i, i*31, i*17)
		case 4:
			b = fmt.Appendf(b, `,"text%d":"the quick brown fox"`, i)
		}
		if len(b) > size {
			return string(b[:had])
		}
	}
}

// frame returns a new encoded frame of this shape from the given sender, to be
// numbered by stamp.
func (p *payload) frame(sender uint32) []byte {
	p.expect(sender, 0)
	return wire.AppendFrame(nil, p.opcode, p.plain)
}

// stamp writes the message number into an encoded frame, masked like the rest.
func (p *payload) stamp(frame []byte, seq uint64) {
	head := len(frame) - len(p.plain)
	at := p.at + senderDigits
	for i := range seqDigits {
		digit := hexDigits[seq>>(4*(seqDigits-1-i))&15]
		frame[head+at+i] = digit ^ wire.MaskKey[(at+i)&3]
	}
}

func (p *payload) expect(sender uint32, seq uint64) {
	if p.sender != sender {
		for i := range senderDigits {
			p.plain[p.at+i] = hexDigits[sender>>(4*(senderDigits-1-i))&15]
		}
		p.sender = sender
	}
	if p.seq != seq {
		for i := range seqDigits {
			p.plain[p.at+senderDigits+i] = hexDigits[seq>>(4*(seqDigits-1-i))&15]
		}
		p.seq = seq
	}
}

// is tells whether b can be a message of this shape, and not an envelope the
// server sends on its own account.
func (p *payload) is(b []byte) bool {
	return len(b) >= p.prefix && bytes.Equal(b[:p.prefix], p.plain[:p.prefix])
}

// check verifies every byte of a received message.
func (p *payload) check(opcode byte, b []byte, sender uint32, seq uint64) error {
	p.expect(sender, seq)
	if opcode == p.opcode && bytes.Equal(b, p.plain) {
		return nil
	}
	if !p.is(b) {
		return fmt.Errorf("%w: opcode %#x, %d bytes, starts %.40q", errUnknown, opcode, len(b), b)
	}
	if opcode != p.opcode {
		return fmt.Errorf("%w: opcode %#x, not %#x", errCorrupt, opcode, p.opcode)
	}
	if len(b) != len(p.plain) {
		return fmt.Errorf("%w: %d bytes, not %d", errCorrupt, len(b), len(p.plain))
	}
	got, err := p.number(b)
	if err != nil {
		return err
	}
	p.expect(sender, got)
	same := bytes.Equal(b, p.plain)
	switch {
	case same && got > seq:
		return fmt.Errorf("%w: number %d came, %d was next", errLost, got, seq)
	case same:
		return fmt.Errorf("%w: number %d came, %d was next", errRepeated, got, seq)
	}
	return fmt.Errorf("%w: %.80q", errCorrupt, b)
}

// number is the number a message of this shape says it has.
func (p *payload) number(b []byte) (seq uint64, err error) {
	if len(b) < p.at+senderDigits+seqDigits {
		return 0, fmt.Errorf("%w: %.80q", errCorrupt, b)
	}
	for _, c := range b[p.at+senderDigits : p.at+senderDigits+seqDigits] {
		v := strings.IndexByte(hexDigits, c)
		if v < 0 {
			return 0, fmt.Errorf("%w: %.80q", errCorrupt, b)
		}
		seq = seq<<4 | uint64(v)
	}
	return seq, nil
}
