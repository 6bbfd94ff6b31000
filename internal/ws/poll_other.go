//go:build !amd64

package ws

import "golang.org/x/sys/unix"

// sysEpollWait is epoll_pwait where there is no epoll_wait (arm64); without a signal mask the two are the same.
const sysEpollWait = unix.SYS_EPOLL_PWAIT
