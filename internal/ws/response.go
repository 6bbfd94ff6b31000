package ws

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// A Response is an answer other than 101: to a handshake that is refused, or to
// a request that asks for no upgrade.
type Response struct {
	Status int
	Detail string // the body: one sentence for a person
	Header string // further header lines, each ending in CRLF
	Body   []byte // in place of Detail; Header says its type
}

// Deferred is what [Handler.Check] and [Handler.Plain] return when the answer
// takes time: [Conn.Answer] brings it. Until then nothing is read from the peer;
// after Options.HandshakeTimeout it is answered 503.
var Deferred = &Response{}

func (r *Response) Error() string { return strconv.Itoa(r.Status) + " " + r.Detail }

// Refusals this package makes (RFC 6455, section 4.2.2; RFC 9110).
var (
	refuseMalformed  = &Response{http.StatusBadRequest, "malformed request", "", nil}
	refuseVersion    = &Response{http.StatusHTTPVersionNotSupported, "HTTP/1.1 is required", "", nil}
	refuseMethod     = &Response{http.StatusMethodNotAllowed, "this is a WebSocket endpoint: a handshake is a GET request", "Allow: GET\r\n", nil}
	refuseUnknown    = &Response{http.StatusNotImplemented, "unknown method", "", nil}
	refuseFraming    = &Response{http.StatusBadRequest, "it is not clear where the request ends", "", nil}
	refuseCoding     = &Response{http.StatusNotImplemented, "unknown transfer coding", "", nil}
	refuseBody       = &Response{http.StatusBadRequest, "there must be no body here", "", nil}
	refuseDots       = &Response{http.StatusBadRequest, "the path has segments that are . or .., or broken escapes", "", nil}
	refuseTarget     = &Response{http.StatusBadRequest, "the request target must be a path, or a URL of the Host field's host", "", nil}
	refuseHost       = &Response{http.StatusBadRequest, "exactly one Host field with a host is required", "", nil}
	refusePlain      = &Response{http.StatusUpgradeRequired, "this is a WebSocket endpoint", upgradeHeader, nil}
	refuseConnect    = &Response{http.StatusBadRequest, "Connection must contain Upgrade", "", nil}
	refuseKey        = &Response{http.StatusBadRequest, "exactly one Sec-WebSocket-Key of 16 bytes in base64 is required", "", nil}
	refuseWSVersion  = &Response{http.StatusUpgradeRequired, "WebSocket version 13 is required", upgradeHeader, nil}
	refuseNoVersion  = &Response{http.StatusBadRequest, "exactly one Sec-WebSocket-Version is required", "Sec-WebSocket-Version: 13\r\n", nil}
	refuseExtensions = &Response{http.StatusBadRequest, "Sec-WebSocket-Extensions is malformed", "", nil}
	refuseProtocols  = &Response{http.StatusBadRequest, "Sec-WebSocket-Protocol must be a list of different tokens", "", nil}
	refusePath       = &Response{http.StatusNotFound, "no such path", "", nil}
	refuseOrigin     = &Response{http.StatusForbidden, "origin is not allowed", "", nil}
	refuseTimeout    = &Response{http.StatusRequestTimeout, "the handshake took too long", "", nil}
	refuseURI        = &Response{http.StatusRequestURITooLong, "request line is too long", "", nil}
	refuseHeaders    = &Response{http.StatusRequestHeaderFieldsTooLarge, "header fields are too large", "", nil}
	refuseClosed     = &Response{http.StatusServiceUnavailable, "not accepting sessions at the moment", "Retry-After: 1\r\n", nil}
	refuseUndecided  = &Response{http.StatusServiceUnavailable, "it could not be decided in time whether to accept", "", nil}
	refuseMemory     = &Response{http.StatusServiceUnavailable, "the server is short of memory", "Retry-After: 1\r\n", nil}
	refuseDraining   = &Response{http.StatusServiceUnavailable, "server is shutting down", "Retry-After: 1\r\n", nil}
	refuseScarce     = &Response{http.StatusServiceUnavailable, "out of descriptors", "Retry-After: 1\r\n", nil}
	refuseInternal   = &Response{http.StatusInternalServerError, "handshake failed", "", nil}
)

// answerOptions answers an OPTIONS request for the server as a whole: these are the
// methods that some path of it may take.
var answerOptions = &Response{http.StatusNoContent, "", "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n", []byte{}}

const upgradeHeader = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

// append encodes the response, without its body in answer to a HEAD request.
func (r *Response) append(dst []byte, head bool) []byte {
	n := len(r.Body)
	if r.Body == nil {
		n = len(r.Detail) + 1
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(r.Status)...)
	dst = append(dst, "\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nDate: "...)
	dst = append(dst, dateNow()...)
	dst = append(dst, "\r\n"...)
	if r.Body == nil {
		dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\n"...)
	}
	if r.Status != http.StatusNoContent { // RFC 9110, section 8.6
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, r.Header...)
	dst = append(dst, "\r\n"...)
	switch {
	case head:
		return dst
	case r.Body != nil:
		return append(dst, r.Body...)
	}
	return append(append(dst, r.Detail...), '\n')
}

// dateNow is the time for a Date field (RFC 9110, section 6.6.1), made once a
// second.
func dateNow() string {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}

type date struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[date]

func (r *Response) size() int { return 256 + len(r.Header) + len(r.Detail) + len(r.Body) }
