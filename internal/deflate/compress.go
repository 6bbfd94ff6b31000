package deflate

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Compress appends the compressed form of the message that payload is (RFC
// 7692, 7.2.1) to dst, which must not overlap it. No match in it reaches
// further back than 1<<bits bytes. w is the direction's window, of which bits
// is the size, or nil without context takeover; then the result depends on
// nothing but payload and bits. With a window the result must be sent, even if
// it is longer than payload: the next message may refer to this one.
func Compress(dst, payload []byte, bits int, w *Window) []byte {
	if len(payload) == 0 {
		return append(dst, 0)
	}
	pool := &compressors[bits-minBits]
	c := pool.Get().(*compressor)
	c.out = dst
	// Nothing here fails: the destination is memory.
	if window := w.bytes(); len(window) > 0 && len(payload) < small {
		window = window[max(0, len(window)+len(payload)-1<<bits):]
		_ = flate.StatelessDeflate(c, payload, false, window)
	} else {
		c.flate.ResetDict(c, window)
		_, _ = c.flate.Write(payload)
		_ = c.flate.Flush()
		c.flate.ResetDict(nil, nil) // lets go of the window
	}
	dst, c.out = bytes.TrimSuffix(c.out, tail), nil
	pool.Put(c)
	w.add(payload, 1<<bits)
	return dst
}

// small is what a flate.Writer does not look for matches below, so that of
// small messages a window would be wasted on it. Its stateless form does, in the
// last 8 KiB.
const small = 128

// tail is what a flush ends with and a message must not (RFC 7692, 7.2.1).
var tail = []byte{0x00, 0x00, 0xff, 0xff}

// compressor is the only kind of flate's that honours both a window's size and
// what the window holds. It has about 1 MiB of state.
type compressor struct {
	flate *flate.Writer
	out   []byte
}

func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

var compressors [maxBits - minBits + 1]sync.Pool

func init() {
	for i := range compressors {
		compressors[i].New = func() any {
			w, err := flate.NewWriterWindow(nil, 1<<(i+minBits))
			if err != nil {
				panic(err) // 256 to 32768 are sizes it takes
			}
			return &compressor{flate: w}
		}
	}
}
