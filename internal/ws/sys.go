package ws

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the hot path, made without telling the Go scheduler: they
// never block (every descriptor is non-blocking), and the scheduler's
// bookkeeping would cost as much as a small one of them. Only the wait for
// events (loop.go) may block, and goes through the scheduler.

const (
	errAgain = syscall.EAGAIN
	errIntr  = syscall.EINTR
)

// recv reads from a socket. n is 0 at its end.
func recv(fd int32, b []byte) (n int, err syscall.Errno) {
	for {
		r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if e != errIntr {
			return int(r), e
		}
	}
}

// send writes to a socket. MSG_NOSIGNAL: a peer that is gone is an error, not a
// SIGPIPE that the runtime would have to take.
func send(fd int32, b []byte) (n int, err syscall.Errno) {
	r, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(r), e
}

// maxIovecs bounds one gathering write.
const maxIovecs = 32

// sendQueue writes what a queue holds with one system call. all reports that
// the kernel took all it was offered, so that another call may be worth it.
func sendQueue(fd int32, o *outbound) (n int, all bool, err syscall.Errno) {
	if o.rest == nil {
		n, err = send(fd, o.first.b)
		return n, n == len(o.first.b), err
	}
	var iov [maxIovecs]unix.Iovec
	k, size := 0, 0
	add := func(b []byte) {
		iov[k].Base = &b[0]
		iov[k].SetLen(len(b))
		size += len(b)
		k++
	}
	add(o.first.b)
	for _, s := range o.rest.s {
		if k == maxIovecs {
			break
		}
		add(s.b)
	}
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(k)
	r, _, e := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return int(r), int(r) == size, e
}

// closeFD closes a socket; without SO_LINGER that does not wait.
func closeFD(fd int32) { _, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func shutdownWrite(fd int32) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) }

// poll is an epoll instance. Events carry the descriptor and its user's
// generation, or one of the tags below in place of the generation.
type poll struct {
	fd int
}

const (
	tagWake     = -1
	tagListener = -2
)

func newPoll() (poll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return poll{fd}, err
}

func (p poll) ctl(op int, fd, tag int32, events uint32) syscall.Errno {
	ev := unix.EpollEvent{Events: events, Fd: fd, Pad: tag}
	_, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

func (p poll) add(fd, tag int32, events uint32) error {
	if e := p.ctl(unix.EPOLL_CTL_ADD, fd, tag, events); e != 0 {
		return e
	}
	return nil
}

// modify asks for readability, and for writability when out is set. Level
// triggered and only while something waits: asked for always, every message
// that a peer reads would be an event.
func (p poll) modify(fd, gen int32, out bool) {
	events := uint32(unix.EPOLLIN)
	if out {
		events |= unix.EPOLLOUT
	}
	p.ctl(unix.EPOLL_CTL_MOD, fd, gen, events)
}

func (p poll) remove(fd int32) { p.ctl(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// ready takes the events that are there already.
func (p poll) ready(events []unix.EpollEvent) int {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_WAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// wait waits for events at most the given milliseconds; -1 is for ever.
func (p poll) wait(events []unix.EpollEvent, ms int) int {
	n, err := unix.EpollWait(p.fd, events, ms)
	if err != nil {
		return 0
	}
	return n
}
