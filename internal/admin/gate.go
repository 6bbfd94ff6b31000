package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/session"
)

// gate lets calls pass, or not, and knows the callers' connections.
type gate struct {
	mu      sync.Mutex // guards what follows
	held    bool
	quick   int           // calls under way that are not to be suspended
	slow    int           // those that are, or that wait here
	foreign int           // of slow, those whose connections are not among conns
	changed chan struct{} // closed, and made anew, when any of that changes
	conns   map[*peerConn]http.ConnState
	accept  map[*peerListener]bool // whether it may have a connection that is not among conns
	calls   []SuspendedCall

	suspend context.Context // done, with session.ErrSuspend as its cause, when calls are to be suspended
	begin   context.CancelCauseFunc

	hold      context.Context // done when calls are held
	beginHold context.CancelFunc
}

func newGate() *gate {
	g := &gate{changed: make(chan struct{}), conns: map[*peerConn]http.ConnState{}, accept: map[*peerListener]bool{}}
	g.anewLocked()
	return g
}

// anewLocked makes what tells calls to end.
func (g *gate) anewLocked() {
	g.suspend, g.begin = context.WithCancelCause(context.Background())
	g.hold, g.beginHold = context.WithCancel(context.Background())
}

func (g *gate) changeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// enter lets a call pass. It reports false when the call is to be suspended before it has begun. foreign: its connection is not net/http's.
func (g *gate) enter(ctx context.Context, quick, foreign bool) (leave func(), ok bool) {
	count := func(n *int, by int) {
		*n += by
		if foreign && n == &g.slow {
			g.foreign += by
		}
		g.changeLocked()
	}
	leaving := func(n *int) func() {
		return func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			count(n, -1)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held {
		count(&g.slow, 1)
		for g.held {
			changed, suspend := g.changed, g.suspend
			g.mu.Unlock()
			select {
			case <-changed:
				g.mu.Lock()
			case <-ctx.Done():
				g.mu.Lock()
				return leaving(&g.slow), true // the caller has left: it will see
			case <-suspend.Done():
				g.mu.Lock()
				return leaving(&g.slow), false
			}
		}
		count(&g.slow, -1)
	}
	n := &g.slow
	if quick {
		n = &g.quick
	}
	count(n, 1)
	return leaving(n), true
}

// suspending is done, with session.ErrSuspend as its cause, when the calls that are under way now are to be suspended.
func (g *gate) suspending() context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.suspend
}

// holding is done when calls are held, and those that could be quick are to be.
func (g *gate) holding() context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hold
}

// note keeps track of a caller's connection.
func (g *gate) note(c net.Conn, state http.ConnState) {
	pc, ok := c.(*peerConn)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	pc.begun = false
	if state == http.StateClosed || state == http.StateHijacked {
		delete(g.conns, pc)
	} else {
		g.conns[pc] = state
	}
	g.changeLocked()
}

// standsLocked reports whether c is between two calls, and nothing of the next one was read.
func (g *gate) standsLocked(c *peerConn) bool {
	state, ok := g.conns[c]
	return ok && (state == http.StateNew || state == http.StateIdle) && !c.begun
}

// stands returns what to wait for before c may be read from; nil: nothing, and hasRead is to follow. While calls are held, connections
// between two of them are left alone: another process may go on with them.
func (g *gate) stands(c *peerConn) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held && g.standsLocked(c) {
		return g.changed
	}
	c.reading = true
	return nil
}

func (g *gate) hasRead(c *peerConn, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.begun = c.begun || n > 0 && g.standsLocked(c)
	c.reading = false
	if g.held {
		g.changeLocked()
	}
}

// mayAccept returns what to wait for before l may accept; nil: nothing. What it has accepted before is known by now. Who connects while
// calls are held stays in the queue of the kernel, which outlives the process.
func (g *gate) mayAccept(l *peerListener) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held {
		if g.accept[l] {
			g.accept[l] = false
			g.changeLocked()
		}
		return g.changed
	}
	g.accept[l] = true
	l.kick(time.Time{})
	return nil
}

// acceptsNot says that l waits for something else, or, with gone, that it is no more.
func (g *gate) acceptsNot(l *peerListener, gone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.accept[l] {
		g.changeLocked()
	}
	if g.accept[l] = false; gone {
		delete(g.accept, l)
	}
}

