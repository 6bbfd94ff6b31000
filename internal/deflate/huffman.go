package deflate

import "math/bits"

// codeOrder is that in which the lengths of code lengths come.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

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

// code finds the code that some bits begin with: its symbol<<4 | length, or 0 if
// they are none.
func (h *huffman) code(b uint64) uint32 {
	if c := h.fast[b&(1<<fastBits-1)]; c != 0 {
		return uint32(c)
	}
	return h.long(b)
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
