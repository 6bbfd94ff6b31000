package deflate

import "encoding/binary"

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
	c := h.code(i.b)
	n := uint(c & 15)
	if n > i.n {
		return 0
	}
	i.b >>= n
	i.n -= n
	return c
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
