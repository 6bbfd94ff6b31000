package ws

import "errors"

// Close codes of RFC 6455, section 7.4.1, and of its registry.
const (
	CloseNormal         = 1000
	CloseGoingAway      = 1001
	CloseProtocolError  = 1002
	CloseUnsupported    = 1003
	CloseNoStatus       = 1005 // never on the wire: the peer's close frame was empty
	CloseAbnormal       = 1006 // never on the wire: the socket ended without a close frame
	CloseInvalidPayload = 1007
	ClosePolicy         = 1008
	CloseTooBig         = 1009
	CloseInternal       = 1011
	CloseServiceRestart = 1012
	CloseTryAgainLater  = 1013
)

// A ProtocolError is a violation by the peer. Code is the close code the
// connection is failed with.
type ProtocolError struct {
	Code   int
	Reason string
}

func (e *ProtocolError) Error() string { return e.Reason }

// What a [Decoder] can find wrong, each with the section of RFC 6455 that
// forbids it.
var (
	ErrReservedBits        = &ProtocolError{CloseProtocolError, "reserved bits are set"}                   // 5.2
	ErrReservedOpcode      = &ProtocolError{CloseProtocolError, "reserved opcode"}                         // 5.2
	ErrUnmasked            = &ProtocolError{CloseProtocolError, "client frame is not masked"}              // 5.1
	ErrLongControl         = &ProtocolError{CloseProtocolError, "control frame is longer than 125 bytes"}  // 5.5
	ErrFragmentedControl   = &ProtocolError{CloseProtocolError, "control frame is fragmented"}             // 5.5
	ErrStrayContinuation   = &ProtocolError{CloseProtocolError, "continuation without a message"}          // 5.4
	ErrMissingContinuation = &ProtocolError{CloseProtocolError, "new message inside a fragmented one"}     // 5.4
	ErrNonMinimalLength    = &ProtocolError{CloseProtocolError, "payload length is not minimally encoded"} // 5.2
	ErrNegativeLength      = &ProtocolError{CloseProtocolError, "payload length has its top bit set"}      // 5.2
	ErrShortClose          = &ProtocolError{CloseProtocolError, "close frame has one byte"}                // 5.5.1
	ErrCloseCode           = &ProtocolError{CloseProtocolError, "close code is reserved or unassigned"}    // 7.4
	ErrCloseReason         = &ProtocolError{CloseInvalidPayload, "close reason is not UTF-8"}              // 5.5.1
	ErrInvalidUTF8         = &ProtocolError{CloseInvalidPayload, "text is not UTF-8"}                      // 8.1
	ErrCorrupt             = &ProtocolError{CloseInvalidPayload, "compressed message is corrupt"}          // RFC 7692, 7.2.2
	ErrFrameTooBig         = &ProtocolError{CloseTooBig, "frame exceeds the limit"}                        // 10.4
	ErrMessageTooBig       = &ProtocolError{CloseTooBig, "message exceeds the limit"}                      // 10.4
	ErrTooManyFragments    = &ProtocolError{ClosePolicy, "message has too many fragments"}                 // 10.4
	ErrUnfinished          = &ProtocolError{ClosePolicy, "message took too long to become whole"}          // 10.4
	errRate                = &ProtocolError{ClosePolicy, "rate limit"}                                     // 10.4
	errNoMemory            = &ProtocolError{CloseTryAgainLater, "the server is short of memory"}
	errSlowConsumer        = &ProtocolError{CloseTryAgainLater, "slow consumer: the outbound queue is full"} // 7.4.1
)

// Errors of [Conn.Close] and [Server].
var (
	ErrBadCloseCode   = errors.New("ws: close code must be 1000-1003, 1007-1014 or 3000-4999")
	ErrLongReason     = errors.New("ws: close reason is longer than 123 bytes or not UTF-8")
	ErrClosed         = errors.New("ws: connection is closed")
	ErrServerShutdown = errors.New("ws: server is shut down")
)

// ValidCloseCode reports whether an endpoint may send code in a close frame
// (RFC 6455, section 7.4, and the IANA registry that extends it).
func ValidCloseCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return false
}
