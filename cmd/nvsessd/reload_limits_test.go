package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
)

func TestReloadOfLimits(t *testing.T) {
	t.Parallel()
	takesEffect(t, map[string]func(t *testing.T){
		"limits.sessions": func(t *testing.T) {
			c := changing(t, echoing+"[limits]\nsessions = 1\n")
			g := visit(t, c.url("/"))
			c.opensWith(503, "/")
			c.becomes(echoing+"[limits]\nsessions = 2\n", "limits.sessions new sessions")
			visit(t, c.url("/"))
			c.opensWith(503, "/")
			c.becomes(echoing+"[limits]\nsessions = 1\n", "limits.sessions new sessions")
			g.say(t, "still there")
			g.hears(t, "still there")
		},
		"limits.handshakes_per_address": func(t *testing.T) {
			as := client.WithHeader(http.Header{"X-Forwarded-For": {"192.0.2.1"}})
			c := changing(t, "[limits]\nhandshakes_per_address = 1\nhandshakes_burst = 1000\n")
			c.opensWith(101, "/", as)
			c.becomes("[limits]\nhandshakes_per_address = 1\nhandshakes_burst = 1\n", "limits.handshakes_burst new sessions")
			eventually(t, "one has to wait", func() bool { return c.opens("/", as) == 429 })
			c.becomes("[limits]\nhandshakes_per_address = 0\nhandshakes_burst = 1\n", "limits.handshakes_per_address new sessions")
			for range 5 {
				c.opensWith(101, "/", as)
			}
		},
		"limits.messages_per_second": func(t *testing.T) {
			const slow = echoing + "[limits]\nmessages_per_second = 1\nmessages_burst = 1\n"
			c := changing(t, slow)
			g := visit(t, c.url("/"))
			const n = 90 // a minute and a half
			for i := range n {
				g.say(t, fmt.Sprint(i))
			}
			g.hears(t, "0")
			c.becomes(echoing+"[limits]\nmessages_per_second = 0\nmessages_burst = 1\n", "limits.messages_per_second live")
			for i := range n - 1 {
				g.hears(t, fmt.Sprint(i+1))
			}
			c.becomes(slow+"policy = \"close\"\n", "limits.messages_per_second live", "limits.policy live")
			for i := range 5 {
				if g.SendString(t.Context(), fmt.Sprint(i)) != nil {
					break
				}
			}
			select {
			case err := <-g.ended:
				if err.Code != 1008 {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Error("it may send as fast as it likes")
			}
		},
		"limits.idle": func(t *testing.T) {
			c := changing(t, "[keepalive]\nenabled = false\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			c.Until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[keepalive]\nenabled = false\n[limits]\nidle = \"1s\"\n", "limits.idle live")
			m.isClosedWith(t, 1001)
		},
		"limits.memory_bytes": func(t *testing.T) {
			const conf = echoing + "[message]\nmax_frame_bytes = 100000\nmax_message_bytes = 100000\n[outbound]\nqueue_bytes = 50000\n[limits]\nmemory_bytes = %d\n"
			c := changing(t, fmt.Sprintf(conf, 0))
			g := visit(t, c.url("/"))
			var half []*mute
			for range 3 { // each of a message that it never ends
				m := visitMute(t, c.socket("nvsess.sock"))
				if _, err := m.Write(append([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0}, make([]byte, 90_000)...)); err != nil {
					t.Fatal(err)
				}
				half = append(half, m)
			}
			c.Until("it is held", func() bool { return c.stats().Memory > 3*90_000 })
			c.becomes(fmt.Sprintf(conf, 100_000), "limits.memory_bytes live")
			eventually(t, "some are closed when something comes", func() bool {
				for _, m := range half {
					_, _ = m.Write([]byte{0})
				}
				return c.stats().MemoryClosed > 0
			})
			g.say(t, "still there")
			g.hears(t, "still there")
		},
		"message.max_message_bytes": func(t *testing.T) {
			const on = "compression = \"on\"\n"
			c := changing(t, echoing+on)
			g, z := visit(t, c.url("/")), visit(t, c.url("/"), client.WithCompression(client.Compression{}))
			large := strings.Repeat("x", 200)
			for _, x := range []*guest{g, z} {
				x.say(t, large)
				x.hears(t, large)
			}
			c.becomes(echoing+on+"[message]\nmax_frame_bytes = 125\nmax_message_bytes = 125\n", "message.max_frame_bytes live", "message.max_message_bytes live")
			for _, x := range []*guest{g, z} {
				x.say(t, "small")
				x.hears(t, "small")
				x.say(t, large)
				if err := <-x.ended; err.Code != 1009 {
					t.Error(err)
				}
			}
		},
		"message.timeout": func(t *testing.T) {
			c := changing(t, "[message]\ntimeout = \"0s\"\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			if _, err := m.Write([]byte{0x82, 0x85, 0, 0, 0, 0, 'a'}); err != nil {
				t.Fatal(err)
			}
			c.Until("it has begun", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[message]\ntimeout = \"100ms\"\n", "message.timeout live")
			m.isClosedWith(t, 1008)
		},
		"outbound": func(t *testing.T) {
			c := changing(t, "[outbound]\nqueue_bytes = 1073741824\n[limits]\nmemory_bytes = 0\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			c.Until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[outbound]\nqueue_bytes = 4096\npolicy = \"drop_newest\"\n[limits]\nmemory_bytes = 0\n", "outbound.queue_bytes live", "outbound.policy live")
			text := strings.Repeat("x", 100_000)
			o := command(t, c.process)
			eventually(t, "something is dropped", func() bool {
				_, _ = o.call("ssend", map[string]any{"session": "fst", "data": text})
				return c.stats().Dropped > 0
			})
			if c.stats().Sessions != 1 {
				t.Error("the slow session is closed")
			}
			_ = m.Close()
		},
	})
}
