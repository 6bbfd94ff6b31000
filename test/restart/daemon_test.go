package restart

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/test/continuity/swarm"
	"github.com/nvsess/nvsess/test/nvsessd"
)

// A daemon runs by itself, from a binary that can be replaced.
type daemon struct {
	nvsessd.Process
	t        *testing.T
	dir      string
	binary   string
	config   string
	programs string // where nvsessctl is
}

// start runs a daemon of a version.
func start(t *testing.T, version string) *daemon {
	t.Helper()
	d := &daemon{t: t, programs: programs(t, version)}
	var err error
	if d.dir, err = os.MkdirTemp("", "rs"); err != nil { // short enough for sockets
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d.dir) })
	d.binary, d.config = filepath.Join(d.dir, "nvsessd"), filepath.Join(d.dir, "c.toml")
	d.replace(version)
	d.configure(configuration)
	d.Cmd = exec.Command(d.binary, "-config", d.config)
	d.Cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "RUNTIME_DIRECTORY=" + d.dir}
	d.Start(t)
	d.Logged("ready")
	return d
}

func (d *daemon) addr() string  { return "unix:" + filepath.Join(d.dir, "s") }
func (d *daemon) admin() string { return filepath.Join(d.dir, "a") }

// configure writes a configuration for the next process.
func (d *daemon) configure(text string) {
	d.t.Helper()
	sockets := fmt.Sprintf("listen = [%q]\nadmin.listen = %q\n", d.addr(), "unix:"+d.admin())
	if err := os.WriteFile(d.config, []byte(sockets+text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// replace puts another version where the daemon was started from, as a package
// manager does: the running file stays what it is. It is a link: a file that was
// just written cannot be run while another test starts a process.
func (d *daemon) replace(version string) {
	d.t.Helper()
	fresh := d.binary + ".new"
	if err := os.Link(filepath.Join(programs(d.t, version), "nvsessd"), fresh); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(fresh, d.binary); err != nil {
		d.t.Fatal(err)
	}
	_ = os.Remove(fresh) // there still, if it was the same file
}

// ctl runs nvsessctl.
func (d *daemon) ctl(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(d.programs, "nvsessctl"), append([]string{"-s", d.admin()}, args...)...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *daemon) load(expect swarm.Expect) swarm.Options {
	return load(d.t, d.addr(), d.admin(), expect)
}

// version is what the daemon that answers says it is, and its pid.
func (d *daemon) version() (version string, pid int) {
	d.t.Helper()
	out, err := d.ctl("--json", "version")
	var v struct {
		Version string
		Pid     int
	}
	if err == nil {
		err = json.Unmarshal([]byte(out), &v)
	}
	if err != nil {
		d.t.Fatalf("nvsessctl version: %v\n%s", err, out)
	}
	return v.Version, v.Pid
}
