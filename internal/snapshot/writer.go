package snapshot

import (
	"encoding/binary"
	"io"
	"time"
)

// A Writer appends fields to a buffer, which goes to the underlying writer
// between records. It is not safe for concurrent use. The first error of the
// underlying writer sticks; Flush returns it.
//
// Large byte strings are not copied: they must not change before the outermost
// record ends, or Flush.
type Writer struct {
	to    io.Writer
	b     []byte
	large []large // in the order of their places
	depth int     // of records
	err   error
}

// large is a byte string that belongs into the buffer at a place.
type large struct {
	at int
	v  []byte
}

const (
	flushAt = 256 << 10 // the size of the buffer that is written out
	largeAt = 32 << 10  // that of a byte string that is not copied
)

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Uint writes an unsigned number.
func (w *Writer) Uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

// Int writes a number.
func (w *Writer) Int(v int64) { w.b = binary.AppendVarint(w.b, v) }

// Duration writes a duration, to the nanosecond.
func (w *Writer) Duration(d time.Duration) { w.Int(int64(d)) }

// Bool writes a truth value.
func (w *Writer) Bool(v bool) {
	n := uint64(0)
	if v {
		n = 1
	}
	w.Uint(n)
}

// Bytes writes a byte string.
func (w *Writer) Bytes(v []byte) {
	w.Uint(uint64(len(v)))
	if len(v) < largeAt {
		w.b = append(w.b, v...)
	} else {
		w.large = append(w.large, large{len(w.b), v})
	}
	w.spill()
}

// String writes a string.
func (w *Writer) String(v string) {
	w.Uint(uint64(len(v)))
	w.b = append(w.b, v...)
	w.spill()
}

// Record writes a record of the fields that fill writes.
func (w *Writer) Record(fill func()) {
	// Its length stands before it: room for that is made when it is known.
	start, first := len(w.b), len(w.large)
	w.depth++
	fill()
	w.depth--
	var head [binary.MaxVarintLen64]byte
	here := len(w.b) - start
	size := here
	for _, x := range w.large[first:] {
		size += len(x.v)
	}
	n := binary.PutUvarint(head[:], uint64(size))
	w.b = append(w.b, head[:n]...)
	copy(w.b[start+n:], w.b[start:start+here])
	copy(w.b[start:], head[:n])
	for i := range w.large[first:] {
		w.large[first+i].at += n
	}
	w.spill()
}

// spill writes the buffer out, but not while a record is being filled.
func (w *Writer) spill() {
	if w.depth == 0 && (len(w.b) >= flushAt || len(w.large) > 0) {
		_ = w.Flush()
	}
}

// Flush writes out what is buffered and returns the first error there was.
func (w *Writer) Flush() error {
	from := 0
	for _, x := range w.large {
		w.write(w.b[from:x.at])
		w.write(x.v)
		from = x.at
	}
	w.write(w.b[from:])
	clear(w.large)
	w.b, w.large = w.b[:0], w.large[:0]
	return w.err
}

func (w *Writer) write(p []byte) {
	if w.err == nil && len(p) > 0 {
		_, w.err = w.to.Write(p)
	}
}
