package client

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// What Dial, New and Connect use without options.
const (
	DefaultKeepalive        = 20 * time.Second
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultWriteTimeout     = 10 * time.Second
	DefaultCloseTimeout     = 5 * time.Second
	DefaultRequestTimeout   = time.Minute
	DefaultMaxFrame         = 16 << 20
	DefaultMaxMessage       = 16 << 20
	DefaultFragment         = 16 << 10
	DefaultMaxPending       = 1024
	DefaultQueueMessages    = 1024     // of a Client
	DefaultQueueBytes       = 16 << 20 // of a Client
)

// Option changes what Dial, New and Connect do.
type Option func(*options)

type options struct {
	header           http.Header
	subprotocols     []string
	compression      *Compression // nil: not offered
	tls              *tls.Config
	handlers         Handlers
	trace            func(*Conn, Trace)
	keepalive        time.Duration
	handshakeTimeout time.Duration
	writeTimeout     time.Duration
	closeTimeout     time.Duration
	requestTimeout   time.Duration
	maxFrame         int
	maxMessage       int
	fragment         int
	maxPending       int

	// Of a Client.
	reconnect     *Reconnect
	queueMessages int
	queueBytes    int
	shared        *atomic.Pointer[Handlers] // its handlers, for its connections
	after         []<-chan struct{}         // handlers begin when these are closed
}

// WithHandlers says what to do with what arrives. See also Conn.SetHandlers.
func WithHandlers(h Handlers) Option { return func(o *options) { o.handlers = h } }

// WithHeader adds headers to the handshake; Host replaces the one of the URL.
// The handshake's own (Upgrade, Connection, Sec-WebSocket-*) cannot be set.
func WithHeader(h http.Header) Option {
	return func(o *options) {
		for name, values := range h {
			for _, v := range values {
				o.header.Add(name, v)
			}
		}
	}
}

// WithOrigin sets the Origin header.
func WithOrigin(origin string) Option { return func(o *options) { o.header.Set("Origin", origin) } }

// WithSubprotocols offers subprotocols, the preferred one first.
func WithSubprotocols(names ...string) Option {
	return func(o *options) { o.subprotocols = slices.Clone(names) }
}

// WithTLS sets how wss:// verifies the server.
func WithTLS(cfg *tls.Config) Option { return func(o *options) { o.tls = cfg } }

// WithKeepalive sets the keepalive interval: every quarter of it the client
// pings, and a server silent for the whole of it is given up. 0 turns it off:
// the server's pings are still answered.
func WithKeepalive(interval time.Duration) Option {
	return func(o *options) { o.keepalive = interval }
}

// WithHandshakeTimeout bounds connecting and upgrading, with or without a
// deadline on Dial's context.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(o *options) { o.handshakeTimeout = d }
}

// WithWriteTimeout bounds each write. A server that takes no bytes for that
// long ends the connection.
func WithWriteTimeout(d time.Duration) Option { return func(o *options) { o.writeTimeout = d } }

// WithCloseTimeout bounds the wait for the server's half of the close handshake.
func WithCloseTimeout(d time.Duration) Option { return func(o *options) { o.closeTimeout = d } }

// WithRequestTimeout bounds Request when its context has no deadline. 0: only
// the context and the end of the connection do.
func WithRequestTimeout(d time.Duration) Option { return func(o *options) { o.requestTimeout = d } }

// WithMaxFrame bounds the payload of a received frame, in bytes.
func WithMaxFrame(n int) Option { return func(o *options) { o.maxFrame = n } }

// WithMaxMessage bounds a received message, in bytes, and with it what may wait
// for handlers.
func WithMaxMessage(n int) Option { return func(o *options) { o.maxMessage = n } }

// WithFragment sets the size above which an outgoing message is sent in
// fragments of that size; servers limit frames (nv-session to 64 KiB) more
// tightly than messages. 0 never fragments.
func WithFragment(n int) Option { return func(o *options) { o.fragment = n } }

