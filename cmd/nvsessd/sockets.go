package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/fdstore"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/ws"
)

// sockets are what the daemon listens on.
type sockets struct {
	publicAs, adminAs listen.Options // how they are made

	admin     []*listen.Socket
	operators map[*listen.Socket]net.Listener // of admin

	mu     sync.Mutex // guards what follows: scripts may add to it
	public []*listen.Socket
	added  map[*listen.Socket]bool // of public: scripts', and whether they speak TLS
	spare  []*listen.Socket        // passed on by the process before, and not asked for yet
	early  []*ws.Listener          // added before the first session
	served bool                    // it is too late for early
	closed bool
}

// add keeps one more public socket. Before the first session it is served with
// the others, after that by serve.
func (s *sockets) add(sock *listen.Socket, ln *ws.Listener, serve func(*ws.Listener) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ws.ErrServerShutdown
	case !s.served:
		s.early = append(s.early, ln)
	default:
		if err := serve(ln); err != nil {
			return err
		}
	}
	s.public = append(s.public, sock)
	if s.added == nil {
		s.added = make(map[*listen.Socket]bool)
	}
	s.added[sock] = ln.TLS != nil
	return nil
}

// takeEarly are the listeners that were added so far.
func (s *sockets) takeEarly() []*ws.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served = true
	return s.early
}

// openSockets takes what systemd or the process before passed, and opens what
// they did not. It also returns what systemd has kept of other descriptors.
func openSockets(c *config.Config, log *zap.Logger, from *takenState) (_ *sockets, kept []*os.File, err error) {
	s := &sockets{
		operators: map[*listen.Socket]net.Listener{},
		publicAs:  listen.Options{Mode: c.Socket.Mode, Owner: c.Socket.Owner, Group: c.Socket.Group},
		adminAs:   listen.Options{Mode: c.Admin.Mode, Owner: c.Admin.Owner, Group: c.Admin.Group},
	}
	if from == nil {
		s.public, s.admin, kept, err = listen.Inherited(fdstore.Ours)
	} else {
		err = s.take(from)
	}
	if err == nil {
		err = s.open(c, func(what string, err error) error { return without(from, log, what, err) })
	}
	if err != nil {
		s.close(log)
		return nil, nil, err
	}
	if from != nil {
		s.become(log)
	}
	return s, kept, nil
}

// become gives sockets that the process before has made the mode and owner that the
// configuration says now: cfg and reload tell of them as in effect.
func (s *sockets) become(log *zap.Logger) {
	for _, list := range []struct {
		socks []*listen.Socket
		as    listen.Options
	}{{s.public, s.publicAs}, {s.admin, s.adminAs}} {
		for _, sock := range list.socks {
			if err := sock.Become(list.as); err != nil {
				log.Error("a socket is not as the configuration says", zap.Error(err))
			}
		}
	}
}

// take takes what the process before passed: what it had from systemd, which is
// in force, and the rest, as far as it is asked for.
func (s *sockets) take(from *takenState) error {
	for _, list := range []struct {
		passed []listen.Passed
		to     *[]*listen.Socket
	}{{from.Public, &s.public}, {from.Admin, &s.admin}} {
		for _, p := range list.passed {
			sock, err := listen.Take(p)
			switch {
			case err != nil:
				return err
			case sock.Inherited:
				*list.to = append(*list.to, sock)
			default:
				s.spare = append(s.spare, sock)
			}
		}
	}
	return nil
}

// openAt gives the socket that was passed on for an address, or makes one.
func (s *sockets) openAt(a listen.Addr, as listen.Options) (*listen.Socket, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.spare, func(sock *listen.Socket) bool { return sock.Asked == a.String() })
	if i >= 0 {
		sock := s.spare[i]
		s.spare = slices.Delete(s.spare, i, i+1)
		s.mu.Unlock()
		return sock, nil
	}
	s.mu.Unlock()
	return listen.Open(a, as)
}

// closeSpare closes what was passed on and nobody has asked for.
func (s *sockets) closeSpare(log *zap.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sock := range s.spare {
		log.Info("no longer listening", zap.Stringer("socket", sock))
		closeSocket(sock, log)
	}
	s.spare = nil
}

