package client

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// chores is what is to be sent for keepalive. There is one of each: RFC 6455,
// section 5.5.3, lets a peer answer only the latest ping, and a server that
// pings without reading gets no queue to fill.
type chores struct {
	pings       bool // a ___ping___ and a ping frame
	pongFrame   bool
	pong        []byte // its payload
	pongMessage bool
}

func (q chores) none() bool { return !q.pings && !q.pongFrame && !q.pongMessage }

// keepalive is the connection's part in it. Between pings it holds a timer.
type keepalive struct {
	mu      sync.Mutex // guards what follows; a leaf
	chores  chores
	sending bool        // a goroutine sends them
	timer   *time.Timer // for the next pings; nil: keepalive is off
	ended   bool
}

// startKeepalive begins to ping every quarter of the interval, as stock Node
// clients do. Giving up a silent server is the reader's part (source.idle).
func (c *Conn) startKeepalive() {
	if c.opt.keepalive == 0 {
		return
	}
	k := &c.keepalive
	k.mu.Lock()
	defer k.mu.Unlock()
	c.aux.Add(1) // until the timer is no more
	k.timer = time.AfterFunc(c.opt.keepalive/4, c.pingsDue)
}

// pingsDue is called by the timer, and sets it anew.
func (c *Conn) pingsDue() {
	if c.add(chores{pings: true}) {
		c.sendChores()
	}
	k := &c.keepalive
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		c.aux.Done()
		return
	}
	k.timer.Reset(c.opt.keepalive / 4)
}

// stopKeepalive comes after ended is closed, so that nothing holds up pingsDue.
func (c *Conn) stopKeepalive() {
	k := &c.keepalive
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	if k.timer != nil && k.timer.Stop() {
		c.aux.Done()
	}
}

// due has the reader's chores sent, and does not wait for that.
func (c *Conn) due(more chores) {
	if c.add(more) {
		c.aux.Go(c.sendChores)
	}
}

// add tells whether the caller has to see to it that chores are sent.
func (c *Conn) add(more chores) bool {
	k := &c.keepalive
	k.mu.Lock()
	defer k.mu.Unlock()
	k.chores.pings = k.chores.pings || more.pings
	k.chores.pongMessage = k.chores.pongMessage || more.pongMessage
	if more.pongFrame {
		k.chores.pongFrame, k.chores.pong = true, more.pong
	}
	start := !k.sending
	k.sending = true
	return start
}

// takeChores gives what is to be sent. When there is nothing the caller stops
// sending.
func (c *Conn) takeChores() chores {
	k := &c.keepalive
	k.mu.Lock()
	defer k.mu.Unlock()
	q := k.chores
	k.chores = chores{}
	k.sending = !q.none()
	return q
}

// sendChores sends what is due, together, until nothing is. An error has ended
// the connection already, or is its end.
func (c *Conn) sendChores() {
	for q := c.takeChores(); !q.none(); q = c.takeChores() {
		if c.lockWriter(context.Background()) != nil {
			continue // nothing more can be sent; the rest of the chores comes to nothing too
		}
		err := c.writeChoresLocked(q)
		c.unlockWriter()
		if err == nil {
			c.traceChores(q)
		}
	}
}

func (c *Conn) writeChoresLocked(q chores) error {
	if err := c.writableLocked(); err != nil {
		return err
	}
	buffers := [2]*[]byte{writeBuffers.Get().(*[]byte), writeBuffers.Get().(*[]byte)}
	defer func() { writeBuffers.Put(buffers[0]); writeBuffers.Put(buffers[1]) }()
	b, message := (*buffers[0])[:0], (*buffers[1])[:0]
	if q.pings {
		message = c.appendKeepalive(message[:0], TypePing)
		b = appendFrame(b, ws.OpText, message)
		b = appendFrame(b, ws.OpPing, nil)
	}
	if q.pongFrame {
		b = appendFrame(b, ws.OpPong, q.pong)
	}
	if q.pongMessage {
		message = c.appendKeepalive(message[:0], TypePong)
		b = appendFrame(b, ws.OpText, message)
	}
	*buffers[0], *buffers[1] = b, message
	return c.writeBytesLocked(b)
}

func (c *Conn) traceChores(q chores) {
	if c.opt.trace == nil {
		return
	}
	interval := c.appendInterval(nil)
	if q.pings {
		c.traced(true, TypePing, interval, "")
		c.traced(true, "ping frame", nil, "")
	}
	if q.pongFrame {
		c.traced(true, "pong frame", q.pong, "")
	}
	if q.pongMessage {
		c.traced(true, TypePong, interval, "")
	}
}

// appendKeepalive appends a ___ping___ or ___pong___, under a new id.
func (c *Conn) appendKeepalive(b []byte, typ string) []byte {
	var interval [24]byte
	return appendEnvelope(b, typ, newID(), c.appendInterval(interval[:0]))
}

// appendInterval appends the data of a ___ping___ or ___pong___: this side's
// interval, in milliseconds, as a string.
func (c *Conn) appendInterval(b []byte) []byte {
	interval := c.opt.keepalive
	if interval == 0 {
		interval = DefaultKeepalive
	}
	b = strconv.AppendInt(append(b, '"'), interval.Milliseconds(), 10)
	return append(b, '"')
}

// announce sends this side's ___cfg___, as a stock client with keepalive on.
func (c *Conn) announce() error {
	if c.opt.keepalive == 0 {
		return nil
	}
	return c.send(context.Background(), "send "+TypeCfg, ws.OpText, appendCfg(nil, c.id, c.opt.keepalive.Milliseconds()))
}
