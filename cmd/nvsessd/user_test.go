package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// stranger is a user nobody has an account for.
const stranger = 64321

// asStranger runs the daemon as that user, without any of our environment.
func asStranger(exe string) launching {
	return func(p *process) {
		p.Cmd.Path = exe
		p.Cmd.Dir = "/"
		p.Cmd.Env = []string{asDaemon + "=1", "GORACE=atexit_sleep_ms=0"}
		p.Cmd.SysProcAttr.Credential = &syscall.Credential{Uid: stranger, Gid: stranger}
	}
}

// forAll is a directory that every user may enter, with this test binary in it.
func forAll(t *testing.T) (dir, exe string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of other users")
	}
	dir, err := os.MkdirTemp("", "nvsessd-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	exe = filepath.Join(dir, "nvsessd")
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(exe, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, exe
}

// An unprivileged user runs the daemon without options, and nvsessctl finds it
// without options; other users do not reach it.
func TestUnprivilegedWithoutOptions(t *testing.T) {
	dir, exe := forAll(t)
	ctl := filepath.Join(dir, "nvsessctl")
	if err := os.Link(filepath.Join(nvsessd.Programs(t), "nvsessctl"), ctl); err != nil {
		t.Fatal(err)
	}
	runtimeDir := fmt.Sprintf("/tmp/nvsess-%d", stranger)
	t.Cleanup(func() { os.RemoveAll(runtimeDir) })
	p := launch(t, nil, asStranger(exe))
	p.dir = runtimeDir
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	id := g.SessionID()

	command := func(uid uint32, args ...string) (string, error) {
		cmd := exec.Command(ctl, args...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := command(stranger, "sesses"); err != nil || !strings.Contains(out, id) {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := command(stranger, "send_jrr_sreq", "fst", `{"q":1}`); err != nil || !strings.Contains(out, "___cres___") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := command(stranger+1, "-s", p.socket("admin.sock"), "sesses"); err == nil || strings.Contains(out, id) {
		t.Errorf("another user is answered: %s", out)
	}
	if fi, err := os.Stat(runtimeDir); err != nil || fi.Mode() != 0o700|os.ModeDir {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

func TestNoPermission(t *testing.T) {
	dir, exe := forAll(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-listen", "unix:" + dir + "/s"}, "unix:" + dir + "/s cannot be opened: " + dir + "/s.lock: permission denied"},
		{[]string{"-listen", "unix:" + dir + "/own.sock"}, "permission denied"},
		{[]string{"-config", dir + "/secret.toml"}, "open " + dir + "/secret.toml: permission denied"},
	} {
		if err := os.WriteFile(dir+"/secret.toml", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p := launch(t, c.args, asStranger(exe))
		p.Ends(1)
		if said := p.Said(); !strings.HasPrefix(said, "nvsessd: ") || !strings.HasSuffix(said, c.want) || strings.Contains(said, "\n") {
			t.Errorf("%s\nwant %s", said, c.want)
		}
	}
}
