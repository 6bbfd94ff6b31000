package ws

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// An originRule is one entry of Mount.Origins, taken apart.
type originRule struct {
	any, same bool
	below     bool // the hosts below origin.host, by one or more labels, in place of it
	origin
}

// An origin is a serialised origin (RFC 6454, section 6.2). Two are the same
// when they are equal: letters are in lower case, an IPv6 address is as netip
// writes it, and a port that is the scheme's own is left out, as browsers do.
type origin struct {
	scheme, host, port string
}

// parseOriginRule reads an entry of Mount.Origins.
func parseOriginRule(s string) (r originRule, err error) {
	switch s {
	case "*":
		return originRule{any: true}, nil
	case "same":
		return originRule{same: true}, nil
	}
	scheme, rest, ok := strings.Cut(s, "://*.")
	if r.below = ok; ok {
		s = scheme + "://" + rest
	}
	if r.origin, ok = parseOrigin(s); !ok || r.below && r.host[0] == '[' {
		return r, fmt.Errorf("ws: %q is not an origin", s)
	}
	return r, nil
}

// admits judges where a legal handshake comes from.
func (m *Mount) admits(r *Request) bool {
	return r.origins == 0 || m.allowsOrigin(string(r.origin), string(r.host))
}

// allowsOrigin compares an Origin field with the rules. What is not exactly one
// origin, such as "null" or a list, is let in by "*" only.
func (m *Mount) allowsOrigin(field, host string) bool {
	from, ok := parseOrigin(field)
	for _, r := range m.rules {
		switch {
		case r.any:
			return true
		case !ok:
		case r.same:
			// Another scheme's host is no host name: an extension's id, say.
			if name, _, valid := parseAuthority(host); valid && name == from.host && (from.scheme == "http" || from.scheme == "https") {
				return true
			}
		case r.below:
			if below, is := strings.CutSuffix(from.host, "."+r.host); is && below != "" && from.scheme == r.scheme && from.port == r.port {
				return true
			}
		case from == r.origin:
			return true
		}
	}
	return false
}

// parseOrigin reads SCHEME://HOST[:PORT] and nothing else. What a browser never
// sends is refused, since somebody else made it: user names, paths, letters that
// are not ASCII (a browser sends punycode), other spellings of a port.
func parseOrigin(s string) (o origin, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" {
		return o, false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return o, false
		}
	}
	o.scheme = strings.ToLower(scheme)
	if o.host, o.port, ok = parseAuthority(rest); !ok {
		return o, false
	}
	if o.scheme == "http" && o.port == "80" || o.scheme == "https" && o.port == "443" {
		o.port = ""
	}
	return o, true
}

// parseAuthority reads HOST[:PORT], the host being labels or an IPv6 address in
// brackets. A dot at the end makes it another host, as it does for browsers.
func parseAuthority(s string) (host, port string, ok bool) {
	if inner, after, is := strings.Cut(s, "]"); is {
		addr, err := netip.ParseAddr(strings.TrimPrefix(inner, "["))
		if err != nil || !addr.Is6() || addr.Zone() != "" || inner[0] != '[' {
			return "", "", false
		}
		host, s = "["+addr.String()+"]", after
	} else {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			i = len(s)
		}
		if !validName(s[:i]) {
			return "", "", false
		}
		host, s = strings.ToLower(s[:i]), s[i:]
	}
	if s == "" {
		return host, "", true
	}
	port, ok = strings.CutPrefix(s, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	return host, port, ok && err == nil && n > 0 && port[0] != '0'
}

// validName reports whether a host is labels of ASCII letters, digits, hyphens
// and underscores.
func validName(s string) bool {
	last := byte('.')
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' && (c != '.' || last == '.') {
			return false
		}
		last = c
	}
	return s != ""
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
