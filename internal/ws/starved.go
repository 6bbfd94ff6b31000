package ws

import (
	"syscall"
	"time"
)

// The kernel may be short of memory for a moment (ENOBUFS, ENOMEM). That says
// nothing about a peer, and epoll does not tell when it is over: a socket that
// is ready stays so. A connection that meets it is starved: out of the epoll
// set, queue and all, until its loop tries again by the clock.

// starvePause is how long a starved connection is left alone.
const starvePause = 20 * time.Millisecond

// scarce reports whether an error is the kernel's lack of memory.
func scarce(err syscall.Errno) bool { return err == syscall.ENOBUFS || err == syscall.ENOMEM }

// starveLocked leaves a connection alone for a while. While it is armed nobody
// writes.
func (c *Conn) starveLocked() {
	c.armed = true
	if c.starved {
		return
	}
	c.starved = true
	c.loop.srv.count.starved.Add(1)
	c.loop.post(func() { c.loop.starve(c) })
}

func (l *loop) starve(c *Conn) {
	if c.gone() {
		return
	}
	l.poll.remove(c.fd)
	if len(l.starved) == 0 {
		l.thirst = l.now + starvePause
	}
	l.starved = append(l.starved, c)
}

// feedStarved takes up again what was left alone, when its time has come.
func (l *loop) feedStarved() {
	if len(l.starved) == 0 || l.now < l.thirst {
		return
	}
	list := l.starved
	l.starved = nil
	for _, c := range list {
		if c.gone() {
			continue
		}
		c.mu.Lock()
		events := interest(!c.held && c.state() != stateDeciding, false)
		c.starved = false
		if err := l.poll.add(c.fd, c.gen, events); err != nil {
			c.starveLocked()
			c.mu.Unlock()
			continue
		}
		c.armed = false
		c.writeLocked()
		after := c.afterWriteLocked()
		c.mu.Unlock()
		if after {
			l.drained(c)
		}
	}
}
