package snapshot

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrCorrupt is what a Reader has met that no Writer has written.
var ErrCorrupt = errors.New("snapshot: the state is damaged")

// A Reader reads fields from memory. Past the end of a record it reads zero
// values. The first error sticks, and all fields after it are zero; Err returns
// it. It is not safe for concurrent use.
type Reader struct {
	b    []byte
	bulk *Bulk // nil: large strings are in b, too
	err  error
}

// NewReader reads from b. What Bytes returns points into it.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// NewReaderApart reads from b, and large byte strings from bulk: until that is
// closed, or, of those that are kept, released.
func NewReaderApart(b []byte, bulk *Bulk) *Reader { return &Reader{b: b, bulk: bulk} }

// Err is the first error that was met.
func (r *Reader) Err() error { return r.err }

// Fail makes a Reader of which more is known to be wrong than its bytes tell.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// More reports whether there is another field.
func (r *Reader) More() bool { return len(r.b) > 0 }

// Uint reads an unsigned number.
func (r *Reader) Uint() uint64 {
	if len(r.b) == 0 {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail(ErrCorrupt)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a number.
func (r *Reader) Int() int64 {
	if len(r.b) == 0 {
		return 0
	}
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail(ErrCorrupt)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Duration reads a duration.
func (r *Reader) Duration() time.Duration { return time.Duration(r.Int()) }

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	switch r.Uint() {
	case 0:
		return false
	case 1:
		return true
	}
	r.Fail(ErrCorrupt)
	return false
}

// Bytes reads a byte string, which points into the Reader's memory and must not
// be changed. It is nil when empty.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if r.bulk == nil || n < largeAt {
		return r.take(n)
	}
	v := r.bulk.find(r.Uint(), n)
	if v == nil {
		r.Fail(ErrCorrupt)
	}
	return v
}

// Keep lets a string that Bytes has returned be used until release is called, once.
// Nil: it cannot be; what is wanted of it has to be copied.
func (r *Reader) Keep(v []byte) (release func()) {
	if r.bulk == nil {
		return nil
	}
	return r.bulk.keep(v)
}

// take reads n bytes.
func (r *Reader) take(n uint64) []byte {
	if n == 0 {
		return nil
	}
	if n > uint64(len(r.b)) {
		r.Fail(ErrCorrupt)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// String reads a string.
func (r *Reader) String() string { return string(r.Bytes()) }

// Count reads how many of something follow, each of which takes at least a byte.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.Fail(ErrCorrupt)
		return 0
	}
	return int(n)
}

// Record reads a record.
func (r *Reader) Record() *Reader { return &Reader{b: r.take(r.Uint()), bulk: r.bulk} }
