package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// SendString sends a string. A server takes text that is a JSON object or array
// for JSON, whichever method sent it.
//
// ctx bounds the wait for other senders. A message once begun is finished, or
// the write timeout ends the connection.
func (c *Conn) SendString(ctx context.Context, s string) error {
	text, err := stringPayload(s)
	if err != nil {
		return fmt.Errorf("client: send string: %w", err)
	}
	return c.send(ctx, "send string", ws.OpText, text)
}

func stringPayload(s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMessage)
	}
	return []byte(s), nil
}

// SendJSON sends v as JSON: an object or an array, since the protocol takes
// anything else for a string.
func (c *Conn) SendJSON(ctx context.Context, v any) error {
	text, err := jsonPayload(v)
	if err != nil {
		return fmt.Errorf("client: send JSON: %w", err)
	}
	return c.send(ctx, "send JSON", ws.OpText, text)
}

func jsonPayload(v any) ([]byte, error) {
	text, err := encodeJSON(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if !IsJSON(text) {
		return nil, fmt.Errorf("%w: neither an object nor an array", ErrMessage)
	}
	return text, nil
}

// SendBinary sends bytes.
func (c *Conn) SendBinary(ctx context.Context, b []byte) error {
	return c.send(ctx, "send binary", ws.OpBinary, b)
}

// sendEnvelope sends a message of the protocol.
func (c *Conn) sendEnvelope(ctx context.Context, typ, id string, data any) error {
	text, err := encodeEnvelope(typ, id, data)
	if err != nil {
		return fmt.Errorf("client: send %s: %w", typ, err)
	}
	return c.send(ctx, "send "+typ, ws.OpText, text)
}

func (c *Conn) send(ctx context.Context, what string, op ws.OpCode, payload []byte) error {
	err := c.lockWriter(ctx)
	if err == nil {
		var pongs chores
		if pongs, err = c.writePongsLocked(); err == nil {
			err = c.writeMessageLocked(op, payload)
		}
		c.unlockWriter()
		c.traceChores(pongs)
	}
	if err != nil {
		return fmt.Errorf("client: %s: %w", what, err)
	}
	return nil
}

// lockWriter takes the only right to write. It is a channel so that the wait
// can end with ctx or the connection.
func (c *Conn) lockWriter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case <-c.ended:
		return c.endErr
	default:
	}
	select {
	case c.writer <- struct{}{}:
		return nil
	case <-c.ended:
		return c.endErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Conn) unlockWriter() { <-c.writer }

// errNotBegun: nothing of the message has left, nor will on this connection.
var errNotBegun = errors.New("not begun")

// deliver sends a message of a Client's queue.
func (c *Conn) deliver(m *QueuedMessage) error {
	select {
	case c.writer <- struct{}{}:
	case <-c.ended:
		return errNotBegun
	}
	var pongs chores
	defer func() { c.unlockWriter(); c.traceChores(pongs) }()
	select {
	case <-c.closing:
		return errNotBegun
	default:
	}
	if c.writableLocked() != nil {
		return errNotBegun
	}
	var err error
	if pongs, err = c.writePongsLocked(); err != nil {
		return errNotBegun
	}
	if m.answer != nil {
		if err := c.expect(m.id, m.answer); err != nil {
			return err
		}
		m.conn = c
	}
	err = c.writeMessageLocked(m.op, m.payload)
	if err != nil && m.answer != nil {
		c.forget(m.id)
	}
	return err
}

// writeMessageLocked sends a data message in fragments or a control frame.
func (c *Conn) writeMessageLocked(op ws.OpCode, payload []byte) error {
	if op.IsControl() {
		return c.writeFrameLocked(op, true, false, payload)
	}
	if err := c.writableLocked(); err != nil {
		return err
	}
	payload, compressed, done := c.deflate.compress(payload)
	defer done()
	size := c.opt.fragment
	if size == 0 {
		size = len(payload)
	}
	for {
		n := min(len(payload), size)
		last := n == len(payload)
		if err := c.writeFrameLocked(op, last, compressed, payload[:n]); err != nil || last {
			return err
		}
		payload, op, compressed = payload[n:], ws.OpContinuation, false
	}
}

// writeChunk bounds the copy of a payload that masking needs.
const writeChunk = 16 << 10

// writeFrameLocked sends one frame, masked (RFC 6455, section 5.3) in a
// borrowed buffer: the caller's bytes stay as they are. An error ends the connection,
// because the server may have got half a frame.
func (c *Conn) writeFrameLocked(op ws.OpCode, fin, compressed bool, payload []byte) error {
	if err := c.writableLocked(); err != nil {
		return err
	}
	buffer := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buffer)
	b := (*buffer)[:0]
	b, mask := appendHeader(b, op, fin, len(payload))
	if compressed {
		b[0] |= rsv1 << 4
	}
	for offset := 0; ; {
		n := min(len(payload)-offset, writeChunk)
		start := len(b)
		b = append(b, payload[offset:offset+n]...)
		ws.Cipher(b[start:], mask, offset)
		*buffer = b
		if err := c.writeBytesLocked(b); err != nil {
			return err
		}
		if offset += n; offset == len(payload) {
			return nil
		}
		b = b[:0]
	}
}

// writeBuffers lends what frames are masked in.
var writeBuffers = sync.Pool{New: func() any { return new([]byte) }}

// appendFrame appends a whole frame, masked.
func appendFrame(b []byte, op ws.OpCode, payload []byte) []byte {
	b, mask := appendHeader(b, op, true, len(payload))
	start := len(b)
	b = append(b, payload...)
	ws.Cipher(b[start:], mask, 0)
	return b
}

// appendHeader appends the header of a frame with n bytes of payload, and gives
// the mask for them.
func appendHeader(b []byte, op ws.OpCode, fin bool, n int) (_ []byte, mask [4]byte) {
	first := byte(op)
	if fin {
		first |= 0x80
	}
	switch {
	case n < 126:
		b = append(b, first, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, first, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, first, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	rand.Read(mask[:]) // never fails; section 10.3 wants it unpredictable
	return append(b, mask[:]...), mask
}

// writableLocked gives why nothing can be written any more.
func (c *Conn) writableLocked() error {
	if c.closeSent {
		return ErrClosed
	}
	return c.broken
}

func (c *Conn) writeBytesLocked(b []byte) error {
	err := c.nc.SetWriteDeadline(time.Now().Add(c.opt.writeTimeout))
	if err == nil {
		_, err = c.nc.Write(b)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("server took no bytes for %v: %w", c.opt.writeTimeout, err)
	}
	c.broken = fmt.Errorf("%w: %w", ErrClosed, err)
	c.fail(err)
	return c.broken
}
