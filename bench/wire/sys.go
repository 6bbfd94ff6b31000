package wire

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read never blocks, nor does Write (the sockets are non-blocking), so they need not
// tell the Go scheduler that they might, which would cost as much again.
func Read(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

// Write is Read's opposite.
func Write(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}
