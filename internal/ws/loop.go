package ws

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	gobwas "github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/fdstore"
)

// A loop is one event loop: one goroutine that owns an epoll instance, a read
// buffer, a timing wheel, and the reading and closing of its connections.
type loop struct {
	srv  *Server
	poll *poll
	wake int32 // eventfd

	buf      []byte // what is being read; connections borrow it for one event
	events   []unix.EpollEvent
	batch    Batch
	wheel    wheel
	now      time.Duration // the loop's clock at the beginning of the pass
	due      time.Duration // when that pass was to begin at the latest, see turn
	behind   int           // passes for which deadlines wait for what is to be read
	waited   bool          // before the pass, for events
	stop     bool
	keeper   *fdstore.Keeper // nil: connections end with the process
	parking  *parking        // where it is to wait at the pass's end; nil: nowhere
	accept   acceptor
	waiting  waiting    // connections that are not read from
	open     unfinished // connections with a message that is not whole
	request  Request
	exchange exchange
	upgrader gobwas.Upgrader
	inflated []byte // a message, while its event is handled

	starved []*Conn       // out of the epoll set until thirst
	thirst  time.Duration // loop clock

	stood   atomic.Int64 // nanoseconds that its clock is behind the server's
	conns   atomic.Int64 // connections it owns, for balancing
	beats   atomic.Int64 // passes begun, for the watchdog
	traffic traffic
	turns   turns
	lagging lagging

	mu    sync.Mutex // guards queue, woken and ended
	queue []func()
	woken bool // an event for queue is under way
	ended bool // nothing is taken from queue any more
	ran   []func()
}

const (
	readBufferSize = 64 << 10
	maxEvents      = 1024
	// maxWait bounds how long a loop sleeps, so that it shows it is alive.
	maxWait = 5 * time.Second
)

func newLoop(s *Server) (*loop, error) {
	p, err := newPoll()
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		p.close()
		return nil, err
	}
	l := &loop{
		srv: s, poll: p, wake: int32(wake),
		buf:      make([]byte, readBufferSize),
		events:   make([]unix.EpollEvent, maxEvents),
		upgrader: newUpgrader(),
	}
	l.batch.loop = l
	l.accept.loop = l
	if s.opt.Store != nil {
		l.keeper = s.opt.Store.Keeper()
	}
	if err := p.add(l.wake, tagWake, unix.EPOLLIN); err != nil {
		l.closeFDs()
		return nil, err
	}
	return l, nil
}

func (l *loop) closeFDs() {
	l.poll.close()
	_ = unix.Close(int(l.wake))
}

// post makes the loop run f on its goroutine, soon. Safe for concurrent use. It
// reports false, and f is never run, when the loop has ended.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	l.queue = append(l.queue, f)
	if !l.woken {
		// Under the lock: once the loop has ended its descriptors are closed.
		l.woken = true
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(int(l.wake), one[:])
	}
	l.mu.Unlock()
	return true
}

func (l *loop) runPosted() {
	var n [8]byte
	_, _ = unix.Read(int(l.wake), n[:])
	l.mu.Lock()
	l.queue, l.ran = l.ran[:0], l.queue
	l.woken = false
	l.mu.Unlock()
	for i, f := range l.ran {
		l.ran[i] = nil
		f()
	}
}

// run is the loop's goroutine. It ends when a posted function sets stop.
func (l *loop) run() {
	l.now = l.clock()
	for !l.stop {
		n := l.nextEvents()
		l.beats.Add(1)
		late := l.turn()
		if !l.waited {
			l.turns.work(late)
		}
		l.turns.begin(l.now, late)
		for i := range l.events[:n] {
			l.handle(&l.events[i])
		}
		l.feedStarved()
		if l.caughtUp(n) {
			l.wheel.advance(int64(l.now/wheelTick), l.expire)
			l.sweep()
		}
		l.resume()
		l.accept.resume()
		if l.keeper != nil {
			l.keeper.Flush(l.now)
		}
		l.batch.flush()
		if l.parking != nil {
			l.park()
		}
	}
	for ended := false; !ended; {
		l.runPosted() // connections handed over too late are closed by adopt
		l.mu.Lock()
		ended = len(l.queue) == 0
		l.ended = ended
		l.mu.Unlock()
	}
}

// nextEvents waits for events and returns how many there are: none when a timer
// is due.
func (l *loop) nextEvents() int {
	l.due, l.waited = l.now, false
	if n := l.poll.ready(l.events); n > 0 {
		return n
	}
	l.turns.work(l.turn())
	l.turns.began.Store(0)
	l.waited = true
	l.due = max(l.now, l.nextDeadline())
	return l.poll.wait(l.events, l.now, l.due)
}

// nextDeadline is the time, on the loop's clock, at which the loop has work
// even if nothing happens.
func (l *loop) nextDeadline() time.Duration {
	ticks := l.wheel.wait(int64(maxWait / wheelTick))
	if l.behind > 0 {
		ticks = 0
	}
	next := min(time.Duration(l.wheel.now+ticks)*wheelTick, l.accept.nextDeadline(l.now), l.waiting.next(), l.open.next())
	if len(l.starved) > 0 {
		next = min(next, l.thirst)
	}
	return next
}

// arm sets c's deadline d from now.
func (l *loop) arm(c *Conn, d time.Duration) {
	if c.gone() {
		return
	}
	l.wheel.set(c, tickOf(l.now+d))
}

