package session

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when a goroutine or a descriptor outlives the tests. A
// goroutine that has told of its end may still be on its way out, so it looks
// again for a while.
func TestMain(m *testing.M) {
	before := descriptors()
	code := m.Run()
	if code == 0 {
		var left string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			if left = leftovers(before); left == "" {
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

func leftovers(before map[string]int) string {
	if g := serverGoroutines(); len(g) > 0 {
		return g[0]
	}
	for kind, n := range descriptors() {
		if n > before[kind] && (kind != "anon_inode:[eventpoll]" && kind != "anon_inode:[eventfd]" || n > 1) { // the runtime has one of each
			return fmt.Sprintf("%d descriptors %s, %d before", n, kind, before[kind])
		}
	}
	return ""
}

// serverGoroutines gives the stacks of this package's and the transport's
// goroutines.
func serverGoroutines() (stacks []string) {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "nvsess/internal/") && !strings.Contains(g, "session.TestMain") && !strings.Contains(g, "testing.tRunner") {
			stacks = append(stacks, g)
		}
	}
	return stacks
}

// descriptors counts the open descriptors by what they are: sockets, and the
// rest by name.
func descriptors() map[string]int {
	count := map[string]int{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue
		}
		if strings.HasPrefix(to, "socket:") {
			to = "socket"
		}
		count[to]++
	}
	return count
}
