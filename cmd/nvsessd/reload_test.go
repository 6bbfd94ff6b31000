package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// A changeable is a daemon whose configuration is changed while it runs.
type changeable struct {
	*process
	path string // of the configuration
}

func changing(t *testing.T, conf string) changeable {
	t.Helper()
	args := configured(t, conf)
	p := launch(t, args)
	p.logged("ready")
	return changeable{p, args[1]}
}

func (c changeable) url(path string) string {
	return "ws+unix://" + c.socket("nvsess.sock") + ":" + path
}

// write puts it in place as a whole: half a file is a configuration, too.
func (c changeable) write(conf string) {
	c.t.Helper()
	next := c.path + ".next"
	if err := os.WriteFile(next, []byte(conf), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(next, c.path); err != nil {
		c.t.Fatal(err)
	}
}

// tries has the configuration read again.
func (c changeable) tries(args any) (*admin.Reloaded, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	a, err := admin.NewClient(c.socket("admin.sock")).Call(ctx, "reload", args)
	if err != nil {
		return nil, err
	}
	var r admin.Reloaded
	if err := json.Unmarshal(a.Result, &r); err != nil {
		c.t.Fatal(err)
	}
	return &r, nil
}

// becomes changes the configuration, and wants those keys to be told with their
// effects.
func (c changeable) becomes(conf string, want ...string) {
	c.t.Helper()
	c.write(conf)
	r, err := c.tries(nil)
	if err != nil {
		var e *admin.Error
		_ = errors.As(err, &e)
		c.t.Fatalf("%v: %+v", err, e)
	}
	var got []string
	for _, x := range r.Changes {
		what := x.Key + " " + x.Effect
		if x.Content {
			what += " content"
		}
		got = append(got, what)
	}
	if !slices.Equal(got, want) || r.File != c.path || r.DryRun {
		c.t.Errorf("changes: %q, want %q; %+v", got, want, r)
	}
}

// refuses wants the configuration to be refused for problems with these texts, in
// this order.
func (c changeable) refuses(conf string, want ...string) {
	c.t.Helper()
	c.write(conf)
	c.isRefused(want...)
}

func (c changeable) isRefused(want ...string) {
	c.t.Helper()
	for _, args := range []any{nil, map[string]bool{"dry-run": true}} {
		_, err := c.tries(args)
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != admin.CodeBadConfig || len(e.Problems) != len(want) {
			c.t.Errorf("%v %+v, want %q", err, err, want)
			return
		}
		for i, p := range e.Problems {
			if !strings.Contains(p, want[i]) {
				c.t.Errorf("%s, want %s", p, want[i])
			}
		}
	}
}

// opens reports the status of a handshake: 101 when it succeeds.
func (c changeable) opens(path string, opts ...client.Option) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	x, err := client.Dial(ctx, c.url(path), opts...)
	var refused *client.HandshakeError
	switch {
	case err == nil:
		_ = x.CloseNow()
		<-x.Done()
		return 101
	case errors.As(err, &refused):
		return refused.Status
	}
	c.t.Fatal(err)
	return 0
}

func (c changeable) opensWith(want int, path string, opts ...client.Option) {
	c.t.Helper()
	if got := c.opens(path, opts...); got != want {
		c.t.Errorf("%s: %d, want %d", path, got, want)
	}
}

// get asks for a page, on a connection of its own.
func (c changeable) get(path string) (status int, body string) {
	c.t.Helper()
	b := browser(c.t, false, func() (net.Conn, error) { return net.Dial("unix", c.socket("nvsess.sock")) })
	defer b.CloseIdleConnections()
	resp, text := fetch(c.t, b, http.MethodGet, "http://localhost"+path, nil)
	return resp.StatusCode, string(text)
}

func (c changeable) gets(want int, path string) {
	c.t.Helper()
	if got, body := c.get(path); got != want {
		c.t.Errorf("%s: %d %s, want %d", path, got, body, want)
	}
}

// isClosedWith reads up to the daemon's close frame and wants its code.
func (m *mute) isClosedWith(t *testing.T, want int) {
	t.Helper()
	if code, reason := m.closeCode(t); code != want {
		t.Errorf("closed with %d %q, want %d", code, reason, want)
	}
}

const echoing = "mode = \"echo\"\n"

