package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/nvsess/nvsess/internal/config"
	"golang.org/x/sys/unix"
)

// Addr is where a socket listens. It is config's, so that file, flags and sockets have one syntax.
type Addr = config.Addr

// ParseAddr reads "unix:/path" or "tcp:host:port"; see config.ParseAddr.
func ParseAddr(s string) (Addr, error) { return config.ParseAddr(s) }

// Socket is a listening stream socket.
type Socket struct {
	FD        int    // non-blocking, close-on-exec; -1 after Close
	Addr      Addr   // where it listens, with the port it got
	Name      string // FileDescriptorName= of the unit it came from
	Inherited bool   // it came from outside: its path is not ours to remove
	Asked     string // the address as Open was given it: its port may be 0

	made identity // the socket's file, as it was at first; none: it could not be seen
}

// identity is what tells a file from another that takes its name.
type identity struct{ dev, ino uint64 }

// String is for logs: "unix:/run/nvsess/nvsess.sock".
func (s *Socket) String() string { return s.Addr.String() }

// Close removes the socket file, if this package made it and it is still there, and closes the descriptor. The file goes first:
// while the descriptor lives, nobody else takes the path for stale. Closing again does nothing.
func (s *Socket) Close() error {
	if s.FD < 0 {
		return nil
	}
	var removing error
	if s.made != (identity{}) && !s.Inherited {
		if st, err := lstat(s.Addr.Address); err == nil && identityOf(st) == s.made {
			removing = os.Remove(s.Addr.Address)
		}
	}
	err := unix.Close(s.FD)
	s.FD = -1
	if err == nil {
		err = removing
	}
	if err != nil {
		return fmt.Errorf("listen: %s: closing: %w", s, err)
	}
	return nil
}

// Reachable reports whether a unix socket's path still leads to it: nobody has removed or replaced the file. Of any other socket, and of
// one whose file could never be seen, it says so always.
func (s *Socket) Reachable() bool {
	if s.made == (identity{}) {
		return true
	}
	st, err := lstat(s.Addr.Address)
	return err == nil && identityOf(st) == s.made || errors.Is(err, unix.EACCES)
}

// File gives another descriptor of the same socket, for the caller to close.
func (s *Socket) File() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("listen: %s: duplicating: %w", s, err)
	}
	return os.NewFile(uintptr(fd), s.String()), nil
}

// NetListener gives a listener on another descriptor of the same socket, for the caller to close; closing it leaves the socket file.
func (s *Socket) NetListener() (net.Listener, error) {
	f, err := s.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen: %s: %w", s, err)
	}
	return l, nil
}

// backlog is the longest queue of connections the kernel allows.
func backlog() int {
	data, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && n > 0 {
			return n
		}
	}
	return unix.SOMAXCONN
}

func lstat(path string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, err
	}
	return &st, nil
}

func identityOf(st *unix.Stat_t) identity { return identity{st.Dev, st.Ino} }
