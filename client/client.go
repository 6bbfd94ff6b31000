package client

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Client keeps a session with a server: it connects, and connects again when
// the connection is lost, as [Reconnect] says. Handlers stay; what is sent
// meanwhile waits in a bounded queue. Its methods may be called at any time
// from any goroutine; see [Client.Close] for the one thing a handler must not
// wait for.
//
// # What is guaranteed
//
// Messages and requests leave one at a time, in the order in which they were
// handed to the Client, and never twice:
//
//   - While no connection is open they wait. What has not begun to leave when
//     a connection ends is the first to leave on the next.
//   - An error of Send or of a QueuedMessage means that the server has not got
//     the message whole, and never will. One that had begun to leave when the connection broke fails with
//     ErrClosed.
//   - No error means that the kernel has it. If the connection breaks then, the
//     server may or may not have read it: delivery is at most once. Whoever
//     must know asks for an answer: Request.
//   - A request that left on a connection that ended fails with ErrClosed,
//     whether the server acted on it or not. It is not sent again.
//
// Handlers of one connection begin when those of the one before have finished,
// so that they still run one at a time, in the order of arrival. A handler that
// outlives four connections holds up the next.
type Client struct {
	// Immutable.
	target target
	opt    *options
	policy Reconnect

	handlers atomic.Pointer[Handlers]
	queue    *queue
	ctx      context.Context // ends when Close begins
	cancel   context.CancelFunc
	done     chan struct{}

	past []<-chan struct{} // run's: Done of connections whose handlers may still run

	// mu guards what follows. It is a leaf.
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced when state changes
	conn    *Conn         // the present one, from before OnConnect to its end
	closing *CloseError   // the caller's wish
	lastErr error         // of the last attempt or connection
	endErr  error         // once state is StateClosed
	stats   Stats
}

// State is what a Client is doing.
type State int

const (
	StateConnecting State = iota // dialing, or in OnConnect
	StateOpen                    // connected
	StateWaiting                 // until the next attempt
	StateClosed                  // for good; see Client.Err
)

func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateOpen:
		return "open"
	case StateWaiting:
		return "waiting"
	case StateClosed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// New starts a Client and returns at once, with no regard to whether the server
// can be reached; an error means that the URL or an option makes no sense. The
// options hold for each connection. Close it in the end.
func New(rawURL string, opts ...Option) (*Client, error) {
	c, err := newClient(rawURL, opts)
	if err != nil {
		return nil, fmt.Errorf("client: new: %w", err)
	}
	go c.run()
	return c, nil
}

func newClient(rawURL string, opts []Option) (*Client, error) {
	t, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	policy := Reconnect{}
	if o.reconnect != nil {
		policy = *o.reconnect
	}
	if policy, err = policy.withDefaults(); err != nil {
		return nil, err
	}
	c := &Client{
		target:  t,
		opt:     o,
		policy:  policy,
		queue:   newQueue(o.queueMessages, o.queueBytes),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.handlers.Store(&o.handlers)
	o.shared = &c.handlers
	return c, nil
}

// Connect is New, and waits for the first connection. When ctx ends before
// there is one, or trying again is no use, the Client is closed and the error
// says what the last attempt met. ctx bounds only the wait.
func Connect(ctx context.Context, rawURL string, opts ...Option) (*Client, error) {
	c, err := newClient(rawURL, opts)
	if err != nil {
		return nil, fmt.Errorf("client: connect: %w", err)
	}
	go c.run()
	if _, err := c.wait(ctx); err != nil {
		c.CloseNow()
		select {
		case <-c.done:
		case <-time.After(c.opt.closeTimeout): // a callback holds it up
		}
		return nil, fmt.Errorf("client: connect: %w", err)
	}
	return c, nil
}

// Conn waits for an open connection and gives it: for what belongs to one
// connection (its session id, Ping, dropping it). Sending on it directly skips
// the queue and fails with ErrClosed once that connection has ended.
func (c *Client) Conn(ctx context.Context) (*Conn, error) {
	conn, err := c.wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: wait for a connection: %w", err)
	}
	return conn, nil
}

