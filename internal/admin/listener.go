package admin

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Connections are bounded before HTTP sees them. Those who may call get places of their own, so that those who may not cannot take them.
const (
	maxConns   = 512 // more wait in the listen queue; fewer where descriptors are few, see places
	maxRefused = 16  // connections being told 403; more are closed without a word

	acceptRetry = 100 * time.Millisecond // after an error
	burstGap    = 10 * time.Second       // the silence that separates two bursts of errors in the log
)

// peerListener learns who connects, and bounds how many do.
type peerListener struct {
	net.Listener
	server  *Server
	places  chan struct{} // for those who may call
	refused chan struct{} // for those who may not
	done    chan struct{} // closed by Close
	once    sync.Once
	failed  time.Time // when Accept last failed; its caller's own
	kicked  bool      // guarded by gate.mu
}

func newPeerListener(ln net.Listener, s *Server) *peerListener {
	return &peerListener{
		Listener: ln, server: s,
		places: make(chan struct{}, places()), refused: make(chan struct{}, maxRefused), done: make(chan struct{}),
	}
}

// places is how many connections operators may have: of the process's descriptors an eighth, so that who hoards them takes none of the
// sessions' worth mentioning, but enough for a few operators.
func places() int {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) != nil {
		return maxConns
	}
	return int(min(max(lim.Cur/8, 16), maxConns))
}

func (l *peerListener) Accept() (net.Conn, error) {
	for {
		l.server.gate.acceptsNot(l, false)
		select {
		case l.places <- struct{}{}:
		case <-l.done:
			return nil, net.ErrClosed
		}
		c, err := l.acceptOne()
		if err != nil {
			<-l.places
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) { // it was kicked
				l.retry(err)
			}
			continue
		}
		peer, err := peerOf(c)
		if err == nil && l.server.access.Load().permits(peer, l.server.uid) {
			return &peerConn{Conn: c, server: l.server, peer: peer, permitted: true, place: l.places}, nil
		}
		<-l.places
		l.server.options.Log.Warn("operator refused", zap.Uint32("uid", peer.UID), zap.Uint32("gid", peer.GID),
			zap.Int32("pid", peer.PID), zap.NamedError("credentials", err))
		select {
		case l.refused <- struct{}{}:
			return &peerConn{Conn: c, server: l.server, peer: peer, place: l.refused}, nil
		default:
			_ = c.Close()
		}
	}
}

// acceptOne accepts when calls are not held.
func (l *peerListener) acceptOne() (net.Conn, error) {
	for {
		wait := l.server.gate.mayAccept(l)
		if wait == nil {
			return l.Listener.Accept()
		}
		select {
		case <-wait:
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
}

// kick makes an Accept that waits come back, or not.
func (l *peerListener) kick(deadline time.Time) {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok && l.kicked != !deadline.IsZero() {
		l.kicked = !deadline.IsZero()
		_ = d.SetDeadline(deadline)
	}
}

// retry waits a moment after an error other than the listener's end, which is no reason to end: there is no memory or no descriptor just
// now, or the system turned one caller away. It is logged once a burst.
func (l *peerListener) retry(err error) {
	if now := time.Now(); now.Sub(l.failed) > burstGap {
		l.server.options.Log.Error("cannot accept operators; retrying", zap.Error(err))
	}
	l.failed = time.Now()
	select {
	case <-time.After(acceptRetry):
	case <-l.done:
	}
}

func (l *peerListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// peerConn is a connection whose peer is known. It gives its place back when it closes.
type peerConn struct {
	net.Conn
	server    *Server
	peer      Peer
	permitted bool
	place     chan struct{}
	once      sync.Once

	reading bool // guarded by gate.mu
	begun   bool // guarded by gate.mu: of the next call something was read

	mu       sync.Mutex // guards what follows
	kicked   bool       // its read deadline is past for our sake
	deadline time.Time  // of reading, as it was set last
}

func (c *peerConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.place })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
