package ws

import (
	"cmp"
	"crypto/tls"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/fdstore"
)

// Options configures a [Server]. The zero value of each field but Handler
// means what its comment says.
type Options struct {
	Handler Handler     // required
	Log     *zap.Logger // nil: nothing is logged
	Loops   int         // event loops; 0: one per processor
	Mounts  []*Mount    // none: one of any path, to which no page of a browser gets

	SecretQuery      []string      // names of query parameters whose values are not logged
	MaxHeadBytes     int           // handshake head; 0: 16 KiB
	MaxFields        int           // header fields in it; 0: 100
	HandshakeTimeout time.Duration // from accept to whole head; 0: 10 s
	HandshakeRate    float64       // connections accepted per second in all; 0: no limit
	Admission        Admission     // who may connect
	MessageTimeout   time.Duration // for a message that has begun to come, see unfinished.go; 0: no limit

	Fragmentation Fragmentation // of what is sent
	QueueBytes    int           // unsent bytes per connection; 0: no limit but 1 GiB
	Slow          SlowPolicy    // when QueueBytes is reached
	Borrower      func(*Loan)   // see HandOver; called on event loops, and must not block
	IdleTimeout   time.Duration // of a connection that was lent, until its next request; 0: 60 s
	StallTimeout  time.Duration // for each piece of a request's body, or of its answer; 0: 30 s

	CloseTimeout time.Duration // for the peer's part of a closing handshake; 0: 5 s
	Memory       int64         // bytes that all connections together hold of messages; 0: no limit

	// Store keeps the open connections, so that they outlive a crash; nil: none does.
	Store *fdstore.Store
}

// maxQueue keeps the counts of a queue within 32 bits.
const maxQueue = 1 << 30

// A Listener is a listening, non-blocking stream socket. The server reads from
// it but does not close it.
type Listener struct {
	FD      int
	Network string      // "unix" or "tcp"
	TLS     *tls.Config // nil: plain

	// WhileDraining says that connections are accepted until Shutdown has closed
	// those from before, so that whoever comes is told: health says so, all else
	// is refused with 503.
	WhileDraining bool

	peer Peer // of unix connections
}

// A Server owns the loops and, through them, the connections.
type Server struct {
	opt    Options // as it was made; what Reload may change is in now()
	tuned  atomic.Pointer[tuning]
	log    *zap.Logger
	start  time.Time
	table  *fdTable
	codecs codecs

	// Connections leave fdReserve of the process's fdLimit descriptors to
	// others: to the operator who wants to know what is going on, say.
	fdLimit, fdReserve int
	admission          *admission

	loops       []*loop
	loopsBefore []LoopCount // of the process before
	count       counters
	tracers     tracers

	conns       atomic.Int64
	awaited     atomic.Int64 // those of conns that were there before the server drained
	warned      atomic.Int64 // when a refused origin was last warned of, on the clock
	tight       atomic.Bool  // an accepted descriptor was of the reserve
	lastKey     atomic.Uint64
	pace        pacer        // of accepting, see Options.HandshakeRate
	relieving   atomic.Bool  // connections that hold most are being closed, or were a moment ago
	warnedShort atomic.Int64 // when its lack was last told
	failing     atomic.Int64 // when accepting last failed, see acceptFailed
	draining    atomic.Bool
	closed      atomic.Bool              // handshakes are refused for the time being
	refusal     atomic.Pointer[Response] // what all are answered; nil: they are judged

	wg sync.WaitGroup

	held      []*Conn // whose locks Hold has taken; its caller's own
	farewells []int32 // descriptors that Export has made; likewise

	mu      sync.Mutex // guards what follows
	tls     []*tlsListener
	running bool
	parked  []*parking    // one for each loop, while the server is suspended
	empty   chan struct{} // closed when the last awaited connection is gone; nil: nobody waits
}

// NewServer prepares a server; Start runs it.
func NewServer(opt Options) (*Server, error) {
	if opt.Handler == nil {
		return nil, errors.New("ws: no handler")
	}
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	if opt.Loops <= 0 {
		opt.Loops = runtime.GOMAXPROCS(0)
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return nil, err
	}
	s := &Server{
		log: opt.Log, start: time.Now(),
		table:     newFDTable(int(min(lim.Max, 1<<30))),
		fdLimit:   int(min(lim.Cur, 1<<30)),
		fdReserve: int(min(max(lim.Cur/8, 4), 64)),
	}
	t, err := s.tune(opt)
	if err != nil {
		return nil, err
	}
	s.opt = t.Options
	s.admission = &admission{table: newAddresses(t.handshakes())}
	s.pace.reset(t.accepting())
	t.put(s)
	return s, nil
}

// clock is the time since the server was made: monotonic, and small numbers.
func (s *Server) clock() time.Duration { return time.Since(s.start) }

