package ws

import (
	"strings"
	"testing"
)

func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		for _, threshold := range []int{0, 1, 1000} {
			s := serve(t, network, newRecorder(t).echo(), Options{Fragmentation: Fragmentation{Threshold: threshold}})
			c := s.dial()
			for _, n := range []int{0, 1, 125, 126, 999, 1000, 1001, 2000, 65535, 65536, 500_000} {
				if n > 2000 && threshold == 1 {
					continue
				}
				msg := strings.Repeat("\x00abcdef", n/7+1)[:n]
				go func() { _, _ = c.Write(binmsg(msg)) }()
				c.expect(OpBinary, msg)
			}
		}
	})
}
