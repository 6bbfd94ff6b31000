package ws

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poll is a loop's epoll instance. Events carry the descriptor and its user's
// generation, or one of the tags below in place of the generation.
//
// An epoll descriptor can itself be polled, so waiting is left to the runtime's
// poller: the loop's goroutine parks like one that reads a socket. Blocking in
// epoll_wait instead would park a thread in a system call, for which the
// scheduler wakes its monitor thread, hands the processor over and takes it
// back; that cost a fifth of the CPU of a loop that is not saturated (see
// docs/decisions).
type poll struct {
	fd    int
	file  *os.File
	raw   syscall.RawConn
	alarm time.Duration // the read deadline in force, on the loop's clock
	check func(uintptr) bool
	found int // by check
}

const (
	tagWake     = -1
	tagListener = -2
)

func newPoll() (*poll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	// os.NewFile gives only non-blocking descriptors to the poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	p := &poll{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails if the poller did not take it
	}
	if err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

func (p *poll) close() { _ = p.file.Close() }

func (p *poll) ctl(op int, fd, tag int32, events uint32) syscall.Errno {
	ev := unix.EpollEvent{Events: events, Fd: fd, Pad: tag}
	_, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

func (p *poll) add(fd, tag int32, events uint32) error {
	if e := p.ctl(unix.EPOLL_CTL_ADD, fd, tag, events); e != 0 {
		return e
	}
	return nil
}

// interest is what to be told of: readability when in is set, else the peer's end
// only; and writability when out is. That is level triggered and only while
// something waits: asked for always, every message that a peer reads would be an
// event.
func interest(in, out bool) uint32 {
	events := uint32(unix.EPOLLRDHUP)
	if in {
		events = unix.EPOLLIN
	}
	if out {
		events |= unix.EPOLLOUT
	}
	return events
}

// modify changes the interest in a descriptor.
func (p *poll) modify(fd, gen int32, in, out bool) syscall.Errno {
	return p.ctl(unix.EPOLL_CTL_MOD, fd, gen, interest(in, out))
}

func (p *poll) remove(fd int32) { p.ctl(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// ready takes the events that are there already.
func (p *poll) ready(events []unix.EpollEvent) int {
	n, _, e := syscall.RawSyscall6(sysEpollWait, uintptr(p.fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// wait waits for events until a time on the loop's clock, which is now, and
// returns how many there are. It may return early without any.
func (p *poll) wait(events []unix.EpollEvent, now, until time.Duration) int {
	if until <= now {
		return 0
	}
	// Moving the deadline costs more than being woken once for nothing.
	if p.alarm <= now || p.alarm > until {
		p.alarm = until
		if err := p.file.SetReadDeadline(time.Now().Add(until - now)); err != nil {
			return 0
		}
	}
	if p.check == nil {
		p.check = func(uintptr) bool {
			p.found = p.ready(events)
			return p.found > 0
		}
	}
	p.found = 0
	if err := p.raw.Read(p.check); errors.Is(err, os.ErrDeadlineExceeded) {
		p.alarm = 0
	}
	return p.found
}
