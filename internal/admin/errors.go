package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nvsess/nvsess/internal/session"
)

// Error is a failure with a code that scripts may rely on and a sentence for a human. It is the "error" of every failing answer.
type Error struct {
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Argument string   `json:"argument,omitempty"` // the argument at fault
	File     string   `json:"file,omitempty"`     // of JavaScript: handlers.js, or REPL1 for the first text that was evaluated
	Line     int      `json:"line,omitempty"`     // where JSON broke or JavaScript failed, from 1
	Column   int      `json:"column,omitempty"`   // in characters, from 1
	Stack    string   `json:"stack,omitempty"`    // of JavaScript: the message again and where it came from, several lines
	Sessions []string `json:"sessions,omitempty"` // what an ambiguous reference could mean
	Problems []string `json:"problems,omitempty"` // of a configuration: FILE:LINE: KEY: what is wrong
}

func (e *Error) Error() string { return e.Message }

// The codes of Error, and the HTTP status each comes with.
const (
	CodeBadRequest     = "bad_request"        // 400: not a request of this API
	CodeBadJSON        = "bad_json"           // 400: line and column say where
	CodeBadArgument    = "bad_argument"       // 400: argument says which
	CodeNotPermitted   = "not_permitted"      // 403
	CodeNoSuchCommand  = "no_such_command"    // 404
	CodeNoSuchSession  = "no_such_session"    // 404
	CodeMethod         = "method_not_allowed" // 405
	CodeAmbiguous      = "ambiguous_session"  // 409: sessions lists them
	CodeSlowConsumer   = "slow_consumer"      // 409: its outbound queue is full
	CodeSessionClosed  = "session_closed"     // 410: it closed while the command ran
	CodeTooLarge       = "too_large"          // 413: the body
	CodeUndrained      = "undrained"          // 409: the drain was taken back while it was waited for
	CodeTooManyPending = "too_many_pending"   // 429: requests to one session
	CodeBadConfig      = "bad_config"         // 422: the configuration cannot be used; problems says why
	CodeJS             = "js_error"           // 422: JavaScript failed; stack, file, line and column say where
	CodeInternal       = "internal"           // 500
	CodeNotAvailable   = "not_available"      // 501: this daemon does not offer it
	CodeShuttingDown   = "shutting_down"      // 503
	CodeTooManyCalls   = "too_many_calls"     // 503: at once
	CodeNoReply        = "no_reply"           // 504: not within the timeout
	CodeUpgradeFailed  = "upgrade_failed"     // 500: the daemon goes on as it was
	CodeCanceled       = "canceled"           // the caller went away
)

var statusOf = map[string]int{
	CodeBadRequest:     http.StatusBadRequest,
	CodeBadJSON:        http.StatusBadRequest,
	CodeBadArgument:    http.StatusBadRequest,
	CodeNotPermitted:   http.StatusForbidden,
	CodeNoSuchCommand:  http.StatusNotFound,
	CodeNoSuchSession:  http.StatusNotFound,
	CodeMethod:         http.StatusMethodNotAllowed,
	CodeAmbiguous:      http.StatusConflict,
	CodeSlowConsumer:   http.StatusConflict,
	CodeUndrained:      http.StatusConflict,
	CodeSessionClosed:  http.StatusGone,
	CodeTooLarge:       http.StatusRequestEntityTooLarge,
	CodeTooManyPending: http.StatusTooManyRequests,
	CodeBadConfig:      http.StatusUnprocessableEntity,
	CodeJS:             http.StatusUnprocessableEntity,
	CodeInternal:       http.StatusInternalServerError,
	CodeNotAvailable:   http.StatusNotImplemented,
	CodeShuttingDown:   http.StatusServiceUnavailable,
	CodeTooManyCalls:   http.StatusServiceUnavailable,
	CodeNoReply:        http.StatusGatewayTimeout,
	CodeCanceled:       499, // as nginx has it; the caller is not there to see it
}

// Status is the HTTP status an error is answered with.
func (e *Error) Status() int {
	if s := statusOf[e.Code]; s != 0 {
		return s
	}
	return http.StatusInternalServerError
}

// maxMessage bounds an Error's message, in characters: it may quote an argument, which may have megabytes.
const maxMessage = 1000

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: clip(fmt.Sprintf(format, args...), maxMessage)}
}

func badArg(name, format string, args ...any) *Error {
	e := errorf(CodeBadArgument, format, args...)
	e.Argument = clip(name, 100)
	return e
}

// asError gives every error its code. What it does not know is internal.
func asError(err error) *Error {
	var e *Error
	var ambiguous *session.AmbiguousError
	var script *ScriptError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &script):
		return script.error()
	case errors.As(err, &ambiguous):
		return ambiguousError(ambiguous)
	case errors.Is(err, session.ErrNoSession):
		return errorf(CodeNoSuchSession, "%s", err)
	case errors.Is(err, session.ErrSessionClosed):
		return errorf(CodeSessionClosed, "the session closed")
	case errors.Is(err, session.ErrSlow):
		return errorf(CodeSlowConsumer, "the session does not read: its outbound queue is full")
	case errors.Is(err, session.ErrTooManyPending):
		return errorf(CodeTooManyPending, "the session has too many unanswered requests")
	case errors.Is(err, session.ErrStopping):
		return errShuttingDown
	case errors.Is(err, context.DeadlineExceeded):
		return errorf(CodeNoReply, "no reply in time")
	case errors.Is(err, context.Canceled):
		return errorf(CodeCanceled, "canceled")
	}
	return errorf(CodeInternal, "%s", plainly(err))
}

// plainly is an error without the name of the package it comes from.
func plainly(err error) string {
	s := err.Error()
	for _, name := range []string{"session: ", "ws: "} {
		s = strings.TrimPrefix(s, name)
	}
	return s
}

// ambiguousError names some of the sessions meant.
func ambiguousError(a *session.AmbiguousError) *Error {
	e := errorf(CodeAmbiguous, "%s could be any of several sessions; give more of the id", Quote(a.Ref))
	e.Sessions = a.IDs
	return e
}
