package deflate

import (
	"encoding/binary"
	"math/bits"
)

// A reference is an inflater that refuses to reach further back than it is told,
// by which the tests see how far a compressor reaches.
type reference struct {
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
func (i *reference) message() error {
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
func (i *reference) refill() {
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
func (i *reference) take(n uint) uint64 {
	v := i.b & (1<<n - 1)
	i.b >>= n
	i.n -= n
	return v
}

// stored copies an uncompressed block. end: it is the one that ends a message.
func (i *reference) stored() (end bool, err error) {
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
func (i *reference) room(n int) {
	if cap(i.out)-len(i.out) >= n {
		return
	}
	size := min(2*len(i.out)+len(i.in)+512, i.limit)
	i.out = append(make([]byte, 0, max(size, len(i.out)+n)), i.out...)
}

var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the codes of a dynamic block (RFC 1951, 3.2.7).
func (i *reference) codes() bool {
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
func (i *reference) readLengths(n int) bool {
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
func (i *reference) code(h *huffman) uint32 {
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
func (i *reference) coded(lit, dist *huffman) error {
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

func (i *reference) span(s span) (v int, ok bool) {
	n := uint(s.extra)
	if n > i.n {
		return 0, false
	}
	return int(s.base) + int(i.take(n)), true
}

// match appends what is there the distance back, which may run into what it
// appends.
func (i *reference) match(length, distance int) {
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

const (
	maxCodeLen = 15 // RFC 1951, 3.2.7
	fastBits   = 9  // codes up to this long are found with one look

	numLit   = 288 // of which 286 and 287 have a code in fixed blocks but no meaning
	numDist  = 32  // likewise 30 and 31
	endBlock = 256
)

// huffman decodes the canonical code of RFC 1951, 3.2.2.
type huffman struct {
	fast   [1 << fastBits]uint16  // symbol<<4 | length, by the next bits; 0: a longer code, or none
	count  [maxCodeLen + 1]uint16 // codes of each length
	symbol [numLit]uint16         // in the order of their codes
}

// init builds the code from the length of each symbol's, and reports whether it
// is one: neither two meanings for some bits nor, unless there is but one
// symbol or none, bits without meaning.
func (h *huffman) init(lengths []uint8) bool {
	clear(h.count[:])
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	var code, index [maxCodeLen + 2]uint16
	left := 1
	for n := 1; n <= maxCodeLen; n++ {
		if left = left<<1 - int(h.count[n]); left < 0 {
			return false
		}
		code[n+1] = (code[n] + h.count[n]) << 1
		index[n+1] = index[n] + h.count[n]
	}
	if left > 0 && used > int(h.count[1]) {
		return false
	}
	clear(h.fast[:])
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbol[index[n]] = uint16(s)
		index[n]++
		if n <= fastBits {
			first := bits.Reverse16(code[n]) >> (16 - n)
			for i := int(first); i < len(h.fast); i += 1 << n {
				h.fast[i] = uint16(s)<<4 | uint16(n)
			}
		}
		code[n]++
	}
	return true
}

// long finds a code that is not in fast: its symbol<<4 | length, or 0 if the
// bits are none.
func (h *huffman) long(b uint64) uint32 {
	code, first, index := 0, 0, 0
	for n := 1; n <= maxCodeLen; n++ {
		code |= int(b & 1)
		b >>= 1
		count := int(h.count[n])
		if code-first < count {
			return uint32(h.symbol[index+code-first])<<4 | uint32(n)
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0
}

// The code of fixed blocks (RFC 1951, 3.2.6).
var fixedLit, fixedDist = fixed()

func fixed() (lit, dist *huffman) {
	var l [numLit]uint8
	for i := range l {
		switch {
		case i < 144, i >= 280:
			l[i] = 8
		case i < 256:
			l[i] = 9
		default:
			l[i] = 7
		}
	}
	d := [numDist]uint8{}
	for i := range d {
		d[i] = 5
	}
	lit, dist = new(huffman), new(huffman)
	lit.init(l[:])
	dist.init(d[:])
	return lit, dist
}
