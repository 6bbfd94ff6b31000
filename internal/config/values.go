package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

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

func checkPath(s string) error {
	exact, _ := strings.CutSuffix(s, "/*")
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Errorf(`%q does not begin with "/"`, s)
	case strings.ContainsAny(exact, "*?#") || strings.ContainsFunc(exact, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%q is not the path of a URL", s)
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
