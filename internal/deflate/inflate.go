package deflate

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
)

var (
	// ErrTooBig is a message that is longer than allowed when inflated.
	ErrTooBig = errors.New("deflate: message too big")
	// ErrCorrupt is a payload that is not a message as RFC 7692, 7.2.1, makes
	// them, or that reaches back further than was agreed.
	ErrCorrupt = errors.New("deflate: payload is corrupt")
)

// Inflate appends the message that the payload of one is the compressed form of
// (RFC 7692, 7.2.2) to dst. It stops with ErrTooBig as soon as the message is
// known to exceed limit bytes; dst never grows beyond that. w is the direction's window, of which bits is the size, or nil
// without context takeover. After an error the window is of no use.
//
// It is an inflater of its own since it must refuse a match that reaches
// further back than 1<<bits, which those at hand do not, and since it needs
// neither a 32 KiB history of its own nor to copy the window into it.
//
// An empty payload, which zlib makes of an empty message that follows another,
// is an empty message.
func Inflate(dst, payload []byte, bits int, limit int64, w *Window) ([]byte, error) {
	i := inflaters.Get().(*inflater)
	i.in, i.at, i.b, i.n = payload, 0, 0, 0
	i.out, i.start, i.back, i.window = dst, len(dst), 1<<bits, w.bytes()
	i.limit = math.MaxInt
	if limit < int64(math.MaxInt-len(dst)) {
		i.limit = len(dst) + int(limit)
	}
	err := i.message()
	dst = i.out
	i.in, i.out, i.window = nil, nil, nil
	inflaters.Put(i)
	if err == nil {
		w.add(dst[i.start:], 1<<bits)
	}
	return dst, err
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

type inflater struct {
	in []byte
	at int    // of in has gone into b
	b  uint64 // bits to come, the lowest first
	n  uint   // how many

	out    []byte
	start  int    // where the message begins in out
	limit  int    // len(out) may come to
	back   int    // bytes a match may reach back
	window []byte // what was before the message

	lit, dist huffman // of a dynamic block
	lengths   [numLit + numDist]uint8
}

// message decodes blocks up to the empty one whose last four octets were cut
// off, which is how each message ends (RFC 7692, 7.2.1).
func (i *inflater) message() error {
	if len(i.in) == 0 {
		return nil
	}
	for {
		i.refill()
		if i.n < 3 {
			return ErrCorrupt
		}
		head := i.take(3)
		end, err := false, ErrCorrupt
		switch head >> 1 {
		case 0:
			end, err = i.stored()
		case 1:
			err = i.coded(fixedLit, fixedDist)
		case 2:
			if i.codes() {
				err = i.coded(&i.lit, &i.dist)
			}
		}
		if err != nil || end {
			return err
		}
		// A last block is not the message's last, but the next one follows at
		// a byte's boundary (7.2.1, 7.2.3.4).
		if head&1 != 0 && i.take(i.n%8) != 0 {
			return ErrCorrupt
		}
	}
}

// refill makes n at least 56, or all that is left.
func (i *inflater) refill() {
	if i.at+8 <= len(i.in) {
		i.b |= binary.LittleEndian.Uint64(i.in[i.at:]) << i.n
		i.at += int((63 - i.n) >> 3)
		i.n |= 56
		return
	}
	for i.n <= 56 && i.at < len(i.in) {
		i.b |= uint64(i.in[i.at]) << i.n
		i.at++
		i.n += 8
	}
}

// take returns the next bits; there must be so many.
func (i *inflater) take(n uint) uint64 {
	v := i.b & (1<<n - 1)
	i.b >>= n
	i.n -= n
	return v
}

// stored copies an uncompressed block. end: it is the one that ends a message.
func (i *inflater) stored() (end bool, err error) {
	i.take(i.n % 8)
	i.at -= int(i.n / 8) // back to whole bytes
	i.b, i.n = 0, 0
	rest := i.in[i.at:]
	if len(rest) == 0 {
		return true, nil
	}
	if len(rest) < 4 {
		return false, ErrCorrupt
	}
	size := int(binary.LittleEndian.Uint16(rest))
	if uint16(size) != ^binary.LittleEndian.Uint16(rest[2:]) || size > len(rest)-4 {
		return false, ErrCorrupt
	}
	if size > i.limit-len(i.out) {
		return false, ErrTooBig
	}
	i.room(size)
	i.out = append(i.out, rest[4:4+size]...)
	i.at += 4 + size
	return false, nil
}

// room makes sure that n more bytes can be appended. It doubles what there is,
// up to the limit.
func (i *inflater) room(n int) {
	if cap(i.out)-len(i.out) >= n {
		return
	}
	size := min(2*len(i.out)+len(i.in)+512, i.limit)
	i.out = append(make([]byte, 0, max(size, len(i.out)+n)), i.out...)
}

var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the codes of a dynamic block (RFC 1951, 3.2.7).
func (i *inflater) codes() bool {
	i.refill()
	if i.n < 14 {
		return false
	}
	lits, dists, n := int(i.take(5))+257, int(i.take(5))+1, int(i.take(4))+4
	if lits > 286 || dists > 30 {
		return false
	}
	clear(i.lengths[:len(codeOrder)])
	for _, c := range codeOrder[:n] {
		if i.refill(); i.n < 3 {
			return false
		}
		i.lengths[c] = uint8(i.take(3))
	}
	return i.lit.init(i.lengths[:len(codeOrder)]) && i.readLengths(lits+dists) &&
		i.lengths[endBlock] != 0 &&
		i.lit.init(i.lengths[:lits]) && i.dist.init(i.lengths[lits:lits+dists])
}

// readLengths reads the lengths of n codes, which the code in lit is for.
func (i *inflater) readLengths(n int) bool {
	for at := 0; at < n; {
		i.refill()
		c := i.code(&i.lit)
		if c == 0 {
			return false
		}
		s, again := uint8(c>>4), 0
		extra := [3]uint{2, 3, 7}
		if s >= 16 && i.n < extra[s-16] {
			return false
		}
		switch s {
		case 16:
			if again = 3 + int(i.take(2)); at == 0 {
				return false
			}
			s = i.lengths[at-1]
		case 17:
			s, again = 0, 3+int(i.take(3))
		case 18:
			s, again = 0, 11+int(i.take(7))
		default:
			again = 1
		}
		if again > n-at {
			return false
		}
		for ; again > 0; again-- {
			i.lengths[at] = s
			at++
		}
	}
	return true
}

// code takes the next code: its symbol<<4 | length, or 0 if the bits are none
// or have ended.
func (i *inflater) code(h *huffman) uint32 {
	c := uint32(h.fast[i.b&(1<<fastBits-1)])
	if c == 0 {
		c = h.long(i.b)
	}
	n := uint(c & 15)
	if n > i.n {
		return 0
	}
	i.b >>= n
	i.n -= n
	return c
}

// What a symbol for a length or a distance stands for (RFC 1951, 3.2.5).
type span struct {
	base  uint16
	extra uint8 // bits that follow, to be added
}

var (
	lengthOf   = spans(3, 4, 28)
	distanceOf = spans(1, 2, 30)
)

// spans makes the table of n symbols, the first of them without extra bits for
// two groups of the given size, and with one more for each following group.
func spans(base, group, n int) (t [32]span) {
	for s := range n {
		extra := max(0, s/group-1)
		t[s] = span{uint16(base), uint8(extra)}
		base += 1 << extra
	}
	if n == 28 {
		t[28] = span{258, 0}
	}
	return t
}

// coded decodes a compressed block up to its end.
func (i *inflater) coded(lit, dist *huffman) error {
	for {
		i.refill() // enough for all of a match: 15+5+15+13
		c := i.code(lit)
		s := int(c >> 4)
		switch {
		case c == 0 || s > 285:
			return ErrCorrupt
		case s == endBlock:
			return nil
		case s < endBlock:
			if len(i.out) >= i.limit {
				return ErrTooBig
			}
			if len(i.out) == cap(i.out) {
				i.room(1)
			}
			i.out = append(i.out, byte(s))
			continue
		}
		length, ok := i.span(lengthOf[s-257])
		if !ok {
			return ErrCorrupt
		}
		d := i.code(dist)
		if d == 0 || d>>4 > 29 {
			return ErrCorrupt
		}
		distance, ok := i.span(distanceOf[d>>4])
		if !ok || distance > i.back || distance > len(i.out)-i.start+len(i.window) {
			return ErrCorrupt
		}
		if length > i.limit-len(i.out) {
			return ErrTooBig
		}
		i.match(length, distance)
	}
}

func (i *inflater) span(s span) (v int, ok bool) {
	n := uint(s.extra)
	if n > i.n {
		return 0, false
	}
	return int(s.base) + int(i.take(n)), true
}

// match appends what is there the distance back, which may run into what it
// appends.
func (i *inflater) match(length, distance int) {
	i.room(length)
	if before := distance - (len(i.out) - i.start); before > 0 {
		n := min(length, before)
		from := len(i.window) - before
		i.out = append(i.out, i.window[from:from+n]...)
		length -= n
	}
	for length > 0 {
		from := len(i.out) - distance
		n := min(length, distance)
		i.out = append(i.out, i.out[from:from+n]...)
		length -= n
		distance += n
	}
}
