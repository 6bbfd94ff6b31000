package ws

import (
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/runes"
)

// CompressionMode says what becomes of an offer of permessage-deflate (RFC 7692).
type CompressionMode uint8

const (
	CompressionOff         CompressionMode = iota // it is declined
	CompressionOn                                 // taken, for both directions
	CompressionReceiveOnly                        // taken, but nothing that is sent is compressed
)

// Compression is how a mount's connections compress. A connection without
// context takeover shares what it needs with all others of the same parameters;
// with it, each direction costs its window, which grows up to its size, but no
// DEFLATE state: that is borrowed for the time of a message.
type Compression struct {
	Mode      CompressionMode
	Threshold int // payloads of fewer bytes are sent as they are
	Deflate   deflate.Options
}

// A codec is what a connection that has agreed on permessage-deflate knows about
// it. Without windows it is immutable, and shared.
type codec struct {
	params    deflate.Params
	send      bool // compress
	threshold int

	in  *deflate.Window // nil: no context takeover; owned by the loop
	out *deflate.Window // nil: no context takeover, or nothing is compressed; guarded by the connection's lock
}

// codecs keeps those that are shared.
type codecs struct {
	mu sync.Mutex
	m  map[codec]*codec
}

// errDropOldest: what a window has seen must arrive.
var errDropOldest = errors.New("ws: a server that keeps its compression context cannot drop queued messages")

// check finds what does not go together.
func (m *Mount) check(slow SlowPolicy) error {
	if m.Compression.Mode == CompressionOn && m.Compression.Deflate.ServerContextTakeover && slow == SlowDropOldest {
		return errDropOldest
	}
	return nil
}

// negotiate answers a request's offers: nil when none is taken, else the field
// that says so.
func (s *Server) negotiate(m *Mount, r *Request) (z *codec, answer string) {
	if m.Compression.Mode == CompressionOff || r.extensions == 0 {
		return nil, ""
	}
	params, answer, ok := deflate.Accept(r.values(extensionsField), &m.Compression.Deflate)
	if !ok {
		return nil, ""
	}
	c := codec{params: params, send: m.Compression.Mode == CompressionOn, threshold: m.Compression.Threshold}
	if !params.ClientNoContextTakeover {
		c.in = new(deflate.Window)
	}
	if !params.ServerNoContextTakeover && c.send {
		c.out = new(deflate.Window)
	}
	return s.codecs.share(&c), answer
}

// share returns the codec that all connections of the same parameters have, if it
// is one without windows.
func (x *codecs) share(z *codec) *codec {
	if z.in != nil || z.out != nil {
		return z
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if have := x.m[*z]; have != nil {
		return have
	}
	if x.m == nil {
		x.m = make(map[codec]*codec)
	}
	x.m[*z] = z
	return z
}

// maxInflated is the largest scratch buffer that a loop keeps, and how much is
// inflated of what was read at once before other connections have their turn: a
// read may become a thousand times as much.
const maxInflated = 1 << 20

// inflate turns an event's DEFLATE data into the message. What it returns is
// the loop's own, until the next call.
func (l *loop) inflate(c *Conn, ev Event) ([]byte, error) {
	if cap(l.inflated) > maxInflated {
		l.inflated = nil
	}
	b, err := deflate.Inflate(l.inflated[:0], ev.Payload, int(c.codec.params.ClientMaxWindowBits), c.mount.now().inflatedLimit(), c.codec.in)
	l.inflated = b
	l.traffic.inflated.Add(1)
	if err != nil {
		// What comes first counts, as it does where the message is judged in pieces.
		if _, ok := runes.ValidPrefix(b); !ok && ev.Op == OpText {
			return nil, ErrInvalidUTF8
		}
		return nil, inflateError(err)
	}
	if ev.Op == OpText && !utf8.Valid(b) {
		return nil, ErrInvalidUTF8
	}
	return b, nil
}

// inflatedLimit is the limit of messages when they are inflated.
func (m *Mount) inflatedLimit() int64 {
	if m.Limits.Message <= 0 {
		return 1 << 62
	}
	return m.Limits.Message
}

func inflateError(err error) *ProtocolError {
	switch {
	case errors.Is(err, deflate.ErrTooBig):
		return ErrMessageTooBig
	case errors.Is(err, deflate.ErrNotUTF8):
		return ErrInvalidUTF8
	}
	return ErrCorrupt
}

// compresses reports whether a payload of n bytes is sent compressed.
func (c *Conn) compresses(n int) bool {
	return c.codec != nil && c.codec.send && n >= c.codec.threshold
}

// The sizes of windows (RFC 7692, section 7.1.2), as powers of two.
const minWindowBits, maxWindowBits = 8, 15

// variants are a frame's compressed forms, each made when it is first sent to a
// connection with such parameters: one for each size of window, for those
// without context takeover.
type variants struct {
	op      OpCode
	payload []byte
	fr      Fragmentation
	forms   [maxWindowBits - minWindowBits + 1]struct {
		once  sync.Once
		frame Frame // empty: compressing does not make it smaller
	}
}

// deflated returns the compressed form for a connection without context
// takeover.
func (v *variants) deflated(bits int) Frame {
	form := &v.forms[bits-minWindowBits]
	form.once.Do(func() {
		scratch := getBuffer(len(v.payload))
		scratch.b = deflate.Compress(scratch.b, v.payload, bits, nil)
		if len(scratch.b) < len(v.payload) {
			form.frame = wired(v.fr.encode(v.op|rsv1, scratch.b))
		}
		scratch.free()
	})
	return form.frame
}

// forConn is the frame as it is sent to a connection. Whether all it needs for
// that was there already does not depend on the connection's lock.
func (f Frame) forConn(c *Conn) Frame {
	if f.z == nil || !c.compresses(len(f.z.payload)) || c.codec.out != nil {
		return f
	}
	if z := f.z.deflated(int(c.codec.params.ServerMaxWindowBits)); z.wire != nil {
		return z
	}
	return f
}

// inContextLocked compresses a frame with what was sent before it. It is called
// when nothing can keep the frame from being queued: the peer's window has to see
// what ours has.
func (c *Conn) inContextLocked(f Frame) Frame {
	if f.z == nil || !c.compresses(len(f.z.payload)) || c.codec.out == nil {
		return f
	}
	scratch := getBuffer(len(f.z.payload))
	scratch.b = deflate.Compress(scratch.b, f.z.payload, int(c.codec.params.ServerMaxWindowBits), c.codec.out)
	wire := f.z.fr.encode(f.z.op|rsv1, scratch.b)
	scratch.free()
	return wired(wire)
}
