package ws

import (
	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/runes"
)

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
	checked   int   // bytes of message known to be UTF-8
	ahead     ahead // of a compressed message

	control [125]byte // payload of the current control frame
	done    bool      // message was handed out; its buffer is free at the next call
}

func (p *partial) idle() bool {
	return p.done || (p.nhead == 0 && !p.inFrame && p.messageOp == OpContinuation)
}

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
	k, ok := runes.ValidPrefix(p.message.b[p.checked:])
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
	p.free()
	p.message, p.fragments, p.checked, p.done = nil, 0, 0, false
}

// free gives back what the message holds.
func (p *partial) free() {
	p.message.free()
	p.ahead.stop()
}
