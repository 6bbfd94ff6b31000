package client

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
)

// target is an address taken apart.
type target struct {
	network  string // "tcp" or "unix"
	addr     string // for net.Dial
	tls      bool
	hostname string // for the certificate
	host     string // Host header
	resource string // request path and query
	auth     string // Authorization header, from user:password@
}

// urlError names the URL without its password, and no more of it than fits.
func urlError(raw, format string, args ...any) error {
	return fmt.Errorf("%w %q: %s", ErrURL, clip(redacted(raw)), fmt.Sprintf(format, args...))
}

// redacted hides the password of a URL, parsable or not.
func redacted(raw string) string {
	begin := strings.Index(raw, "//") + 2
	if begin == 1 {
		return raw
	}
	end := len(raw)
	if i := strings.IndexAny(raw[begin:], "/?#"); i >= 0 {
		end = begin + i
	}
	at := strings.LastIndexByte(raw[begin:end], '@')
	colon := strings.IndexByte(raw[begin:end], ':')
	if at < 0 || colon < 0 || colon > at {
		return raw
	}
	return raw[:begin+colon+1] + "xxxxx" + raw[begin+at:]
}

// CheckURL tells whether Dial would accept the address, without dialing.
func CheckURL(rawURL string) error {
	_, err := parseURL(rawURL)
	return err
}

func parseURL(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if ue, ok := err.(*url.Error); ok {
			err = ue.Err
		}
		return target{}, urlError(raw, "%s", clip(err.Error()))
	}
	// RFC 6455, section 3: a fragment is meaningless and must not be used.
	if u.Fragment != "" || strings.HasSuffix(raw, "#") {
		return target{}, urlError(raw, "a WebSocket URL has no #fragment")
	}
	switch u.Scheme {
	case "ws", "wss":
		return parseNetURL(raw, u)
	case "ws+unix":
		return parseUnixURL(raw, u)
	case "":
		return target{}, urlError(raw, "no scheme: use ws://, wss:// or ws+unix:///path")
	}
	return target{}, urlError(raw, "unknown scheme %q: use ws://, wss:// or ws+unix:///path", u.Scheme)
}

func parseNetURL(raw string, u *url.URL) (target, error) {
	if u.Opaque != "" || u.Hostname() == "" {
		return target{}, urlError(raw, "no host")
	}
	t := target{network: "tcp", hostname: u.Hostname(), host: u.Host, tls: u.Scheme == "wss"}
	if u.Host[0] != '[' && strings.Contains(t.hostname, ":") {
		return target{}, urlError(raw, "an IPv6 address is written in brackets")
	}
	port := u.Port()
	if port == "" {
		port = "80"
		if t.tls {
			port = "443"
		}
		t.host = strings.TrimSuffix(t.host, ":")
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return target{}, urlError(raw, "port %q is not a port", port)
	}
	t.addr = net.JoinHostPort(t.hostname, port)
	if address, zone, ok := strings.Cut(t.hostname, "%"); ok && u.Host[0] == '[' {
		// A zone is this machine's, and not for the peer (RFC 6874, section 1).
		t.hostname, t.host = address, strings.Replace(t.host, "%"+zone, "", 1)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		t.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	t.resource = resource(spelledPath(u), u)
	return t, nil
}

// maxSocketPath is what fits sockaddr_un with its final NUL.
const maxSocketPath = 107

// parseUnixURL splits ws+unix:///path/to.sock:/request/path at the first colon;
// a colon of the socket's own path is written %3A.
func parseUnixURL(raw string, u *url.URL) (target, error) {
	if u.Host != "" || u.User != nil || u.Opaque != "" {
		return target{}, urlError(raw, "a socket's path is absolute: ws+unix:///path/to.sock")
	}
	spelled, request, _ := strings.Cut(spelledPath(u), ":")
	sock, err := url.PathUnescape(spelled)
	if err != nil {
		return target{}, urlError(raw, "%v", err)
	}
	if sock == "" || path.Clean(sock) == "/" {
		return target{}, urlError(raw, "no socket path")
	}
	if strings.ContainsRune(sock, 0) {
		return target{}, urlError(raw, "the socket path contains a NUL")
	}
	if len(sock) > maxSocketPath {
		return target{}, urlError(raw, "the socket path has %d bytes; a socket's has at most %d", len(sock), maxSocketPath)
	}
	if request != "" && !strings.HasPrefix(request, "/") {
		return target{}, urlError(raw, "the request path after the colon begins with /")
	}
	return target{network: "unix", addr: sock, host: "localhost", resource: resource(request, u)}, nil
}

// spelledPath is the path as it stands in the URL. EscapedPath is another one when
// a character in it has to be escaped: then a %2F becomes a slash, and a %3A a colon.
func spelledPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// resource is the resource name of RFC 6455, section 3.
func resource(path string, u *url.URL) string {
	if path == "" {
		path = "/"
	}
	if u.ForceQuery || u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return escapeRest(path)
}

// escapeRest escapes what may not stand in a request line as it is (RFC 3986,
// appendix A), but url.Parse lets through.
func escapeRest(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
