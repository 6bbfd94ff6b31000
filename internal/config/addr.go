package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// maxUnixPath is what fits sockaddr_un with its terminating NUL.
const maxUnixPath = 107

const allowedAddr = `"unix:/path" or "tcp:HOST:PORT"`

// Addr is an address to listen at.
type Addr struct {
	Network string // "unix" or "tcp"
	Address string // an absolute path, or host:port
}

// ParseAddr reads "unix:/path" or "tcp:host:port", where host may be empty (every address, IPv4 and IPv6), a name, an IPv4 address
// or an IPv6 address in brackets, and port may be 0 (any free one). "%t" must have been expanded.
func ParseAddr(s string) (Addr, error) {
	network, rest, _ := strings.Cut(s, ":")
	var err error
	switch network {
	case "unix":
		rest, err = checkUnixPath(rest)
	case "tcp":
		err = checkHostPort(rest)
	default:
		err = errors.New("not an address")
	}
	if err != nil {
		return Addr{}, fmt.Errorf("%q: %w; allowed: %s", s, err, allowedAddr)
	}
	return Addr{Network: network, Address: rest}, nil
}

// String is what ParseAddr reads.
func (a Addr) String() string { return a.Network + ":" + a.Address }

// IsUnix says whether a is a path.
func (a Addr) IsUnix() bool { return a.Network == "unix" }

func checkUnixPath(path string) (string, error) {
	switch {
	case !filepath.IsAbs(path):
		return "", errors.New("the path must be absolute")
	case strings.ContainsRune(path, 0):
		return "", errors.New("the path contains a NUL")
	case strings.HasSuffix(path, "/"):
		return "", errors.New("the path is a directory's")
	}
	path = filepath.Clean(path)
	if len(path) > maxUnixPath {
		return "", fmt.Errorf("the path has %d bytes, a unix socket's can have %d", len(path), maxUnixPath)
	}
	return path, nil
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if ae := (*net.AddrError)(nil); errors.As(err, &ae) {
			return errors.New(ae.Err)
		}
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return errors.New("the port must be a number from 0 to 65535")
	}
	if strings.ContainsAny(host, " \t\r\n/\x00") {
		return errors.New("the host is neither a name nor an IP address")
	}
	return nil
}

// ListenAddrs is Listen, expanded and parsed.
func (c *Config) ListenAddrs() ([]Addr, error) {
	addrs := make([]Addr, 0, len(c.Listen))
	for _, s := range c.Listen {
		a, err := expandAddr(s, RuntimeDir())
		if err != nil {
			return nil, fmt.Errorf("config: listen: %w", err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// AdminAddr is Admin.Listen, expanded and parsed.
func (c *Config) AdminAddr() (Addr, error) {
	a, err := expandAddr(c.Admin.Listen, RuntimeDir())
	if err != nil {
		return Addr{}, fmt.Errorf("config: admin.listen: %w", err)
	}
	return a, nil
}

func expandAddr(s, runtimeDir string) (Addr, error) {
	e, err := expand(s, runtimeDir)
	if err != nil {
		return Addr{}, err
	}
	return ParseAddr(e)
}
