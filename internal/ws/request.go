package ws

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// A Request is the head of an opening handshake, parsed without copying: all
// its byte slices point into the head. Parsing is strict (RFC 9112 grammar, no
// obsolete folding, no bare LF, no control bytes), because gobwas/ws's Upgrader
// is lenient and whatever a proxy in front of us reads differently is a way to
// smuggle a request.
type Request struct {
	Head   []byte // from the request line through the blank line
	Method []byte
	Target []byte // as sent: path and query
	Fields []Field

	host, origin, key, version     []byte
	hosts, origins, keys, versions int
	protocols, extensions          int // fields
	upgrade, connection, body      bool
	old                            bool // HTTP/1.0
	lengths, codings               int
	length                         int64 // of the body, see framing.go
}

// A Field is one header field, its value without the surrounding blanks.
type Field struct {
	Name, Value []byte
}

var crlf = []byte("\r\n")

// headEnd returns the length of the head that b begins with, through its blank
// line, or 0 when it is not whole. from is where an earlier search ended.
func headEnd(b []byte, from int) int {
	from = max(0, from-3)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// hopeless judges an incomplete head: one that can never become legal need not
// be waited for. What lies before from has been judged already, so that a head
// in many pieces costs no more than its bytes.
func hopeless(b []byte, from int) bool {
	if c := b[0]; c < 'A' || c > 'Z' {
		return true // not HTTP: a TLS hello, say
	}
	for i := from; i < len(b); {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return false
		}
		if i+j == 0 || b[i+j-1] != '\r' {
			return true
		}
		i += j + 1
	}
	return false
}

// Parse fills r from a whole head. It judges only the grammar of HTTP; check
// judges the handshake. r's earlier contents are dropped, its memory reused.
func (r *Request) Parse(head []byte, maxFields int) *Response {
	*r = Request{Head: head, Fields: r.Fields[:0]}
	line, rest, _ := bytes.Cut(head, crlf)
	if ref := r.requestLine(line); ref != nil {
		return ref
	}
	for {
		line, rest, _ = bytes.Cut(rest, crlf)
		if len(line) == 0 {
			break
		}
		if maxFields > 0 && len(r.Fields) >= maxFields {
			return refuseHeaders
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return refuseMalformed
		}
		name, value := line[:colon], trimBlanks(line[colon+1:])
		for _, c := range name {
			if !isToken[c] {
				return refuseMalformed // also folding, and a blank before the colon
			}
		}
		for _, c := range value {
			if c < ' ' && c != '\t' || c == 0x7f {
				return refuseMalformed
			}
		}
		r.Fields = append(r.Fields, Field{name, value})
		r.note(name, value)
	}
	if len(rest) != 0 {
		return refuseMalformed
	}
	r.originForm()
	return nil
}

// originForm makes a path of a target in absolute form, which a server must take
// (RFC 6455, section 4.2.1; RFC 9112, section 3.2.2), if its host is that of the
// Host field, and spelled without escapes. Any other is left for check to refuse: a
// proxy in front may have judged either host.
func (r *Request) originForm() {
	if r.Target[0] == '/' {
		return
	}
	u, err := url.ParseRequestURI(string(r.Target))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Host == "" || !strings.EqualFold(u.Host, string(r.host)) {
		return
	}
	_, rest, _ := bytes.Cut(r.Target, []byte("://"))
	end := len(rest)
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		end = i
	}
	if string(rest[:end]) != u.Host {
		return
	}
	if r.Target = rest[end:]; len(r.Target) == 0 || r.Target[0] != '/' {
		r.Target = append([]byte("/"), r.Target...)
	}
}

func (r *Request) requestLine(line []byte) *Response {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, proto, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || len(method) == 0 || len(target) == 0 {
		return refuseMalformed
	}
	for _, c := range method {
		if !isToken[c] {
			return refuseMalformed
		}
	}
	for i, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return refuseMalformed
		}
		if c == '%' && !(i+2 < len(target) && isHex(target[i+1]) && isHex(target[i+2])) && bytes.IndexByte(target[:i], '?') < 0 {
			return refuseMalformed
		}
	}
	if len(proto) != 8 || !bytes.HasPrefix(proto, []byte("HTTP/")) || proto[6] != '.' ||
		proto[5] < '0' || proto[5] > '9' || proto[7] < '0' || proto[7] > '9' {
		return refuseMalformed
	}
	if proto[5] != '1' {
		return refuseVersion
	}
	r.old = proto[7] == '0'
	r.Method, r.Target = method, target
	return nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// note keeps what the handshake is judged by.
func (r *Request) note(name, value []byte) {
	// The length tells most fields apart without a comparison.
	switch len(name) {
	case len("Host"):
		if foldEqual(name, "host") {
			r.host = value
			r.hosts++
		}
	case len("Origin"):
		if foldEqual(name, "origin") {
			r.origin = value
			r.origins++
		}
	case len("Upgrade"):
		if foldEqual(name, "upgrade") && hasListToken(value, "websocket") {
			r.upgrade = true
		}
	case len("Connection"):
		if foldEqual(name, "connection") && hasListToken(value, "upgrade") {
			r.connection = true
		}
	case len("Sec-WebSocket-Key"):
		if foldEqual(name, "sec-websocket-key") {
			r.key = value
			r.keys++
		} else if foldEqual(name, "transfer-encoding") {
			r.coding(value)
		}
	case len("Content-Length"):
		if foldEqual(name, "content-length") {
			r.contentLength(value)
		}
	case len("Sec-WebSocket-Protocol"):
		if foldEqual(name, protocolField) {
			r.protocols++
		}
	case len("Sec-WebSocket-Extensions"):
		if foldEqual(name, extensionsField) {
			r.extensions++
		}
	case len("Sec-WebSocket-Version"):
		if foldEqual(name, "sec-websocket-version") {
			r.version = value
			r.versions++
		}
	}
}

func (r *Request) isHead() bool { return string(r.Method) == http.MethodHead }

func (r *Request) isGet() bool { return string(r.Method) == http.MethodGet }

// Reads reports whether the method is GET or HEAD.
func (r *Request) Reads() bool { return r.isGet() || r.isHead() }

// Path is the target up to its query.
func (r *Request) Path() []byte {
	path, _, _ := bytes.Cut(r.Target, []byte("?"))
	return path
}

// Host, Origin and Key are the fields' values; empty when absent.
func (r *Request) Host() []byte { return r.host }

func (r *Request) Origin() []byte { return r.origin }

func (r *Request) Key() []byte { return r.key }

// Get returns the first field of that name (in any case), or nil.
func (r *Request) Get(name string) []byte {
	for _, f := range r.Fields {
		if len(f.Name) == len(name) && bytes.EqualFold(f.Name, []byte(name)) {
			return f.Value
		}
	}
	return nil
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// foldEqual compares a field name with a lower-case one of the same length.
func foldEqual(b []byte, lower string) bool {
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// isToken marks the tchar of RFC 9110, section 5.6.2.
var isToken = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// isHost marks what may be in a host and port.
var isHost = func() (t [256]bool) {
	t = isToken
	for _, c := range "#^`|" {
		t[c] = false
	}
	for _, c := range "()=,;:[]" {
		t[c] = true
	}
	return t
}()
