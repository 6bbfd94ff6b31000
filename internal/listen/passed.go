package listen

import (
	"fmt"

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
