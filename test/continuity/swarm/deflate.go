package swarm

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// window is the most that DEFLATE looks back.
const window = 32 << 10

// deflate is a session's permessage-deflate (RFC 7692), by the standard library:
// an implementation that is not the daemon's.
type deflate struct {
	keepOut, keepIn bool // context takeover
	w               *flate.Writer
	packed          bytes.Buffer
	r               io.ReadCloser
	seen            []byte // the window of what came
}

func newDeflate(keepOut, keepIn bool) *deflate {
	d := &deflate{keepOut: keepOut, keepIn: keepIn, r: flate.NewReader(bytes.NewReader(nil))}
	d.w, _ = flate.NewWriter(&d.packed, flate.BestSpeed) // the level exists
	return d
}

// tail is what a message's last block is left without (RFC 7692, section 7.2.1),
// and an empty last block for the reader.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// compress returns a message's payload, valid until the next.
func (d *deflate) compress(b []byte) []byte {
	d.packed.Reset()
	if !d.keepOut {
		d.w.Reset(&d.packed)
	}
	_, _ = d.w.Write(b) // to memory
	_ = d.w.Flush()
	return bytes.TrimSuffix(d.packed.Bytes(), []byte(tail[:4]))
}

// expand is the reverse.
func (d *deflate) expand(b []byte) ([]byte, error) {
	var dict []byte
	if d.keepIn {
		dict = d.seen
	}
	if err := d.r.(flate.Resetter).Reset(io.MultiReader(bytes.NewReader(b), bytes.NewReader([]byte(tail))), dict); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(d.r)
	if err != nil {
		return nil, fmt.Errorf("inflating %d bytes: %w", len(b), err)
	}
	d.seen = append(d.seen, out...)
	if n := len(d.seen) - window; n > 0 {
		d.seen = append(d.seen[:0], d.seen[n:]...)
	}
	return out, nil
}
