package systemd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	lasting "github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/test/systembox"
)

// buildPackage makes the package of a version, as "make dist" does.
func buildPackage(t *testing.T, version, format string) string {
	t.Helper()
	systembox.Need(t, "go", "gzip")
	dir := t.TempDir()
	cmd := exec.Command("sh", "../../deploy/package/dist.sh", dir)
	cmd.Env = append(os.Environ(), "VERSION="+version, "ARCHES="+runtime.GOARCH, "FORMATS="+format)
	systembox.Output(t, cmd)
	made, err := filepath.Glob(dir + "/*." + format)
	if err != nil || len(made) != 1 {
		t.Fatalf("dist.sh made %q (%v)", made, err)
	}
	return made[0]
}

// apt runs apt-get without questions; there is no network.
func (b box) apt(t *testing.T, args ...string) string {
	t.Helper()
	return b.Run(t, append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "--no-install-recommends"}, args...)...)
}

// state is what a package may leave behind: files, accounts, what systemd is to start. What any package leaves is left out: logs, caches,
// dpkg's and apt's own, and the copies that passwd's tools make.
func (b box) state(t *testing.T) string {
	t.Helper()
	return b.Run(t, "sh", "-ec", `
		find /etc /usr/bin /usr/sbin /usr/lib /usr/share /var -xdev \
			! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/lib/dpkg/*' ! -path '/var/lib/apt/*' ! -path '/var/lib/systemd/*' ! -path '/var/lib/PackageKit/*' \
			! -path '/var/tmp/*' ! -path '/etc/*-' ! -path '/etc/.pwd.lock' | sort
		sort /etc/passwd /etc/group
		find /run/nvsess /var/lib/systemd/deb-systemd-helper-enabled /var/lib/systemd/deb-systemd-helper-masked -name '*nvsess*' 2>/dev/null || :
		dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 'nvsess*' 2>/dev/null || :`)
}

// difference is the lines that only one of two texts has.
func difference(before, after string) string {
	has := map[string]int{}
	for l := range strings.Lines(before) {
		has[l]--
	}
	for l := range strings.Lines(after) {
		has[l]++
	}
	var out strings.Builder
	for l, n := range has {
		if n != 0 {
			fmt.Fprintf(&out, "%+d %s\n", n, strings.TrimSpace(l))
		}
	}
	return out.String()
}

// connectUnix opens a session at the box's socket, as nginx would. It answers requests, and keepalive: apt may take its time.
func connectUnix(t *testing.T, b box) *lasting.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := lasting.Dial(ctx, "ws+unix://"+b.Path("/run/nvsess/nvsess.sock"), lasting.WithKeepalive(0), lasting.WithHandlers(lasting.Handlers{
		Request: func(c *lasting.Conn, req lasting.Envelope) {
			if err := c.Reply(context.Background(), req.ID, map[string]json.RawMessage{"you said": req.Data}); err != nil {
				t.Errorf("the reply: %v", err)
			}
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow(); <-c.Done() })
	if _, err := c.WaitSession(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// closedWith waits for the end of a session, and gives its close code.
func closedWith(t *testing.T, c *lasting.Conn) int {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		t.Fatal("the session goes on")
	}
	var closed *lasting.CloseError
	if !errors.As(c.Err(), &closed) {
		t.Fatalf("the session ended: %v", c.Err())
	}
	return closed.Code
}

// keepsSessions says whether the unit's reload lets the daemon become a new program; SIGHUP does not.
func (b box) keepsSessions(t *testing.T) bool {
	t.Helper()
	reload := b.Show(t, "ExecReload")
	return reload != "" && !strings.Contains(reload, "-HUP")
}

// boot gives a box without the daemon.
func boot(t *testing.T) box {
	t.Helper()
	b := box{systembox.Boot(t)}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := b.Try("journalctl", "--no-pager", "-o", "short-precise", "-u", "nvsessd*")
			t.Logf("the journal:\n%s", log)
		}
	})
	return b
}

