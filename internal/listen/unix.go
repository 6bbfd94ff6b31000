package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openUnix makes a socket at a path, replacing a stale one.
func openUnix(a Addr, o Options) (*Socket, error) {
	path := a.Address
	want, err := resolve(o)
	if err != nil {
		return nil, err
	}
	if err := ensureDir(path); err != nil {
		return nil, err
	}
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := clear(path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: socket: %w", err)
	}
	if err := bindAs(fd, path, want); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot be opened: %w", explain(err, want))
	}
	// From here the file is ours: whatever goes wrong removes it.
	s := &Socket{FD: fd, Addr: a}
	st, err := lstat(path)
	if err == nil {
		if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			s.made = identityOf(st)
		}
		err = want.check(st)
	}
	if err == nil {
		err = unix.Listen(fd, backlog())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot be opened: %w", err), s.Close())
	}
	return s, nil
}

// clear makes way: it removes a stale socket, and refuses anything else that exists.
func clear(path string) error {
	st, err := lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot be looked at: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("is not a socket but %s, and is left alone", fileType(st.Mode))
	}
	if err := probe(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("is stale and cannot be removed: %w", err)
	}
	return nil
}

// probe connects to a socket, and returns nil only when nobody listens there: the kernel refuses the connection. It never waits.
func probe(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot be probed: socket: %w", err)
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	switch {
	case err == nil:
		// The kernel keeps who called listen(2); 0 is a process outside our pid namespace.
		if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil && cred.Pid > 0 {
			return fmt.Errorf("is in use by another process (pid %d)", cred.Pid)
		}
		return errors.New("is in use by another process")
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EPROTOTYPE): // its backlog is full; it is no stream socket
		return errors.New("is in use by another process")
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return nil
	}
	return fmt.Errorf("is a socket, and whether it is in use cannot be told: connect: %w", err)
}

// lock takes PATH.lock, which says that the holder is looking at PATH or about to bind it, and gives what releases it. The kernel
// releases a dead process's.
func lock(path string) (unlock func(), err error) {
	name := path + ".lock"
	for {
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, fmt.Errorf("cannot be opened: %s: %w", name, err)
		}
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			unix.Close(fd)
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, errors.New("is being opened by another process")
			}
			return nil, fmt.Errorf("cannot be opened: locking %s: %w", name, err)
		}
		// The holder before us removed the file we opened: what we locked is no longer the lock.
		var mine unix.Stat_t
		if there, err := lstat(name); err == nil && unix.Fstat(fd, &mine) == nil && identityOf(&mine) == identityOf(there) {
			return func() { os.Remove(name); unix.Close(fd) }, nil
		}
		unix.Close(fd)
	}
}

func fileType(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFREG:
		return "a regular file"
	}
	return "a special file"
}
