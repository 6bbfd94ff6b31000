package client

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// chores is what the reader wants sent. It holds one of each: RFC 6455, section
// 5.5.3, lets a peer answer only the latest ping, and a server that pings
// without reading gets no queue to fill.
type chores struct {
	wake chan struct{} // one slot

	mu       sync.Mutex // guards what follows
	pong     []byte     // payload of the ping frame to answer
	havePong bool
	pongMsg  bool // a ___ping___ to answer
}

func (q *chores) answerPing(payload []byte) {
	q.mu.Lock()
	q.pong, q.havePong = payload, true
	q.mu.Unlock()
	q.ring()
}

func (q *chores) answerPingMessage() {
	q.mu.Lock()
	q.pongMsg = true
	q.mu.Unlock()
	q.ring()
}

func (q *chores) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *chores) take() (pong []byte, havePong, pongMsg bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pong, havePong, pongMsg = q.pong, q.havePong, q.pongMsg
	q.pong, q.havePong, q.pongMsg = nil, false, false
	return pong, havePong, pongMsg
}

// announce sends this side's ___cfg___, as a stock client with keepalive on.
func (c *Conn) announce() error {
	if c.opt.keepalive == 0 {
		return nil
	}
	cfg := struct {
		SessID   string `json:"sessid"`
		Interval int64  `json:"keepaliveInterval"`
	}{c.id, c.opt.keepalive.Milliseconds()}
	return c.sendEnvelope(context.Background(), TypeCfg, "", cfg)
}

// keepalive pings every quarter of the interval, as stock Node clients do: a
// ___ping___ message and a ping frame. It also answers the server's pings.
// Giving up a silent server is the reader's part (source.idle).
func (c *Conn) keepalive() {
	var tick <-chan time.Time
	if c.opt.keepalive > 0 {
		t := time.NewTicker(c.opt.keepalive / 4)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-c.ended:
			return
		case <-tick:
			c.control(TypePing)
			c.controlFrame(ws.OpPing, nil)
		case <-c.chores.wake:
			pong, havePong, pongMsg := c.chores.take()
			if havePong {
				c.controlFrame(ws.OpPong, pong)
			}
			if pongMsg {
				c.control(TypePong)
			}
		}
	}
}

// control sends a ___ping___ or ___pong___. Its data is this side's interval as
// a string. An error has ended the connection already, or is its end.
func (c *Conn) control(typ string) {
	interval := c.opt.keepalive
	if interval == 0 {
		interval = DefaultKeepalive
	}
	data := strconv.FormatInt(interval.Milliseconds(), 10)
	if c.sendEnvelope(context.Background(), typ, newID(), data) == nil {
		c.traced(true, typ, []byte(strconv.Quote(data)), "")
	}
}

func (c *Conn) controlFrame(op ws.OpCode, payload []byte) {
	if c.send(context.Background(), "control frame", op, payload) != nil {
		return
	}
	what := "ping frame"
	if op == ws.OpPong {
		what = "pong frame"
	}
	c.traced(true, what, payload, "")
}
