package restart

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/continuity/swarm"
	"github.com/nvsess/nvsess/test/systembox"
)

// A daemon runs by itself, from a binary that can be replaced.
type daemon struct {
	t        *testing.T
	dir      string
	binary   string
	config   string
	programs string // where nvsessctl is
	cmd      *exec.Cmd
	ended    chan struct{} // closed when it has
}

// start runs a daemon of a version.
func start(t *testing.T, version string) *daemon {
	t.Helper()
	d := &daemon{t: t, programs: programs(t, version), ended: make(chan struct{})}
	var err error
	if d.dir, err = os.MkdirTemp("", "rs"); err != nil { // short enough for sockets
		t.Fatal(err)
	}
	d.binary, d.config = filepath.Join(d.dir, "nvsessd"), filepath.Join(d.dir, "c.toml")
	d.replace(version)
	d.configure(configuration)
	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command(d.binary, "-config", d.config)
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "RUNTIME_DIRECTORY=" + d.dir}
	d.cmd.Stderr = log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.ended
		if t.Failed() {
			t.Logf("the daemon said, besides operators' commands:\n%s", d.log("operator command"))
		}
		os.RemoveAll(d.dir)
	})
	systembox.Eventually(t, "the daemon", func() (string, bool) {
		_, err := os.Stat(d.admin())
		return fmt.Sprint(err), err == nil
	})
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

// log is what the daemon has said so far, less lines with a message.
func (d *daemon) log(without string) string {
	data, err := os.ReadFile(filepath.Join(d.dir, "log"))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if !strings.Contains(line, `"msg":"`+without+`"`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// said counts the lines with a message.
func (d *daemon) said(msg string) (n int) {
	for line := range strings.Lines(d.log("")) {
		var l struct{ Msg string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			n++
		}
	}
	return n
}

// await waits until something has been said so often.
func (d *daemon) await(msg string, times int) error {
	for limit := time.Now().Add(patience); d.said(msg) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			return fmt.Errorf("after %v the daemon has said %q %d times, not %d", patience, msg, d.said(msg), times)
		}
	}
	return nil
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
