// Package systemd_test runs what an operator installs as an operator runs it: the real units under a real systemd, behind a real
// nginx, in a box of its own (package systembox). It needs root, systemd, nginx and the Go tool, and skips what it has not got.
package systemd_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/selfsigned"
	"github.com/nvsess/nvsess/test/systembox"
)

const nginxMain = `user www-data;
pid /run/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    include /etc/nginx/conf.d/nvsess.conf;
}
`

// A box with everything in place, nginx's part too, and nothing started.
type box struct{ *systembox.Box }

func TestMain(m *testing.M) {
	systembox.Main()
	os.Exit(m.Run())
}

func installed(t *testing.T) (b box, cert string) {
	t.Helper()
	systembox.Need(t, "go", "nginx", "systemd-run")
	b = box{systembox.Installed(t, systembox.Build(t, "devel"))}
	b.Install(t, nginxUse, "/etc/nginx/conf.d/nvsess.conf", 0o644)
	cert, key := selfsigned.PEM(t, host)
	b.Write(t, "/etc/nvsess/tls/cert.pem", cert, 0o644)
	b.Write(t, "/etc/nvsess/tls/key.pem", key, 0o600)
	b.Write(t, "/etc/nginx/box.conf", nginxMain, 0o644)
	return b, cert
}

// awaitWatchdog waits until the daemon says that it is alive, which it does twice in WatchdogSec.
func (b box) awaitWatchdog(t *testing.T) {
	t.Helper()
	const property = "WatchdogTimestampMonotonic"
	started := b.Show(t, property)
	if started == "0" {
		t.Fatal("the watchdog is off")
	}
	systembox.Eventually(t, "watchdog", func() (string, bool) {
		now := b.Show(t, property)
		return "at " + now, now != started
	})
}

func (b box) startNginx(t *testing.T) {
	t.Helper()
	if out := b.Run(t, "nginx", "-t", "-q", "-c", "/etc/nginx/box.conf"); out != "" {
		t.Errorf("nginx -t: %s", out)
	}
	// It forks when it listens, so systemd-run returns when it can be connected to.
	b.Run(t, "systemd-run", "--quiet", "--unit=box-nginx", "-p", "Type=forking", "-p", "PIDFile=/run/nginx.pid", "nginx", "-c", "/etc/nginx/box.conf")
}

// plainHTTP asks nginx for a page without TLS, and gives the status line and where it sends us.
func (b box) plainHTTP(t *testing.T, path string) string {
	t.Helper()
	conn, err := b.Dial("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Proto + " " + resp.Status + " " + resp.Header.Get("Location")
}

// roundTrip asks the client behind lst and checks its answer.
func (b box) roundTrip(t *testing.T) {
	t.Helper()
	out, err := b.Try("nvsessctl", "send_jrr_sreq", "lst", `{"hi":1}`)
	if err != nil || !strings.Contains(strings.Join(strings.Fields(out), ""), `"yousaid":{"hi":1}`) {
		t.Fatalf("nvsessctl send_jrr_sreq: %v\n%s", err, out)
	}
}

func TestService(t *testing.T) {
	b, cert := installed(t)
	if out := b.Run(t, append([]string{"systemd-analyze", "verify"}, systembox.Units...)...); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}

	b.Run(t, "systemctl", "start", "nvsessd") // returns at READY=1, or fails
	for property, want := range map[string]string{"ActiveState": "active", "SubState": "running", "NRestarts": "0"} {
		if got := b.Show(t, property); got != want {
			t.Errorf("%s is %s, not %s", property, got, want)
		}
	}
	if got := b.Run(t, "stat", "-c", "%a %U %G %n", "/run/nvsess", "/run/nvsess/nvsess.sock", "/run/nvsess/admin.sock"); got !=
		"755 root root /run/nvsess\n660 root www-data /run/nvsess/nvsess.sock\n660 root nvsess /run/nvsess/admin.sock" {
		t.Errorf("sockets:\n%s", got)
	}
	b.startNginx(t)

	c := connect(t, b, cert)
	b.roundTrip(t)
	if got := b.plainHTTP(t, "/chat?a=b"); got != "HTTP/1.1 301 Moved Permanently https://"+host+"/chat?a=b" {
		t.Errorf("http: %s", got)
	}
	b.awaitWatchdog(t)
	status := b.Run(t, "systemctl", "status", "--no-pager", "nvsessd")
	for _, want := range []string{"active (running)", "TriggeredBy: ", `Status: "`} {
		if !strings.Contains(status, want) {
			t.Errorf("status without %s:\n%s", want, status)
		}
	}

	b.Run(t, "systemctl", "stop", "nvsessd")
	if code := c.closed(t); code != ws.StatusGoingAway {
		t.Errorf("stopping closed the session with %d", code)
	}
	for property, want := range map[string]string{"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0", "NRestarts": "0"} {
		if got := b.Show(t, property); got != want {
			t.Errorf("after stop: %s is %s, not %s", property, got, want)
		}
	}

	// The sockets are still there, and the next client starts the daemon.
	connect(t, b, cert)
	b.roundTrip(t)
	if got := b.Show(t, "ActiveState"); got != "active" {
		t.Errorf("after the next connect: %s", got)
	}
}

// A daemon that dies is started again, and its session goes on.
func TestServiceComesBack(t *testing.T) {
	b, cert := installed(t)
	b.Run(t, "systemctl", "start", "nvsessd.socket", "nvsessd-admin.socket")
	b.startNginx(t)
	if got := b.Show(t, "ActiveState"); got != "inactive" {
		t.Errorf("before anybody connects: %s", got)
	}
	connect(t, b, cert)
	pid := b.Show(t, "MainPID")
	b.Run(t, "systemctl", "kill", "--kill-who=main", "-s", "KILL", "nvsessd")
	systembox.Eventually(t, "another process", func() (string, bool) {
		now := b.Show(t, "MainPID")
		return now, now != pid && now != "0"
	})
	b.roundTrip(t) // the session has noticed nothing
	if got := b.Show(t, "NRestarts"); got != "1" {
		t.Errorf("restarts: %s", got)
	}

	// A broken configuration is said where it will be read.
	b.Write(t, "/etc/nvsess/nvsess.toml", "mode = \"ecko\"\n", 0o644)
	if out, err := b.Try("systemctl", "restart", "nvsessd"); err == nil {
		t.Errorf("started with a broken configuration: %s", out)
	}
	b.Run(t, "journalctl", "--sync")
	want := `/etc/nvsess/nvsess.toml:1: mode: "ecko" is not one of them; allowed: "handlers", "forward", "echo"`
	if log := b.Run(t, "journalctl", "--no-pager", "-o", "cat", "-u", "nvsessd"); !strings.Contains(strings.ReplaceAll(log, `\"`, `"`), want) {
		t.Errorf("the journal does not say %s", want)
	}
}
