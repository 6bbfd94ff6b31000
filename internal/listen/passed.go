package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// Become gives the file of a unix socket that was passed on the mode and the owner that o says, if they are others by now: also those that
// it would be made with if o says none. A file that is gone, or another, is left to whoever makes it again. The error says what cannot be
// changed; the rest is. A mode that lets in more is not given to an owner or group that should be another.
func (s *Socket) Become(o Options) error {
	if !s.Addr.IsUnix() || s.Inherited {
		return nil
	}
	// What is looked at and what is changed is one file, whoever changes the directory meanwhile.
	fd, err := unix.Open(s.Addr.Address, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var st unix.Stat_t
	if err == nil {
		defer unix.Close(fd)
		err = unix.Fstat(fd, &st)
	}
	if err == nil && identityOf(&st) != s.made {
		return nil
	}
	want, resolveErr := resolve(o)
	if err = errors.Join(err, resolveErr); err == nil {
		err = want.made(s.Addr.Address)
	}
	if err == nil {
		err = want.give(fd, &st)
	}
	if err != nil {
		return fmt.Errorf("listen: %s is not as it is to be: %w", s, err)
	}
	return nil
}

// made puts in the place of own what a socket at path is made with.
func (w *wanted) made(path string) error {
	if w.uid == own {
		w.uid = os.Geteuid()
	}
	if w.gid != own {
		return nil
	}
	w.gid = os.Getegid()
	var dir unix.Stat_t
	if err := unix.Stat(filepath.Dir(path), &dir); err != nil {
		return err
	}
	if dir.Mode&unix.S_ISGID != 0 {
		w.gid = int(dir.Gid)
	}
	return nil
}

// give changes a file, open with O_PATH, as far as it is not as wanted. On its way there it lets in nobody whom it does not before or after.
func (w wanted) give(fd int, st *unix.Stat_t) (err error) {
	chmod := func(mode uint32) {
		if mode == st.Mode&0o7777 {
			return
		}
		if e := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode); e != nil {
			err = errors.Join(err, fmt.Errorf("its mode stays %04o, not %04o: %w", st.Mode&0o7777, w.mode, e))
			return
		}
		st.Mode = st.Mode&^0o7777 | mode
	}
	if w.check(st) == nil {
		return nil
	}
	if int(st.Uid) != w.uid || int(st.Gid) != w.gid {
		chmod(st.Mode & w.mode)
		if e := unix.Fchownat(fd, "", own, w.gid, unix.AT_EMPTY_PATH); e != nil && int(st.Gid) != w.gid {
			err = errors.Join(err, fmt.Errorf("its group stays %d, not %d: %w", st.Gid, w.gid, e))
		}
		if e := unix.Fchownat(fd, "", w.uid, own, unix.AT_EMPTY_PATH); e != nil && int(st.Uid) != w.uid {
			err = errors.Join(err, fmt.Errorf("its owner stays %d, not %d: %w", st.Uid, w.uid, e))
		}
	}
	if err == nil {
		chmod(w.mode)
	} else if mode := st.Mode & 0o7777; mode != w.mode {
		err = errors.Join(err, fmt.Errorf("its mode is %04o until then, not %04o", mode, w.mode))
	}
	return err
}
