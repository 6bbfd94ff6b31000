package client

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/runes"
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

func tooBig(limit int64) error {
	return &protocolError{CloseTooBig, fmt.Errorf("%w: over %d bytes", ErrTooBig, limit)}
}

// maxFragments bounds the frames of a message: those without payload would
// never come to an end.
const maxFragments = 128 << 10

// frameReader turns bytes into whole messages and control frames. It allocates
// for bytes that came, not for lengths that were declared.
type frameReader struct {
	src        io.Reader
	maxFrame   int64
	maxMessage int64
	inflate    *inflater // nil: no message may be compressed

	fragments  int       // of the message so far; 0: between messages
	op         ws.OpCode // the message's
	compressed bool      // it is
	message    []byte    // its fragments so far
	valid      int       // bytes of it known to be UTF-8
	ahead      ahead     // what is known of a compressed one
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
			p := make([]byte, h.Length)
			_, err := io.ReadFull(r.src, p)
			return h.OpCode, p, noEOF(err)
		}
		if h.OpCode != ws.OpContinuation {
			r.op, r.compressed = h.OpCode, h.Rsv1()
		}
		if r.fragments++; r.fragments > maxFragments {
			return 0, nil, &protocolError{ClosePolicy, fmt.Errorf("%w: more than %d frames", ErrTooBig, maxFragments)}
		}
		if int64(len(r.message))+h.Length > r.maxMessage {
			return 0, nil, tooBig(r.maxMessage)
		}
		if err := r.payload(h.Length, h.Fin); err != nil {
			return 0, nil, err
		}
		if h.Fin {
			message, err := r.whole()
			return r.op, message, err
		}
	}
}

// whole ends a message.
func (r *frameReader) whole() ([]byte, error) {
	message, err := r.message, error(nil)
	if r.compressed {
		r.ahead.end()
		if message, err = r.inflate.message(message, r.maxMessage, r.op == ws.OpText); err != nil {
			return nil, err
		}
	}
	if r.op == ws.OpText && !utf8.Valid(message[r.valid:]) {
		return nil, errNotUTF8
	}
	r.message, r.valid, r.fragments = nil, 0, 0
	return message, nil
}

var errNotUTF8 = violation(CloseInvalid, "text is not UTF-8")

// judge looks at what has come of a message that is not whole: what is wrong with
// it already ends the connection without waiting for the rest (RFC 6455, section
// 8.1).
func (r *frameReader) judge() error {
	switch {
	case r.compressed:
		return r.ahead.judge(r.message, r.inflate.window, r.maxMessage, r.op == ws.OpText)
	case r.op == ws.OpText:
		n, ok := runes.ValidPrefix(r.message[r.valid:])
		if !ok {
			return errNotUTF8
		}
		r.valid += n
	}
	return nil
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
	state := ws.StateClientSide
	if r.fragments > 0 {
		state = state.Set(ws.StateFragmented)
	}
	judged := h
	if r.inflate != nil && h.Rsv == rsv1 && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) {
		judged.Rsv = 0 // it begins a compressed message (RFC 7692, section 6)
	}
	if err := ws.CheckHeader(judged, state); err != nil {
		return h, violation(CloseProtocol, "%v", err)
	}
	switch h.Length { // of a control frame none of the two
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
	if h.Length > r.maxFrame {
		return h, &protocolError{CloseTooBig,
			fmt.Errorf("%w: frame of %d bytes, limit %d", ErrTooBig, h.Length, r.maxFrame)}
	}
	return h, nil
}

// rsv1 marks a compressed message, in its first frame.
const rsv1 = 4

// payload appends n bytes to the message, which they end or do not, never reserving
// much more than has come.
func (r *frameReader) payload(n int64, ends bool) error {
	const chunk = 32 << 10
	for n > 0 {
		have := len(r.message)
		if have == cap(r.message) {
			r.message = slices.Grow(r.message, int(min(n, int64(max(chunk, have)))))
		}
		end := min(int64(cap(r.message)), int64(have)+n)
		m, err := r.src.Read(r.message[have:end])
		r.message = r.message[:have+m]
		n -= int64(m)
		if n > 0 || !ends || !r.compressed { // else it is about to be inflated
			if bad := r.judge(); bad != nil {
				return bad
			}
		}
		if err != nil && n > 0 {
			return noEOF(err)
		}
	}
	return nil
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
