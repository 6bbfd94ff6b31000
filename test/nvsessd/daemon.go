package nvsessd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// Options are what a test wants of a daemon. It listens on two unix sockets and a
// free port of this machine.
type Options struct {
	Config string   // TOML, less the sockets
	Args   []string // further ones
	Dir    string   // where its files are; "": one of its own, until the test ends
	Shell  string   // what the shell does that becomes the daemon
}

// A Daemon is nvsessd as an operator starts it.
type Daemon struct {
	Process
	Dir       string
	Sock, TCP string // for clients: a path, HOST:PORT
	Admin     string // for operators: a path

	killed atomic.Bool
}

// Start runs a daemon and waits until it is ready. The end of the test ends it, by
// SIGTERM: see Stop.
func Start(t T, o Options) *Daemon {
	t.Helper()
	d := &Daemon{Dir: o.Dir}
	if d.Dir == "" {
		var err error
		if d.Dir, err = os.MkdirTemp("", "nvs"); err != nil { // short enough for sockets
			t.Fatalf("%v", err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(d.Dir) })
	}
	d.Sock, d.Admin = filepath.Join(d.Dir, "nvsess.sock"), filepath.Join(d.Dir, "admin.sock")
	config := filepath.Join(d.Dir, "nvsess.toml")
	if err := os.WriteFile(config, []byte(o.Config), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	d.Cmd = exec.Command(filepath.Join(Programs(t), "nvsessd"),
		append([]string{"-config", config, "-listen", "unix:" + d.Sock, "-listen", "tcp:127.0.0.1:0", "-admin", d.Admin}, o.Args...)...)
	d.Cmd.Dir = d.Dir
	if o.Shell != "" {
		d.InShell(o.Shell)
	}
	d.Process.Start(t)
	t.Cleanup(d.Stop)
	for _, address := range d.Logged("ready").Listen {
		if a, ok := strings.CutPrefix(address, "tcp:"); ok {
			d.TCP = a
		}
	}
	return d
}

// Kill ends it as a crash does.
func (d *Daemon) Kill() {
	d.killed.Store(true)
	_ = d.Cmd.Process.Kill()
}

// Stop ends it and waits. Unless it was killed it has to end well.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.Terminate()
	select {
	case <-d.Ended:
	case <-time.After(Patience):
		d.t.Errorf("nvsessd does not end")
		return
	}
	if !d.Cmd.ProcessState.Success() && !d.killed.Load() {
		d.t.Errorf("nvsessd ended with %v", d.Cmd.ProcessState)
	}
	if said := d.Said(); strings.Contains(said, "panic") || strings.Contains(said, "goroutine ") {
		d.t.Errorf("nvsessd panicked")
	}
}

// Command is nvsessctl, for this daemon.
func (d *Daemon) Command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(Programs(d.t), "nvsessctl"), append([]string{"-s", d.Admin}, args...)...)
}

// Ctl runs nvsessctl, which has to succeed, and gives what it prints, less the
// last line's end.
func (d *Daemon) Ctl(args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	out, err := d.Command(ctx, args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("nvsessctl %q: %v\n%s", args, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}
