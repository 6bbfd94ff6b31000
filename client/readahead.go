package client

import "io"

// The read-ahead buffer's bounds. Most connections are idle most of the time,
// and a program may hold thousands.
const (
	readAheadMin = 512
	readAheadMax = 16 << 10
	readAheadLow = 32 // reads in a row that needed a quarter at most: half will do
)

// readAhead buffers reads. Its buffer grows while what comes fills it and
// shrinks when it no longer does; what is asked for in larger pieces is read
// into its place.
type readAhead struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is unread
	size int // of the next buffer
	low  int // reads in a row that needed little
}

// newReadAhead reads what is in front, then src.
func newReadAhead(src io.Reader, front []byte) *readAhead {
	b := &readAhead{src: src, size: readAheadMin}
	if len(front) > 0 {
		b.buf = append(b.buf, front...)
		b.w = len(front)
	}
	return b
}

func (b *readAhead) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.r == b.w {
		if len(p) >= b.size {
			return b.src.Read(p)
		}
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.buf[b.r:b.w])
	b.r += n
	return n, nil
}

// fill reads once into the empty buffer.
func (b *readAhead) fill() error {
	if len(b.buf) != b.size {
		b.buf = make([]byte, b.size)
	}
	n, err := b.src.Read(b.buf)
	b.r, b.w = 0, n
	switch {
	case n == len(b.buf):
		b.size, b.low = min(2*b.size, readAheadMax), 0
	case n > len(b.buf)/4:
		b.low = 0
	default:
		if b.low++; b.low == readAheadLow {
			b.size, b.low = max(b.size/2, readAheadMin), 0
		}
	}
	if n > 0 {
		return nil // an error will come again
	}
	return err
}
