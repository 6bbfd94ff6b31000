package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"slices"
	"sync"
)

var (
	// ErrTooBig is a message that is longer than allowed when inflated.
	ErrTooBig = errors.New("deflate: message too big")
	// ErrCorrupt is a payload that is not a message as RFC 7692, 7.2.1, makes
	// them, or that reaches back to bytes which are not in the window.
	ErrCorrupt = errors.New("deflate: payload is corrupt")
	// ErrNotUTF8 is a text that is not UTF-8.
	ErrNotUTF8 = errors.New("deflate: text is not UTF-8")
)

// Inflate appends the message that the payload of one is the compressed form of
// (RFC 7692, 7.2.2) to dst. It stops with ErrTooBig as soon as the message is
// known to exceed limit bytes; dst never holds more. w is the direction's
// window, of which bits is the size, or nil without context takeover. After an
// error the window is of no use.
//
// An empty payload, which zlib makes of an empty message that follows another,
// is an empty message.
func Inflate(dst, payload []byte, bits int, limit int64, w *Window) ([]byte, error) {
	if limit < 0 {
		return dst, ErrTooBig
	}
	if len(payload) == 0 {
		return dst, nil
	}
	i := inflaters.Get().(*inflater)
	defer i.put()
	i.begin(payload)
	start, history := len(dst), w.bytes()
	for streams := 1; ; streams++ {
		_ = i.flate.(flate.Resetter).Reset(&i.in, history)
		var err error
		if dst, err = i.read(dst, start, limit); err != nil {
			return dst, err
		}
		if i.in.Len() == 0 {
			break
		}
		// That was a last block in the middle (7.2.3.4), for which the inflater
		// has to begin anew, with what it has made so far behind it.
		if streams == maxStreams {
			return dst, ErrCorrupt
		}
		i.history = append(append(i.history[:0], w.bytes()...), dst[max(start, len(dst)-maxHistory):]...)
		history = i.history[max(0, len(i.history)-maxHistory):]
	}
	w.add(dst[start:], 1<<bits)
	return dst, nil
}

const (
	// maxStreams is how many last blocks a message may have. Nobody makes more
	// than one, and each costs as much as many small messages.
	maxStreams = 16
	// maxHistory is how far a match can reach.
	maxHistory = 32 << 10
	// maxKept is the largest copy of a payload whose memory is used again.
	maxKept = 1 << 20
)

// ending makes of a message's payload a stream that ends: the tail that was cut
// off, and a last block, of nothing.
var ending = append(tail[:len(tail):len(tail)], 0x01, 0x00, 0x00, 0xff, 0xff)

// inflater is pooled: it has about 50 KiB of state. It is the standard library's:
// that of klauspost/compress (1.20.4) decodes a block whose codes are empty by those
// of an earlier one, which may be another connection's.
type inflater struct {
	flate   io.ReadCloser
	in      bytes.Reader // for which flate has a way of its own
	stream  []byte
	history []byte
	more    [1]byte // see expectEnd
}

var inflaters = sync.Pool{New: func() any { return &inflater{flate: flate.NewReader(bytes.NewReader(nil))} }}

func (i *inflater) begin(payload []byte) {
	i.stream = append(append(i.stream[:0], payload...), ending...)
	i.in.Reset(i.stream)
}

func (i *inflater) put() {
	i.in.Reset(nil)
	if cap(i.stream) > maxKept {
		i.stream = nil
	}
	inflaters.Put(i)
}

// read appends what a stream inflates to.
func (i *inflater) read(dst []byte, start int, limit int64) ([]byte, error) {
	for {
		size := int64(len(dst) - start)
		if size == limit {
			return dst, i.expectEnd()
		}
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, int(min(max(size, 512), limit-size)))
		}
		room := dst[len(dst):cap(dst)]
		n, err := i.flate.Read(room[:min(int64(len(room)), limit-size)])
		dst = dst[:len(dst)+n]
		switch {
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, ErrCorrupt
		}
	}
}

// expectEnd is called when the limit is reached: not one byte may follow.
func (i *inflater) expectEnd() error {
	for {
		switch n, err := i.flate.Read(i.more[:]); {
		case n > 0:
			return ErrTooBig
		case err == io.EOF:
			return nil
		case err != nil:
			return ErrCorrupt
		}
	}
}
