package client

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// chores is what is to be sent for keepalive.
type chores struct {
	pings       bool     // a ___ping___ and a ping frame
	pongs       [][]byte // payloads of pong frames, in the order of the pings
	pongMessage bool
}

// maxPongs bounds the pings that wait for their answer. Of more, the earliest get
// none, which RFC 6455, section 5.5.3, allows: a server that pings without
// reading gets no queue to fill.
const maxPongs = 64

func (q chores) none() bool { return !q.pings && len(q.pongs) == 0 && !q.pongMessage }

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
	k.chores.pongs = append(k.chores.pongs, more.pongs...)
	k.chores.pongs = k.chores.pongs[max(0, len(k.chores.pongs)-maxPongs):]
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

// writePongsLocked sends the pongs that are due: a message leaves after the
// answers to the pings that came before it was sent. They are to be traced when
// the writer is unlocked.
func (c *Conn) writePongsLocked() (sent chores, err error) {
	k := &c.keepalive
	k.mu.Lock()
	sent.pongs, k.chores.pongs = k.chores.pongs, nil
	k.mu.Unlock()
	if sent.none() {
		return sent, nil
	}
	if err := c.writeChoresLocked(sent); err != nil {
		return chores{}, err
	}
	return sent, nil
}

// sendChores sends what is due, together, until nothing is. An error has ended
// the connection already, or is its end.
func (c *Conn) sendChores() {
	for {
		// They are taken by who may write: until then whoever sends a message
		// finds the pongs that are to leave before it.
		mayWrite := c.lockWriter(context.Background()) == nil
		q := c.takeChores()
		var err error
		if mayWrite {
			if !q.none() {
				err = c.writeChoresLocked(q)
			}
			c.unlockWriter()
		}
		switch {
		case q.none():
			return
		case mayWrite && err == nil: // else nothing can be sent any more
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
	for _, pong := range q.pongs {
		b = appendFrame(b, ws.OpPong, pong)
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
	for _, pong := range q.pongs {
		c.traced(true, "pong frame", pong, "")
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
