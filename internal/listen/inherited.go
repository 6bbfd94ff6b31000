package listen

import (
	"errors"
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// The values of FileDescriptorName= in our socket units.
const (
	NamePublic = "nvsess"
	NameAdmin  = "nvsess-admin"
)

// Inherited takes over the sockets systemd passed to this process, several of each kind perhaps. It forgets them from the
// environment, so a second call finds none. On an error, which tells everything wrong, all of them are closed: started with a socket
// that is ignored, the daemon would leave its clients waiting.
//
// Files whose name is kept, if that is given, are no sockets to listen at, and are returned as they are.
func Inherited(kept func(name string) bool) (public, admin []*Socket, others []*os.File, err error) {
	var problems []error
	for i, f := range activation.Files(true) {
		if kept != nil && kept(f.Name()) {
			others = append(others, f)
			continue
		}
		s, err := adopt(f)
		if err != nil {
			problems = append(problems, fmt.Errorf("listen: inherited descriptor %d (%q): %w", 3+i, f.Name(), err))
			continue
		}
		if s.Name == NameAdmin {
			admin = append(admin, s)
		} else {
			public = append(public, s)
		}
	}
	if problems != nil {
		for _, s := range append(public, admin...) {
			problems = append(problems, s.Close())
		}
		for _, f := range others {
			problems = append(problems, f.Close())
		}
		return nil, nil, nil, errors.Join(problems...)
	}
	return public, admin, others, nil
}

// adopt makes a Socket of a file and closes the file.
func adopt(f *os.File) (*Socket, error) {
	defer f.Close()
	name := f.Name()
	if name != NamePublic && name != NameAdmin {
		return nil, fmt.Errorf("its name is unknown; allowed: FileDescriptorName=%s or %s", NamePublic, NameAdmin)
	}
	conn, err := f.SyscallConn() // Fd() would make it blocking
	if err != nil {
		return nil, err
	}
	s := &Socket{FD: -1, Name: name, Inherited: true}
	err2 := conn.Control(func(fd uintptr) {
		if s.Addr, err = listening(int(fd)); err == nil {
			s.FD, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
		}
	})
	if err == nil {
		err = err2
	}
	if err == nil && name == NameAdmin && !s.Addr.IsUnix() {
		err = errors.New("it must be a unix socket: callers are known by their unix credentials")
	}
	if err == nil {
		err = unix.SetNonblock(s.FD, true)
	}
	if st, serr := lstat(s.Addr.Address); serr == nil && s.Addr.IsUnix() && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		s.made = identityOf(st)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// listening gives the address of a listening stream socket, and says what else it is otherwise.
func listening(fd int) (Addr, error) {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if errors.Is(err, unix.ENOTSOCK) {
		return Addr{}, errors.New("it is not a socket")
	}
	if err != nil {
		return Addr{}, err
	}
	if typ != unix.SOCK_STREAM {
		return Addr{}, errors.New("it is not a stream socket")
	}
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
		return Addr{}, errors.New("it does not listen (Accept=yes in the unit?)")
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return Addr{}, err
	}
	a := addrOf(sa)
	if a == (Addr{}) {
		return Addr{}, fmt.Errorf("it is neither a unix nor a TCP socket (%T)", sa)
	}
	return a, nil
}
