package client

import (
	"encoding/json"
	"sync/atomic"
)

// Handlers say what to do with what arrives, one function per kind; nil ignores
// the kind. They run one at a time, in the order of arrival. What they get is
// theirs to keep.
type Handlers struct {
	String func(c *Conn, s string)          // text that is not a JSON object or array
	JSON   func(c *Conn, j json.RawMessage) // a JSON object or array
	Binary func(c *Conn, b []byte)          // a binary message
	Cfg    func(c *Conn, cfg Cfg)           // the server's ___cfg___
	// Request is a ___sreq___, which the server wants answered with
	// c.Reply(ctx, req.ID, answer), now or later.
	Request func(c *Conn, req Envelope)
	// Close is called once, last, with why the connection ended.
	Close func(c *Conn, err *CloseError)
}

// SetHandlers replaces the handlers; messages still queued go to the new ones.
// The connections of a Client have their handlers in common.
func (c *Conn) SetHandlers(h Handlers) { c.handlers.Store(&h) }

// Handlers gives the present ones, to change some of them.
func (c *Conn) Handlers() Handlers { return *c.handlers.Load() }

// ChangeHandlers changes some of the handlers and leaves the others, whoever
// else changes theirs at the same time; f may be called more than once.
func (c *Conn) ChangeHandlers(f func(h *Handlers)) { changeHandlers(c.handlers, f) }

func changeHandlers(p *atomic.Pointer[Handlers], f func(h *Handlers)) {
	for {
		present := p.Load()
		h := *present
		f(&h)
		if p.CompareAndSwap(present, &h) {
			return
		}
	}
}

type kind int

const (
	kindString kind = iota
	kindJSON
	kindBinary
	kindCfg
	kindRequest
)

// item is a message on its way to a handler.
type item struct {
	kind    kind
	payload []byte
	env     *Envelope // of kindCfg and kindRequest
}

// enqueue hands a message to the handlers, waiting while they lag. Once this
// side is closing, messages are not wanted any more (RFC 6455, section 1.4).
func (c *Conn) enqueue(it item) {
	if c.inbox.put(it, c.closing) {
		go c.dispatch()
	}
}

// dispatch calls the handlers while there are messages for them, and Close once
// the connection has ended.
func (c *Conn) dispatch() {
	for _, earlier := range c.opt.after {
		<-earlier
	}
	for {
		it, ok, over := c.inbox.take()
		if !ok {
			if over {
				c.finish()
			}
			return
		}
		c.handle(it)
		c.inbox.handled(len(it.payload))
	}
}

// finish is the last thing that happens.
func (c *Conn) finish() {
	if f := c.handlers.Load().Close; f != nil {
		f(c, c.endErr)
	}
	c.aux.Wait()
	close(c.done)
}

func (c *Conn) handle(it item) {
	h := c.handlers.Load()
	switch it.kind {
	case kindString:
		if h.String != nil {
			h.String(c, string(it.payload))
		}
	case kindJSON:
		if h.JSON != nil {
			h.JSON(c, it.payload)
		}
	case kindBinary:
		if h.Binary != nil {
			h.Binary(c, it.payload)
		}
	case kindCfg:
		if h.Cfg != nil {
			h.Cfg(c, parseCfg(*it.env))
		}
	case kindRequest:
		if h.Request != nil {
			h.Request(c, *it.env)
		}
	}
}
