package ws

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the hot path, made without telling the Go scheduler: they
// never block (every descriptor is non-blocking), and the scheduler's
// bookkeeping would cost as much as a small one of them. Only the wait for
// events may block, and that the runtime's own poller does (poll.go).

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
	for _, s := range o.rest.waiting() {
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

// cut closes a TCP socket with a reset, after which the kernel keeps nothing of
// it: closed in order, each of a flood's connections would be remembered for a
// minute.
func cut(fd int32) {
	_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	closeFD(fd)
}

func shutdownBoth(fd int32)  { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) }
func shutdownWrite(fd int32) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) }
