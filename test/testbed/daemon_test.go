package testbed

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

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nvsess-testbed-")
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
	t          *testing.T
	dir        string
	sock, tcp  string // where clients connect: a path, HOST:PORT
	admin      string
	cmd        *exec.Cmd
	stderr     bytes.Buffer // read it after stop
	consoleCtx context.Context
}

// start runs nvsessd with a configuration, on free addresses. The test fails if
// it does not end well at the end of the test.
func start(t *testing.T, config string, args ...string) *daemon {
	t.Helper()
	if err := binaries(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "nvt") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "nvsess.toml")
	for name, text := range map[string]string{file: config, filepath.Join(dir, "handlers.js"): "// nothing yet\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{t: t, dir: dir, sock: filepath.Join(dir, "s.sock"), admin: filepath.Join(dir, "a.sock")}
	d.cmd = exec.Command(filepath.Join(binDir, "nvsessd"), append([]string{"-config", file,
		"-listen", "unix:" + d.sock, "-listen", "tcp:127.0.0.1:0", "-admin", d.admin}, args...)...)
	d.cmd.Dir = dir
	d.cmd.Stderr = &d.stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = d.cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop() })
	lines := bufio.NewScanner(stdout)
	for d.tcp == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "clients:"); ok && strings.Contains(url, "ws://") {
			d.tcp = strings.Trim(strings.TrimPrefix(strings.TrimSpace(url), "ws://"), "/")
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		<-drained
		if err := d.cmd.Wait(); err != nil {
			t.Errorf("nvsessd ended with %v", err)
		}
		if t.Failed() {
			t.Logf("nvsessd said: %s", d.stderr.String())
		}
	})
	if d.tcp == "" {
		t.Fatal("nvsessd did not start")
	}
	var cancel context.CancelFunc
	d.consoleCtx, cancel = context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return d
}

// ctl carries out a command, with something on standard input, and gives all
// that is printed: errors, too.
func (d *daemon) ctl(stdin string, args ...string) string {
	cmd := exec.CommandContext(d.consoleCtx, filepath.Join(binDir, "nvsessctl"), append([]string{"-s", d.admin}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err.Error()
	}
	return strings.TrimSuffix(string(out), "\n")
}
