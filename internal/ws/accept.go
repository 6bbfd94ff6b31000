package ws

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// An acceptor is a loop's accepting side. Every loop watches every listener,
// exclusively: the kernel wakes one of them for a connection.
type acceptor struct {
	loop      *loop
	listeners []*Listener
	stopped   bool          // no listener joins any more
	paused    bool          // listeners are out of the epoll set until resumeAt
	resumeAt  time.Duration // loop clock
}

const (
	// acceptBatch bounds the connections taken in one pass, so that a flood of
	// connects does not keep the sessions waiting.
	acceptBatch = 64
	// acceptRetry is how long to wait when descriptors or memory ran out.
	acceptRetry = 100 * time.Millisecond
	// burstGap is the silence that separates two bursts in the log.
	burstGap = 10 * time.Second
)

func (a *acceptor) add(ln *Listener) error {
	a.listeners = append(a.listeners, ln)
	return a.loop.poll.add(int32(ln.FD), tagListener, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
}

// join adds a listener while the loop runs.
func (a *acceptor) join(ln *Listener) error {
	switch {
	case a.stopped:
		return ErrServerShutdown
	case a.paused: // resume adds it
		a.listeners = append(a.listeners, ln)
		return nil
	}
	return a.add(ln)
}

// leave takes a listener out while the loop runs.
func (a *acceptor) leave(fd int) {
	for i, ln := range a.listeners {
		if ln.FD == fd {
			a.listeners = slices.Delete(a.listeners, i, i+1)
			a.loop.poll.remove(int32(fd)) // while paused it is not there
			return
		}
	}
}

// stop takes out the listeners that are not to be accepted from while the
// server drains, or all. No others join.
func (a *acceptor) stop(all bool) {
	a.stopped = true
	a.listeners = slices.DeleteFunc(a.listeners, func(ln *Listener) bool {
		if ln.WhileDraining && !all {
			return false
		}
		a.loop.poll.remove(int32(ln.FD)) // while paused it is not there
		return true
	})
}

// pause stops accepting for d.
func (a *acceptor) pause(d time.Duration) {
	if a.paused {
		return
	}
	for _, ln := range a.listeners {
		a.loop.poll.remove(int32(ln.FD))
	}
	a.paused, a.resumeAt = true, a.loop.now+d
}

func (a *acceptor) resume() {
	if !a.paused || a.loop.now < a.resumeAt {
		return
	}
	for _, ln := range a.listeners {
		err := a.loop.poll.add(int32(ln.FD), tagListener, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
		if err != nil && err != syscall.EEXIST { // it was added before another failed
			a.failed(err)
			a.resumeAt = a.loop.now + acceptRetry
			return
		}
	}
	a.paused = false
}

// nextDeadline is when the loop has to wake for the acceptor's sake.
func (a *acceptor) nextDeadline(now time.Duration) time.Duration {
	if !a.paused {
		return now + maxWait
	}
	return a.resumeAt
}

func (a *acceptor) ready(fd int32) {
	var ln *Listener
	for _, x := range a.listeners {
		if int32(x.FD) == fd {
			ln = x
		}
	}
	if ln == nil {
		return
	}
	srv := a.loop.srv
	for range acceptBatch {
		if srv.crowded(a.loop.wake) {
			a.exhausted(syscall.EMFILE)
			return
		}
		if wait := srv.pace.left(srv.clock()); wait > 0 {
			a.pause(wait)
			return
		}
		nfd, peer, errno := accept(ln)
		switch errno {
		case 0:
			srv.pace.spend(srv.clock())
			place, ok := srv.connect(peer)
			if !ok {
				cut(nfd)
				continue
			}
			srv.adopt(nfd, peer, place, a.loop)
			if int(nfd) >= srv.fdLimit-srv.fdReserve {
				srv.tight.Store(true)
			}
		case syscall.EAGAIN:
			return
		case syscall.EINTR, syscall.ECONNABORTED, syscall.EPROTO, syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN,
			syscall.ENONET, syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH:
			// That one is gone (accept(2) passes on its network's errors); the next may be well.
		default:
			// No descriptors or no memory, most likely. The connection stays in
			// the backlog. Level-triggered epoll would bring us back at once, so
			// look away for a while.
			a.exhausted(errno)
			return
		}
	}
}

// crowded reports whether only the reserve of descriptors is left. They are
// handed out lowest first, so the number of a new one tells. Once an accepted
// one has, a copy of fd is made and closed to see whether that is still so:
// others may have taken descriptors, and given them back, as well.
func (s *Server) crowded(fd int32) bool {
	if !s.tight.Load() {
		return false
	}
	probe, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return true
	}
	closeFD(int32(probe))
	if probe >= s.fdLimit-s.fdReserve {
		return true
	}
	s.tight.Store(false)
	return false
}

// exhausted stops accepting for a moment, and says so once a burst.
func (a *acceptor) exhausted(errno syscall.Errno) {
	a.failed(errno)
	a.pause(acceptRetry)
}

// failed counts a failure, and says so once a burst.
func (a *acceptor) failed(err error) {
	if a.loop.srv.acceptFailed() {
		a.loop.srv.log.Error("cannot accept connections; retrying until there is room",
			zap.Error(err), zap.Int64("connections", a.loop.srv.Conns()))
	}
}

// accept takes one connection from a listener.
func accept(ln *Listener) (fd int32, peer *Peer, err syscall.Errno) {
	var sa unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(sa))
	r, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(ln.FD), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, nil, e
	}
	fd, peer = int32(r), &ln.peer
	switch sa.Addr.Family {
	case unix.AF_INET:
		p := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa))
		peer = &Peer{Network: "tcp", Addr: netip.AddrPortFrom(netip.AddrFrom4(p.Addr), port(p.Port))}
	case unix.AF_INET6:
		p := (*unix.RawSockaddrInet6)(unsafe.Pointer(&sa))
		peer = &Peer{Network: "tcp", Addr: netip.AddrPortFrom(netip.AddrFrom16(p.Addr).Unmap(), port(p.Port))}
	}
	if peer.Network == "tcp" {
		// A message should leave when it is sent, not when the peer has
		// acknowledged the one before.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	return fd, peer, 0
}

// port converts from network order.
func port(p uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], p)
	return binary.BigEndian.Uint16(b[:])
}

// A Peer is the address at the other end of the socket.
type Peer struct {
	Network string         // "unix" or "tcp"
	Addr    netip.AddrPort // of a TCP peer

	tls *tlsConn // nil: it is no TLS connection
}

// String is for logs.
func (p *Peer) String() string {
	if p.Addr.IsValid() {
		return p.Addr.String()
	}
	return p.Network
}
