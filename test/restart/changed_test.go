package restart

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/test/systembox"
)

// A guest is one session, looked at closely.
type guest struct {
	*client.Conn
	id    string
	said  chan string          // what comes, whatever its kind
	asked chan client.Envelope // what is to be answered
	ended chan error
}

func visit(t *testing.T, url string) *guest {
	t.Helper()
	g := &guest{said: make(chan string, 10), asked: make(chan client.Envelope, 10), ended: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, client.WithHandlers(client.Handlers{
		String:  func(_ *client.Conn, s string) { g.said <- s },
		JSON:    func(_ *client.Conn, j json.RawMessage) { g.said <- string(j) },
		Binary:  func(_ *client.Conn, b []byte) { g.said <- fmt.Sprintf("% x", b) },
		Request: func(_ *client.Conn, r client.Envelope) { g.asked <- r },
		Close:   func(_ *client.Conn, err *client.CloseError) { g.ended <- err },
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow(); <-c.Done() })
	g.Conn = c
	if g.id, err = c.WaitSession(ctx); err != nil {
		t.Fatal(err)
	}
	return g
}

// next waits for something to come.
func next[T any](t *testing.T, g *guest, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case err := <-g.ended:
		t.Fatalf("the session has ended: %v", err)
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return v
}

// hears checks that what is sent is handled as it was set.
func (g *guest) hears(t *testing.T, when string) {
	t.Helper()
	for _, m := range []struct {
		send func() error
		want string
	}{
		{func() error { return g.SendString(t.Context(), "x") }, "file: x"},
		{func() error { return g.SendJSON(t.Context(), map[string]int{"a": 1}) }, `{"typed":{"a":1}}`},
		{func() error { return g.SendBinary(t.Context(), []byte{7, 8}) }, "07 08"},
	} {
		if err := m.send(); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got := next(t, g, g.said); got != m.want {
			t.Errorf("%s: %q came back, not %q", when, got, m.want)
		}
	}
}

const changing = `
mode = "handlers"
handlers = "h.js"
`

const handlersFile = `srv.regis_$str_handle$(async (s, conn) => { await conn.assend('file: ' + s) });`

// What operators have changed is as it was, who is asked can answer, and who is
// gone is gone, whatever happens to the daemon.
func TestChangedAtRunTime(t *testing.T) {
	s := &service{Box: systembox.Installed(t, programs(t, "v1")), t: t}
	s.Write(t, "/etc/nvsess/nvsess.toml", changing, 0o644)
	s.Write(t, "/etc/nvsess/h.js", handlersFile, 0o644)
	s.Write(t, "/etc/systemd/system/nvsessd.service.d/test.conf", dropIn, 0o644)
	s.Run(t, "systemctl", "daemon-reload")
	s.Run(t, "systemctl", "start", "nvsessd")
	ctl := func(args ...string) string { t.Helper(); return s.Run(t, append([]string{"nvsessctl"}, args...)...) }
	url := "ws+unix://" + s.Path("/run/nvsess/nvsess.sock")

	ctl("loglevel", "warn")
	ctl("handlers", "binary", "echo")
	ctl("js", "srv.regis_$json_handle$(async (j, conn) => { await conn.ajsend({ typed: j }) })")
	g := visit(t, url)
	g.hears(t, "before")
	for _, event := range []struct {
		name string
		do   func(context.Context, int) error
		kept bool // everything is
	}{
		{"upgrade", s.systemctl("reload", "nvsessd"), true},
		{"restart", s.systemctl("restart", "nvsessd"), true},
		{"kill", s.kill("KILL"), false},
		{"upgrade after that", s.systemctl("reload", "nvsessd"), true},
		{"kill after that", s.kill("KILL"), false},
		{"restart after that", s.systemctl("restart", "nvsessd"), true},
	} {
		t.Run(event.name, func(t *testing.T) {
			answers := make(chan string, 2)
			var asked []client.Envelope
			if event.kept { // asked before, answered after
				for _, args := range [][]string{{"send_jrr_sreq", g.id, `{"q":1}`}, {"jbroadcast_until_all_client_reply", `{"q":2}`}} {
					go func() {
						out, err := s.Try(append([]string{"nvsessctl"}, args...)...)
						answers <- fmt.Sprint(args[0], ": ", err, out)
					}()
					asked = append(asked, next(t, g, g.asked))
				}
			}
			leaving := visit(t, url)
			went := make(chan struct{})
			go func() { // some time while it happens
				defer close(went)
				_ = leaving.CloseNow()
			}()
			if err := event.do(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			<-went
			for _, r := range asked {
				if err := g.Reply(t.Context(), r.ID, map[string]string{"answer": string(r.Data)}); err != nil {
					t.Fatal(err)
				}
			}
			for range asked {
				if a := next(t, g, answers); !strings.Contains(a, "<nil>") || !strings.Contains(a, "answer") {
					t.Errorf("who asked before is told: %s", a)
				}
			}
			g.hears(t, "after")
			if level := ctl("loglevel"); !strings.Contains(level, "warn") {
				t.Errorf("loglevel: %s", level)
			}
			systembox.Eventually(t, "who left", func() (string, bool) {
				out := ctl("--json", "stats")
				return out, strings.Contains(out, `"sessions":1,`) || strings.Contains(out, `"sessions": 1,`)
			})
			if list := ctl("--json", "sesses"); !strings.Contains(list, g.id) {
				t.Errorf("the session is not in the list: %s", list)
			}
		})
	}
	t.Run("drained", func(t *testing.T) {
		ctl("drain")
		for name, do := range map[string]func(context.Context, int) error{
			"upgrade": s.systemctl("reload", "nvsessd"), "restart": s.systemctl("restart", "nvsessd"), "kill": s.kill("KILL"),
		} {
			if err := do(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if c, err := client.Dial(t.Context(), url); err == nil {
				_ = c.CloseNow()
				t.Errorf("after %s a drained daemon takes sessions", name)
			}
		}
		s.Run(t, "systemctl", "stop", "nvsessd")
		s.Run(t, "systemctl", "start", "nvsessd")
		visit(t, url) // whoever stops it begins anew
	})
}