func (c *Client) wait(ctx context.Context) (*Conn, error) {
	for {
		c.mu.Lock()
		state, conn, changed, end, last := c.state, c.conn, c.changed, c.endErr, c.lastErr
		c.mu.Unlock()
		switch state {
		case StateOpen:
			return conn, nil
		case StateClosed:
			return nil, end
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if last != nil {
				return nil, fmt.Errorf("%w; before that: %w", context.Cause(ctx), last)
			}
			return nil, context.Cause(ctx)
		}
	}
}

// State tells what the Client is doing now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Stats are figures since New.
type Stats struct {
	State    State
	Connects uint64 // connections made
	Failures uint64 // attempts that made none
	LastErr  error  // of the last attempt or connection that failed; nil: none did

	Queued      int    // messages in the queue now, with the one that is leaving
	QueuedBytes int    // their bytes
	Sent        uint64 // messages and requests that have left
	QueueFull   uint64 // refused with ErrQueueFull
	TakenBack   uint64 // whose context ended, or which were cancelled, in the queue
	Broken      uint64 // that failed while they were leaving
}

// Stats gives the present figures.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	s := c.stats
	s.State, s.LastErr = c.state, c.lastErr
	c.mu.Unlock()
	c.queue.addStats(&s)
	return s
}

// SetHandlers replaces the handlers, for this connection and those to come;
// messages still queued for handlers go to the new ones.
func (c *Client) SetHandlers(h Handlers) { c.handlers.Store(&h) }

// Handlers gives the present ones.
func (c *Client) Handlers() Handlers { return *c.handlers.Load() }

// ChangeHandlers changes some of the handlers and leaves the others, whoever
// else changes theirs at the same time; f may be called more than once.
func (c *Client) ChangeHandlers(f func(h *Handlers)) { changeHandlers(&c.handlers, f) }

// Close ends the Client for good, with a close frame if there is a connection
// (see [Conn.Close]), and waits until its goroutines are gone: handlers and
// callbacks have returned. What is queued fails with ErrClosed; [Client.Flush]
// first to have it sent. The wait ends with ctx or the close timeout.
//
// A handler or callback that calls Close waits for itself; call CloseNow there.
func (c *Client) Close(ctx context.Context, code int, reason string) error {
	if err := CheckClose(code, reason); err != nil {
		return fmt.Errorf("client: close: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opt.closeTimeout+time.Second,
		fmt.Errorf("a handler or callback is still running"))
	defer cancel()
	conn := c.beginClose(&CloseError{Code: code, Reason: reason})
	var err error
	if conn != nil {
		err = conn.Close(ctx, code, reason)
	}
	select {
	case <-c.done:
		return err
	case <-ctx.Done():
		if err == nil {
			err = fmt.Errorf("client: close: %w", context.Cause(ctx))
		}
		return err
	}
}

// CloseNow ends the Client for good without a close frame and does not wait for
// handlers; Done tells when they have returned. It does nothing to a Client that
// has ended, so it suits a defer.
func (c *Client) CloseNow() error {
	conn := c.beginClose(&CloseError{Code: CloseAbnormal, Reason: "dropped by this side"})
	if conn == nil {
		return nil
	}
	return conn.CloseNow()
}

// beginClose notes that the Client ends, and gives the connection to end.
func (c *Client) beginClose(why *CloseError) *Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing == nil {
		c.closing = why
	}
	c.cancel()
	return c.conn
}

// Done is closed when the Client has ended and the last of its handlers and
// callbacks has returned.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err tells why the Client ended, or nil while it lives. It matches ErrClosed,
// and what made trying again useless: a *HandshakeError, perhaps.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endErr
}
