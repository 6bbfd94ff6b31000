package deflate

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"github.com/nvsess/nvsess/internal/runes"
)

// A Scanner inflates a message while it comes, as far as the payload so far says
// what it becomes. A flate.Reader would hold that back until a block ends. A
// scanner keeps no more than a match can refer to: it is for judging a message
// that is not whole, and [Inflate] makes the message when it is.
type Scanner struct {
	in   []byte // what has come and is not in b
	b    uint64 // bits to come, the lowest first
	n    uint   // how many
	step step

	last  bool // the block is a last one
	lasts int  // of them have ended

	out   []byte // what a match may refer to, the last bytes made
	made  int64  // bytes of the message
	limit int64

	length, distance int // of the match that is being copied; length also of a stored block
	lit, dist        *huffman

	cut int // of a text: bytes that the last ones ended with, of a character that was not whole

	// Of a dynamic block.
	lits, dists int
	codes, have int // lengths that are to come, and those that have
	lengths     [numLit + numDist]uint8
	own         *[2]huffman // nil: there has been none
}

// step is what comes next.
type step uint8

const (
	atHead   step = iota // of a block
	atSizes              // of a stored block
	atStored             // its bytes
	atCounts             // of a dynamic block's codes
	atCodes              // lengths of the codes that its codes' lengths are in
	atLengths
	atData // of a compressed block
	atMatch
)

const (
	// maxScanned is how much is made at once.
	maxScanned = 8 << 10
	// minScan is the memory for it that a scanner begins with, and smallScan the
	// most that grows: beyond, it takes all there may be at once.
	minScan   = 512
	smallScan = 4 << 10
)

var (
	scanners = sync.Pool{New: func() any { return new(Scanner) }}
	// histories are those of scanners that have outgrown smallScan.
	histories = sync.Pool{New: func() any { return new([maxHistory + maxScanned]byte) }}
)

// NewScanner returns a scanner for a message. w is the direction's window, or nil
// without context takeover.
func NewScanner(w *Window) *Scanner {
	s := scanners.Get().(*Scanner)
	*s = Scanner{out: s.out[:0], own: s.own}
	s.reserve(len(w.bytes()))
	s.out = append(s.out, w.bytes()...)
	return s
}

// Free gives the scanner back.
func (s *Scanner) Free() {
	s.in = nil
	if cap(s.out) > smallScan {
		histories.Put((*[maxHistory + maxScanned]byte)(s.out[:cap(s.out)]))
		s.out = nil
	}
	scanners.Put(s)
}

// Size is the memory that the scanner takes.
func (s *Scanner) Size() int {
	n := int(unsafe.Sizeof(*s)) + cap(s.out)
	if s.own != nil {
		n += int(unsafe.Sizeof(*s.own))
	}
	return n
}

// Feed gives the scanner what comes next of the payload, when Next has used what
// came before. Until then it must not change.
func (s *Scanner) Feed(p []byte) { s.in = p }

// Next goes on with the message, and returns how many more bytes it has; Last has
// them. It is called again while there is more. The errors are those of Inflate,
// as soon as nothing that follows could mend them, and n counts what the message
// has before.
func (s *Scanner) Next(limit int64) (n int, more bool, err error) {
	if len(s.out) == maxHistory+maxScanned {
		s.out = s.out[:copy(s.out, s.out[maxScanned:])]
	}
	before := s.made
	s.limit = limit
	for ok := true; ok && err == nil; {
		switch s.step {
		case atHead:
			ok, err = s.head()
		case atSizes:
			ok, err = s.sizes()
		case atStored:
			ok, more, err = s.stored()
		case atCounts:
			ok, err = s.counts()
		case atCodes:
			ok, err = s.codeLengths()
		case atLengths:
			ok, err = s.allLengths()
		case atData:
			ok, more, err = s.data()
		case atMatch:
			ok, more, err = s.match()
		}
	}
	return int(s.made - before), more, err
}

