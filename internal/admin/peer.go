package admin

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is who called, as the kernel recorded it when the connection was made. A process that changes its identity later, or whose number is
// given to another, does not change it; that is why groups are read from the socket too, and not from /proc or the user database.
type Peer struct {
	PID    int32
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary
}

// peerOf reads the credentials of a connection.
func peerOf(conn net.Conn) (Peer, error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return Peer{}, errors.New("admin: not a socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var p Peer
	var inner error
	err = raw.Control(func(fd uintptr) { p, inner = peerOfFD(int(fd)) })
	return p, errors.Join(err, inner)
}

func peerOfFD(fd int) (Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("SO_PEERCRED: %w", err)
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return Peer{}, fmt.Errorf("SO_PEERGROUPS: %w", err)
	}
	return Peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid, Groups: groups}, nil
}

// peerGroups asks until the buffer is large enough; the kernel says how large that is.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(len(groups)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ERANGE && int(size) > len(groups)*4:
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}

// access is who may do what. It is immutable.
type access struct {
	uids, gids []uint32
	noConsole  bool
}

// SetAccess says anew who may call besides root and the daemon's own user, and whether operators may run JavaScript. It counts from the
// next call on; a stream goes on to its end.
func (s *Server) SetAccess(uids, gids []uint32, noConsole bool) {
	s.access.Store(&access{uids, gids, noConsole})
}

// permits reports whether the peer may call: root, the daemon's own user, and whom the configuration names.
func (o *access) permits(p Peer, self uint32) bool {
	if p.UID == 0 || p.UID == self || slices.Contains(o.uids, p.UID) {
		return true
	}
	return slices.ContainsFunc(o.gids, func(gid uint32) bool { return p.GID == gid || slices.Contains(p.Groups, gid) })
}
