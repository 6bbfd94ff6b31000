package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Passed is a Socket on its way to the process that replaces this one, which has the same descriptors.
type Passed struct {
	FD        int    `json:"fd"`
	Addr      string `json:"addr"`
	Asked     string `json:"asked,omitempty"`
	Name      string `json:"name,omitempty"`
	Inherited bool   `json:"inherited,omitempty"`
	Dev       uint64 `json:"dev,omitempty"`
	Ino       uint64 `json:"ino,omitempty"`
}

// Pass describes a socket for Take.
func (s *Socket) Pass() Passed {
	return Passed{s.FD, s.Addr.String(), s.Asked, s.Name, s.Inherited, s.made.dev, s.made.ino}
}

// Take makes a socket of one that another process has passed on. On an error its descriptor, if it is one, is left as it is.
func Take(p Passed) (*Socket, error) {
	addr, err := ParseAddr(p.Addr)
	if err == nil {
		_, err = listening(p.FD)
	}
	if err == nil {
		err = unix.SetNonblock(p.FD, true)
	}
	if err == nil {
		unix.CloseOnExec(p.FD)
		return &Socket{FD: p.FD, Addr: addr, Asked: p.Asked, Name: p.Name, Inherited: p.Inherited, made: identity{p.Dev, p.Ino}}, nil
	}
	return nil, fmt.Errorf("listen: %s, passed on as descriptor %d: %w", p.Addr, p.FD, err)
}

// Become gives the file of a unix socket that was passed on the mode and the owner that o says, if they are others by now. A file that is
// gone, or another, is left to whoever makes it again.
func (s *Socket) Become(o Options) error {
	if !s.Addr.IsUnix() || s.Inherited {
		return nil
	}
	st, err := lstat(s.Addr.Address)
	if errors.Is(err, fs.ErrNotExist) || err == nil && identityOf(st) != s.made {
		return nil
	}
	want, resolveErr := resolve(o)
	if err = errors.Join(err, resolveErr); err == nil && want.check(st) != nil {
		err = errors.Join(os.Lchown(s.Addr.Address, int(want.uid), int(want.gid)), os.Chmod(s.Addr.Address, os.FileMode(want.mode)))
	}
	if err != nil {
		return fmt.Errorf("listen: %s keeps its mode and owner: %w", s, err)
	}
	return nil
}
