package systembox

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// What is installed, seen from a package of tests.
const (
	UnitDir  = "../../deploy/systemd"
	Sysusers = "../../deploy/sysusers.d/nvsess.conf"
	Shipped  = "../../configs/nvsess.toml"
)

// Units are those of the daemon.
var Units = []string{"nvsessd.service", "nvsessd.socket", "nvsessd-admin.socket"}

// Build makes the programs, of that version, in a directory of the test's.
func Build(t *testing.T, version string) (dir string) {
	t.Helper()
	Need(t, "go")
	dir = t.TempDir()
	if err := nvsessd.Build(dir, "main.version="+version); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Installed is a box with the programs of a directory, the units, the user and
// the shipped configuration in place, and nothing started.
func Installed(t *testing.T, programs string) *Box {
	t.Helper()
	b := Boot(t)
	for _, name := range []string{"nvsessd", "nvsessctl"} {
		b.Install(t, filepath.Join(programs, name), "/usr/bin/"+name, 0o755)
	}
	for _, name := range Units {
		b.Install(t, filepath.Join(UnitDir, name), "/usr/lib/systemd/system/"+name, 0o644)
	}
	b.Install(t, Sysusers, "/usr/lib/sysusers.d/nvsess.conf", 0o644)
	b.Install(t, Shipped, "/etc/nvsess/nvsess.toml", 0o644)
	b.Run(t, "systemd-sysusers", "nvsess.conf")
	b.Run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := b.Try("journalctl", "--no-pager", "-o", "short-precise", "-u", "nvsessd*", "-u", "box-*")
			t.Log("the journal, less operators' commands:")
			for line := range strings.Lines(log) {
				if !strings.Contains(line, `"msg":"operator command"`) {
					t.Log(strings.TrimSpace(line))
				}
			}
		}
	})
	return b
}

// Show gives a property of the service.
func (b *Box) Show(t *testing.T, property string) string {
	t.Helper()
	return b.Run(t, "systemctl", "show", "--value", "-p", property, "nvsessd")
}
