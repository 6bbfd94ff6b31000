package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Reasons a call or a connection fails, for errors.Is. Each comes wrapped with
// what was being done.
var (
	// ErrURL: the address makes no sense.
	ErrURL = errors.New("bad URL")
	// ErrOption: an option makes no sense.
	ErrOption = errors.New("bad option")
	// ErrHandshake: what answered is not a WebSocket server that follows RFC 6455,
	// section 4.1. A refusal with an HTTP status is a *HandshakeError as well.
	ErrHandshake = errors.New("handshake failed")
	// ErrClosed: the connection has ended. Every *CloseError matches it.
	ErrClosed = errors.New("connection closed")
	// ErrProtocol: the server broke RFC 6455.
	ErrProtocol = errors.New("protocol violation by the server")
	// ErrTooBig: a frame or message exceeds the limit.
	ErrTooBig = errors.New("message too big")
	// ErrKeepalive: nothing came from the server for a whole keepalive interval.
	ErrKeepalive = errors.New("server silent for the keepalive interval")
	// ErrTooManyPending: as many requests as allowed are already waiting.
	ErrTooManyPending = errors.New("too many pending requests")
	// ErrQueueFull: as much as allowed already waits in the Client's queue.
	ErrQueueFull = errors.New("queue full")
	// ErrTakenBack: QueuedMessage.TakeBack was called before the message left.
	ErrTakenBack = errors.New("taken back")
	// ErrNetwork: Reconnect.CheckNetwork said there is no use in trying.
	ErrNetwork = errors.New("no network")
	// ErrMessage: the message cannot be sent: text that is not UTF-8, or JSON
	// that is neither an object nor an array.
	ErrMessage = errors.New("unsendable message")
)

// HandshakeError is a server's refusal to upgrade. Its text is one line, with
// the beginning of the body, escaped.
type HandshakeError struct {
	Status int         // HTTP status code
	Header http.Header // of the response
	Body   string      // at most the first 4 KiB, as sent: escape it before showing it
}

func (e *HandshakeError) Error() string {
	s := fmt.Sprintf("server answered %d", e.Status)
	if t := http.StatusText(e.Status); t != "" {
		s += " " + t
	}
	if to := e.Header.Get("Location"); to != "" && e.Status/100 == 3 {
		s += fmt.Sprintf(" to %q, which is not followed", clip(to))
	}
	if b := strings.Join(strings.Fields(e.Body), " "); b != "" {
		s += fmt.Sprintf(": %q", clip(b))
	}
	return s
}

// Is makes every refusal an ErrHandshake.
func (e *HandshakeError) Is(target error) bool { return target == ErrHandshake }

// CloseError is why a connection ended.
type CloseError struct {
	// Code is the close code: the server's if it began the close (CloseNoStatus
	// when it gave none), else the one this side sent, or CloseAbnormal when
	// the connection broke without a close frame.
	Code   int
	Reason string // text that came with the code; the peer's is not escaped
	Remote bool   // the server began it
	Err    error  // what broke, if something did: ErrProtocol, ErrKeepalive, a network error
}

func (e *CloseError) Error() string {
	var b strings.Builder
	b.WriteString("connection closed")
	if e.Remote {
		b.WriteString(" by the server")
	}
	fmt.Fprintf(&b, ": %d", e.Code)
	if name := CloseCodeName(e.Code); name != "" {
		b.WriteString(" (" + name + ")")
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " %q", e.Reason)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Is makes every CloseError an ErrClosed.
func (e *CloseError) Is(target error) bool { return target == ErrClosed }

// Unwrap gives what broke.
func (e *CloseError) Unwrap() error { return e.Err }
