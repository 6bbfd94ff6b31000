package ws

import (
	"strings"
)

// admits judges where a legal handshake comes from.
func (m *Mount) admits(r *Request) bool {
	return r.origins == 0 || m.allowsOrigin(string(r.origin), string(r.host))
}

func (m *Mount) allowsOrigin(origin, host string) bool {
	for _, want := range m.Origins {
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
