package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/selfsigned"
)

// Files that were read at the start may go: certificate, key and configuration
// are not looked at again, and handlers that cannot be loaded again stay as they
// were.
func TestFilesThatAreGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	handlers := filepath.Join(dir, "handlers.js")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(handlers, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`srv.regis_$str_handle$((s, conn) => conn.ssend("heard " + s))`)
	args := configured(t, fmt.Sprintf("listen = [\"unix:%%t/nvsess.sock\", \"tcp:127.0.0.1:0\"]\nhandlers = %q\ntls_cert = %q\ntls_key = %q\n", handlers, cert, key))
	p := launch(t, args)
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "one")
	g.hears(t, "heard one")
	for _, path := range []string{handlers, cert, key, args[1]} {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
	}
	p.Signal(syscall.SIGHUP)
	if l := p.Logged("the configuration is as it was: it cannot be read again"); !strings.Contains(l.Error, "no such file") {
		t.Errorf("%+v", l)
	}
	g.say(t, "two")
	g.hears(t, "heard two")
	for _, path := range []string{cert, key, args[1]} {
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	write(`srv.regis_$str_handle$((s, conn) => conn.ssend("again " + s))`)
	p.Signal(syscall.SIGHUP)
	p.Until("the new handlers are there", func() bool {
		g.say(t, "three")
		return <-g.texts == "again three"
	})
	p.Signal(os.Interrupt)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
}

// mounted mounts an empty file system at a directory of the test's own.
func mounted(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("to mount a file system takes root")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0755"); err != nil {
		t.Skip("cannot mount a file system:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// The file system of the sockets becomes read-only: sessions and operators go
// on, and the end is one, though the files stay.
func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mounted(t, dir)
	p := launch(t, []string{"-mode", "forward"}, func(p *process) {
		p.dir = filepath.Join(dir, "r")
		p.Cmd.Env = append(p.Cmd.Env, "RUNTIME_DIRECTORY="+p.dir)
	})
	p.Logged("ready")
	readOnly := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	readOnly(unix.MS_RDONLY)
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	talk(t, a, b, "hello")
	if s := p.stats(); s.Sessions != 2 {
		t.Errorf("%+v", s)
	}
	p.Signal(os.Interrupt)
	a.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.Logged("cannot close a socket")

	// There it cannot start, and says why; the next one clears away what is left.
	p2 := launch(t, nil, withEnv("RUNTIME_DIRECTORY="+p.dir))
	p2.Ends(1)
	if !strings.Contains(p2.Said(), "read-only file system") {
		t.Errorf("%s", p2.Said())
	}
	readOnly(0)
	p3 := launch(t, nil, withEnv("RUNTIME_DIRECTORY="+p.dir))
	p3.Logged("ready")
	p3.Signal(os.Interrupt)
	p3.Ends(0)
	p.noSockets()
}

// Without /proc everything works.
func TestWithoutProc(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", "/proc").CombinedOutput(); err != nil {
		t.Skipf("cannot hide /proc: %v: %s", err, out)
	}
	p := launch(t, []string{"-mode", "forward"}, func(p *process) {
		p.Cmd.Args = append([]string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /proc; exec "$0" "$@"`, p.Cmd.Path}, p.Cmd.Args[1:]...)
		p.Cmd.Path, _ = exec.LookPath("unshare")
	})
	p.Logged("ready")
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	talk(t, a, b, "hello")
	if s := p.stats(); s.Sessions != 2 {
		t.Errorf("%+v", s)
	}
	p.Signal(os.Interrupt)
	a.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}