// Start runs the loops and accepts connections from the listeners.
func (s *Server) Start(listeners []*Listener) error {
	if err := s.makeLoops(); err != nil {
		return err
	}
	for _, ln := range listeners {
		ln.peer = Peer{Network: ln.Network}
		// Whoever made it may not have; a blocking accept would stop a loop.
		if err := unix.SetNonblock(ln.FD, true); err != nil {
			s.closeLoops()
			return err
		}
		if ln.TLS != nil {
			continue
		}
		for _, l := range s.loops {
			if err := l.accept.add(ln); err != nil {
				s.closeLoops()
				return err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range listeners {
		if ln.TLS == nil {
			continue
		}
		t, err := s.serveTLS(ln)
		if err != nil {
			for _, t := range s.tls {
				t.stop()
			}
			s.wg.Wait()
			s.closeLoops()
			return err
		}
		s.tls = append(s.tls, t)
	}
	for _, l := range s.loops {
		s.wg.Go(l.run)
	}
	s.running = true
	return nil
}

// makeLoops makes the loops, unless Import has.
func (s *Server) makeLoops() error {
	if len(s.loops) > 0 {
		return nil
	}
	for range s.opt.Loops {
		l, err := newLoop(s)
		if err != nil {
			s.closeLoops()
			return err
		}
		s.loops = append(s.loops, l)
	}
	return nil
}

func (s *Server) closeLoops() {
	for _, l := range s.loops {
		l.closeFDs()
	}
}

// adopt makes a connection of an accepted socket and gives it to a loop: to
// here, the accepting one, unless another has much less to do. place is what
// connect returned.
func (s *Server) adopt(fd int32, peer *Peer, place *address, here *loop) {
	l := here
	mine := here.conns.Load()
	for _, other := range s.loops {
		if n := other.conns.Load(); n+16+n/8 < mine {
			l, mine = other, n
		}
	}
	// Whichever loop: a stale event must not find the same number again.
	c := &Conn{loop: l, peer: peer, fd: fd, place: place, counted: place != nil, late: s.draining.Load()}
	c.setKey(s.lastKey.Add(1))
	s.conns.Add(1)
	if !c.late {
		s.awaited.Add(1)
	}
	l.conns.Add(1)
	if !s.table.set(fd, c) {
		l.destroy(c, nil)
		return
	}
	if l == here {
		l.begin(c)
	} else if !l.post(func() { l.begin(c) }) {
		l.destroy(c, ErrServerShutdown) // nobody else will, l has ended
	}
}

// begin starts a connection's life on its loop.
func (l *loop) begin(c *Conn) {
	switch {
	case c.gone(): // with all others, before its loop heard of it
		return
	case l.stop:
		l.destroy(c, ErrServerShutdown)
		return
	}
	c.lastRead.Store(int64(l.now))
	if err := l.poll.add(c.fd, c.gen, unix.EPOLLIN); err != nil {
		l.accept.failed(err)
		l.destroy(c, err)
		return
	}
	if c.state() != stateHandshake {
		return // refused with all others
	}
	l.arm(c, l.srv.now().HandshakeTimeout)
	if l.srv.draining.Load() && !c.late { // a late one may ask for health
		l.refuse(c, refuseDraining)
	}
}

// acceptFailed counts a failure to accept, and reports whether it is the first
// of a burst.
func (s *Server) acceptFailed() bool {
	s.count.acceptFailed.Add(1)
	now := s.clock()
	last := time.Duration(s.failing.Swap(int64(now)))
	return last == 0 || now-last > burstGap
}

// originWarned reports whether a refused origin is worth a warning: once in
// burstGap, since any page anywhere can cause any number of them.
func (s *Server) originWarned() bool {
	now, last := int64(s.clock()), s.warned.Load()
	return (last == 0 || now-last > int64(burstGap)) && s.warned.CompareAndSwap(last, now)
}

// MountOf finds the mount of a path, or nil.
func (s *Server) MountOf(path []byte) *Mount { return s.now().mounts.find(path) }

// State reports whether handshakes are refused for the time being, and whether
// the server drains.
func (s *Server) State() (closed, draining bool) { return s.closed.Load(), s.draining.Load() }

// ending reports whether Shutdown has begun.
func (s *Server) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.running
}

// Conns is the number of connections, handshakes under way included.
func (s *Server) Conns() int64 { return s.conns.Load() }

// Loops is the number of event loops.
func (s *Server) Loops() int { return s.opt.Loops }

func (s *Server) connGone(c *Conn) {
	s.conns.Add(-1)
	if !c.late && s.awaited.Add(-1) == 0 && s.draining.Load() {
		s.mu.Lock()
		if s.empty != nil {
			close(s.empty)
			s.empty = nil
		}
		s.mu.Unlock()
	}
}

// Healthy reports whether every loop has begun a pass since the last call, and
// wakes them all, so that an idle one has by the next. It is for a watchdog; not
// safe for concurrent use.
func (s *Server) Healthy() bool {
	ok := true
	for _, l := range s.loops {
		if l.beats.Swap(0) == 0 {
			ok = false
		}
		l.post(func() {})
	}
	return ok
}

// Listen serves one more listener, until Drain.
func (s *Server) Listen(ln *Listener) error {
	ln.peer = Peer{Network: ln.Network}
	if err := unix.SetNonblock(ln.FD, true); err != nil {
		return err
	}
	if ln.TLS != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.running || s.draining.Load() {
			return ErrServerShutdown
		}
		t, err := s.serveTLS(ln)
		if err == nil {
			s.tls = append(s.tls, t)
		}
		return err
	}
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if !running {
		return ErrServerShutdown
	}
	errs := make(chan error, len(s.loops))
	for _, l := range s.loops {
		if !l.post(func() { errs <- l.accept.join(ln) }) {
			errs <- ErrServerShutdown
		}
	}
	var failed error
	for range s.loops {
		failed = cmp.Or(failed, <-errs)
	}
	return failed
}

// Unlisten ends the serving of a listener without TLS, by its descriptor, which
// may be closed when it returns. Its connections go on.
func (s *Server) Unlisten(fd int) {
	var left sync.WaitGroup
	for _, l := range s.loops {
		left.Add(1)
		if !l.post(func() { l.accept.leave(fd); left.Done() }) {
			left.Done()
		}
	}
	left.Wait()
}

// post runs f on every loop.
func (s *Server) post(f func(*loop)) {
	for _, l := range s.loops {
		l.post(func() { f(l) })
	}
}
