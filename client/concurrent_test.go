package client

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// Senders share the connection message by message, fragments and keepalive of
// others never get in between.
func TestConcurrentSends(t *testing.T) {
	const senders, each = 20, 50
	got := make(chan []byte, senders*each)
	c := dialed(t, server(t, func(p *peer) {
		for {
			op, b, err := p.data()
			if err != nil {
				return
			}
			if op == ws.OpClose {
				p.send(op, b)
				return
			}
			got <- b
		}
	}), WithFragment(100), WithKeepalive(minKeepalive*50))
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				text := bytes.Repeat(fmt.Appendf(nil, "<%d.%d>", i, j), 1+j)
				if err := c.SendString(t.Context(), string(text)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := make([]int, senders)
	for range senders * each {
		b := recv(t, got)
		var i, j int
		fmt.Sscanf(string(b), "<%d.%d>", &i, &j)
		if !bytes.Equal(b, bytes.Repeat(fmt.Appendf(nil, "<%d.%d>", i, j), 1+j)) {
			t.Fatalf("mixed up: %q", b)
		}
		if next[i] != j {
			t.Errorf("message %d of %d came as number %d", j, i, next[i])
		}
		next[i]++
	}
	wg.Wait()
	must(t, c.Close(t.Context(), CloseNormal, ""))
}

// Everything may end a connection at once; all who wait are told, and nothing
// hangs.
func TestConcurrentEnds(t *testing.T) {
	for range 30 {
		c := dialed(t, server(t, func(p *peer) {
			p.until(TypeCfg)
			p.send(ws.OpClose, ws.NewCloseFrameBody(4001, ""))
			p.closing()
		}))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { c.Close(t.Context(), CloseNormal, "") })
			wg.Go(func() { c.CloseNow() })
			wg.Go(func() {
				for c.SendBinary(t.Context(), make([]byte, 1000)) == nil {
				}
			})
			wg.Go(func() {
				if _, err := c.Request(t.Context(), 1); !errors.Is(err, ErrClosed) {
					t.Errorf("request: %v", err)
				}
			})
			wg.Go(func() {
				if _, err := c.Ping(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("ping: %v", err)
				}
			})
		}
		wg.Wait()
		wait(t, c.Done())
	}
}
