package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// originPattern is an origin as browsers send it (RFC 6454, section 6.2), with a wildcard maybe.
var originPattern = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://(\*\.)?(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(:[1-9][0-9]{0,4})?$`)

func checkOrigin(s string) error {
	switch {
	case s == OriginSame || s == OriginAny:
		return nil
	case s == "null":
		return fmt.Errorf("%q is what any page can send, from a sandboxed frame", s)
	case s == "https://*" || s == "http://*":
		return fmt.Errorf(`%q is any page; "*" says so`, s)
	case s != strings.ToLower(s):
		return fmt.Errorf("%q must be in lower case, as browsers send it", s)
	case strings.ContainsFunc(s, func(r rune) bool { return r > '~' }):
		return fmt.Errorf("%q must be in punycode (xn--...), as browsers send it", s)
	case !strings.Contains(s, "://"):
		return fmt.Errorf("%q lacks its scheme", s)
	}
	m := originPattern.FindStringSubmatch(s)
	if m == nil {
		return fmt.Errorf("%q is not an origin", s)
	}
	if host := m[3]; host[0] == '[' {
		if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil || !a.Is6() {
			return fmt.Errorf("%q is not an origin: %s is no IPv6 address", s, host)
		}
	}
	if port := strings.TrimPrefix(m[4], ":"); len(port) == 5 && port > "65535" {
		return fmt.Errorf("%q is not an origin: there is no port %s", s, port)
	}
	if m[2] != "" {
		return checkWildcard(s, m[1], m[3])
	}
	return nil
}

// checkWildcard refuses a star below which anybody may have a host.
func checkWildcard(s, scheme, host string) error {
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch {
	case scheme != "https" && scheme != "http":
		return fmt.Errorf("%q: a wildcard is for http and https", s)
	case host[0] == '[' || last != "" && strings.Trim(last, "0123456789") == "":
		return fmt.Errorf("%q: there is nothing below an address", s)
	}
	// A suffix that is not in the list is a network's own, such as "internal".
	host = strings.TrimSuffix(host, ".")
	if suffix, icann := publicsuffix.PublicSuffix(host); suffix == host && (icann || strings.Contains(suffix, ".")) {
		return fmt.Errorf("%q: anybody can get a host below %s", s, host)
	}
	return nil
}
