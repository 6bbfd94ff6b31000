package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/gobwas/ws"
)

// Request sends v, any JSON, as a ___creq___ and waits for the server's
// ___sres___, which it gives whole. It ends with ctx (with the request timeout
// if ctx has no deadline) and with the connection.
func (c *Conn) Request(ctx context.Context, v any) (Envelope, error) {
	env, err := c.request(ctx, v)
	if err != nil {
		return Envelope{}, fmt.Errorf("client: request: %w", err)
	}
	return env, nil
}

func (c *Conn) request(ctx context.Context, v any) (Envelope, error) {
	ctx, cancel := c.opt.requestContext(ctx)
	defer cancel()
	id, answer := newID(), make(chan Envelope, 1)
	if err := c.expect(id, answer); err != nil {
		return Envelope{}, err
	}
	defer c.forget(id)
	if err := c.sendEnvelope(ctx, TypeCreq, id, v); err != nil {
		return Envelope{}, err
	}
	return c.await(ctx, answer)
}

// requestContext is ctx with the request timeout if it has no deadline.
func (o *options) requestContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has || o.requestTimeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, o.requestTimeout)
}

// expect makes settle give the answer to the request id to answer, which has
// one slot. forget ends that.
func (c *Conn) expect(id string, answer chan Envelope) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) >= c.opt.maxPending {
		return ErrTooManyPending
	}
	if c.pending == nil {
		c.pending = make(map[string]chan Envelope)
	}
	c.pending[id] = answer
	return nil
}

func (c *Conn) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// await waits for an answer that is expected.
func (c *Conn) await(ctx context.Context, answer <-chan Envelope) (Envelope, error) {
	select {
	case env := <-answer:
		return env, nil
	case <-ctx.Done():
		return Envelope{}, context.Cause(ctx)
	case <-c.ended:
		select {
		case env := <-answer: // it came just before the end
			return env, nil
		default:
			return Envelope{}, c.endErr
		}
	}
}

// settle gives an answer to the request that waits for it.
func (c *Conn) settle(env Envelope) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.pending[env.ID]
	if ok {
		delete(c.pending, env.ID)
		answer <- env // one slot, one answer
	}
	return ok
}

// Reply answers the server's ___sreq___ with that id: v, any JSON, goes out in
// a ___cres___.
func (c *Conn) Reply(ctx context.Context, id string, v any) error {
	if id == "" {
		return errors.New("client: reply: the request has no id")
	}
	return c.sendEnvelope(ctx, TypeCres, id, v)
}

// Ping sends a ping frame and gives the time its pong took.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	ctx, cancel := c.opt.requestContext(ctx)
	defer cancel()
	payload, pong := rand.Text(), make(chan struct{}, 1)
	c.mu.Lock()
	full := len(c.pings) >= c.opt.maxPending
	if !full {
		if c.pings == nil {
			c.pings = make(map[string]chan struct{})
		}
		c.pings[payload] = pong
	}
	c.mu.Unlock()
	if full {
		return 0, fmt.Errorf("client: ping: %w", ErrTooManyPending)
	}
	defer func() {
		c.mu.Lock()
		delete(c.pings, payload)
		c.mu.Unlock()
	}()
	begin := time.Now()
	if err := c.send(ctx, "ping", ws.OpPing, []byte(payload)); err != nil {
		return 0, err
	}
	select {
	case <-pong:
		return time.Since(begin), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("client: ping: %w", context.Cause(ctx))
	case <-c.ended:
		return 0, fmt.Errorf("client: ping: %w", c.endErr)
	}
}

func (c *Conn) settlePing(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pong, ok := c.pings[string(payload)]; ok {
		delete(c.pings, string(payload))
		pong <- struct{}{}
	}
}