// What is live takes effect for sessions that are open, and what is for new
// sessions for those; nobody who is there loses his session for it.
func TestReloadTakesEffect(t *testing.T) {
	t.Parallel()
	origin := func(s string) client.Option { return client.WithOrigin(s) }
	hash := func(token string) string { return fmt.Sprintf("ci sha256:%x", sha256.Sum256([]byte(token))) }
	for name, run := range map[string]func(t *testing.T){
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
			c.until("it is there", func() bool { return c.stats().Sessions == 1 })
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
			c.until("it is held", func() bool { return c.stats().Memory > 3*90_000 })
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
		"handshake.origins": func(t *testing.T) {
			c := changing(t, echoing)
			c.opensWith(403, "/", origin("https://a.example"))
			c.becomes(echoing+"[handshake]\norigins = [\"https://a.example\"]\n", "handshake.origins new sessions")
			g := visit(t, c.url("/"), origin("https://a.example"))
			c.becomes(echoing, "handshake.origins new sessions")
			c.opensWith(403, "/", origin("https://a.example"))
			g.say(t, "still there")
			g.hears(t, "still there")
		},
		"handshake.timeout": func(t *testing.T) {
			c := changing(t, "[handshake]\ntimeout = \"10m\"\n")
			c.becomes("[handshake]\ntimeout = \"100ms\"\n", "handshake.timeout new sessions")
			nc, err := net.Dial("unix", c.socket("nvsess.sock"))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(patience))
			if b, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 408") {
				t.Errorf("%q, %v", b, err)
			}
		},
		"handshake.max_headers": func(t *testing.T) {
			many := http.Header{}
			for i := range 40 {
				many.Set(fmt.Sprintf("X-%d", i), "x")
			}
			c := changing(t, "")
			c.opensWith(101, "/", client.WithHeader(many))
			c.becomes("[handshake]\nmax_headers = 20\n", "handshake.max_headers new sessions")
			c.opensWith(431, "/", client.WithHeader(many))
		},
		"auth": func(t *testing.T) {
			c := changing(t, echoing)
			g := visit(t, c.url("/"))
			first, second := "first-0123456789abcdef", "second-0123456789abcdef"
			conf := func(token string) string {
				return fmt.Sprintf("%s[auth]\nmode = \"required\"\ntokens = [%q]\n", echoing, hash(token))
			}
			c.becomes(conf(first), "auth.mode new sessions", "auth.tokens new sessions")
			c.opensWith(401, "/")
			h := visit(t, c.url("/"), bearer(first))
			c.becomes(conf(second), "auth.tokens new sessions")
			c.opensWith(401, "/", bearer(first))
			c.opensWith(101, "/", bearer(second))
			c.becomes(echoing, "auth.mode new sessions", "auth.tokens new sessions")
			c.opensWith(101, "/")
			for _, x := range []*guest{g, h} {
				x.say(t, "still there")
				x.hears(t, "still there")
			}
		},
		"auth.tokens_file": func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tokens")
			write := func(s string) {
				if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("a first-0123456789abcdef\n")
			conf := fmt.Sprintf("[auth]\nmode = \"required\"\ntokens_file = %q\n", file)
			c := changing(t, conf)
			write("a second-0123456789abcdef\n")
			c.opensWith(401, "/", bearer("second-0123456789abcdef"))
			c.becomes(conf, "auth.tokens_file new sessions content")
			c.opensWith(101, "/", bearer("second-0123456789abcdef"))
			c.becomes(conf)
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
			c.until("it has begun", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[message]\ntimeout = \"100ms\"\n", "message.timeout live")
			m.isClosedWith(t, 1008)
		},
		"keepalive.interval": func(t *testing.T) {
			c := changing(t, "[keepalive]\ninterval = \"24h\"\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			g := visit(t, c.url("/"))
			c.until("it is there", func() bool { return c.stats().Sessions == 2 })
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
			c.until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[keepalive]\ninterval = \"200ms\"\ngrace = \"10ms\"\n", "keepalive.enabled live", "keepalive.interval live", "keepalive.grace live")
			m.isClosedWith(t, 1011)
		},
		"close.timeout": func(t *testing.T) {
			c := changing(t, "[close]\ntimeout = \"10m\"\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			c.until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[close]\ntimeout = \"100ms\"\n", "close.timeout live")
			c.call("close", map[string]any{"session": "fst"}, nil)
			m.cut(t)
		},
		"requests.timeout": func(t *testing.T) {
			c := changing(t, "[requests]\ntimeout = \"24h\"\n")
			visitMute(t, c.socket("nvsess.sock"))
			c.until("it is there", func() bool { return c.stats().Sessions == 1 })
			c.becomes("[requests]\ntimeout = \"10ms\"\n", "requests.timeout live")
			_, err := command(t, c.process).call("send_jrr_sreq", map[string]any{"session": "fst", "data": map[string]any{}})
			var e *admin.Error
			if !errors.As(err, &e) || e.Code != admin.CodeNoReply {
				t.Errorf("%v", err)
			}
		},
		"outbound": func(t *testing.T) {
			c := changing(t, "[outbound]\nqueue_bytes = 1073741824\n[limits]\nmemory_bytes = 0\n")
			m := visitMute(t, c.socket("nvsess.sock"))
			c.until("it is there", func() bool { return c.stats().Sessions == 1 })
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
		"http.health_path, web": func(t *testing.T) {
			c := changing(t, "")
			c.gets(200, "/healthz")
			c.gets(200, "/nvsess/nvsess.mjs")
			c.becomes("[http]\nhealth_path = \"/up\"\n[web]\nclient_path = \"\"\ndemo_path = \"/demo/\"\n", "http.health_path live", "web.client_path live", "web.demo_path live")
			c.gets(200, "/up")
			c.gets(200, "/demo/")
			for _, path := range []string{"/healthz", "/nvsess/nvsess.mjs"} {
				if status, _ := c.get(path); status == 200 {
					t.Errorf("%s is still there", path)
				}
			}
		},
		"route": func(t *testing.T) {
			dir, _ := webRoot(t)
			route := func(key, value string) string {
				return fmt.Sprintf("[[route]]\npath = \"/w/*\"\n%s = %q\n", key, value)
			}
			c := changing(t, "")
			c.becomes(route("files", dir), "route[0] live")
			if status, body := c.get("/w/index.html"); status != 200 || body != "<p>page" {
				t.Errorf("%d %s", status, body)
			}
			c.becomes(route("redirect", "/elsewhere/*"), "route[0].files live", "route[0].redirect live")
			c.gets(302, "/w/x")
			if n := c.stats().HTTP; n["2xx"] != 1 || n["3xx"] != 1 {
				t.Errorf("the counters: %v", n)
			}
			c.refuses(route("files", filepath.Join(dir, "nowhere")), "route")
			c.gets(302, "/w/x")
			c.becomes("", "route[0] live")
			if status, _ := c.get("/w/x"); status == 302 {
				t.Error("the route is still there")
			}
		},
		"shutdown.delay": func(t *testing.T) {
			c := changing(t, "[shutdown]\ndelay = \"10m\"\n")
			c.becomes("", "shutdown.delay live")
			c.signal(os.Interrupt)
			c.ends(0)
		},
		"log.level": func(t *testing.T) {
			c := changing(t, "[handshake]\ntimeout = \"1s\"\n")
			c.becomes("[log]\nlevel = \"debug\"\n", "handshake.timeout new sessions", "log.level live")
			visit(t, c.url("/"))
			c.logged("session opened")
		},
		"script": func(t *testing.T) {
			c := changing(t, "")
			o := command(t, c.process)
			if _, _, err := o.js(t.Context(), `await fetch("http://127.0.0.1:1/")`); err == nil || !strings.Contains(err.Error(), "may not use the network") {
				t.Errorf("%v", err)
			}
			c.becomes("[script]\nfetch = [\"127.0.0.1:1\"]\ncpu_limit = \"100ms\"\n", "script.cpu_limit live", "script.fetch live")
			if _, _, err := o.js(t.Context(), `await fetch("http://127.0.0.1:1/")`); err == nil || strings.Contains(err.Error(), "may not use the network") {
				t.Errorf("%v", err)
			}
			o.mustJS(`srv.regis_$str_handle$(() => { for (;;); })`)
			visit(t, c.url("/")).say(t, "x")
			eventually(t, "the handler is ended", func() bool {
				raw, err := o.call("handlers", nil)
				return err == nil && strings.Contains(string(raw), "took more than 100ms of processor time")
			})
			c.becomes("[script]\nconsole = false\n", "script.console live", "script.cpu_limit live", "script.fetch live")
			if _, _, err := o.js(t.Context(), `1`); err == nil || !strings.Contains(err.Error(), "script.console") {
				t.Errorf("%v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}

// A certificate that was renewed is shown to who connects then.
func TestReloadOfTheCertificate(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	conf := fmt.Sprintf("mode = \"echo\"\nlisten = [\"tcp:127.0.0.1:0\", \"unix:%%t/nvsess.sock\"]\ntls_cert = %q\ntls_key = %q\n", cert, key)
	c := changing(t, conf)
	addr := strings.TrimPrefix(c.logged("ready").Listen[0], "tcp:")
	shown := func() string {
		t.Helper()
		nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return string(nc.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	}
	before := shown()
	g := visit(t, "wss://"+addr+"/", client.WithTLS(&tls.Config{InsecureSkipVerify: true}), client.WithOrigin("http://127.0.0.1"))
	cert2, key2 := certificate(t)
	if err := os.Rename(cert2, cert); err != nil {
		t.Fatal(err)
	}
	c.refuses(conf, "tls_cert, tls_key")
	if shown() != before {
		t.Error("another certificate, without its key")
	}
	if err := os.Rename(key2, key); err != nil {
		t.Fatal(err)
	}
	c.becomes(conf, "tls_cert new sessions content", "tls_key new sessions content")
	if shown() == before {
		t.Error("the certificate is the old one")
	}
	g.say(t, "still there")
	g.hears(t, "still there")
	c.becomes("mode = \"echo\"\nlisten = [\"tcp:127.0.0.1:0\", \"unix:%t/nvsess.sock\"]\n", "tls_cert restart", "tls_key restart")
	shown() // it is TLS still
}

// The webhook comes, moves, is told of other events, and goes.
func TestReloadOfTheWebhook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	app := func(name string) string {
		sock := filepath.Join(dir, name)
		ln, err := net.Listen("unix", sock)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"reply_text":%q}`, "from "+name)
		})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ln) }()
		t.Cleanup(func() { srv.Close(); <-served })
		return fmt.Sprintf("webhook = \"http+unix://%s:/hook?key=hush\"\n", sock)
	}
	a, b := app("a"), app("b")
	const events = "[webhooks]\nevents = [%s]\n"
	c := changing(t, echoing)
	g := visit(t, c.url("/"))
	hears := func(want string) {
		t.Helper()
		g.say(t, "x")
		g.hears(t, want)
	}
	hears("x")
	c.becomes(echoing+a+fmt.Sprintf(events, `"string"`), "webhook live", "webhooks.events live")
	hears("from a")
	c.becomes(echoing+b+fmt.Sprintf(events, `"string"`), "webhook live")
	hears("from b")
	c.becomes(echoing+b+fmt.Sprintf(events, `"json"`), "webhooks.events live")
	hears("x") // as the mode says
	g.say(t, "{}")
	g.hears(t, "from b")
	c.becomes(echoing, "webhook live", "webhooks.events live")
	g.say(t, "{}")
	g.hears(t, "{}")
	c.becomes(echoing+a+fmt.Sprintf(events, `"string"`), "webhook live", "webhooks.events live")
	hears("from a")
	// Of a webhook that was not there at the start the metrics tell, too.
	if _, text := fetch(t, overSocket(c.process), "GET", "http://nvsessd/metrics", nil); !strings.Contains(string(text), `nvsess_webhook_events_total{outcome="handled"} 4`) {
		t.Errorf("the metrics tell nothing of the webhook: %s", text)
	}
	if strings.Contains(c.said(), "hush") {
		t.Error("the query's value is in the log")
	}
}

func TestReloadOfHandlers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("handlers = %q\n", path)
	}
	saying := func(what string) string { return fmt.Sprintf("srv.regis_$str_handle$((s, c) => c.ssend(%q))", what) }
	c := changing(t, echoing)
	g := visit(t, c.url("/"))
	hears := func(want string) {
		t.Helper()
		g.say(t, "x")
		g.hears(t, want)
	}
	conf := file("a.js", saying("a"))
	c.becomes(echoing+conf, "handlers live")
	hears("a")
	file("a.js", saying("a2"))
	hears("a")
	c.becomes(echoing+conf, "handlers live content")
	hears("a2")
	c.becomes(echoing + conf) // it is not run again
	// One that does not compile, throws, or is none, along with another change.
	const more = "[http]\nhealth_path = \"/up\"\n"
	for what, problem := range map[string]string{"} {": "a.js:1:3: SyntaxError", saying("a3") + "\nthrow new Error('no')": "a.js:2:7: Error: no"} {
		file("a.js", what)
		c.write(echoing + conf + more)
		_, err := c.tries(nil)
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != admin.CodeBadConfig || len(e.Problems) != 1 || !strings.Contains(e.Problems[0], "handlers: "+problem) {
			t.Errorf("%+v", err)
		}
		hears("a2")
		c.gets(200, "/healthz")
	}
	conf = file("b.js", saying("b"))
	c.becomes(echoing+conf+more, "handlers live", "http.health_path live")
	hears("b")
	c.gets(200, "/up")
	c.becomes(echoing, "handlers live", "http.health_path live")
	hears("x") // as the mode says
}
