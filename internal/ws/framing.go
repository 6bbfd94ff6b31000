package ws

import (
	"net/http"
	"strconv"
)

// What Request.length is besides a length.
const (
	chunked   = -1
	badLength = -2
	badCoding = -3
)

// contentLength takes a Content-Length (RFC 9110, section 8.6).
func (r *Request) contentLength(value []byte) {
	r.lengths++
	if string(value) == "0" {
		return
	}
	r.body = true
	n, err := strconv.ParseUint(string(value), 10, 63)
	if r.length = int64(n); err != nil || value[0] == '+' || len(value) > 18 {
		r.length = badLength
	}
}

// coding takes a Transfer-Encoding (RFC 9112, section 6.1).
func (r *Request) coding(value []byte) {
	r.codings++
	r.body = true
	if r.length = chunked; len(value) != len("chunked") || !foldEqual(value, "chunked") {
		r.length = badCoding
	}
}

// framing judges how a request that is no handshake says where it ends (RFC
// 9112, section 6.3): if there is any doubt it is refused, and the connection
// ended.
func (r *Request) framing() *Response {
	switch {
	case r.lengths > 1, r.lengths > 0 && r.codings > 0, r.old && r.codings > 0, r.length == badLength:
		return refuseFraming
	case r.codings > 1, r.length == badCoding:
		return refuseCoding
	}
	return refusePlain
}

// knownMethod reports whether the method is one of RFC 9110, section 9, or RFC
// 5789.
func (r *Request) knownMethod() bool {
	switch string(r.Method) {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return true
	}
	return false
}

// HasBody reports whether a body follows the head; BodyLength is its length, or
// -1 when that is not known.
func (r *Request) HasBody() bool     { return r.body }
func (r *Request) BodyLength() int64 { return r.length }
