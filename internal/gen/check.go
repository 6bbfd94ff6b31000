package gen

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxUnixPath is what fits sockaddr_un with its terminating NUL.
const maxUnixPath = 107

// checkHost takes an IP address, in brackets or not, or a name, and gives it without brackets.
func checkHost(s string) (string, error) {
	inner := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		inner = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(inner); err == nil {
		switch {
		case a.Zone() != "":
			return "", errors.New("a zone cannot be written in a URL")
		case inner != s && a.Is4():
			return "", errors.New("only an IPv6 address stands in brackets")
		}
		return a.String(), nil
	}
	if strings.Contains(s, ":") {
		return "", errors.New("not an IP address; the port has an option of its own")
	}
	if len(s) > 253 {
		return "", errors.New("a host name has at most 253 characters")
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		if !hostLabel.MatchString(l) {
			return "", errors.New("neither an IP address nor a host name")
		}
	}
	if last := labels[len(labels)-1]; !strings.ContainsFunc(last, unicode.IsLetter) {
		return "", errors.New("not an IP address")
	}
	return s, nil
}

var hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// checkPort takes a port that can be connected to.
func checkPort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("a port is a number from 1 to 65535")
	}
	return int(n), nil
}

// checkRoute takes the path of a URL, as nginx compares it with a location and as it stands in a URL: both only without escapes.
func checkRoute(s string) (string, error) {
	if !strings.HasPrefix(s, "/") {
		return "", errors.New(`a route begins with "/"`)
	}
	for _, r := range s {
		if !(r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("/-._~!&'()*+,=:@", r)) {
			return "", fmt.Errorf("a route cannot have %s; it has letters, digits and -._~!&'()*+,=:@/", strconv.QuoteRune(r))
		}
	}
	for _, segment := range strings.Split(s, "/") {
		if segment == "." || segment == ".." {
			return "", fmt.Errorf("browsers and nginx resolve %q in a route", segment)
		}
	}
	if strings.Contains(s, "//") {
		return "", errors.New(`nginx makes one slash of "//"`)
	}
	return s, nil
}

// checkSubprotocols takes names with commas between them (RFC 6455, section 4.1: tokens, each once).
func checkSubprotocols(s string) ([]string, error) {
	names := strings.Split(s, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if !token.MatchString(names[i]) {
			return nil, errors.New("a subprotocol is a name without blanks or any of ()<>@,;:\\\"/[]?={}")
		}
		if slices.Contains(names[:i], names[i]) {
			return nil, fmt.Errorf("%q is there twice", names[i])
		}
	}
	return names, nil
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")

// checkFunction takes the name of a function of a page.
func checkFunction(s string) (string, error) {
	for i, r := range s {
		first := r == '_' || r == '$' || unicode.IsLetter(r) && !unicode.Is(unicode.Pattern_Syntax, r) // U+2E2F is both
		if !first && (i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc)) {
			return "", errors.New("not the name of a JavaScript function")
		}
	}
	switch {
	case s == "":
		return "", errors.New("not the name of a JavaScript function")
	case slices.Contains(reserved, s):
		return "", errors.New("a word that JavaScript keeps for itself")
	case slices.Contains(taken, s) || clientName.MatchString(s):
		return "", errors.New("a name that the page's other scripts use")
	}
	return s, nil
}

var (
	reserved = strings.Fields(`arguments async await break case catch class const continue debugger default delete do else enum eval export
		extends false finally for function if implements import in instanceof interface let new null package private protected public
		return static super switch this throw true try typeof undefined var void while with yield Infinity NaN window document location top self`)
	taken      = []string{"Bwsess", "tst", "regis_jhandle", "count", "i"} // the last two within tst
	clientName = regexp.MustCompile(`^c[0-9]+$`)
)

// checkAccount takes the name of a user of this or another machine.
func checkAccount(s string) (string, error) {
	if !account.MatchString(s) {
		return "", errors.New("not the name of a user")
	}
	return s, nil
}

var account = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$`)

// checkFile takes a path and makes it absolute.
func checkFile(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", fmt.Errorf("the path %w", err)
	}
	if strings.HasSuffix(s, "/") {
		return "", errors.New("a directory, not a file")
	}
	return filepath.Abs(s)
}

// checkNginxFile takes a path that can be written in nginx's configuration.
func checkNginxFile(s string) (string, error) {
	abs, err := checkFile(s)
	if err != nil {
		return "", err
	}
	if _, err := QuoteNginx(abs); err != nil {
		return "", fmt.Errorf("the path %w", err)
	}
	return abs, nil
}

// checkSocket takes the path of a unix socket that can be written in nginx's configuration.
func checkSocket(s string) (string, error) {
	abs, err := checkNginxFile(s)
	if err != nil {
		return "", err
	}
	if strings.Contains(abs, ":") {
		return "", errors.New("the path has a colon, with which nginx ends the path of a socket")
	}
	return checkSocketPath(abs)
}

// checkSocketPath takes an absolute path that fits a unix socket.
func checkSocketPath(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", fmt.Errorf("the path %w", err)
	}
	if len(s) > maxUnixPath {
		return "", fmt.Errorf("the path has %d bytes, a unix socket's can have %d", len(s), maxUnixPath)
	}
	return s, nil
}

// isName tells a host's name from an address.
func isName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil
}

var nginxVersion = regexp.MustCompile(`^(?:nginx[ /]?)?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)

// checkNginxVersion takes "1.22.1", or what nginx -v says.
func checkNginxVersion(s string) ([3]int, error) {
	m := nginxVersion.FindStringSubmatch(s)
	if m == nil {
		return [3]int{}, errors.New("a version is three numbers, such as 1.22.1")
	}
	var v [3]int
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // the last may be missing
	}
	return v, nil
}