// Judge goes on with the message by all of what comes next of the payload, and
// returns what is wrong with it, as soon as nothing that follows could mend it: the
// errors of Inflate and, of a text, ErrNotUTF8; of several, what the message has first.
func (s *Scanner) Judge(p []byte, limit int64, isText bool) error {
	s.Feed(p)
	for more := true; more; {
		var n int
		var err error
		n, more, err = s.Next(limit)
		if isText {
			b := s.Last(s.cut + n)
			k, ok := runes.ValidPrefix(b)
			if !ok {
				return ErrNotUTF8
			}
			s.cut = len(b) - k
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Last returns the last n bytes of the message: those that Next has counted, and a
// few before.
func (s *Scanner) Last(n int) []byte { return s.out[len(s.out)-n:] }

// refill makes n at least 56, or all that is left.
func (s *Scanner) refill() {
	if len(s.in) >= 8 {
		s.b |= binary.LittleEndian.Uint64(s.in) << s.n
		s.in = s.in[(63-s.n)>>3:]
		s.n |= 56
		return
	}
	for s.n <= 56 && len(s.in) > 0 {
		s.b |= uint64(s.in[0]) << s.n
		s.in = s.in[1:]
		s.n += 8
	}
}

// need reports whether n bits are there.
func (s *Scanner) need(n uint) bool {
	if s.n < n {
		s.refill()
	}
	return s.n >= n
}

// take returns the next bits; there must be so many.
func (s *Scanner) take(n uint) int {
	v := s.b & (1<<n - 1)
	s.b >>= n
	s.n -= n
	return int(v)
}

// Each step reports whether it is done: else it waits for more bits, or more is
// set, and it waits for room.

func (s *Scanner) head() (bool, error) {
	if s.lasts == maxStreams && s.need(1) {
		return false, ErrCorrupt
	}
	if !s.need(3) {
		return false, nil
	}
	s.last = s.take(1) != 0
	switch s.take(2) {
	case 0:
		s.take(s.n % 8)
		s.step = atSizes
	case 1:
		s.lit, s.dist, s.step = fixedLit, fixedDist, atData
	case 2:
		s.step = atCounts
	default:
		return false, ErrCorrupt
	}
	return true, nil
}

// end is that of a block. After a last one the next begins at a byte (RFC 7692,
// 7.2.3.4).
func (s *Scanner) end() {
	s.step = atHead
	if s.last {
		s.take(s.n % 8)
		s.lasts++
	}
}

func (s *Scanner) sizes() (bool, error) {
	if !s.need(32) {
		return false, nil
	}
	size, complement := uint16(s.take(16)), uint16(s.take(16))
	if size != ^complement {
		return false, ErrCorrupt
	}
	s.length, s.step = int(size), atStored
	return true, nil
}

func (s *Scanner) stored() (ok, more bool, err error) {
	for s.length > 0 {
		if s.n == 0 && len(s.in) == 0 {
			return false, false, nil
		}
		if more, err = s.full(); more || err != nil {
			return false, more, err
		}
		if s.n > 0 { // whole bytes
			s.append(byte(s.take(8)))
			s.length--
			continue
		}
		s.b = 0 // refill has left bits there that are in in, too
		k := min(s.length, len(s.in), s.grow(s.length))
		s.out = append(s.out, s.in[:k]...)
		s.in = s.in[k:]
		s.made += int64(k)
		s.length -= k
	}
	s.end()
	return true, false, nil
}

// counts reads how many codes a dynamic block has (RFC 1951, 3.2.7).
func (s *Scanner) counts() (bool, error) {
	if !s.need(14) {
		return false, nil
	}
	s.lits, s.dists, s.codes = s.take(5)+257, s.take(5)+1, s.take(4)+4
	if s.lits > 286 || s.dists > 30 {
		return false, ErrCorrupt
	}
	clear(s.lengths[:len(codeOrder)])
	s.have, s.step = 0, atCodes
	return true, nil
}

// codeLengths reads the lengths of the codes that the others' are in.
func (s *Scanner) codeLengths() (bool, error) {
	for ; s.have < s.codes; s.have++ {
		if !s.need(3) {
			return false, nil
		}
		s.lengths[codeOrder[s.have]] = uint8(s.take(3))
	}
	if s.own == nil {
		s.own = new([2]huffman)
	}
	if !s.own[0].init(s.lengths[:len(codeOrder)]) {
		return false, ErrCorrupt
	}
	s.have, s.step = 0, atLengths
	return true, nil
}

// allLengths reads the lengths of a dynamic block's codes.
func (s *Scanner) allLengths() (bool, error) {
	lit, dist := &s.own[0], &s.own[1]
	for n := s.lits + s.dists; s.have < n; {
		if s.n < 14 {
			s.refill() // enough for each: 7+7
		}
		c := lit.code(s.b)
		used := uint(c & 15)
		if c == 0 {
			return false, ErrCorrupt
		}
		v, again := uint8(c>>4), 1
		if v < 16 {
			if used > s.n {
				return false, nil
			}
			s.take(used)
		} else {
			x := [3]span{{3, 2}, {3, 3}, {11, 7}}[v-16]
			if used+uint(x.extra) > s.n {
				return false, nil
			}
			s.take(used)
			again = int(x.base) + s.take(uint(x.extra))
			if v > 16 {
				v = 0
			} else if s.have == 0 {
				return false, ErrCorrupt
			} else {
				v = s.lengths[s.have-1]
			}
		}
		if again > n-s.have {
			return false, ErrCorrupt
		}
		for ; again > 0; again-- {
			s.lengths[s.have] = v
			s.have++
		}
	}
	if !lit.init(s.lengths[:s.lits]) || !dist.init(s.lengths[s.lits:s.lits+s.dists]) {
		return false, ErrCorrupt
	}
	s.lit, s.dist, s.step = lit, dist, atData
	return true, nil
}

// data decodes a compressed block.
func (s *Scanner) data() (ok, more bool, err error) {
	for {
		if s.n < 48 {
			s.refill() // enough for all of a match: 15+5+15+13
		}
		c := s.lit.code(s.b)
		used, symbol := uint(c&15), c>>4
		switch {
		case c == 0:
			return false, false, ErrCorrupt
		case used > s.n:
			return false, false, nil
		case symbol < endBlock:
			if more, err = s.full(); more || err != nil {
				return false, more, err
			}
			s.take(used)
			s.append(byte(symbol))
			continue
		case symbol == endBlock:
			s.take(used)
			s.end()
			return true, false, nil
		case symbol > 285:
			return false, false, ErrCorrupt
		}
		length := lengthOf[symbol-257]
		from := used
		if used += uint(length.extra); used > s.n {
			return false, false, nil
		}
		d := s.dist.code(s.b >> used)
		if d == 0 {
			return false, false, ErrCorrupt
		}
		if used += uint(d & 15); used > s.n {
			return false, false, nil
		}
		if d>>4 > 29 {
			return false, false, ErrCorrupt
		}
		distance := distanceOf[d>>4]
		if used+uint(distance.extra) > s.n {
			return false, false, nil
		}
		s.take(from)
		s.length = int(length.base) + s.take(uint(length.extra))
		s.take(uint(d & 15))
		s.distance = int(distance.base) + s.take(uint(distance.extra))
		if s.distance > len(s.out) {
			return false, false, ErrCorrupt
		}
		s.step = atMatch
		if ok, more, err = s.match(); !ok {
			return false, more, err
		}
	}
}

// match appends what is there the distance back, which may run into what it
// appends.
func (s *Scanner) match() (ok, more bool, err error) {
	for s.length > 0 {
		if more, err = s.full(); more || err != nil {
			return false, more, err
		}
		k := min(s.length, s.distance, s.grow(s.length))
		from := len(s.out) - s.distance
		s.out = append(s.out, s.out[from:from+k]...)
		s.made += int64(k)
		s.length -= k
	}
	s.step = atData
	return true, false, nil
}

// full reports whether there is no room for a byte that is to be made.
func (s *Scanner) full() (more bool, err error) {
	if s.made >= s.limit {
		return false, ErrTooBig
	}
	return len(s.out) == maxHistory+maxScanned, nil
}

// grow makes room for n bytes, if there may be so many, and returns for how many
// there is.
func (s *Scanner) grow(n int) int {
	n = int(min(int64(n), int64(maxHistory+maxScanned-len(s.out)), s.limit-s.made))
	s.reserve(n)
	return n
}

// reserve makes room for n bytes, for which there may be.
func (s *Scanner) reserve(n int) {
	switch size := len(s.out) + n; {
	case size <= cap(s.out):
	case size <= smallScan:
		s.out = append(make([]byte, 0, min(max(2*cap(s.out), minScan, size), smallScan)), s.out...)
	default:
		s.out = append(histories.Get().(*[maxHistory + maxScanned]byte)[:0], s.out...)
	}
}

func (s *Scanner) append(b byte) {
	if len(s.out) == cap(s.out) {
		s.grow(1)
	}
	s.out = append(s.out, b)
	s.made++
}
