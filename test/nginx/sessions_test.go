package nginx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
)

// Many sessions over wss through nginx, each of which sends and gets its own back; "make nginx-load" has 5000 of them.
func TestSessions(t *testing.T) {
	n := 300
	if s := os.Getenv("NVSESS_NGINX_SESSIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for configuration := range configurations {
		t.Run(configuration, func(t *testing.T) {
			d := startDaemon(t, "mode = \"echo\"\n")
			p := before(t, d, configuration, "", nil)
			base := p.memory(t)
			cmd := d.Command(t.Context(), "tst", "-n", fmt.Sprint(n), "--wait", "0", "--duration", "10s", "--echo", "--every", "2s",
				"--timeout", "2m", "--insecure", "--json", "--quiet", "--fail-on-loss", p.url)
			var out, complaints bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &complaints
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			most := 0
			var err error
			for over := false; !over; {
				select {
				case err = <-ended:
					over = true
				case <-time.After(500 * time.Millisecond): // asking costs a process
					most = max(most, d.sessions())
				}
			}
			var report struct {
				Clients struct{ Opened, Failed, Closed_early, Open_at_end int }
				Opening struct{ Seconds float64 }
				Echo    struct {
					Sent, Received, Lost, Duplicates int
					Latency                          struct{ P50_ms, P99_ms float64 }
				}
			}
			if e := json.Unmarshal(out.Bytes(), &report); err != nil || e != nil {
				t.Fatalf("tst: %v, %v\n%s%s", err, e, &out, &complaints)
			}
			c, e := report.Clients, report.Echo
			if most != n || c.Opened != n || c.Failed != 0 || c.Closed_early != 0 || c.Open_at_end != n || e.Sent < n || e.Received != e.Sent || e.Lost != 0 || e.Duplicates != 0 {
				t.Errorf("%d sessions at most\n%s", most, &out)
			}
			t.Logf("%d wss sessions opened in %.1f s, %d messages echoed, none lost; half of them within %.1f ms, 99%% within %.1f ms; nginx took %d KB a session",
				c.Opened, report.Opening.Seconds, e.Received, e.Latency.P50_ms, e.Latency.P99_ms, (p.memory(t)-base)/n)
		})
	}
}

// Without worker_shutdown_timeout a reload of nginx drops nobody: the old worker stays for its sessions. With it they are cut off, all at
// once and without a close frame.
func TestReload(t *testing.T) {
	const n = 100
	for name, timeout := range map[string]string{"without worker_shutdown_timeout": "", "with worker_shutdown_timeout": "worker_shutdown_timeout 1s;\n"} {
		t.Run(name, func(t *testing.T) {
			d := startDaemon(t, "mode = \"echo\"\n")
			p := before(t, d, "deploy", timeout, nil)
			var before []*client.Conn
			for range n {
				before = append(before, open(t, p.url, nil))
			}
			old := p.reload()
			after := open(t, p.url, nil)
			if timeout == "" {
				for _, c := range before {
					if !answers(c) {
						t.Fatalf("a session was dropped: %v", c.Err())
					}
				}
				if got := d.sessions(); got != n+1 {
					t.Errorf("%d sessions after the reload, not %d", got, n+1)
				}
				if !slices.ContainsFunc(p.workers(), func(w string) bool { return slices.Contains(old, w) }) {
					t.Error("the old worker is gone, but its sessions are not")
				}
				for _, c := range before {
					if err := c.Close(context.Background(), client.CloseNormal, ""); err != nil {
						t.Error(err)
					}
				}
				p.gone(old) // the last session of it has ended
			} else {
				begin := time.Now()
				for _, c := range before {
					select {
					case <-c.Done():
					case <-time.After(patience):
						t.Fatal("a session goes on")
					}
					var closed *client.CloseError
					if err := c.Err(); errors.As(err, &closed) && closed.Code != client.CloseAbnormal {
						t.Errorf("closed with a close frame, %v", err)
					}
				}
				t.Logf("the last of %d sessions was cut off %v after the new worker was there", n, time.Since(begin).Round(10*time.Millisecond))
				p.gone(old)
				d.Until("the daemon notices", func() bool { return d.sessions() == 1 })
			}
			if !answers(after) {
				t.Errorf("a session of the new worker was dropped: %v", after.Err())
			}
		})
	}
}

// A session that is silent is kept by the daemon's pings, as long as they come more often than nginx's patience; without, nginx cuts it off.
func TestSilence(t *testing.T) {
	impatient := func(site string) string {
		return strings.Replace(site, "proxy_read_timeout 60s;", "proxy_read_timeout 1s;", 1)
	}
	t.Run("with keepalive", func(t *testing.T) {
		d := startDaemon(t, "[keepalive]\ninterval = \"400ms\"\ngrace = \"2m\"\nnative_pings = true\n")
		c := open(t, before(t, d, "deploy", "", impatient).url, nil)
		select {
		case <-c.Done():
			t.Errorf("cut off: %v", c.Err())
		case <-time.After(3 * time.Second): // thrice nginx's patience
		}
		if !answers(c) {
			t.Error(c.Err())
		}
	})
	t.Run("without", func(t *testing.T) {
		d := startDaemon(t, "[keepalive]\nenabled = false\n")
		c := open(t, before(t, d, "deploy", "", impatient).url, nil)
		select {
		case <-c.Done():
		case <-time.After(patience):
			t.Error("nginx keeps a silent session")
		}
		d.Until("the daemon notices", func() bool { return d.sessions() == 0 })
	})
}

// What is claimed about a client's address is believed of who can connect to the unix socket, and of nobody else unless he is named; what
// a client claims to nginx, nginx does not pass on.
func TestForwardedAddress(t *testing.T) {
	claim := http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"}}
	for _, test := range []struct {
		name, config string
		url          func(*daemon) string
		want         string
	}{
		{"over the unix socket", "", func(d *daemon) string { return "ws+unix://" + d.Sock }, "203.0.113.9"},
		{"over TCP", "", func(d *daemon) string { return "ws://" + d.TCP + "/" }, "127.0.0.1"},
		{"over TCP, trusted", "[handshake]\ntrusted_proxies = [\"unix\", \"127.0.0.1\"]\n", func(d *daemon) string { return "ws://" + d.TCP + "/" }, "203.0.113.9"},
		{"over the unix socket, nobody trusted", "[handshake]\ntrusted_proxies = []\n", func(d *daemon) string { return "ws+unix://" + d.Sock }, ""},
		{"through nginx", "", func(d *daemon) string { return before(t, d, "deploy", "", nil).url }, "127.0.0.1"},
		{"through generated nginx", "", func(d *daemon) string { return before(t, d, "gen", "", nil).url }, "127.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := startDaemon(t, test.config)
			open(t, test.url(d), claim)
			if got := d.remotes(); !slices.Equal(got, []string{test.want}) {
				t.Errorf("the daemon sees %q, not %q", got, test.want)
			}
		})
	}
}
