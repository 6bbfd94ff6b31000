package attacks

import (
	"fmt"
	"io"
	"testing"
)

// A hundred sessions could hold 1 GiB between them, each within its own
// bounds: a message of 10 MB but for its last byte. All together they get what
// limits.memory_bytes says, and the process's memory shows it.
func TestManySessionsCannotTakeAllMemory(t *testing.T) {
	t.Parallel()
	const limit, large = 64 * mebi, 10 << 20
	config := fmt.Sprintf("[message]\nmax_frame_bytes = %d\nmax_message_bytes = %d\n[limits]\nmemory_bytes = %d\n", large, large, limit)
	// The limit and a quarter; what the collector has not collected yet is once more of that.
	attack(t, setting{config: config}, 3*limit, func(d *daemon) {
		var peers []*peer
		whole := frame(0x82, make([]byte, large-1))
		for range 100 {
			p := d.open()
			peers = append(peers, p)
			go func() { _, _ = p.Conn.Write(whole[:len(whole)-1]) }() // it may be cut
			go func() { _, _ = io.Copy(io.Discard, p.r) }()
		}
		d.Until("most are closed for it", func() bool { s := d.stats(); return s.MemoryClosed > 60 && s.Memory <= limit })
		if n := d.Count("the memory for messages is used up"); n == 0 || n > 5 {
			t.Errorf("%d lines about it", n)
		}
		for _, p := range peers {
			p.Close()
		}
		d.Until("nothing is held", func() bool { return d.stats().Memory == 0 })
	})
}
