package ws

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// TLS is for tests and small installations; in production a proxy ends it. It
// costs two goroutines per connection, which pump between the TLS session and
// one end of a socket pair whose other end the loops serve like any other
// connection, so that no other part knows of TLS.

type tlsListener struct {
	srv  *Server
	ln   tlsAcceptor
	from *Listener
	cfg  *tls.Config
	wg   sync.WaitGroup
	ctx  context.Context
	end  context.CancelFunc

	whileDraining bool // see Listener

	mu    sync.Mutex        // guards what follows
	conns map[net.Conn]bool // whether it came while the server drained; nil: cut
	held  chan struct{}     // closed when connections are accepted again; nil: they are
}

type tlsAcceptor interface {
	net.Listener
	SetDeadline(time.Time) error
}

// A tlsConn is the socket that the goroutines of a TLS connection pump from and to.
type tlsConn struct {
	net.Conn
	told chan struct{} // closed when they pass on no more of what the loop writes
}

func (s *Server) serveTLS(ln *Listener) (*tlsListener, error) {
	fd, err := unix.FcntlInt(uintptr(ln.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "tls listener")
	nl, err := net.FileListener(f) // dups again
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	t := &tlsListener{srv: s, ln: nl.(tlsAcceptor), from: ln, cfg: ln.TLS, whileDraining: ln.WhileDraining, conns: make(map[net.Conn]bool)}
	t.ctx, t.end = context.WithCancel(context.Background())
	s.wg.Go(t.run)
	return t, nil
}

// stop ends accepting and handshakes; what is open goes on until its loop
// closes it.
func (t *tlsListener) stop() {
	t.end() // first, or run takes the end for a failure
	_ = t.ln.Close()
}

// hold leaves those who connect in the backlog, until release.
func (t *tlsListener) hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = make(chan struct{})
	_ = t.ln.SetDeadline(time.Unix(1, 0))
}

func (t *tlsListener) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held != nil {
		_ = t.ln.SetDeadline(time.Time{})
		close(t.held)
		t.held = nil
	}
}

func (t *tlsListener) holds() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held
}

// cut ends what the loops are through with and the peers are not.
func (t *tlsListener) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for nc := range t.conns {
		_ = nc.Close() // a deadline might be moved by destroy
	}
	t.conns = nil
}

// cutLate ends the connections that came while the server drained.
func (t *tlsListener) cutLate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for nc, late := range t.conns {
		if late {
			_ = nc.Close()
		}
	}
}

// track has cut, or cutLate, end nc; it reports false when that has been already. The
// function it returns forgets nc.
func (t *tlsListener) track(nc net.Conn) (forget func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns == nil {
		return nil, false
	}
	t.conns[nc] = t.srv.draining.Load()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.conns, nc)
	}, true
}

func (t *tlsListener) run() {
	defer t.wg.Wait()
	for {
		// As on the loops, more than may come in wait in the backlog.
		if wait := t.srv.pace.left(t.srv.clock()); wait > 0 {
			if !t.sleep(wait) {
				return
			}
			continue
		}
		if held := t.holds(); held != nil {
			select {
			case <-held:
			case <-t.ctx.Done():
			}
		}
		nc, err := t.ln.Accept()
		if err != nil {
			if t.ctx.Err() != nil {
				return
			}
			if errors.Is(err, os.ErrDeadlineExceeded) { // see hold
				continue
			}
			if t.srv.acceptFailed() {
				t.srv.log.Error("cannot accept TLS connections; retrying until there is room", zap.Error(err))
			}
			if !t.sleep(acceptRetry) {
				return
			}
			continue
		}
		t.srv.pace.spend(t.srv.clock())
		addr, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
		peer := &Peer{Network: "tcp", Addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), tls: &tlsConn{nc, make(chan struct{})}}
		place, ok := t.srv.connect(peer)
		if !ok {
			if tc, ok := nc.(*net.TCPConn); ok {
				_ = tc.SetLinger(0) // see cut
			}
			_ = nc.Close()
			continue
		}
		t.wg.Go(func() { t.serve(peer, place) })
	}
}

