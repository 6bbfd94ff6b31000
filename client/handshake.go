package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	maxHandshakeBytes = 64 << 10 // response head
	maxRefusalBody    = 4 << 10  // kept of a refusal's body
	refusalPatience   = time.Second
	handshakeBuffer   = 4 << 10
)

// source is the reading half of the socket. It bounds the handshake's bytes and
// each wait for more. Only the goroutine that reads uses it.
type source struct {
	nc     net.Conn
	idle   time.Duration // longest silence; 0: no limit
	budget int           // bytes that may still come; negative: no limit
}

var errHandshakeTooBig = fmt.Errorf("%w: response head larger than %d bytes", ErrHandshake, maxHandshakeBytes)

func (s *source) Read(p []byte) (int, error) {
	if s.budget == 0 {
		return 0, errHandshakeTooBig
	}
	if s.budget > 0 && len(p) > s.budget {
		p = p[:s.budget]
	}
	if s.idle > 0 {
		if err := s.nc.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
			return 0, err
		}
	}
	n, err := s.nc.Read(p)
	if s.budget > 0 {
		s.budget -= n
	}
	return n, err
}

// Dial connects and upgrades. ctx bounds only that: the connection outlives it.
// A server that refuses gives a *HandshakeError; redirects are not followed.
func Dial(ctx context.Context, rawURL string, opts ...Option) (*Conn, error) {
	t, err := parseURL(rawURL)
	if err != nil {
		return nil, fmt.Errorf("client: dial: %w", err)
	}
	o, err := newOptions(opts)
	if err != nil {
		return nil, fmt.Errorf("client: dial: %w", err)
	}
	if o.reconnect != nil {
		return nil, fmt.Errorf("client: dial: %w: WithReconnect is for New and Connect", ErrOption)
	}
	c, err := dial(ctx, t, o)
	if err != nil {
		return nil, fmt.Errorf("client: dial %s: %w", t.display(), err)
	}
	return c, nil
}

// display names the peer in errors, without credentials and query.
func (t target) display() string {
	if t.network == "unix" {
		return "unix:" + t.addr
	}
	return t.addr
}

func dial(ctx context.Context, t target, o *options) (*Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.handshakeTimeout,
		fmt.Errorf("%w: no answer within %v", ErrHandshake, o.handshakeTimeout))
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, t.network, t.addr)
	if err != nil {
		return nil, because(ctx, err)
	}
	// From here on the context works by making reads and writes fail.
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	c, err := upgrade(ctx, nc, t, o)
	if !stop() && err == nil {
		err = context.Cause(ctx) // too late: the deadline is poisoned
	}
	if err != nil {
		nc.Close()
		return nil, because(ctx, err)
	}
	// The connection is made. If the server has ended it already, reading tells
	// why, and better than an error of writing.
	_ = c.announce()
	c.start()
	return c, nil
}

// because prefers the context's end over the network error it caused, but not
// over an answer that came.
func because(ctx context.Context, err error) error {
	if refused := (*HandshakeError)(nil); errors.As(err, &refused) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func upgrade(ctx context.Context, nc net.Conn, t target, o *options) (*Conn, error) {
	if t.tls {
		cfg := &tls.Config{}
		if o.tls != nil {
			cfg = o.tls.Clone()
		}
		if cfg.ServerName == "" {
			cfg.ServerName = t.hostname
		}
		cfg.NextProtos = []string{"http/1.1"} // there is no Upgrade in HTTP/2
		tc := tls.Client(nc, cfg)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		nc = tc
	}
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	if _, err := nc.Write(handshakeRequest(t, o, key)); err != nil {
		return nil, err
	}
	src := &source{nc: nc, budget: maxHandshakeBytes}
	br := handshakeReaders.Get().(*bufio.Reader)
	br.Reset(src)
	defer func() { br.Reset(nil); handshakeReaders.Put(br) }()
	resp, err := readResponse(br)
	if err != nil {
		if src.budget == 0 { // net/http takes the end for a broken line
			return nil, errHandshakeTooBig
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: server hung up without an answer", ErrHandshake)
		}
		var ne net.Error
		if errors.Is(err, ErrHandshake) || errors.As(err, &ne) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: not HTTP: %q", ErrHandshake, clip(err.Error()))
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		src.budget = maxRefusalBody + handshakeBuffer
		nc.SetReadDeadline(time.Now().Add(refusalPatience))              // the status is what counts
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBody)) // what came is enough
		return nil, &HandshakeError{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	}
	subprotocol, err := checkResponse(resp, key, o.subprotocols)
	if err != nil {
		return nil, err
	}
	agreed, err := o.checkExtensions(resp.Header.Values("Sec-Websocket-Extensions"))
	if err != nil {
		return nil, err
	}
	src.budget = -1
	front, _ := br.Peek(br.Buffered()) // no error: it is there
	c := newConn(nc, src, front, o)
	c.subprotocol = subprotocol
	c.setCompression(agreed)
	return c, nil
}

