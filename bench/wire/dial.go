package wire

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrAddress is an address that is not one.
var ErrAddress = errors.New("an address is unix:/path or tcp:host:port")

// An Address is where the server listens.
type Address struct {
	Text string // as it was given
	Unix bool
	Host string // for the request
	Sa   unix.Sockaddr
}

// ParseAddress reads unix:/path or tcp:host:port.
func ParseAddress(text string) (Address, error) {
	a := Address{Text: text, Host: "localhost"}
	if path, ok := strings.CutPrefix(text, "unix:"); ok && path != "" {
		a.Unix, a.Sa = true, &unix.SockaddrUnix{Name: path}
		return a, nil
	}
	rest, ok := strings.CutPrefix(text, "tcp:")
	if !ok {
		return a, fmt.Errorf("%q: %w", text, ErrAddress)
	}
	tcp, err := net.ResolveTCPAddr("tcp4", rest)
	if err != nil {
		return a, fmt.Errorf("%q: %w: %w", text, ErrAddress, err)
	}
	a.Host = rest
	sa := &unix.SockaddrInet4{Port: tcp.Port}
	copy(sa.Addr[:], tcp.IP.To4())
	a.Sa = sa
	return a, nil
}

// A Key is a Sec-WebSocket-Key with the answer that belongs to it.
type Key struct {
	Request []byte // the whole request
	Accept  []byte
}

// Keys are made once: random enough to be realistic, few enough to make neither
// key nor hash a cost during the measurement.
type Keys []Key

// NewKeys makes n for a host, with further header lines, each with its end.
func NewKeys(n int, host, further string) Keys {
	const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
	ks := make(Keys, n)
	for i := range ks {
		var nonce [16]byte
		rand.Read(nonce[:]) // never fails (crypto/rand)
		key := base64.StdEncoding.EncodeToString(nonce[:])
		sum := sha1.Sum([]byte(key + magic))
		ks[i].Accept = []byte(base64.StdEncoding.EncodeToString(sum[:]))
		ks[i].Request = []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\n" +
			"Connection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\n" + further + "\r\n")
	}
	return ks
}
