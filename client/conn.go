package client

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"
)

// Conn is one connection to a server. Its methods may be called at any time
// from any goroutine, handlers included.
//
// A goroutine reads, and ends the connection. Two more come and go: one calls
// handlers while there are messages for them, one sends keepalive and its
// answers when they are due, so that the reader never waits for a server that
// does not read. All end with the connection; Done tells when.
type Conn struct {
	// Immutable.
	nc          net.Conn
	opt         *options
	subprotocol string
	extensions  string
	id          string // this side's name for the session, sent in ___cfg___

	// The reader's.
	src    *source
	frames frameReader

	handlers *atomic.Pointer[Handlers] // a Client's connections share theirs

	// writer, when full, is held by the one who may write.
	writer    chan struct{}
	closeSent bool      // guarded by writer: no frame may follow
	broken    error     // guarded by writer: a write failed, perhaps within a frame
	deflate   *deflater // guarded by writer; nil: messages leave as they are

	inbox     inbox // from the reader to the handlers
	keepalive keepalive

	closeOnce  sync.Once
	localClose *CloseError    // written before closing closes
	closing    chan struct{}  // this side is done: what still comes is not wanted
	endErr     *CloseError    // written before ended closes
	ended      chan struct{}  // the socket is closed
	aux        sync.WaitGroup // what sends chores, and the timer that asks for it
	done       chan struct{}  // the goroutines are gone

	session   string        // written before sessionOK closes
	sessionOK chan struct{} // the server's ___cfg___ came

	// mu guards what follows. It is a leaf.
	mu      sync.Mutex
	pending map[string]chan Envelope // requests by id; nil until there is one
	pings   map[string]chan struct{} // pings by payload; the same
}

// newConn serves nc, of which front has been read already.
func newConn(nc net.Conn, src *source, front []byte, o *options) *Conn {
	c := &Conn{
		nc:        nc,
		opt:       o,
		id:        newID(),
		src:       src,
		frames:    frameReader{src: newReadAhead(src, front), maxFrame: int64(o.maxFrame), maxMessage: int64(o.maxMessage)},
		writer:    make(chan struct{}, 1),
		inbox:     inbox{maxBytes: o.maxMessage},
		closing:   make(chan struct{}),
		ended:     make(chan struct{}),
		done:      make(chan struct{}),
		sessionOK: make(chan struct{}),
	}
	if c.handlers = o.shared; c.handlers == nil {
		c.handlers = new(atomic.Pointer[Handlers])
		c.handlers.Store(&o.handlers)
	}
	return c
}

// start begins serving an upgraded connection.
func (c *Conn) start() {
	c.src.idle = c.opt.keepalive
	c.startKeepalive()
	go func() {
		c.end(c.read())
		if c.inbox.end() {
			c.dispatch()
		}
	}()
}

// read takes frames until it cannot.
func (c *Conn) read() error {
	for {
		op, payload, err := c.frames.next()
		if err != nil {
			return err
		}
		switch op {
		case ws.OpPing:
			c.traced(false, "ping frame", payload, "")
			c.due(chores{pongs: [][]byte{payload}})
		case ws.OpPong:
			c.traced(false, "pong frame", payload, "")
			c.settlePing(payload)
		case ws.OpClose:
			code, reason, err := parseClose(payload)
			if err != nil {
				return err
			}
			return &remoteClose{code, reason}
		case ws.OpBinary:
			c.enqueue(item{kind: kindBinary, payload: payload})
		case ws.OpText:
			c.text(payload)
		}
	}
}

// text sorts a text message.
func (c *Conn) text(payload []byte) {
	if !IsJSON(payload) {
		c.enqueue(item{kind: kindString, payload: payload})
		return
	}
	env, ok := envelopeOf(payload)
	if !ok {
		c.enqueue(item{kind: kindJSON, payload: payload})
		return
	}
	switch env.Type {
	case TypeCfg:
		c.configured(parseCfg(env))
		c.enqueue(item{kind: kindCfg, payload: payload, env: &env})
	case TypePing:
		c.traced(false, TypePing, env.Data, "")
		c.due(chores{pongMessage: true})
	case TypePong:
		c.traced(false, TypePong, env.Data, "")
	case TypeSres:
		if !c.settle(env) {
			c.traced(false, TypeSres, env.Data, "ignored: no request waits for it")
		}
	case TypeSreq:
		c.enqueue(item{kind: kindRequest, payload: payload, env: &env})
	case TypeCreq, TypeCres:
		c.traced(false, env.Type, env.Data, "ignored: only a client sends it")
	}
}

// configured keeps the first session id the server gives.
func (c *Conn) configured(cfg Cfg) {
	select {
	case <-c.sessionOK:
	default:
		if cfg.SessionID != "" {
			c.session = cfg.SessionID
			close(c.sessionOK)
		}
	}
}

// SessionID is the server's name for this session, or "" as long as its
// ___cfg___ has not come. A server with keepalive off sends none.
func (c *Conn) SessionID() string {
	select {
	case <-c.sessionOK:
		return c.session
	default:
		return ""
	}
}

// WaitSession waits for the server's ___cfg___ and gives the session id.
func (c *Conn) WaitSession(ctx context.Context) (string, error) {
	select {
	case <-c.sessionOK:
		return c.session, nil
	case <-c.ended:
		if id := c.SessionID(); id != "" {
			return id, nil
		}
		return "", fmt.Errorf("client: wait for the session id: %w", c.endErr)
	case <-ctx.Done():
		return "", fmt.Errorf("client: wait for the session id: %w", context.Cause(ctx))
	}
}

// Subprotocol is the one the server chose, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// LocalAddr is this side's network address.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr is the server's network address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Done is closed after the connection has ended and its last handler, Close,
// has returned.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err tells why the connection ended, as a *CloseError, or nil while it lives.
func (c *Conn) Err() error {
	select {
	case <-c.ended:
		return c.endErr
	default:
		return nil
	}
}

func (c *Conn) traced(sent bool, what string, data []byte, note string) {
	if c.opt.trace != nil {
		c.opt.trace(c, Trace{Sent: sent, What: what, Data: string(data), Note: note})
	}
}
