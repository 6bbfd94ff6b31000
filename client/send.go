package client

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gobwas/ws"
)

// SendString sends a string when its turn comes, and waits for that. When ctx
// ends first the message is taken back, unless it has begun to leave: then it is
// finished, or the write timeout ends the connection. No error means that the
// message has left, any error that it will not; see [Client]. A full queue is
// ErrQueueFull at once.
func (c *Client) SendString(ctx context.Context, s string) error {
	text, err := stringPayload(s)
	if err == nil {
		err = c.send(&QueuedMessage{ctx: ctx, op: ws.OpText, payload: text})
	}
	return wrap("send string", err)
}

// SendJSON sends v, an object or an array, like SendString.
func (c *Client) SendJSON(ctx context.Context, v any) error {
	text, err := jsonPayload(v)
	if err == nil {
		err = c.send(&QueuedMessage{ctx: ctx, op: ws.OpText, payload: text})
	}
	return wrap("send JSON", err)
}

// SendBinary sends bytes like SendString.
func (c *Client) SendBinary(ctx context.Context, b []byte) error {
	return wrap("send binary", c.send(&QueuedMessage{ctx: ctx, op: ws.OpBinary, payload: b}))
}

// EnqueueString puts a string into the queue and returns at once; what it
// returns tells what became of it, and need not be kept. ctx is the message's
// own: when it ends before the message begins to leave, the message is taken
// back. So give it a deadline the message may expire at, or
// context.Background(), and not the context of a function that is about to
// return.
func (c *Client) EnqueueString(ctx context.Context, s string) (*QueuedMessage, error) {
	text, err := stringPayload(s)
	return c.enqueue("enqueue string", err, &QueuedMessage{ctx: ctx, op: ws.OpText, payload: text})
}

// EnqueueJSON puts v, an object or an array, into the queue like EnqueueString.
func (c *Client) EnqueueJSON(ctx context.Context, v any) (*QueuedMessage, error) {
	text, err := jsonPayload(v)
	return c.enqueue("enqueue JSON", err, &QueuedMessage{ctx: ctx, op: ws.OpText, payload: text})
}

// EnqueueBinary puts a copy of b into the queue like EnqueueString.
func (c *Client) EnqueueBinary(ctx context.Context, b []byte) (*QueuedMessage, error) {
	return c.enqueue("enqueue binary", nil, &QueuedMessage{ctx: ctx, op: ws.OpBinary, payload: bytes.Clone(b)})
}

func (c *Client) enqueue(what string, err error, m *QueuedMessage) (*QueuedMessage, error) {
	if err == nil && m.ctx.Err() != nil {
		err = context.Cause(m.ctx)
	}
	if err == nil {
		err = c.queue.push(m)
	}
	if err != nil {
		return nil, wrap(what, err)
	}
	if m.ctx.Done() != nil {
		c.queue.watch(m)
	}
	return m, nil
}

// Flush waits until all that is in the queue now has left or failed.
func (c *Client) Flush(ctx context.Context) error {
	return wrap("flush", c.queue.flush(ctx))
}

// send queues m and waits until it is settled.
func (c *Client) send(m *QueuedMessage) error {
	if m.ctx.Err() != nil {
		return context.Cause(m.ctx)
	}
	if err := c.queue.push(m); err != nil {
		return err
	}
	select {
	case <-m.settled:
	case <-m.ctx.Done():
		c.queue.takeBack(m, context.Cause(m.ctx))
		<-m.settled // at once, or when it has left: bounded by the write timeout
	}
	return m.err
}

// Request sends v, any JSON, as a ___creq___ when its turn comes, and waits for
// the server's ___sres___. It ends with ctx (with the request timeout if ctx has
// no deadline); the wait for a connection counts. When the connection it left
// on ends without an answer it fails with ErrClosed.
func (c *Client) Request(ctx context.Context, v any) (Envelope, error) {
	env, err := c.request(ctx, v)
	return env, wrap("request", err)
}

func (c *Client) request(ctx context.Context, v any) (Envelope, error) {
	ctx, cancel := c.opt.requestContext(ctx)
	defer cancel()
	id := newID()
	text, err := encodeEnvelope(TypeCreq, id, v)
	if err != nil {
		return Envelope{}, err
	}
	m := &QueuedMessage{ctx: ctx, op: ws.OpText, payload: text, id: id, answer: make(chan Envelope, 1)}
	if err := c.send(m); err != nil {
		return Envelope{}, err
	}
	defer m.conn.forget(id)
	return m.conn.await(ctx, m.answer)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("client: %s: %w", what, err)
}
