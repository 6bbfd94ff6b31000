package ws

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
)

// A Policy says which handshakes are accepted beyond their being legal. It is
// immutable and safe for concurrent use.
type Policy struct {
	// Paths that are served: exact, or a prefix when ending in "/*". Empty:
	// any path.
	Paths []string

	// Origins that may connect: "same" (the origin's host name is that of the
	// Host field; ports are not compared, for proxies often drop them and
	// cookies ignore them), "*" (any), an exact origin, or one with a wildcard
	// host such as "https://*.example.com". A request without Origin does not
	// come from a page in a browser, which is all that this guards against
	// (cross-site WebSocket hijacking), and passes.
	Origins []string

	// Subprotocols that are spoken. The client's first that is among them is
	// chosen; none: the field is ignored (RFC 6455, section 4.2.2).
	Subprotocols []string
}

// check judges a legal handshake.
func (p *Policy) check(r *Request) *Response {
	if !p.servesPath(r.Path()) {
		return refusePath
	}
	if r.origins > 0 && !p.allowsOrigin(string(r.origin), string(r.host)) {
		return refuseOrigin
	}
	return nil
}

func (p *Policy) servesPath(path []byte) bool {
	if len(p.Paths) == 0 {
		return true
	}
	for _, want := range p.Paths {
		if prefix, ok := strings.CutSuffix(want, "/*"); ok {
			if string(path) == prefix || bytes.HasPrefix(path, []byte(prefix+"/")) {
				return true
			}
		} else if string(path) == want {
			return true
		}
	}
	return false
}

func (p *Policy) allowsOrigin(origin, host string) bool {
	for _, want := range p.Origins {
		switch {
		case want == "*":
			return true
		case want == "same":
			if _, name, ok := splitOrigin(origin); ok && name != "" && name == hostName(host) {
				return true
			}
		case strings.EqualFold(want, origin):
			return true
		default:
			if matchWildcard(want, origin) {
				return true
			}
		}
	}
	return false
}

// matchWildcard matches "https://*.example.com[:port]" against an origin. The
// star stands for one or more labels.
func matchWildcard(pattern, origin string) bool {
	scheme, rest, ok := strings.Cut(strings.ToLower(pattern), "://*.")
	if !ok {
		return false
	}
	host, ok := strings.CutPrefix(strings.ToLower(origin), scheme+"://")
	if !ok || strings.ContainsAny(host, "/@?#") {
		return false
	}
	label, ok := strings.CutSuffix(host, "."+rest)
	return ok && label != ""
}

// splitOrigin returns the scheme and lower-case host name of a serialised
// origin (RFC 6454); ok is false for "null" and for what is not one.
func splitOrigin(origin string) (scheme, name string, ok bool) {
	scheme, rest, ok := strings.Cut(origin, "://")
	if !ok || rest == "" || strings.ContainsAny(rest, "/@?#") {
		return "", "", false
	}
	return scheme, hostName(rest), true
}

// hostName strips the port of HOST[:PORT] and lowers its case.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return strings.ToLower(host)
}

// subprotocol chooses from what the client offers, or returns "".
func (p *Policy) subprotocol(r *Request) string {
	if len(p.Subprotocols) == 0 {
		return ""
	}
	for _, f := range r.Fields {
		if len(f.Name) != len("Sec-WebSocket-Protocol") || !foldEqual(f.Name, "sec-websocket-protocol") {
			continue
		}
		for item := range bytes.SplitSeq(f.Value, []byte(",")) {
			for _, s := range p.Subprotocols {
				if s == string(trimBlanks(item)) {
					return s
				}
			}
		}
	}
	return ""
}

// A Peer is the address at the other end of the socket.
type Peer struct {
	Network string         // "unix" or "tcp"
	Addr    netip.AddrPort // of a TCP peer

	tls net.Conn // of a TLS connection: what its goroutines pump from and to
}

// String is for logs.
func (p *Peer) String() string {
	if p.Addr.IsValid() {
		return p.Addr.String()
	}
	return p.Network
}
