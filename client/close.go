package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Close codes (RFC 6455, section 7.4, and the IANA registry), then nv-session's.
const (
	CloseNormal        = 1000
	CloseGoingAway     = 1001
	CloseProtocol      = 1002
	CloseUnsupported   = 1003
	CloseNoStatus      = 1005 // never sent: the close frame had no code
	CloseAbnormal      = 1006 // never sent: there was no close frame
	CloseInvalid       = 1007
	ClosePolicy        = 1008
	CloseTooBig        = 1009
	CloseMissingExt    = 1010
	CloseInternalError = 1011
	CloseRestart       = 1012
	CloseTryLater      = 1013
	CloseBadGateway    = 1014
	CloseKeepalive     = 3002 // "keepalive": the peer fell silent
)

// CloseCodeName is what a close code means in a few words, or "" if it has no
// meaning known here, as those of applications, 4000 to 4999.
func CloseCodeName(code int) string { return closeNames[code] }

var closeNames = map[int]string{
	CloseNormal: "normal", CloseGoingAway: "going away", CloseProtocol: "protocol error",
	CloseUnsupported: "unsupported data", CloseNoStatus: "no code given", CloseAbnormal: "no close frame",
	CloseInvalid: "invalid payload", ClosePolicy: "policy violation", CloseTooBig: "message too big",
	CloseMissingExt: "missing extension", CloseInternalError: "internal error", CloseRestart: "service restart",
	CloseTryLater: "try again later", CloseBadGateway: "bad gateway", CloseKeepalive: "keepalive",
}

// sendable tells whether a close frame may carry code.
func sendable(code int) bool {
	switch code {
	case 1004, CloseNoStatus, CloseAbnormal:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// CheckClose tells whether Close would accept code and reason.
func CheckClose(code int, reason string) error {
	switch {
	case !sendable(code):
		return fmt.Errorf("close code %d cannot be sent: use 1000 or 3000-4999", code)
	case len(reason) > ws.MaxControlFramePayloadSize-2:
		return fmt.Errorf("close reason is longer than %d bytes", ws.MaxControlFramePayloadSize-2)
	case !utf8.ValidString(reason):
		return errors.New("close reason is not UTF-8")
	}
	return nil
}

// Close ends the connection in good manners: it sends a close frame, waits for
// the server's and closes the socket. When the server does not answer within
// the close timeout, or ctx ends first, it closes the socket all the same and
// says so. On a connection that ends already it waits for that end.
func (c *Conn) Close(ctx context.Context, code int, reason string) error {
	if err := CheckClose(code, reason); err != nil {
		return fmt.Errorf("client: close: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opt.closeTimeout,
		fmt.Errorf("no close frame from the server within %v", c.opt.closeTimeout))
	defer cancel()
	var err error
	if c.beginClose(&CloseError{Code: code, Reason: reason}) {
		err = c.writeClose(ctx, code, reason)
	}
	if err == nil {
		select {
		case <-c.ended:
			return nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	c.nc.Close()
	<-c.ended
	return fmt.Errorf("client: close: %w", err)
}

// CloseNow drops the connection without a close frame. It does nothing to one
// that has ended, so it suits a defer.
func (c *Conn) CloseNow() error {
	c.beginClose(&CloseError{Code: CloseAbnormal, Reason: "dropped by this side"})
	err := c.nc.Close()
	<-c.ended
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// beginClose records why this side ends the connection, and that it wants no
// more messages. Only the first caller's reason counts.
func (c *Conn) beginClose(why *CloseError) (first bool) {
	c.closeOnce.Do(func() {
		c.localClose = why
		close(c.closing)
		first = true
	})
	return first
}

// failGrace is how long reading goes on after a write failed: the server may
// have sent a close frame, which says more than "broken pipe", before it hung up.
const failGrace = time.Second

// fail ends a connection that cannot be written to any more.
func (c *Conn) fail(err error) {
	time.AfterFunc(failGrace, func() {
		c.beginClose(&CloseError{Code: CloseAbnormal, Err: err})
		c.nc.Close()
	})
}

// writeClose sends a close frame, the last one there is; code 0 or
// CloseNoStatus sends an empty one.
func (c *Conn) writeClose(ctx context.Context, code int, reason string) error {
	if err := c.lockWriter(ctx); err != nil {
		return err
	}
	var pongs chores
	defer func() { c.unlockWriter(); c.traceChores(pongs) }()
	if c.closeSent {
		return nil
	}
	var err error
	if pongs, err = c.writePongsLocked(); err != nil {
		return err
	}
	var body []byte
	if sendable(code) {
		body = binary.BigEndian.AppendUint16(nil, uint16(code))
		body = append(body, reason...)
	}
	err = c.writeFrameLocked(ws.OpClose, true, false, body)
	c.closeSent = true
	return err
}

// remoteClose is a close frame from the server.
type remoteClose struct {
	code   int
	reason string
}

func (e *remoteClose) Error() string { return "close frame" }

// end finishes the connection after reading stopped for cause, and tells
// everybody who waits.
func (c *Conn) end(cause error) {
	why := c.verdict(cause)
	if why.Code != CloseAbnormal {
		// The echo of a close, or this side's complaint. Failing to say it
		// changes nothing.
		ctx, cancel := context.WithTimeout(context.Background(), c.opt.closeTimeout)
		c.writeClose(ctx, why.Code, why.Reason)
		cancel()
		c.drain()
	}
	c.nc.Close()
	c.endErr = why
	close(c.ended)
	c.stopKeepalive()
}

// verdict turns what stopped the reading into why the connection ended.
func (c *Conn) verdict(cause error) *CloseError {
	var remote *remoteClose
	var broken *protocolError
	why := &CloseError{Code: CloseAbnormal, Err: cause}
	switch {
	case errors.As(cause, &remote):
		why = &CloseError{Code: remote.code, Reason: remote.reason, Remote: true}
	case errors.As(cause, &broken):
		why = &CloseError{Code: broken.code, Err: broken.err}
	case errors.Is(cause, os.ErrDeadlineExceeded):
		why = &CloseError{Code: CloseKeepalive, Reason: "keepalive", Err: ErrKeepalive}
	case cause == io.EOF:
		why.Err = fmt.Errorf("server hung up: %w", io.ErrUnexpectedEOF)
	}
	if c.beginClose(why) {
		return why
	}
	return c.localClose
}

// drain reads on until the server hangs up, so that closing the socket with
// unread bytes in it does not destroy the close frame on its way (RFC 6455,
// section 7.1.1, lets the server close first). Bounded in time and bytes.
func (c *Conn) drain() {
	c.src.idle = 0
	c.nc.SetReadDeadline(time.Now().Add(min(time.Second, c.opt.closeTimeout)))
	io.CopyN(io.Discard, c.src, 4<<20)
}
