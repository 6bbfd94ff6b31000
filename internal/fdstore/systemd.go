package fdstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// systemdLimit bounds how long systemd may take. A machine that boots keeps it busy.
const systemdLimit = 10 * time.Second

// Enabled reports whether there is somebody to keep descriptors. Since version 254 systemd says in $FDSTORE how many it would; before,
// only trying shows it, which Open does, where the system has been booted with systemd: others who set $NOTIFY_SOCKET keep nothing, and never say so.
func Enabled() bool {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return false
	}
	if n, said := os.LookupEnv("FDSTORE"); said {
		return n != "0"
	}
	st, err := os.Lstat("/run/systemd/system") // sd_booted(3)
	return err == nil && st.IsDir()
}

// Notify sends a message to the service manager, with descriptors if any: sd_pid_notify_with_fds(3). It waits while the manager's queue is
// full, up to a limit.
func Notify(state string, fds ...int) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return errors.New("notify: NOTIFY_SOCKET is not set")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(systemdLimit))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		// A path that begins with '@' is an abstract one to this package, too.
		err = unix.Sendmsg(fd, []byte(state), oob, &unix.SockaddrUnix{Name: path}, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("notify %s: %w", path, err)
	}
	return nil
}

// barrier returns when the manager has handled all that was sent before: it closes the pipe that it is sent.
func barrier(ctx context.Context) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	r := os.NewFile(uintptr(p[0]), "barrier")
	defer r.Close()
	err := Notify("BARRIER=1", p[1])
	_ = unix.Close(p[1])
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var b [1]byte
	if _, err := r.Read(b[:]); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("barrier: %w", context.Cause(ctx))
	}
	return nil
}

func storeFD(name string, fd int) error {
	return Notify("FDSTORE=1\nFDNAME="+name+"\nFDPOLL=0", fd)
}

func removeFD(name string) error { return Notify("FDSTOREREMOVE=1\nFDNAME=" + name) }

// probe tells whether systemd has kept what it was sent before, of which it says nothing itself: it is sent one end of a socket pair, and if it
// keeps that it had room for the others. It forgets it again when the other end is closed.
func probe(ctx context.Context) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	err = Notify("FDSTORE=1\nFDNAME="+nameProbe, fds[1])
	_ = unix.Close(fds[1])
	if err == nil {
		err = barrier(ctx)
	}
	if err != nil {
		return err
	}
	p := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}
	if _, err := unix.Poll(p, 0); err == nil && p[0].Revents&unix.POLLHUP != 0 {
		return errRefused
	}
	return removeFD(nameProbe)
}

// later lets the goroutine that talks to systemd do something, after what it was given before.
func (s *Store) laterLocked(f func(ctx context.Context)) {
	s.ops = append(s.ops, f)
	select {
	case s.talkWake <- struct{}{}:
	default:
	}
}

// talk is the goroutine that talks to systemd.
func (s *Store) talk(ctx context.Context) {
	defer s.running.Done()
	for {
		s.mu.Lock()
		var f func(context.Context)
		if len(s.ops) > 0 {
			f, s.ops = s.ops[0], s.ops[1:]
		}
		s.mu.Unlock()
		if f != nil && ctx.Err() == nil { // after Close, too
			f(ctx)
			continue
		}
		select {
		case <-s.done:
			return
		case <-s.talkWake:
		}
	}
}

// call is laterLocked, and waits until it is done.
func (s *Store) call(ctx context.Context, f func(ctx context.Context) error) error {
	done := make(chan error, 1)
	s.mu.Lock()
	s.laterLocked(func(context.Context) { done <- f(ctx) })
	s.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return errors.New("the store is closed")
	}
}

// Barrier waits until systemd has handled everything it was sent.
func (s *Store) Barrier(ctx context.Context) error { return s.call(ctx, barrier) }

// Clear removes all of ours from systemd's store. What is added later is not kept: it is for a daemon that is told to stop.
func (s *Store) Clear(ctx context.Context) error {
	s.mu.Lock()
	names := s.namesLocked()
	s.mu.Unlock()
	return s.call(ctx, func(ctx context.Context) error {
		var errs []error
		for _, name := range names {
			errs = append(errs, removeFD(name))
		}
		return errors.Join(append(errs, barrier(ctx))...)
	})
}
