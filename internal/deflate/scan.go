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