// What an operator does with the package, in a clean system: install, use, upgrade, upgrade with a mistake, remove, install, purge.
func TestPackage(t *testing.T) {
	systembox.Need(t, "apt-get", "dpkg-deb", "nsenter")
	first, second := buildPackage(t, "1.0.0", "deb"), buildPackage(t, "1.0.1", "deb")
	b := boot(t)
	b.Install(t, first, "/opt/first.deb", 0o644)
	b.Install(t, second, "/opt/second.deb", 0o644)
	_, _ = b.Try("rm", "-rf", "/usr/sbin/policy-rc.d", "/etc/dpkg/dpkg.cfg.d", "/var/lib/man-db/auto-update")
	b.Write(t, "/etc/dpkg/dpkg.cfg.d/box", "force-unsafe-io\n", 0o644)
	// The package's own settings reach the kernel, whose network part is the box's own.
	b.Run(t, "umount", "-l", "/proc/sys")
	for _, name := range []string{"alice", "mallory"} {
		b.Run(t, "useradd", "--system", "--no-create-home", name)
	}
	before := b.state(t)

	b.apt(t, "install", "/opt/first.deb")
	b.Run(t, "systemctl", "start", "nvsessd")
	for _, unit := range []string{"nvsessd.service", "nvsessd.socket", "nvsessd-admin.socket"} {
		if out, _ := b.Try("systemctl", "is-enabled", unit); out != "enabled" {
			t.Errorf("%s is %s", unit, out)
		}
		if out, _ := b.Try("systemctl", "is-active", unit); out != "active" {
			t.Errorf("%s is %s", unit, out)
		}
	}
	if out := b.Run(t, append([]string{"systemd-analyze", "verify"}, units...)...); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	if got := b.Run(t, "cat", "/proc/sys/net/core/somaxconn"); got != "16384" {
		t.Errorf("somaxconn is %s", got)
	}
	if got := b.Run(t, "dpkg-query", "-W", "-f", "${Conffiles}", "nvsess"); !strings.HasPrefix(got, "/etc/nvsess/nvsess.toml ") {
		t.Errorf("conffiles: %s", got)
	}
	if got := b.Run(t, "nvsessctl", "--version"); got != "nvsessctl 1.0.0" {
		t.Errorf("nvsessctl is %s", got)
	}

	// Who is in the group may, others may not.
	b.Run(t, "usermod", "-aG", "nvsess", "alice")
	c := connectUnix(t, b)
	b.roundTrip(t)
	if out, err := b.Try("runuser", "-u", "alice", "--", "nvsessctl", "sesses", "--count"); err != nil || out != "1" {
		t.Errorf("for a member of the group: %v %s", err, out)
	}
	if out, err := b.Try("runuser", "-u", "mallory", "--", "nvsessctl", "sesses", "--count"); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("for a stranger: %v %s", err, out)
	}

	// An upgrade leaves the operator's configuration and decisions, and, if the daemon can, every session.
	b.Write(t, "/etc/nvsess/nvsess.toml", "mode = \"echo\"\n", 0o644)
	pid := b.Show(t, "MainPID")
	out := b.apt(t, "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "install", "/opt/second.deb")
	if got := b.Show(t, "ActiveState"); got != "active" {
		t.Errorf("after the upgrade: %s\n%s", got, out)
	}
	if got := b.Run(t, "nvsessctl", "version"); !strings.Contains(got, "1.0.1") {
		t.Errorf("after the upgrade runs %s\n%s", got, out)
	}
	if got := b.Run(t, "cat", "/etc/nvsess/nvsess.toml"); got != `mode = "echo"` {
		t.Errorf("the configuration is now\n%s", got)
	}
	if b.keepsSessions(t) {
		b.roundTrip(t)
		if got := b.Show(t, "MainPID"); got != pid {
			t.Errorf("the daemon was %s and is %s\n%s", pid, got, out)
		}
	} else {
		t.Logf("nvsessd.service cannot upgrade in place: it was restarted, and told the session %d", closedWith(t, c))
		c = connectUnix(t, b)
		pid = b.Show(t, "MainPID")
	}

	// A configuration that the new program refuses: the old one goes on.
	b.Write(t, "/etc/nvsess/nvsess.toml", "mode = \"ecko\"\n", 0o644)
	out = b.apt(t, "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "--allow-downgrades", "install", "/opt/first.deb")
	if !strings.Contains(out, `"ecko" is not one of them`) {
		t.Errorf("apt does not show why it was not upgraded:\n%s", out)
	}
	if got := b.Show(t, "MainPID"); got != pid || b.Show(t, "ActiveState") != "active" {
		t.Errorf("the daemon was %s and is %s, %s", pid, got, b.Show(t, "ActiveState"))
	}
	b.roundTrip(t)
	b.Write(t, "/etc/nvsess/nvsess.toml", "", 0o644)

	// Removed and installed again it runs as after the first time.
	b.apt(t, "remove", "nvsess")
	if code := closedWith(t, c); code != lasting.CloseGoingAway {
		t.Errorf("removing closed the session with %d", code)
	}
	active := func() string {
		out, _ := b.Try("systemctl", "is-active", "nvsessd.service", "nvsessd.socket", "nvsessd-admin.socket")
		return out
	}
	if out := active(); out != "inactive\ninactive\ninactive" {
		t.Errorf("after remove: %s", out)
	}
	b.Run(t, "test", "-e", "/etc/nvsess/nvsess.toml")
	b.Run(t, "test", "!", "-e", "/run/nvsess/admin.sock", "-a", "!", "-e", "/usr/bin/nvsessd")
	b.apt(t, "-o", "Dpkg::Options::=--force-confold", "install", "/opt/first.deb")
	if out := active(); out != "active\nactive\nactive" {
		t.Errorf("removed and installed again: %s", out)
	}

	// What the operator switched off stays off over remove and install.
	b.Run(t, "systemctl", "disable", "nvsessd.service")
	b.apt(t, "remove", "nvsess")
	b.apt(t, "-o", "Dpkg::Options::=--force-confold", "install", "/opt/first.deb")
	if out, _ := b.Try("systemctl", "is-enabled", "nvsessd.service"); out != "disabled" {
		t.Errorf("disabled, removed and installed again it is %s", out)
	}
	if out := active(); out != "inactive\ninactive\ninactive" {
		t.Errorf("disabled, removed and installed again: %s", out)
	}

	// Everything goes, running or not, with what the operator put beside the configuration.
	b.Run(t, "systemctl", "start", "nvsessd")
	b.Write(t, "/etc/nvsess/tls/key.pem", "a key", 0o600)
	b.apt(t, "purge", "nvsess")
	if d := difference(before, b.state(t)); d != "" {
		t.Errorf("purge leaves (+) or takes (-):\n%s", d)
	}
	if out, _ := b.Try("systemctl", "list-units", "--all", "--no-legend", "--plain", "nvsess*"); out != "" {
		t.Errorf("purge leaves units:\n%s", out)
	}
	b.Run(t, "test", "!", "-e", "/run/nvsess")
}

// The .rpm, by the real rpm, whose scripts are called with numbers.
func TestPackageRPM(t *testing.T) {
	systembox.Need(t, "rpm", "nsenter")
	first, second := buildPackage(t, "1.0.0", "rpm"), buildPackage(t, "1.0.1", "rpm")
	b := boot(t)
	b.Install(t, first, "/opt/first.rpm", 0o644)
	b.Install(t, second, "/opt/second.rpm", 0o644)
	b.Run(t, "rpm", "-i", "--nodeps", "/opt/first.rpm")
	if out, _ := b.Try("systemctl", "is-active", "nvsessd"); out != "inactive" {
		t.Errorf("installing left it %s; an rpm starts nothing", out)
	}
	b.Run(t, "systemctl", "start", "nvsessd")
	if got := b.Run(t, "stat", "-c", "%a %U %G", "/run/nvsess/nvsess.sock", "/run/nvsess/admin.sock"); got != "660 root nginx\n660 root nvsess" {
		t.Errorf("the sockets are\n%s", got)
	}
	c := connectUnix(t, b)
	b.roundTrip(t)
	b.Write(t, "/etc/nvsess/nvsess.toml", "# mine\n", 0o644)
	pid := b.Show(t, "MainPID")

	out := b.Run(t, "rpm", "-U", "--nodeps", "/opt/second.rpm")
	if got := b.Run(t, "nvsessctl", "version"); !strings.Contains(got, "1.0.1") || b.Show(t, "ActiveState") != "active" {
		t.Errorf("after the upgrade runs %s\n%s", got, out)
	}
	if got := b.Run(t, "cat", "/etc/nvsess/nvsess.toml"); got != "# mine" {
		t.Errorf("the configuration is now\n%s", got)
	}
	if b.keepsSessions(t) {
		b.roundTrip(t)
		if got := b.Show(t, "MainPID"); got != pid {
			t.Errorf("the daemon was %s and is %s\n%s", pid, got, out)
		}
	} else {
		t.Logf("nvsessd.service cannot upgrade in place: it was restarted, and told the session %d", closedWith(t, c))
	}

	b.Run(t, "rpm", "-e", "nvsess")
	if out, _ := b.Try("systemctl", "is-active", "nvsessd.service", "nvsessd.socket", "nvsessd-admin.socket"); out != "inactive\ninactive\ninactive" {
		t.Errorf("after rpm -e: %s", out)
	}
	if out := b.Run(t, "find", "/etc/systemd", "/usr/lib", "/usr/bin", "/usr/share", "-name", "*nvsess*"); out != "" {
		t.Errorf("rpm -e leaves\n%s", out)
	}
}