// WithMaxPending bounds the requests and pings waiting for their answer.
func WithMaxPending(n int) Option { return func(o *options) { o.maxPending = n } }

// WithReconnect says how a Client comes back. Dial, which makes one connection,
// does not take it.
func WithReconnect(r Reconnect) Option { return func(o *options) { o.reconnect = &r } }

// WithQueue bounds what waits in a Client to be sent: messages, and their bytes.
// A message of any size fits an empty queue. Dial has no queue.
func WithQueue(messages, bytes int) Option {
	return func(o *options) { o.queueMessages, o.queueBytes = messages, bytes }
}

// WithTrace shows what handlers do not see: keepalive both ways, and messages
// that were ignored. f runs on the connection's goroutines and must not block.
func WithTrace(f func(*Conn, Trace)) Option { return func(o *options) { o.trace = f } }

// Trace is one event for WithTrace.
type Trace struct {
	Sent bool   // by this side
	What string // "ping frame", "pong frame", or the ___type___ of a message
	Data string // the frame's payload or the message's ___data___; not escaped
	Note string // why a message was ignored
}

func newOptions(opts []Option) (*options, error) {
	o := &options{
		header:           http.Header{},
		keepalive:        DefaultKeepalive,
		handshakeTimeout: DefaultHandshakeTimeout,
		writeTimeout:     DefaultWriteTimeout,
		closeTimeout:     DefaultCloseTimeout,
		requestTimeout:   DefaultRequestTimeout,
		maxFrame:         DefaultMaxFrame,
		maxMessage:       DefaultMaxMessage,
		fragment:         DefaultFragment,
		maxPending:       DefaultMaxPending,
		queueMessages:    DefaultQueueMessages,
		queueBytes:       DefaultQueueBytes,
	}
	for _, opt := range opts {
		opt(o)
	}
	return o, o.check()
}

// minKeepalive keeps a quarter of the interval a sane timer.
const minKeepalive = 20 * time.Millisecond

func (o *options) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrOption, fmt.Sprintf(format, args...))
	}
	switch {
	case o.keepalive < 0 || o.keepalive > 0 && o.keepalive < minKeepalive:
		return bad("keepalive interval %v: 0 turns it off, else at least %v", o.keepalive, minKeepalive)
	case o.handshakeTimeout <= 0 || o.writeTimeout <= 0 || o.closeTimeout <= 0:
		return bad("the handshake, write and close timeouts are positive")
	case o.requestTimeout < 0:
		return bad("request timeout %v is negative", o.requestTimeout)
	case o.maxFrame <= 0 || o.maxMessage <= 0 || o.maxPending <= 0:
		return bad("limits are positive")
	case o.queueMessages <= 0 || o.queueBytes <= 0:
		return bad("a queue of %d messages, %d bytes: both are positive", o.queueMessages, o.queueBytes)
	case o.fragment < 0:
		return bad("fragment size %d is negative", o.fragment)
	}
	if o.compression != nil {
		if err := o.compression.check(); err != nil {
			return bad("%v", err)
		}
	}
	for name, values := range o.header {
		switch canonical := http.CanonicalHeaderKey(name); {
		case !isToken(name):
			return bad("%q is not a header name", name)
		case canonical == "Upgrade", canonical == "Connection", canonical == "Content-Length",
			canonical == "Transfer-Encoding", strings.HasPrefix(canonical, "Sec-Websocket-"):
			return bad("header %s belongs to the handshake", name)
		}
		for _, v := range values {
			if !isHeaderValue(v) {
				return bad("header %s: %q contains a control character", name, v)
			}
		}
	}
	for i, p := range o.subprotocols {
		if !isToken(p) {
			return bad("%q is not a subprotocol name", p)
		}
		if slices.Contains(o.subprotocols[:i], p) {
			return bad("subprotocol %q is offered twice", p)
		}
	}
	return nil
}

// isToken is the token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
