package ws

import (
	"container/heap"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that sends too fast is held: nothing is read from it, what has
// been read and not decoded is kept, and the kernel's buffers make the peer
// wait. So is one, until the next pass, of which much was inflated in this one.
// Its loop has it in a heap by the time when it goes on; the wheel's timer
// remains the handler's.

// holdStep is how long a connection is held at least, if its bucket is not full
// before: to be held costs as much as several messages.
const holdStep = 10 * time.Millisecond

// A wait is a connection that is held, or was when its peer ended.
type wait struct {
	c     *Conn
	since time.Duration // when it was held
	until time.Duration // when it goes on
	end   time.Duration // when it is cut, since its peer has ended; 0: it has not
	buf   *buffer
	rest  []byte // of buf: what has not been decoded
	index int    // in the heap; -1: it is not held
}

func (w *wait) held() bool { return w != nil && w.index >= 0 }

// next is when something is to be done.
func (w *wait) next() time.Duration {
	if w.end > 0 {
		return min(w.until, w.end)
	}
	return w.until
}

// waiting is a loop's heap of held connections, the next one first.
type waiting []*wait

func (h waiting) Len() int           { return len(h) }
func (h waiting) Less(i, j int) bool { return h[i].next() < h[j].next() }
func (h waiting) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *waiting) Push(x any)        { w := x.(*wait); w.index = len(*h); *h = append(*h, w) }

func (h *waiting) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h, w.index = old[:len(old)-1], -1
	return w
}

// next is when the first of them goes on.
func (h waiting) next() time.Duration {
	if len(h) == 0 {
		return never
	}
	return h[0].next()
}

// never is later than any time on the clock.
const never = time.Duration(1<<63 - 1)

// hold reads no more from c for d, since it sends too fast, and keeps b, which was
// read.
func (l *loop) hold(c *Conn, b []byte, d time.Duration) {
	l.srv.count.limited.hits[limitDelayed].Add(1)
	l.putOff(c, b, d)
}

// putOff goes on with c after d, and with b first.
func (l *loop) putOff(c *Conn, b []byte, d time.Duration) {
	w := c.flow.wait
	if w == nil {
		w = &wait{c: c, index: -1}
		c.flow.wait = w
	}
	if w.buf != nil {
		w.rest = b // of what was kept before
	} else if len(b) > 0 {
		w.buf = w.buf.append(b)
		w.rest = w.buf.b
	}
	w.since, w.until = l.now, l.now+d
	heap.Push(&l.waiting, w)
	c.lastRead.Store(int64(w.until)) // until then its silence is our doing
	l.listen(c, false)
}

// listen makes the loop read from c, or not.
func (l *loop) listen(c *Conn, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == !yes || c.fd < 0 {
		return
	}
	c.held = !yes
	if c.starved {
		return // its loop will see to it
	}
	if l.poll.modify(c.fd, c.gen, yes, c.armed) == syscall.ENOENT { // see peerLeft
		_ = l.poll.add(c.fd, c.gen, unix.EPOLLIN)
	}
}

// resume lets those go on whose time has come.
func (l *loop) resume() {
	for l.waiting.next() <= l.now {
		w := heap.Pop(&l.waiting).(*wait)
		c := w.c
		if w.end > 0 && l.now >= w.end && c.state() == stateOpen {
			w.free()
			l.destroy(c, nil)
			continue
		}
		switch c.state() {
		case stateOpen, stateClosing:
			c.lastRead.Store(int64(l.now))
			l.open.postpone(c, l.now-w.since)
			l.feed(c, w.rest)
			if c.in.p != nil || c.begun {
				l.note(c)
			}
		}
		if w.held() { // again
			continue
		}
		w.free()
		if w.end == 0 {
			c.flow.wait = nil
		}
		if l.keeper != nil {
			l.handled(c, c.fd)
		}
		l.listen(c, true)
	}
}

func (w *wait) free() {
	w.buf.free()
	w.buf, w.rest = nil, nil
}

// hurry lets c go on at the next opportunity: it is ending.
func (l *loop) hurry(c *Conn) {
	if w := c.flow.wait; w.held() {
		w.until = 0
		heap.Fix(&l.waiting, w.index)
	}
}

// unhold forgets a connection that is gone.
func (l *loop) unhold(c *Conn) {
	w := c.flow.wait
	if w == nil {
		return
	}
	c.flow.wait = nil
	if w.held() {
		heap.Remove(&l.waiting, w.index)
		w.free()
	}
}

// peerLeft is called when the peer of a held connection has ended its side, or
// the connection. What it has sent before is handled as fast as it may, but for
// CloseTimeout at most: an end is not to be put off by having sent too much.
func (l *loop) peerLeft(c *Conn, events uint32) {
	w := c.flow.wait
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return // fetched before it was held
	}
	if w.end == 0 {
		w.end = l.now + l.srv.now().CloseTimeout
		heap.Fix(&l.waiting, w.index)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case events&(unix.EPOLLHUP|unix.EPOLLERR) != 0: // which cannot be looked away from
		l.poll.remove(c.fd)
	case c.armed:
		l.poll.ctl(unix.EPOLL_CTL_MOD, c.fd, c.gen, unix.EPOLLOUT)
	default:
		l.poll.ctl(unix.EPOLL_CTL_MOD, c.fd, c.gen, 0)
	}
}
