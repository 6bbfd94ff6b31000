package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// A process is a running daemon: this test binary, see TestMain.
type process struct {
	nvsessd.Process
	t   *testing.T
	dir string // its runtime directory
}

// launching changes how a daemon is started.
type launching func(*process)

// launch starts a daemon whose runtime directory is the test's own.
func launch(t *testing.T, args []string, change ...launching) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: filepath.Join(t.TempDir(), "r")}
	p.Cmd = exec.Command(exe, args...)
	p.Cmd.SysProcAttr = new(syscall.SysProcAttr)
	p.Cmd.Env = []string{asDaemon + "=1", "GORACE=atexit_sleep_ms=0", "RUNTIME_DIRECTORY=" + p.dir, "PATH=" + os.Getenv("PATH")}
	for _, f := range change {
		f(p)
	}
	p.Start(t)
	return p
}

// socket is a path in the runtime directory.
func (p *process) socket(name string) string { return filepath.Join(p.dir, name) }

// noSockets checks that an ended daemon has left no socket behind.
func (p *process) noSockets() {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil && !os.IsNotExist(err) {
		p.t.Error(err)
	}
	for _, e := range entries {
		p.t.Errorf("%s is left behind", e.Name())
	}
}

// inShell has the daemon started by a shell that runs script first.
func inShell(script string) launching {
	return func(p *process) { p.InShell(script) }
}

func withEnv(kv ...string) launching {
	return func(p *process) { p.Cmd.Env = append(p.Cmd.Env, kv...) }
}

// configured writes a configuration and gives the arguments that read it.
func configured(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nvsess.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-config", path}
}