// gone reports whether the descriptor is closed. Only for the loop, which alone
// closes it.
func (c *Conn) gone() bool { return c.fd < 0 }

func (l *loop) handle(ev *unix.EpollEvent) {
	switch ev.Pad {
	case tagWake:
		l.runPosted()
		return
	case tagListener:
		l.accept.ready(ev.Fd)
		return
	}
	c := l.srv.table.get(ev.Fd)
	if c == nil || c.gen != ev.Pad || c.loop != l {
		return // closed earlier in this pass
	}
	if ev.Events&unix.EPOLLOUT != 0 {
		l.writable(c)
	}
	if ev.Events&^unix.EPOLLOUT != 0 && !c.gone() {
		if c.state() == stateDeciding {
			l.waitingPeerLeft(c, ev.Events)
			return
		}
		if c.flow.wait.held() {
			l.peerLeft(c, ev.Events)
			return
		}
		l.readable(c)
	}
}

func (l *loop) writable(c *Conn) {
	c.mu.Lock()
	if c.armed {
		c.writeLocked()
	}
	after := c.afterWriteLocked()
	c.mu.Unlock()
	if after {
		l.drained(c)
	}
}

// readable reads once; level-triggered epoll brings the connection back when
// there is more, after the others had their turn.
func (l *loop) readable(c *Conn) {
	if l.keeper != nil {
		fd := c.fd
		l.srv.opt.Store.SetIn(fd, 1) // what a crash cuts from here on is lost
		defer l.handled(c, fd)
	}
	n, errno := recv(c.fd, l.buf)
	switch {
	case errno == errAgain:
		return
	case scarce(errno):
		c.mu.Lock()
		c.starveLocked()
		c.mu.Unlock()
		return
	case errno != 0:
		l.destroy(c, errno)
		return
	case n == 0:
		if !l.owes(c) {
			l.destroy(c, nil)
		}
		return
	}
	c.lastRead.Store(int64(l.now))
	b := l.buf[:n]
	switch c.state() {
	case stateHandshake:
		l.collect(c, b)
	case stateOpen, stateClosing:
		l.receive(c, b)
	default:
		if c.lingered += int32(n); c.lingered > maxLinger {
			l.destroy(c, nil)
		}
	}
	if c.in.p != nil || c.head != nil || c.flow.wait != nil {
		l.bound(c)
	}
	// What this event produced for its own sender leaves at once, while its
	// buffer is warm; what it produced for others waits for the pass's end.
	if k := len(l.batch.dirty); k > 0 && l.batch.dirty[k-1] == c {
		l.batch.dirty[k-1] = nil
		l.batch.dirty = l.batch.dirty[:k-1]
		if c.flush() {
			l.drained(c)
		}
	}
}

// feed decodes b and hands out what is whole.
func (l *loop) feed(c *Conn, b []byte) {
	h, m := l.srv.opt.Handler, c.mount.now()
	lim := &m.Limits
	if c.codec != nil {
		lim = &m.inflated
	}
	for inflated := 0; ; {
		if m.pace != nil && l.mustWait(c, m, b) {
			return
		}
		if inflated >= maxInflated && len(b) > 0 && c.state() == stateOpen {
			l.putOff(c, b, 1) // the others have their turn
			return
		}
		ev, n, err := c.in.Next(b, lim)
		if c.codec != nil && c.state() == stateOpen { // else it is thrown away
			if ev.Compressed {
				ev.Payload, err = l.inflate(c, ev)
				inflated += len(ev.Payload)
			} else if c.in.unjudged() {
				// What is wrong with it came before what else there is.
				if e := l.judgeAhead(c); e != nil {
					err = e
				}
			}
		}
		if err != nil {
			l.fail(c, err.(*ProtocolError))
			return
		}
		b = b[n:]
		if m.pace != nil && ev.Op != OpContinuation && !l.charge(c, m, &ev) {
			continue
		}
		switch ev.Op {
		case OpContinuation:
			return
		case OpText, OpBinary:
			c.messages.Store(c.messages.Load() + 1)
			c.bytes.Store(c.bytes.Load() + uint64(len(ev.Payload)))
			l.traffic.in.count(ev.Op, len(ev.Payload))
			if c.traced() {
				c.trace(Traced{Op: ev.Op, Payload: ev.Payload, Size: len(ev.Payload)})
			}
			if state := c.state(); state == stateOpen {
				h.Message(&l.batch, c, ev.Op, ev.Payload)
			} else if state != stateClosing {
				c.in.Reset()
				return
			}
		case OpPing:
			l.traceControl(c, &ev)
			l.batch.pong(c, ev.Payload)
		case OpPong:
			l.traceControl(c, &ev)
			h.Pong(&l.batch, c, ev.Payload)
		case OpClose:
			l.traceControl(c, &ev)
			l.peerClosed(c, ev) // data after it is ignored (section 5.5.1)
			return
		}
	}
}

// expire is called when c's deadline has come.
func (l *loop) expire(c *Conn) {
	switch c.state() {
	case stateHandshake:
		if c.idle() {
			l.destroy(c, nil)
			return
		}
		l.refuse(c, refuseTimeout)
	case stateDeciding:
		l.decided(c, refuseUndecided)
	case stateOpen:
		l.srv.opt.Handler.Timer(&l.batch, c)
	default:
		if !c.ending {
			l.armEnd(c) // this was the handler's timer; Close, elsewhere, came first
			return
		}
		l.destroy(c, nil)
	}
}
