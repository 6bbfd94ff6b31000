package clients

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of a test; none is expected to last.
const patience = 60 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nvsess-clients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var binDir string

// binaries builds nvsessd and nvsessctl, once.
var binaries = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", binDir, "../../cmd/nvsessd", "../../cmd/nvsessctl").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// daemon is a running nvsessd.
type daemon struct {
	t      *testing.T
	url    string // ws://...
	unix   string // ws+unix://...
	admin  string
	cmd    *exec.Cmd
	told   bool         // to end; a second signal would cut that short
	stderr bytes.Buffer // read it after stop
}

// start runs nvsessd with a configuration, on free addresses. The test fails if
// it does not end by itself, and well, at the end of the test.
func start(t *testing.T, mode, config string) *daemon {
	t.Helper()
	if err := binaries(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "nvc") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "nvsess.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "s.sock")
	d := &daemon{t: t, unix: "ws+unix://" + sock, admin: filepath.Join(dir, "a.sock")}
	d.cmd = exec.Command(filepath.Join(binDir, "nvsessd"), "-config", file, "-mode", mode,
		"-listen", "tcp:127.0.0.1:0", "-listen", "unix:"+sock, "-admin", d.admin)
	d.cmd.Stderr = &d.stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { d.cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop() })
	lines := bufio.NewScanner(stdout)
	for d.url == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "clients:"); ok && strings.Contains(url, "ws://") {
			d.url = strings.TrimSpace(url)
		}
	}
	if d.url == "" {
		d.cmd.Process.Kill()
		d.cmd.Wait()
		t.Fatalf("nvsessd did not start: %s", d.stderr.String())
	}
	go func() {
		for lines.Scan() {
		}
	}()
	t.Cleanup(d.stop)
	return d
}

// terminate tells nvsessd to end, once.
func (d *daemon) terminate() {
	if d.told {
		return
	}
	d.told = true
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Error(err)
	}
}

func (d *daemon) stop() {
	d.terminate()
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("nvsessd ended with %v", err)
	}
	if d.t.Failed() {
		d.t.Logf("nvsessd said: %s", d.stderr.String())
	}
}

// ctl runs a command of the operator and gives its output.
func (d *daemon) ctl(args ...string) string {
	d.t.Helper()
	out, err := exec.CommandContext(within(d.t), filepath.Join(binDir, "nvsessctl"), append([]string{"-s", d.admin}, args...)...).CombinedOutput()
	if err != nil {
		d.t.Errorf("nvsessctl %q: %v\n%s", args, err, out)
	}
	return string(out)
}
