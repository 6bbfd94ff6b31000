package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ErrAddress is returned by New for an address that is none.
var ErrAddress = errors.New(`a webhook is "http://HOST/PATH", "https://HOST/PATH" or "http+unix:///SOCKET:/PATH"`)

// address is where the server is.
type address struct {
	url    string // for the request
	socket string // the unix socket to dial; "" for TCP
}

// maxSocketPath is what fits sockaddr_un with its final NUL.
const maxSocketPath = 107

func parseAddress(raw string) (address, error) {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return address{}, fmt.Errorf("%w, not %q", ErrAddress, raw)
	}
	switch {
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		if u.Path == "" {
			u.Path = "/"
		}
		a := address{url: u.String()}
		if _, err := url.Parse(a.url); err != nil {
			break // of a zone with a bracket, say
		}
		return a, nil
	case u.Scheme == "http+unix" && u.Host == "":
		// As it is spelled: when something in it has to be escaped, a %3A is a colon
		// in EscapedPath.
		spelled := u.RawPath
		if spelled == "" {
			spelled = u.EscapedPath()
		}
		socket, path, named := strings.Cut(spelled, ":")
		socket, err := url.PathUnescape(socket)
		if err != nil || len(socket) < 2 || len(socket) > maxSocketPath || socket[0] != '/' || strings.ContainsRune(socket, 0) || named && !strings.HasPrefix(path, "/") {
			break
		}
		if path == "" {
			path = "/"
		}
		if u.RawQuery != "" {
			path += "?" + u.RawQuery
		}
		return address{url: "http://localhost" + path, socket: socket}, nil
	}
	return address{}, fmt.Errorf("%w, not %q", ErrAddress, raw)
}

// dial connects, to the socket whatever the URL's host if there is one.
func (a address) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if a.socket != "" {
		network, addr = "unix", a.socket
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}
