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
	b    []byte   // what is unsent; for an owned segment a tail of own.b
	own  *buffer  // nil: shared
	held *holding // of a shared one; nil: not counted
}

// free gives back what a segment that is done with holds.
func (s *segment) free() {
	s.own.free()
	s.held.release()
}

// segments is the pooled tail of a queue: s[at:]. What lies before at has been
// shifted out; taking one from the front does not move the others.
type segments struct {
	s  []segment
	at int
}

func (r *segments) waiting() []segment { return r.s[r.at:] }

// push adds a segment at the end. It moves the others down rather than grow
// when at least half of the room has been shifted out.
func (r *segments) push(s segment) {
	if len(r.s) == cap(r.s) && r.at > 0 && 2*r.at >= len(r.s) {
		n := copy(r.s, r.s[r.at:])
		clear(r.s[n:])
		r.s, r.at = r.s[:n], 0
	}
	r.s = append(r.s, s)
}

// unshift puts a segment before the others.
func (r *segments) unshift(s segment) {
	if r.at == 0 {
		r.s = append(r.s, segment{})
		copy(r.s[1:], r.s)
	} else {
		r.at--
	}
	r.s[r.at] = s
}

// shift takes the first segment.
func (r *segments) shift() (s segment) {
	s, r.s[r.at] = r.s[r.at], segment{}
	r.at++
	return s
}

var segmentsPool = sync.Pool{New: func() any { return &segments{s: make([]segment, 0, 8)} }}

const (
	// coalesce is the size up to which a shared frame that has to wait behind
	// others is copied rather than queued as a segment of its own: a segment
	// costs about as much, and a write gathers only so many of them.
	coalesce = 256
	// keepSegments is the longest tail whose memory is used again.
	keepSegments = 1 << 10
)

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
		o.rest.push(s)
	}
	o.size += uint32(len(s.b))
}

// pushFrame queues an encoded message without copying it.
func (o *outbound) pushFrame(f Frame) {
	switch n := len(f.wire); {
	case n == 0: // the zero Frame
	case n <= coalesce && o.size > 0:
		if l := o.last(); l.own == nil && len(l.b) <= coalesce {
			l.own = getBuffer(len(l.b) + n)
			l.own.b = append(l.own.b, l.b...)
			l.b = l.own.b
			l.held.release()
			l.held = nil
		}
		o.pushBytes(n, func(dst []byte) []byte { return append(dst, f.wire...) })
	default:
		f.held.take()
		o.add(segment{b: f.wire, held: f.held})
	}
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

// appendTo adds to an owned segment. What has been sent of its buffer is not
// kept: a queue that is never empty, of a peer that always lags a little,
// would grow for ever.
func (o *outbound) appendTo(l *segment, n int, fill func([]byte) []byte) {
	own, sent, unsent := l.own, len(l.own.b)-len(l.b), len(l.b)
	switch {
	case cap(own.b)-len(own.b) >= n:
	case sent == 0:
		own = own.reserve(n)
	case sent >= unsent/4 && unsent+n <= cap(own.b):
		own.b = own.b[:copy(own.b, l.b)] // at most four bytes for one sent
		sent = 0
	default:
		own = getBuffer(max(unsent+n, cap(own.b)+1)) // the next class, so that this is rare
		own.b = append(own.b, l.b...)
		l.own.free()
		sent = 0
	}
	own.b = fill(own.b)
	l.own, l.b = own, own.b[sent:]
	o.size += uint32(len(l.b) - unsent)
}

// shift drops the first segment.
func (o *outbound) shift() {
	o.size -= uint32(len(o.first.b))
	o.first.free()
	o.first = segment{}
	o.begun = 0
	if o.rest == nil {
		return
	}
	o.first = o.rest.shift()
	if len(o.rest.waiting()) == 0 {
		o.freeRest()
	}
}

func (o *outbound) freeRest() {
	if cap(o.rest.s) <= keepSegments {
		clear(o.rest.s)
		o.rest.s, o.rest.at = o.rest.s[:0], 0
		segmentsPool.Put(o.rest)
	}
	o.rest = nil
}

// clear drops everything.
func (o *outbound) clear() {
	if o.rest != nil {
		for _, s := range o.rest.waiting() {
			s.free()
		}
		o.freeRest()
	}
	o.first.free()
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
		for _, s := range o.rest.waiting() {
			count(s.b)
			s.free()
		}
		o.freeRest()
	}
	begun := int(o.begun)
	count(o.first.b[begun:])
	if begun == 0 {
		o.first.free()
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

// split sets the begun message apart, so that the next one is at a segment's
// beginning. It copies the smaller part, if it must copy at all.
func (o *outbound) split() {
	head, tail := o.first, o.first
	head.b, tail.b = head.b[:o.begun], tail.b[o.begun:]
	switch own := o.first.own; {
	case own == nil:
		tail.held.take() // once for each
	case len(head.b) <= len(tail.b):
		head.own = getBuffer(len(head.b))
		head.own.b = append(head.own.b, head.b...)
		head.b = head.own.b
	default:
		tail.own = getBuffer(len(tail.b))
		tail.own.b = append(tail.own.b, tail.b...)
		own.b = own.b[:len(own.b)-len(tail.b)]
		tail.b = tail.own.b
	}
	o.first = head
	if o.rest == nil {
		o.rest = segmentsPool.Get().(*segments)
	}
	o.rest.unshift(tail)
}

// dropOldest drops whole messages from the front until at most size bytes
// remain or no message is left that has not begun.
func (o *outbound) dropOldest(size int) (dropped int) {
	if int(o.size) > size && o.begun > 0 && int(o.begun) < len(o.first.b) {
		o.split()
	}
	for int(o.size) > size {
		s := &o.first
		if o.begun > 0 {
			if o.rest == nil {
				break
			}
			s = &o.rest.waiting()[0]
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
		gone := o.rest.shift()
		gone.free()
		if len(o.rest.waiting()) == 0 {
			o.freeRest()
		}
	}
	return dropped
}
