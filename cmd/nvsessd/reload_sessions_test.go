package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

func TestReloadOfSessions(t *testing.T) {
	t.Parallel()
	takesEffect(t, map[string]func(t *testing.T){
		"keepalive.interval": func(t *testing.T) {
			c := changing(t, "[keepalive]\ninterval = \"24h\"\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			g := visit(t, c.url("/"))
			c.Until("it is there", func() bool { return c.stats().Sessions == 2 })
			c.becomes("[keepalive]\ninterval = \"1s\"\ngrace = \"1s\"\n", "keepalive.interval live", "keepalive.grace live")
			m.isClosedWith(t, 1011)
			g.say(t, "still there")
			if n := c.stats().Sessions; n != 1 {
				t.Errorf("%d sessions", n)
			}
		},
		"keepalive.enabled": func(t *testing.T) {
			c := changing(t, "[keepalive]\nenabled = false\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			c.Until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[keepalive]\ninterval = \"200ms\"\ngrace = \"10ms\"\n", "keepalive.enabled live", "keepalive.interval live", "keepalive.grace live")
			m.isClosedWith(t, 1011)
		},
		"close.timeout": func(t *testing.T) {
			c := changing(t, "[close]\ntimeout = \"10m\"\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			c.Until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[close]\ntimeout = \"100ms\"\n", "close.timeout live")
			c.call("close", map[string]any{"session": "fst"}, nil)
			m.cut(t)
		},
		"requests.timeout": func(t *testing.T) {
			c := changing(t, "[requests]\ntimeout = \"24h\"\n")
			visitMute(t, c.socket("nvsess.sock"))
			c.Until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[requests]\ntimeout = \"10ms\"\n", "requests.timeout live")
			_, err := command(t, c.process).call("send_jrr_sreq", map[string]any{"session": "fst", "data": map[string]any{}})
			var e *admin.Error
			if !errors.As(err, &e) || e.Code != admin.CodeNoReply {
				t.Errorf("%v", err)
			}
		},
		"mode": func(t *testing.T) {
			c := changing(t, echoing)
			a, b := visit(t, c.url("/")), visit(t, c.url("/"))
			c.becomes("mode = \"forward\"\n", "mode live")
			a.say(t, "to the other")
			b.hears(t, "to the other")
			c.becomes("mode = \"handlers\"\n", "mode live")
			a.say(t, "to nobody")
			c.becomes(echoing, "mode live")
			a.say(t, "back")
			a.hears(t, "back")
		},
		"mount": func(t *testing.T) {
			const top = "paths = [\"/top\"]\n"
			const room = "[[mount]]\npaths = [\"/room\", \"/room/*\"]\nmode = \"forward\"\n"
			c := changing(t, top)
			c.opensWith(404, "/room/1")
			c.becomes(top+room, "mount[0] live")
			a, b := visit(t, c.url("/room/1")), visit(t, c.url("/room"))
			a.say(t, "one")
			b.hears(t, "one")
			c.becomes(top+room+"sessions = 3\nmax_frame_bytes = 1000\nmax_message_bytes = 1000\n",
				"mount[0].max_frame_bytes live", "mount[0].max_message_bytes live", "mount[0].sessions new sessions")
			d := visit(t, c.url("/room"))
			c.opensWith(503, "/room")
			d.say(t, strings.Repeat("x", 1001))
			if err := <-d.ended; err.Code != 1009 {
				t.Error(err)
			}
			// It is gone, but not its sessions.
			c.becomes(top, "mount[0] live")
			c.opensWith(404, "/room")
			b.say(t, "two")
			a.hears(t, "two")
			if m := c.stats().Mounts["/room"]; m.Sessions != 2 || !m.Gone || m.Mode != "forward" {
				t.Errorf("%+v", m)
			}
			top1 := visit(t, c.url("/top"))
			c.call("enable_forward", nil, nil)
			top2 := visit(t, c.url("/top"))
			top1.say(t, "top only")
			top2.hears(t, "top only")
			// And back, among others.
			c.becomes(top+"[[mount]]\npaths = [\"/other\"]\n"+room+"subprotocols = [\"v2\"]\n", "mount[0] live", "mount[1] live")
			d = visit(t, c.url("/room"), client.WithSubprotocols("v2"))
			d.say(t, "three")
			a.hears(t, "three")
			b.hears(t, "three")
			if m := c.stats().Mounts; m["/room"].Gone || m["/room"].Sessions != 3 || len(m) != 3 {
				t.Errorf("%+v", m)
			}
			if d.Subprotocol() != "v2" {
				t.Errorf("%q", d.Subprotocol())
			}
		},
		"compression": func(t *testing.T) {
			// A context that is kept, and then a policy that does not go with one.
			const on, off = "compression = \"on\"\n[deflate]\nthreshold_bytes = 0\nserver_context_takeover = true\nclient_context_takeover = true\n", "[outbound]\npolicy = \"drop_oldest\"\n"
			c := changing(t, echoing+on)
			g := visit(t, c.url("/"), client.WithCompression(client.Compression{ServerContextTakeover: true, ClientContextTakeover: true}))
			text := strings.Repeat("what is said again ", 20)
			g.say(t, text)
			g.hears(t, text)
			c.becomes(echoing+off, "compression new sessions", "deflate.threshold_bytes new sessions", "deflate.server_context_takeover new sessions",
				"deflate.client_context_takeover new sessions", "outbound.policy live")
			before := c.stats().Deflated
			for range 3 {
				g.say(t, text)
				g.hears(t, text)
			}
			if n := c.stats().Deflated - before; n != 3 {
				t.Errorf("%d messages are compressed, as they were agreed to be", n)
			}
			h := visit(t, c.url("/"), client.WithCompression(client.Compression{ServerContextTakeover: true, ClientContextTakeover: true}))
			h.say(t, text)
			h.hears(t, text)
			if n := c.stats().Deflated - before; n != 3 {
				t.Errorf("a new session compresses")
			}
		},
	})
}
