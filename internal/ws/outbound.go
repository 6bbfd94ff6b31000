package ws

import "sync"

// outbound is what a connection has still to write, in order. It holds whole
// messages, but for the first, of which a part may be with the kernel already.
// Guarded by the connection's lock.
type outbound struct {
	first segment
	rest  *segments // nil: nothing after first
	size  uint32    // unsent bytes in all
	begun uint32    // leading bytes that finish a message already begun; never dropped
}

// A segment is a run of whole messages. A shared one points into a [Frame]; an
// owned one is a pooled buffer that further messages are added to.
type segment struct {
	b   []byte  // what is unsent; for an owned segment a tail of own.b
	own *buffer // nil: shared
}

// segments is the pooled tail of a queue.
type segments struct {
	s []segment
}

var segmentsPool = sync.Pool{New: func() any { return &segments{s: make([]segment, 0, 8)} }}

// coalesce is the size up to which a shared frame is copied behind owned bytes
// rather than queued as a segment of its own.
const coalesce = 256

func (o *outbound) empty() bool { return o.size == 0 }

// last is the segment that may take more, or nil.
func (o *outbound) last() *segment {
	if o.rest != nil {
		return &o.rest.s[len(o.rest.s)-1]
	}
	if o.size > 0 {
		return &o.first
	}
	return nil
}

func (o *outbound) add(s segment) {
	switch {
	case o.size == 0:
		o.first = s
	case o.rest == nil:
		o.rest = segmentsPool.Get().(*segments)
		fallthrough
	default:
		o.rest.s = append(o.rest.s, s)
	}
	o.size += uint32(len(s.b))
}

// pushFrame queues an encoded message without copying it.
func (o *outbound) pushFrame(f Frame) {
	if len(f.wire) <= coalesce {
		if l := o.last(); l != nil && l.own != nil {
			o.appendTo(l, len(f.wire), func(dst []byte) []byte { return append(dst, f.wire...) })
			return
		}
	}
	o.add(segment{b: f.wire})
}

// pushBytes queues n bytes that fill appends: whole messages.
func (o *outbound) pushBytes(n int, fill func([]byte) []byte) {
	if l := o.last(); l != nil && l.own != nil {
		o.appendTo(l, n, fill)
		return
	}
	own := getBuffer(n)
	own.b = fill(own.b)
	o.add(segment{b: own.b, own: own})
}

func (o *outbound) appendTo(l *segment, n int, fill func([]byte) []byte) {
	sent := len(l.own.b) - len(l.b)
	before := len(l.b)
	l.own = l.own.reserve(n)
	l.own.b = fill(l.own.b)
	l.b = l.own.b[sent:]
	o.size += uint32(len(l.b) - before)
}

// shift drops the first segment.
func (o *outbound) shift() {
	o.size -= uint32(len(o.first.b))
	o.first.own.free()
	o.first = segment{}
	o.begun = 0
	if o.rest == nil {
		return
	}
	o.first = o.rest.s[0]
	n := copy(o.rest.s, o.rest.s[1:])
	o.rest.s[n] = segment{}
	o.rest.s = o.rest.s[:n]
	if n == 0 {
		o.freeRest()
	}
}

func (o *outbound) freeRest() {
	clear(o.rest.s)
	o.rest.s = o.rest.s[:0]
	segmentsPool.Put(o.rest)
	o.rest = nil
}

// clear drops everything.
func (o *outbound) clear() {
	for o.rest != nil {
		for _, s := range o.rest.s {
			s.own.free()
		}
		o.freeRest()
	}
	o.first.own.free()
	*o = outbound{}
}

// sent records that the kernel took the first n bytes.
func (o *outbound) sent(n int) {
	if n == int(o.size) {
		o.clear()
		return
	}
	for n > 0 && n >= len(o.first.b) {
		n -= len(o.first.b)
		o.shift()
	}
	if n == 0 {
		return
	}
	end := int(o.begun) // where the message that the nth byte belongs to ends
	for end < n {
		l, _ := messageLen(o.first.b[end:])
		end += l
	}
	o.begun = uint32(end - n)
	o.first.b = o.first.b[n:]
	o.size -= uint32(n)
}

// truncate drops all messages that have not begun, and returns how many.
func (o *outbound) truncate() (dropped int) {
	count := func(b []byte) {
		for len(b) > 0 {
			n, _ := messageLen(b)
			b = b[n:]
			dropped++
		}
	}
	if o.size == 0 {
		return 0
	}
	if o.rest != nil {
		for _, s := range o.rest.s {
			count(s.b)
			s.own.free()
		}
		o.freeRest()
	}
	begun := int(o.begun)
	count(o.first.b[begun:])
	if begun == 0 {
		o.first.own.free()
		*o = outbound{}
		return dropped
	}
	if own := o.first.own; own != nil {
		own.b = own.b[:len(own.b)-len(o.first.b)+begun]
	}
	o.first.b = o.first.b[:begun]
	o.size = uint32(begun)
	return dropped
}

// dropOldest drops whole messages from the front until at most size bytes
// remain or no message is left that has not begun.
func (o *outbound) dropOldest(size int) (dropped int) {
	if o.begun > 0 && int(o.begun) < len(o.first.b) {
		// Set the begun message apart, so that the next boundary is a
		// segment's beginning.
		head := getBuffer(int(o.begun))
		head.b = append(head.b, o.first.b[:o.begun]...)
		tail := o.first
		tail.b = tail.b[o.begun:]
		o.first = segment{b: head.b, own: head}
		if o.rest == nil {
			o.rest = segmentsPool.Get().(*segments)
		}
		o.rest.s = append(o.rest.s, segment{})
		copy(o.rest.s[1:], o.rest.s)
		o.rest.s[0] = tail
	}
	for int(o.size) > size {
		s := &o.first
		if o.begun > 0 {
			if o.rest == nil {
				break
			}
			s = &o.rest.s[0]
		}
		n, _ := messageLen(s.b)
		dropped++
		if n < len(s.b) {
			s.b = s.b[n:]
			o.size -= uint32(n)
			continue
		}
		if o.begun == 0 {
			o.shift()
			continue
		}
		o.size -= uint32(n)
		s.own.free()
		k := copy(o.rest.s, o.rest.s[1:])
		o.rest.s[k] = segment{}
		if o.rest.s = o.rest.s[:k]; k == 0 {
			o.freeRest()
		}
	}
	return dropped
}