// open opens what did not come from systemd. without says whether one can be done
// without.
func (s *sockets) open(c *config.Config, without func(what string, err error) error) error {
	if len(s.public) == 0 {
		addrs, err := c.ListenAddrs()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			sock, err := s.openAt(a, s.publicAs)
			if err == nil {
				s.public = append(s.public, sock)
			} else if err := without("a socket for sessions", err); err != nil {
				return err
			}
		}
	}
	if len(s.admin) == 0 {
		addr, err := c.AdminAddr()
		if err != nil {
			return err
		}
		sock, err := s.openAt(addr, s.adminAs)
		if err == nil {
			s.admin = append(s.admin, sock)
		} else if err := without("the operators' socket", err); err != nil {
			return err
		}
	}
	return nil
}

// listeners is how the transport sees the public sockets.
func (s *sockets) listeners(tlsConf *tls.Config) (list []*ws.Listener) {
	for _, sock := range s.public {
		ln := &ws.Listener{FD: sock.FD, Network: sock.Addr.Network, WhileDraining: !sock.Inherited}
		if !sock.Addr.IsUnix() {
			ln.TLS = tlsConf
		}
		list = append(list, ln)
	}
	return list
}

// adminGroups are the groups that the operators' sockets let write.
func (s *sockets) adminGroups() (gids []uint32, err error) {
	s.mu.Lock()
	operators := slices.Clone(s.admin) // which are made again meanwhile, see mend.go
	s.mu.Unlock()
	for _, sock := range operators {
		var st syscall.Stat_t
		switch err := syscall.Stat(sock.Addr.Address, &st); {
		case errors.Is(err, syscall.ENOENT):
			continue // somebody has removed it, see mend.go: nobody gets in by it
		case err != nil:
			return nil, fmt.Errorf("%s: %w", sock, err)
		}
		if st.Mode&syscall.S_IWGRP != 0 {
			gids = append(gids, st.Gid)
		}
	}
	return gids, nil
}

// addresses are where the sockets are; of several for operators, the first.
func (s *sockets) addresses() (public []string, operators string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	public = []string{} // never null
	for _, sock := range s.public {
		public = append(public, sock.String())
	}
	if len(s.admin) > 0 {
		operators = s.admin[0].String()
	}
	return public, operators
}

// closeInherited leaves what arrives at systemd's sockets to the next process.
// The loops have stopped listening there. No socket is added any more.
func (s *sockets) closeInherited(log *zap.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.public = slices.DeleteFunc(s.public, func(sock *listen.Socket) bool {
		if sock.Inherited {
			closeSocket(sock, log)
		}
		return sock.Inherited
	})
}

// closePublic makes the public sockets refuse. The loops have ended, or not
// begun.
func (s *sockets) closePublic(log *zap.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, sock := range s.public {
		closeSocket(sock, log)
	}
	s.public = nil
}

func closeSocket(sock *listen.Socket, log *zap.Logger) {
	if err := sock.Close(); err != nil {
		log.Warn("cannot close a socket", zap.Stringer("socket", sock), zap.Error(err))
	}
}

func (s *sockets) close(log *zap.Logger) {
	s.closePublic(log)
	s.closeSpare(log)
	for _, sock := range s.admin {
		closeSocket(sock, log)
	}
	s.admin = nil
}

// minDescriptors is what the daemon needs for itself and a few sessions. Go's
// runtime crashes when it cannot open what it needs, so this is asked before.
const minDescriptors = 64

// raiseFileLimit lets the daemon have as many descriptors as it is allowed to,
// and fails if those are too few to run at all. Go's runtime, which has raised the
// limit by itself to one less, would lower it again in syscall.Exec, even if that
// fails: setting it here keeps it from that.
func raiseFileLimit(log *zap.Logger) error {
	var lim syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim)
	if err == nil && lim.Cur < lim.Max {
		lim.Cur = lim.Max
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	}
	if err != nil && !errors.Is(err, syscall.EPERM) {
		log.Warn("cannot raise the descriptor limit", zap.Error(fmt.Errorf("setrlimit: %w", err)))
	}
	if lim.Max < minDescriptors {
		return fmt.Errorf("the limit of open files (ulimit -n, LimitNOFILE=) is %d: at least %d are needed, and one more for each session", lim.Max, minDescriptors)
	}
	return nil
}
