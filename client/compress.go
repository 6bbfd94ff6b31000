package client

import (
	"fmt"
	"sync"

	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/runes"
)

// DefaultCompressThreshold is what Compression uses when it says nothing.
const DefaultCompressThreshold = 512

// Compression is how WithCompression asks for permessage-deflate (RFC 7692).
// Whether messages are compressed is then the server's choice:
// [Conn.Extensions] tells.
//
// Compressing secrets together with what others wrote into the same message, or
// with context takeover into another one, can give the secrets away by the
// lengths on the wire, even under TLS.
type Compression struct {
	// Threshold is the length in bytes from which on messages are compressed;
	// 0 is DefaultCompressThreshold, 1 all but the empty ones. A message that
	// compressing would not make shorter leaves as it is, unless this side takes
	// its context over.
	Threshold int

	// ReceiveOnly sends all messages as they are.
	ReceiveOnly bool

	// ServerContextTakeover and ClientContextTakeover let a direction refer to
	// messages before the present one: small messages that resemble each other
	// become much smaller, for up to 32 KiB of memory per direction and more
	// work per message sent. The server may decline.
	ServerContextTakeover, ClientContextTakeover bool

	// ServerWindowBits and ClientWindowBits bound how far back a direction
	// refers, as powers of two from 8 to 15; 0 is 15. Servers that cannot keep
	// to a smaller window than 15 decline.
	ServerWindowBits, ClientWindowBits int
}

// WithCompression offers permessage-deflate. Without it nothing is compressed.
// Received messages are bounded by WithMaxMessage as they come and, while they
// are inflated, as they are; what is wrong with one that comes in pieces ends the
// connection before it is whole.
func WithCompression(c Compression) Option { return func(o *options) { o.compression = &c } }

func (c *Compression) check() error {
	if c.Threshold < 0 {
		return fmt.Errorf("compression threshold %d is negative", c.Threshold)
	}
	return c.deflate().Wrong()
}

func (c *Compression) deflate() *deflate.Options {
	return &deflate.Options{
		ServerContextTakeover: c.ServerContextTakeover, ClientContextTakeover: c.ClientContextTakeover,
		ServerWindowBits: c.ServerWindowBits, ClientWindowBits: c.ClientWindowBits,
	}
}

// checkExtensions takes the server's choice (RFC 6455, section 4.1, and RFC
// 7692, section 7.1): what was not offered must not be in it. nil: no
// compression.
func (o *options) checkExtensions(answer []string) (*deflate.Params, error) {
	if o.compression == nil {
		if len(answer) > 0 {
			return nil, fmt.Errorf("%w: extension %q was not offered", ErrHandshake, clipAll(answer))
		}
		return nil, nil
	}
	p, ok, err := deflate.ParseAnswer(answer, o.compression.deflate())
	if err != nil {
		return nil, fmt.Errorf("%w: Sec-WebSocket-Extensions %q: %w", ErrHandshake, clipAll(answer), err)
	}
	if !ok {
		return nil, nil
	}
	return &p, nil
}

// setCompression makes the connection compress what was agreed.
func (c *Conn) setCompression(p *deflate.Params) {
	if p == nil {
		return
	}
	c.extensions = p.String()
	c.frames.inflate = &inflater{bits: int(p.ServerMaxWindowBits)}
	if !p.ServerNoContextTakeover {
		c.frames.inflate.window = new(deflate.Window)
	}
	if c.opt.compression.ReceiveOnly {
		return
	}
	c.deflate = &deflater{bits: int(p.ClientMaxWindowBits), threshold: c.opt.compression.Threshold}
	if c.deflate.threshold == 0 {
		c.deflate.threshold = DefaultCompressThreshold
	}
	if !p.ClientNoContextTakeover {
		c.deflate.window = new(deflate.Window)
	}
}

// Extensions is what was agreed on with the server, in the words of the
// handshake, or "".
func (c *Conn) Extensions() string { return c.extensions }

// inflater is the receiving direction's part. Only the reader uses it.
type inflater struct {
	bits   int
	window *deflate.Window // nil without context takeover
}

// message gives what a compressed payload stands for.
func (i *inflater) message(payload []byte, limit int64, isText bool) ([]byte, error) {
	message, err := deflate.Inflate(nil, payload, i.bits, limit, i.window)
	if err == nil {
		return message, nil
	}
	// What comes first counts, as it does where the message is judged in pieces.
	if _, ok := runes.ValidPrefix(message); isText && !ok {
		err = deflate.ErrNotUTF8
	}
	return nil, inflateError(err, limit)
}

func inflateError(err error, limit int64) error {
	switch err {
	case deflate.ErrTooBig:
		return tooBig(limit)
	case deflate.ErrNotUTF8:
		return errNotUTF8
	}
	return violation(CloseInvalid, "%v", err)
}

// ahead is what is known of a compressed message before it is whole. One that comes
// at once is not judged ahead.
type ahead struct {
	scanner *deflate.Scanner // nil: nothing yet
	seen    int              // bytes of its payload
}

// judge looks at what has come of the payload since the last time.
func (a *ahead) judge(payload []byte, window *deflate.Window, limit int64, isText bool) error {
	fresh := payload[a.seen:]
	if len(fresh) == 0 {
		return nil
	}
	a.seen = len(payload)
	if a.scanner == nil {
		a.scanner = deflate.NewScanner(window)
	}
	if err := a.scanner.Judge(fresh, limit, isText); err != nil {
		return inflateError(err, limit)
	}
	return nil
}

// end is that of a message.
func (a *ahead) end() {
	if a.scanner != nil {
		a.scanner.Free()
	}
	*a = ahead{}
}

// deflater is the sending direction's part. Who holds writer uses it.
type deflater struct {
	bits, threshold int
	window          *deflate.Window // nil without context takeover
}

// compressBuffers lends what messages are compressed in. Large ones are not
// kept.
var compressBuffers = sync.Pool{New: func() any { return new([]byte) }}

const maxCompressBuffer = 256 << 10

// compress gives what is to be sent for a message, if it is not the payload as
// it is. done must be called when it has been sent.
func (d *deflater) compress(payload []byte) (compressed []byte, ok bool, done func()) {
	if d == nil || len(payload) == 0 || len(payload) < d.threshold {
		return payload, false, func() {}
	}
	buffer := compressBuffers.Get().(*[]byte)
	compressed = deflate.Compress((*buffer)[:0], payload, d.bits, d.window)
	done = func() {
		if cap(compressed) <= maxCompressBuffer {
			*buffer = compressed
			compressBuffers.Put(buffer)
		}
	}
	if d.window == nil && len(compressed) >= len(payload) {
		done()
		return payload, false, func() {}
	}
	return compressed, true, done
}