// settledLocked reports whether nothing but calls to be suspended is under way.
func (g *gate) settledLocked() bool {
	active := 0
	for c, state := range g.conns {
		if state == http.StateActive {
			active++
		} else if c.begun || c.reading && g.standsLocked(c) {
			return false
		}
	}
	for _, busy := range g.accept {
		if busy {
			return false
		}
	}
	return g.quick == 0 && active <= g.slow-g.foreign
}

// Hold makes the calls that come from now on wait, and waits for those under way that are quick, until ctx is done: whoever is still
// busy then is cut off with the process.
func (s *Server) Hold(ctx context.Context) error {
	g := s.gate
	g.mu.Lock()
	g.held = true
	g.beginHold()
	for c := range g.conns {
		if g.standsLocked(c) {
			c.kick()
		}
	}
	for l, busy := range g.accept {
		if busy {
			l.kick(time.Unix(1, 0))
		}
	}
	for !g.settledLocked() {
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
			g.mu.Lock()
		case <-ctx.Done():
			return fmt.Errorf("some calls of operators have not ended: %w", ctx.Err())
		}
	}
	g.mu.Unlock()
	return nil
}

// Suspend ends the calls that wait, and those that Hold holds, and returns them with the descriptors of their callers. They are
// given to Continue, in this process or in the next. idle are the descriptors of connections between two calls, for Serve in the next.
func (s *Server) Suspend(ctx context.Context) (calls []SuspendedCall, idle []int) {
	g := s.gate
	g.mu.Lock()
	g.begin(session.ErrSuspend)
	for g.slow > 0 && ctx.Err() == nil {
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		g.mu.Lock()
	}
	defer g.mu.Unlock()
	calls, g.calls = g.calls, nil
	for c := range g.conns {
		if c.permitted && g.standsLocked(c) {
			if fd, err := descriptorOf(c.Conn); err == nil {
				idle = append(idle, fd)
			}
		}
	}
	return calls, idle
}

// Resume takes calls again.
func (s *Server) Resume() {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = false
	g.anewLocked()
	g.changeLocked()
}

// ServeConn answers on a connection that was another process's, between two calls.
func (s *Server) ServeConn(fd int) error {
	_ = unix.SetNonblock(fd, true)
	f := os.NewFile(uintptr(fd), "caller")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return err
	}
	peer, err := peerOf(conn)
	if err != nil || !s.access.Load().permits(peer, s.uid) {
		return errors.Join(err, conn.Close())
	}
	place := make(chan struct{}, 1)
	place <- struct{}{}
	ln := &oneConn{conn: &peerConn{Conn: conn, server: s, peer: peer, permitted: true, place: place}, addr: conn.LocalAddr()}
	_ = s.http.Serve(ln) // ends at once, and the connection goes on
	return nil
}

// oneConn is a listener at which one connection arrives.
type oneConn struct {
	conn net.Conn // nil: it has arrived
	addr net.Addr
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.addr }

func descriptorOf(c net.Conn) (fd int, err error) {
	sc, ok := c.(*net.UnixConn)
	if !ok {
		return -1, errors.New("admin: not a unix socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	err = raw.Control(func(p uintptr) { fd = int(p) })
	return fd, err
}

// Read waits while the connection is to be left alone.
func (c *peerConn) Read(p []byte) (int, error) {
	for {
		if wait := c.server.gate.stands(c); wait != nil {
			<-wait
			continue
		}
		n, err := c.Conn.Read(p)
		c.server.gate.hasRead(c, n)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.unkick() {
			continue
		}
		return n, err
	}
}

// kick makes a Read that waits in the kernel come back.
func (c *peerConn) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kicked = true
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// unkick reports whether a Read has come back for having been kicked, and gives it the deadline it had.
func (c *peerConn) unkick() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.kicked {
		return false
	}
	c.kicked = false
	_ = c.Conn.SetReadDeadline(c.deadline)
	return true
}

// SetReadDeadline is net.Conn's.
func (c *peerConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.kicked = t, false
	return c.Conn.SetReadDeadline(t)
}
