package client

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when a goroutine or a socket outlives the tests. A goroutine
// that has closed its channel may still be on its way out, so it looks again
// for a while.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		var left string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			if left = leftovers(); left == "" {
				break
			}
		}
		if left != "" {
			fmt.Println("left behind:", left)
			code = 1
		}
	}
	os.Exit(code)
}

func leftovers() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, g := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(g, "nvsess/client.") && !strings.Contains(g, "client.TestMain") {
			return g
		}
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			return "descriptor " + fd.Name() + " " + to
		}
	}
	return ""
}