// sleep reports whether the listener still serves after d.
func (t *tlsListener) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// serve serves the connection of peer, which connect has counted at place.
func (t *tlsListener) serve(peer *Peer, place *address) {
	nc := peer.tls.Conn
	defer nc.Close()
	mine := true // place; later it is the loop's
	defer func() {
		if mine {
			t.srv.disconnect(place)
		}
	}()
	forget, ok := t.track(nc)
	if !ok {
		return
	}
	defer forget()
	tc := tls.Server(nc, t.cfg)
	ctx, cancel := context.WithTimeout(t.ctx, t.srv.now().HandshakeTimeout)
	err := tc.HandshakeContext(ctx)
	cancel()
	if err != nil {
		t.srv.log.Debug("TLS handshake failed", zap.Error(err))
		return
	}
	if _, ok := t.track(nc); !ok { // it may be late by now
		return
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.srv.log.Error("cannot serve a TLS connection", zap.Error(err))
		return
	}
	f := os.NewFile(uintptr(fds[1]), "tls pair")
	inner, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		closeFD(int32(fds[0]))
		return
	}
	defer inner.Close()
	l := t.srv.loops[0]
	mine = !l.post(func() { t.srv.adopt(int32(fds[0]), peer, place, l) })
	if mine {
		closeFD(int32(fds[0]))
		return
	}

	var wg sync.WaitGroup
	wg.Go(func() { // peer to loop
		_, _ = io.Copy(inner, tc)
		_ = inner.(*net.UnixConn).CloseWrite()
	})
	// Loop to peer; ends when the loop shuts or closes its end. From the close
	// on there is a deadline, see destroy.
	if _, err := io.Copy(tc, inner); err != nil {
		_ = nc.Close()
	} else {
		_ = tc.CloseWrite()
	}
	close(peer.tls.told)
	wg.Wait()
}

// farewellPatience is how long TellTLS waits for peers that are slow to take what
// they are sent: everything stands still.
const farewellPatience = 500 * time.Millisecond

// farewell is what the next process gets of a TLS connection, with which it cannot
// go on: a session, whose end it tells, and a descriptor, from which it throws away
// what the peer still sends. Without that, closing would reset the connection, and
// might destroy the close frame. Nil: it ends with this process, without a word.
func (c *Conn) farewell() *Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.state(); st < stateOpen || st == stateClosed {
		return nil
	}
	fd, err := copyOf(c.peer.tls.Conn)
	if err != nil {
		return nil
	}
	x := &Conn{
		loop: c.loop, peer: &Peer{Network: c.peer.Network, Addr: c.peer.Addr}, gen: c.gen, lap: c.lap, fd: fd,
		opened: c.opened, protocol: c.protocol, sentMsg: c.sentMsg, sentB: c.sentB, dropped: c.dropped,
		end: &CloseInfo{Code: CloseServiceRestart, Reason: serviceRestart},
	}
	if c.end != nil {
		*x.end = *c.end
	}
	x.lastRead.Store(c.lastRead.Load())
	x.messages.Store(c.messages.Load())
	x.bytes.Store(c.bytes.Load())
	x.setStateLocked(stateFailing)
	return x
}

// copyOf is another descriptor of a connection: it may be closed meanwhile.
func copyOf(nc net.Conn) (fd int32, err error) {
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(p uintptr) {
		var n int
		n, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0)
		fd = int32(n)
	})
	return fd, cmp.Or(failed, err)
}

// TellTLS tells those of TLS connections, which live in this process only, that it
// is being replaced: the last thing before that, for it cannot be taken back. Export
// came before; their sessions end in the next process.
func (s *Server) TellTLS() {
	var telling []*tlsConn
	s.table.each(func(c *Conn) {
		if c.peer.tls == nil {
			return
		}
		c.mu.Lock()
		err := c.startCloseLocked(CloseServiceRestart, serviceRestart)
		if err == nil && !c.armed {
			c.writeLocked()
		}
		if st := c.state(); st > stateOpen && st < stateClosed && c.out.empty() && !c.broken {
			shutdownWrite(c.fd) // the goroutines see the end, and pass it on
			telling = append(telling, c.peer.tls)
		}
		c.mu.Unlock()
		if err == nil {
			c.armClose(nil)
			c.traceClose(CloseServiceRestart, serviceRestart)
		}
	})
	late := time.NewTimer(farewellPatience)
	defer late.Stop()
	for _, t := range telling {
		select {
		case <-t.told:
		case <-late.C:
			return
		}
	}
}

const serviceRestart = "service restart"
