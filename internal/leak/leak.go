// Package leak is for tests that may leave nothing behind: no goroutine and no
// socket. What has told of its end may still be on its way out, so it looks again
// for a while.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long something may be on its way out.
const patience = 10 * time.Second

// Main runs the tests of a package, which fail when a goroutine that has one of
// these texts in its stack outlives them, or a socket. It returns the exit code.
func Main(m *testing.M, ours ...string) (code int) {
	before := sockets()
	if code = m.Run(); code != 0 {
		return code
	}
	left := wait(func() string {
		if g := goroutine(ours); g != "" {
			return g
		}
		if n := sockets(); n > before {
			return fmt.Sprintf("%d sockets, %d before", n, before)
		}
		return ""
	})
	if left != "" {
		fmt.Println("leaked:", left)
		return 1
	}
	return 0
}

// Goroutines fails a test when such a goroutine is left.
func Goroutines(t testing.TB, ours ...string) {
	t.Helper()
	if left := wait(func() string { return goroutine(ours) }); left != "" {
		t.Errorf("leaked: %s", left)
	}
}

func wait(look func() string) (left string) {
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if left = look(); left == "" || time.Now().After(limit) {
			return left
		}
	}
}

// goroutine is the stack of one.
func goroutine(ours []string) string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for g := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(g, ".TestMain(") {
			continue // who asks
		}
		for _, text := range ours {
			if strings.Contains(g, text) {
				return g
			}
		}
	}
	return ""
}

func sockets() (n int) {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
