package webhook

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when a goroutine or a descriptor outlives the tests. What has
// told of its end may still be on its way out, so it looks again for a while.
func TestMain(m *testing.M) {
	before := sockets()
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

func leftovers(before int) string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range strings.Split(string(buf), "\n\n") {
		ours := strings.Contains(g, "nvsess/internal/") || strings.Contains(g, "net/http.")
		if ours && !strings.Contains(g, "webhook.TestMain") {
			return g
		}
	}
	if n := sockets(); n > before {
		return fmt.Sprintf("%d sockets, %d before", n, before)
	}
	return ""
}

// sockets counts the descriptors of sockets.
func sockets() (n int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