// readResponse reads the final answer. Informational ones may precede it (RFC
// 9110, section 15.2); the budget bounds them.
func readResponse(br *bufio.Reader) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
		if err != nil || resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

// handshakeReaders lends what net/http reads a response with.
var handshakeReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, handshakeBuffer) }}

// handshakeRequest writes the request of RFC 6455, section 4.1, with the RFC's
// own spelling of the names.
func handshakeRequest(t target, o *options, key string) []byte {
	h := o.header.Clone()
	host := t.host
	if v := h.Get("Host"); v != "" {
		host = v
	}
	h.Del("Host")
	if t.auth != "" && h.Get("Authorization") == "" {
		h.Set("Authorization", t.auth)
	}
	if _, set := h["User-Agent"]; !set {
		h.Set("User-Agent", "nvsess-client")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n", t.resource, host, key)
	if len(o.subprotocols) > 0 {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", strings.Join(o.subprotocols, ", "))
	}
	if o.compression != nil {
		fmt.Fprintf(&b, "Sec-WebSocket-Extensions: %s\r\n", o.compression.deflate().Offer())
	}
	h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// checkResponse is RFC 6455, section 4.1, the client's part after a 101.
func checkResponse(resp *http.Response, key string, offered []string) (subprotocol string, err error) {
	h := resp.Header
	bad := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("%w: %s", ErrHandshake, clip(fmt.Sprintf(format, args...)))
	}
	if !resp.ProtoAtLeast(1, 1) {
		return bad("the answer is %s", resp.Proto)
	}
	if v := h.Values("Upgrade"); len(v) != 1 || !sameToken(v[0], "websocket") {
		return bad("Upgrade is %q, not websocket", v)
	}
	if !hasListItem(h.Values("Connection"), "upgrade") {
		return bad("Connection is %q, without upgrade", h.Values("Connection"))
	}

	if v := h.Values("Sec-Websocket-Accept"); len(v) != 1 || v[0] != acceptOf(key) {
		return bad("wrong Sec-WebSocket-Accept %q", v)
	}
	v := h.Values("Sec-Websocket-Protocol")
	if len(v) == 0 {
		return "", nil
	}
	if len(v) > 1 || !slices.Contains(offered, v[0]) {
		return bad("subprotocol %q was not offered", v)
	}
	return v[0], nil
}

// clip shortens what a server wrote to what fits an error.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func clipAll(values []string) string { return clip(strings.Join(values, ", ")) }

// sameToken compares a header's value with a token of ASCII letters, ignoring case.
// There are others that Unicode takes for a k and an s, but they are longer.
func sameToken(value, token string) bool {
	return len(value) == len(token) && strings.EqualFold(value, token)
}

// hasListItem looks in comma-separated header values.
func hasListItem(values []string, item string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if sameToken(strings.Trim(part, " \t"), item) {
				return true
			}
		}
	}
	return false
}

// acceptOf is the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
