package loadtest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// spareDescriptors is for the control client, name look-ups and the like.
const spareDescriptors = 16

// RaiseDescriptors raises this process's limit of descriptors as far as it may, and returns it with how many clients that allows.
func RaiseDescriptors() (limit, clients uint64, err error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, 0, err
	}
	if r.Cur < r.Max {
		higher := syscall.Rlimit{Cur: r.Max, Max: r.Max}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) == nil { // else what there is must do
			r = higher
		}
	}
	used := uint64(3)
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		used = uint64(len(open))
	}
	return r.Cur, r.Cur - min(r.Cur, used+spareDescriptors), nil
}

// LocalPorts is how many connections this machine can have to one address of a server over TCP, or 0 if that is not known.
func LocalPorts() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0
	}
	var low, high int
	if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &low, &high); err != nil || high < low {
		return 0
	}
	return high - low + 1
}
