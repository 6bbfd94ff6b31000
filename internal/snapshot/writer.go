package snapshot

import (
	"encoding/binary"
	"io"
	"time"
	"unsafe"
)

// A Writer appends fields to a buffer, which goes to the underlying writer
// between records. It is not safe for concurrent use. The first error of an
// underlying writer sticks; Flush returns it.
type Writer struct {
	to    io.Writer
	bulk  io.WriterAt // nil: all strings go to to
	apart int64       // bytes of bulk that are in use
	b     []byte
	depth int // of records
	err   error
}

const (
	flushAt = 256 << 10 // the size of the buffer that is written out
	largeAt = 32 << 10  // that of a byte string that stands apart
)

// NewWriter returns a Writer to w. A Reader made by NewReader reads that.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// NewWriterApart returns a Writer that writes large byte strings, without copying
// them, to bulk, each from the beginning of a page, and the rest to w. A Reader made
// by NewReaderApart reads that.
func NewWriterApart(w io.Writer, bulk io.WriterAt) *Writer { return &Writer{to: w, bulk: bulk} }

// Apart is how many bytes of bulk are in use.
func (w *Writer) Apart() int64 { return w.apart }

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
	if w.bulk == nil || len(v) < largeAt {
		w.b = append(w.b, v...)
	} else {
		at := int64(pages(int(w.apart)))
		w.Uint(uint64(at))
		if w.err == nil {
			_, w.err = w.bulk.WriteAt(v, at*page)
		}
		w.apart = at*page + int64(len(v))
	}
	w.spill()
}

// String writes a string.
func (w *Writer) String(v string) { w.Bytes(unsafe.Slice(unsafe.StringData(v), len(v))) }

// Record writes a record of the fields that fill writes.
func (w *Writer) Record(fill func()) {
	// Its length stands before it: room for that is made when it is known.
	start := len(w.b)
	w.depth++
	fill()
	w.depth--
	var head [binary.MaxVarintLen64]byte
	size := len(w.b) - start
	n := binary.PutUvarint(head[:], uint64(size))
	w.b = append(w.b, head[:n]...)
	copy(w.b[start+n:], w.b[start:start+size])
	copy(w.b[start:], head[:n])
	w.spill()
}

// spill writes the buffer out, but not while a record is being filled.
func (w *Writer) spill() {
	if w.depth == 0 && len(w.b) >= flushAt {
		_ = w.Flush()
	}
}

// Flush writes out what is buffered and returns the first error there was.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.b) > 0 {
		_, w.err = w.to.Write(w.b)
	}
	w.b = w.b[:0]
	return w.err
}
