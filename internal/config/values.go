package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Values that more than one key has: a mount's are like the top level's.

func modes() kind[string] { return choice(ModeHandlers, ModeForward, ModeEcho) }

func origins() kind[[]string] {
	return list(0, text(`"same", "*", "https://example.com" or "https://*.example.com"`, checkOrigin))
}

func subprotocols() kind[[]string] { return list(0, text("a token such as \"chat.v1\"", checkToken)) }

func path() kind[string] { return text(`"/exact/path" or "/prefix/*"`, checkPath) }

func paths(lowest int) kind[[]string] { return list(lowest, path()) }

func compressions() kind[string] {
	return choice(CompressionOff, CompressionOn, CompressionReceiveOnly)
}

func messageBytes() kind[int] { return integer(125, 1<<30) }

func fragments() kind[int] { return integer(1, 1<<20) }

func messageRate() kind[int] { return integer(0, 1_000_000_000) }

func messageBurst() kind[int] { return integer(1, 1_000_000_000) }

func byteRate() kind[int] { return integer(0, 1<<40) }

// byteBurst: what is read at once comes at once, whatever the burst.
func byteBurst() kind[int] { return integer(64<<10, 1<<40) }

func ratePolicy() kind[string] { return choice(PolicyDelay, PolicyDrop, PolicyClose) }

func headers() kind[[]string] { return list(0, text(`"Name: value"`, checkHeader)) }

func checkAddr(s string) error {
	_, err := addrOf(s)
	return err
}

func checkAdminAddr(s string) error {
	a, err := addrOf(s)
	if err == nil && !a.IsUnix() {
		err = fmt.Errorf("%q: callers are known by their unix credentials", s)
	}
	return err
}

// checkMetricsAddr wants TCP: Prometheus scrapes nothing else, and who has a unix socket has the operators'.
func checkMetricsAddr(s string) error {
	if s == "" {
		return nil
	}
	a, err := addrOf(s)
	if err == nil && a.IsUnix() {
		err = fmt.Errorf("%q: on a unix socket there is the operators'", s)
	}
	return err
}

// addrOf parses an address of the file without the "allowed" of ParseAddr's error, which the key says itself. How long the
// runtime directory is must not decide whether a file is right, so "%t" is short here; ListenAddrs judges the real path.
func addrOf(s string) (Addr, error) {
	a, err := expandAddr(s, "/run")
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), "; allowed:")
		return a, errors.New(what)
	}
	return a, nil
}

// token is RFC 9110's, which RFC 6455 section 4.1 wants a subprotocol to be.
var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func checkToken(s string) error {
	if !token.MatchString(s) {
		return fmt.Errorf("%q is not a token", s)
	}
	return nil
}

// checkHeader accepts a field of a response that does not say how the response, or the protocol after it, is to be read.
func checkHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	low := strings.ToLower(name)
	switch {
	case !ok || !token.MatchString(name):
		return fmt.Errorf("%q does not begin with a field's name and a colon", s)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }):
		return fmt.Errorf("%q has something else than printable ASCII", s)
	case slices.Contains(hopByHop, low), strings.HasPrefix(low, "sec-websocket-"), strings.HasPrefix(low, "content-") && low != "content-security-policy":
		return fmt.Errorf("%q is not for a configuration to set", name)
	}
	return nil
}

// hopByHop are the fields of one connection (RFC 9110, section 7.6.1).
var hopByHop = []string{"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade"}

func checkPath(s string) error {
	exact, _ := strings.CutSuffix(s, "/*")
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Errorf(`%q does not begin with "/"`, s)
	case strings.ContainsAny(exact, "*?#") || strings.ContainsFunc(exact, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%q is not the path of a URL", s)
	}
	for segment := range strings.SplitSeq(exact, "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return fmt.Errorf("%q has the segment %q, which no request is answered for", s, segment)
		}
	}
	return nil
}

func checkFile(s string) error {
	if s != "" && !filepath.IsAbs(s) {
		return fmt.Errorf("%q must be an absolute path", s)
	}
	return nil
}

var accountName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,9})$`)

// account is a user or group by name or number. Whether it exists is found out when it is used.
func account(what string, optional bool) kind[string] {
	allowed := fmt.Sprintf("the name or number of a %s", what)
	if optional {
		allowed += `, or "" for the daemon's own`
	}
	return text(allowed, func(s string) error {
		if !accountName.MatchString(s) && (s != "" || !optional) {
			return fmt.Errorf("%q cannot be a %s", s, what)
		}
		return nil
	})
}

func checkProxy(s string) error {
	if s == ProxyUnix {
		return nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if p, err := netip.ParsePrefix(s); err != nil {
		return fmt.Errorf("%q is neither an address nor a network", s)
	} else if p != p.Masked() {
		return fmt.Errorf("%q has bits beyond its prefix length: %q is meant?", s, p.Masked())
	}
	return nil
}

// checkText accepts what can be the name of a file.
func checkText(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q cannot be a file", s)
	}
	return nil
}

func checkWebhook(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a URL", s)
	case u.Fragment != "" || u.User != nil:
		return fmt.Errorf("%q has more than an address", s)
	case u.Scheme == "http+unix":
		socket, path, ok := strings.Cut(u.Path, ":")
		if u.Host != "" || !strings.HasPrefix(socket, "/") || ok && !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q does not name a socket", s)
		}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%q is no address of a web server", s)
	}
	return nil
}

var hostPattern = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?(:[0-9]{1,5})?$`)

func checkHost(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return nil
	}
	if !hostPattern.MatchString(s) {
		return fmt.Errorf("%q is not a host", s)
	}
	return nil
}

func checkHealthPath(s string) error {
	if s == "" {
		return nil
	}
	if strings.HasSuffix(s, "/*") {
		return fmt.Errorf("%q is a prefix", s)
	}
	return checkPath(s)
}

// checkDirectory accepts a URL path that ends in a slash.
func checkDirectory(s string) error {
	if s == "" {
		return nil
	}
	if !strings.HasSuffix(s, "/") {
		return fmt.Errorf("%q does not end in \"/\"", s)
	}
	return checkPath(s)
}
