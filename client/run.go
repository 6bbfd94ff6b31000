package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// maxLagging is how many ended connections may have handlers still at work, or
// messages for them, before the next is made: it bounds what a handler that
// does not return makes the Client keep.
const maxLagging = 4

// run connects until the Client ends, tells everybody, and waits for handlers.
func (c *Client) run() {
	defer close(c.done)
	why := c.reconnect()
	c.cancel()
	c.queue.close(why)
	c.mu.Lock()
	c.endErr = why
	c.setStateLocked(StateClosed)
	c.mu.Unlock()
	for _, done := range c.past {
		<-done
	}
}

// reconnect makes one connection after the other; it returns why it stops.
func (c *Client) reconnect() error {
	attempts, failures := 0, 0 // in a row
	for first := true; ; first = false {
		var lived time.Duration // 0: no connection was made
		err := c.networkCheck(first)
		if err == nil {
			attempts++
			if lived, err = c.connection(); lived >= c.policy.StableAfter {
				attempts, failures = 0, 0
			}
		}
		failures++
		d := Disconnect{Err: err, Attempts: attempts}
		c.mu.Lock()
		closing := c.closing
		if closing == nil {
			c.lastErr = err
			c.setStateLocked(StateWaiting)
		}
		c.mu.Unlock()
		if closing != nil && lived == 0 {
			return closing // an attempt that was called off has not failed
		}
		var why error
		switch {
		case closing != nil:
			why = closing
		case hopeless(err) && !c.policy.RetryRefused:
			why = fmt.Errorf("%w: not tried again: %w", ErrClosed, err)
		case c.policy.MaxAttempts > 0 && attempts >= c.policy.MaxAttempts:
			why = fmt.Errorf("%w: gave up after %d attempts: %w", ErrClosed, attempts, err)
		default:
			d.Delay = c.policy.delay(failures, err, time.Now(), rand.Float64())
		}
		d.Final = why != nil
		if c.policy.OnDisconnect != nil {
			c.policy.OnDisconnect(d)
		}
		if why == nil {
			why = c.pause(d.Delay)
		}
		if why != nil {
			return why
		}
	}
}

// pause waits until the next attempt is due, and for handlers that lag too far
// behind.
func (c *Client) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
		return c.closeReason()
	}
	for len(c.past) > 0 {
		select {
		case <-c.past[0]:
			c.past = c.past[1:]
			continue
		default:
		}
		if len(c.past) < maxLagging {
			break
		}
		select {
		case <-c.past[0]:
		case <-c.ctx.Done():
			return c.closeReason()
		}
	}
	return nil
}

func (c *Client) closeReason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

func (c *Client) networkCheck(first bool) error {
	if first || c.policy.CheckNetwork == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.opt.handshakeTimeout)
	defer cancel()
	if err := c.policy.CheckNetwork(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNetwork, err)
	}
	return nil
}

// connection makes a connection and uses it until it ends. It tells how long it
// lived, and why it ended or was not made.
func (c *Client) connection() (lived time.Duration, why error) {
	c.mu.Lock()
	c.setStateLocked(StateConnecting)
	c.mu.Unlock()
	o := *c.opt
	ready := make(chan struct{})
	o.after = []<-chan struct{}{ready}
	if n := len(c.past); n > 0 {
		o.after = append(o.after, c.past[n-1]) // which waited for those before it
	}
	conn, err := dial(c.ctx, c.target, &o)
	if err != nil {
		if c.ctx.Err() == nil {
			c.mu.Lock()
			c.stats.Failures++
			c.mu.Unlock()
		}
		return 0, fmt.Errorf("client: dial %s: %w", c.target.display(), err)
	}
	begin := time.Now()
	c.past = append(c.past, conn.Done())
	c.mu.Lock()
	closing := c.closing != nil
	if !closing {
		c.conn = conn
		c.stats.Connects++
	}
	c.mu.Unlock()
	if closing { // too late
		close(ready)
		conn.CloseNow()
		return 0, conn.Err()
	}
	if c.policy.OnConnect != nil {
		c.policy.OnConnect(conn)
	}
	close(ready)
	c.mu.Lock()
	c.setStateLocked(StateOpen)
	c.mu.Unlock()
	c.deliver(conn)
	<-conn.ended
	c.mu.Lock()
	c.conn = nil
	c.setStateLocked(StateWaiting)
	c.mu.Unlock()
	return max(time.Since(begin), 1), conn.endErr
}

// deliver sends what is queued until the connection ends, or is about to.
func (c *Client) deliver(conn *Conn) {
	for {
		m := c.queue.take()
		if m == nil {
			select {
			case <-c.queue.wake:
			case <-conn.ended:
				return
			}
			continue
		}
		err := conn.deliver(m)
		if err == errNotBegun {
			c.queue.putBack(m)
			return
		}
		c.queue.settle(m, err)
	}
}

func (c *Client) setStateLocked(s State) {
	if c.state == s {
		return
	}
	c.state = s
	close(c.changed)
	c.changed = make(chan struct{})
}
