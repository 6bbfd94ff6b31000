package client

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// protocolError is a violation by the server, with the close code it gets.
type protocolError struct {
	code int
	err  error
}

func (e *protocolError) Error() string { return e.err.Error() }
func (e *protocolError) Unwrap() error { return e.err }

func violation(code int, format string, args ...any) error {
	return &protocolError{code, fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))}
}

// frameReader turns bytes into whole messages and control frames. It allocates
// for bytes that came, not for lengths that were declared.
type frameReader struct {
	src        io.Reader
	maxFrame   int64
	maxMessage int64

	fragmented bool      // between the first and the last fragment of a message
	op         ws.OpCode // the message's
	message    []byte    // its fragments so far
	head       [8]byte   // of header
}

// next gives the next control frame, or the next message when it is whole. The
// payload belongs to the caller.
func (r *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		h, err := r.header()
		if err != nil {
			return 0, nil, err
		}
		if h.OpCode.IsControl() {
			p, err := r.payload(nil, h.Length)
			return h.OpCode, p, err
		}
		if h.OpCode != ws.OpContinuation {
			r.op = h.OpCode
		}
		if int64(len(r.message))+h.Length > r.maxMessage {
			return 0, nil, &protocolError{CloseTooBig,
				fmt.Errorf("%w: over %d bytes", ErrTooBig, r.maxMessage)}
		}
		if r.message, err = r.payload(r.message, h.Length); err != nil {
			return 0, nil, err
		}
		r.fragmented = !h.Fin
		if h.Fin {
			message := r.message
			r.message = nil
			return r.op, message, nil
		}
	}
}

// header reads a frame header and judges it (RFC 6455, section 5.2).
func (r *frameReader) header() (ws.Header, error) {
	b := r.head[:]
	if _, err := io.ReadFull(r.src, b[:2]); err != nil {
		return ws.Header{}, err // io.EOF: between frames
	}
	h := ws.Header{
		Fin:    b[0]&0x80 != 0,
		Rsv:    b[0] >> 4 & 7,
		OpCode: ws.OpCode(b[0] & 0x0f),
		Masked: b[1]&0x80 != 0,
		Length: int64(b[1] & 0x7f),
	}
	switch h.Length {
	case 126:
		if _, err := io.ReadFull(r.src, b[:2]); err != nil {
			return h, noEOF(err)
		}
		h.Length = int64(binary.BigEndian.Uint16(b[:2]))
		if h.Length < 126 {
			return h, violation(CloseProtocol, "length %d in three bytes", h.Length)
		}
	case 127:
		if _, err := io.ReadFull(r.src, b[:8]); err != nil {
			return h, noEOF(err)
		}
		n := binary.BigEndian.Uint64(b[:8])
		if n>>63 != 0 {
			return h, violation(CloseProtocol, "length with the top bit set")
		}
		if h.Length = int64(n); h.Length <= 0xffff {
			return h, violation(CloseProtocol, "length %d in nine bytes", h.Length)
		}
	}
	state := ws.StateClientSide
	if r.fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return h, violation(CloseProtocol, "%v", err)
	}
	if h.Length > r.maxFrame {
		return h, &protocolError{CloseTooBig,
			fmt.Errorf("%w: frame of %d bytes, limit %d", ErrTooBig, h.Length, r.maxFrame)}
	}
	return h, nil
}

// payload appends n bytes to dst, never reserving much more than has come.
func (r *frameReader) payload(dst []byte, n int64) ([]byte, error) {
	const chunk = 32 << 10
	for n > 0 {
		step := int(min(n, int64(max(chunk, len(dst)))))
		dst = slices.Grow(dst, step)
		m, err := io.ReadFull(r.src, dst[len(dst):len(dst)+step])
		dst = dst[:len(dst)+m]
		if err != nil {
			return dst, noEOF(err)
		}
		n -= int64(step)
	}
	return dst, nil
}

// noEOF: an end within a frame is never a clean one.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseClose reads a close frame's payload (RFC 6455, sections 5.5.1 and 7.4).
func parseClose(p []byte) (code int, reason string, err error) {
	switch {
	case len(p) == 0:
		return CloseNoStatus, "", nil
	case len(p) == 1:
		return 0, "", violation(CloseProtocol, "close frame of one byte")
	}
	code = int(binary.BigEndian.Uint16(p))
	if !sendable(code) {
		return 0, "", violation(CloseProtocol, "close code %d is reserved", code)
	}
	if !utf8.Valid(p[2:]) {
		return 0, "", violation(CloseInvalid, "close reason is not UTF-8")
	}
	return code, string(p[2:]), nil
}
