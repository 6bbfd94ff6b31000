package ws

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/nvsess/nvsess/internal/deflate"
)

// check judges the handshake (RFC 6455, section 4.2.1). A request that is none
// is given refusePlain if it is sound, or what answers it whatever there is.
func (r *Request) check() *Response {
	switch {
	case r.old && r.upgrade:
		return refuseVersion
	case r.hosts != 1 && !(r.old && r.hosts == 0) || r.hosts == 1 && !validHost(r.host):
		return refuseHost
	case !r.knownMethod():
		return refuseUnknown
	case string(r.Target) == "*" && string(r.Method) == http.MethodOptions: // RFC 9110, section 9.3.7
		if resp := r.framing(); resp != refusePlain {
			return resp
		}
		return answerOptions
	case r.Target[0] != '/':
		return refuseTarget
	case r.dotted():
		return refuseDots
	case !r.upgrade:
		return r.framing()
	case !r.isGet():
		return refuseMethod
	case r.lengths > 1: // even of nothing, see framing
		return refuseFraming
	case r.body:
		return refuseBody
	case !r.connection:
		return refuseConnect
	case r.versions != 1:
		return refuseNoVersion
	case string(r.version) != "13":
		return refuseWSVersion
	case r.keys != 1 || !validKey(r.key):
		return refuseKey
	case r.protocols > 0 && !r.validProtocols():
		return refuseProtocols
	case r.extensions > 0 && deflate.Malformed(r.values(extensionsField)): // RFC 6455, section 9.1
		return refuseExtensions
	case r.origins > 1:
		return refuseOrigin
	}
	return nil
}

const (
	protocolField   = "sec-websocket-protocol"
	extensionsField = "sec-websocket-extensions"
)

// values are the fields of a name, which is in lower case.
func (r *Request) values(name string) (list [][]byte) {
	for _, f := range r.Fields {
		if len(f.Name) == len(name) && foldEqual(f.Name, name) {
			list = append(list, f.Value)
		}
	}
	return list
}

// validProtocols reports whether the subprotocols that are offered are tokens,
// at least one, and all different (RFC 6455, sections 4.1 and 4.3).
func (r *Request) validProtocols() bool {
	seen := make(map[string]bool)
	for _, value := range r.values(protocolField) {
		for item := range bytes.SplitSeq(value, []byte(",")) {
			item = trimBlanks(item)
			if len(item) == 0 {
				continue // RFC 9110, section 5.6.1.2
			}
			for _, c := range item {
				if !isToken[c] {
					return false
				}
			}
			if seen[string(item)] {
				return false
			}
			seen[string(item)] = true
		}
	}
	return len(seen) > 0
}

// dotted reports whether the path has segments that are . or .., in any
// spelling, or escapes that are none. A proxy in front may have looked at the
// path without them, and let pass what is meant for another mount.
func (r *Request) dotted() bool {
	path := r.Path()
	if !bytes.ContainsAny(path, `%\`) && !bytes.Contains(path, []byte("/.")) {
		return false
	}
	p, err := url.PathUnescape(string(path))
	if err != nil {
		return true
	}
	for segment := range strings.FieldsFuncSeq(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// validKey reports whether the key is 16 bytes in base64. The bits that are to
// spare in its last character may be anything: in the example of RFC 6455,
// section 4.1, "AQIDBAUGBwgJCgsMDQ4PEC==", they are not zero.
func validKey(key []byte) bool {
	if len(key) != 24 {
		return false
	}
	var dst [18]byte
	n, err := base64.StdEncoding.Decode(dst[:], key)
	return err == nil && n == 16
}

// validHost reports whether a Host field can be a host and port (RFC 9110,
// section 7.2, by the characters of RFC 3986, section 3.2).
func validHost(host []byte) bool {
	for _, c := range host {
		if !isHost[c] {
			return false
		}
	}
	return len(host) > 0
}

// hasListToken reports whether a comma-separated field contains a token.
func hasListToken(list []byte, token string) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte(","))
		if item = trimBlanks(item); len(item) == len(token) && foldEqual(item, token) {
			return true
		}
	}
	return false
}
