package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// callerEnv makes the test binary a caller with other credentials.
const callerEnv = "NVSESS_TEST_CALL"

func init() {
	path := os.Getenv(callerEnv)
	if path == "" {
		return
	}
	_, err := NewClient(path).Call(context.Background(), "version", nil)
	var e *Error
	switch {
	case err == nil:
		fmt.Print("permitted")
	case errors.As(err, &e):
		fmt.Print(e.Code)
	default:
		fmt.Print(err)
	}
	os.Exit(0)
}

// caller copies the test binary to where everybody can run it.
func caller(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvsess-peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "caller")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(bin, self, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return bin
}

// callAs calls the daemon from a process with these credentials.
func (d *testDaemon) callAs(bin string, c *syscall.Credential) string {
	d.t.Helper()
	cmd := exec.Command(bin)
	cmd.Dir = "/"
	cmd.Env = []string{callerEnv + "=" + d.admin}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c}
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// openUp lets everybody reach the socket, so that only credentials decide.
func (d *testDaemon) openUp() {
	d.t.Helper()
	if err := os.Chmod(d.admin, 0o777); err != nil {
		d.t.Fatal(err)
	}
	for dir := filepath.Dir(d.admin); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			d.t.Fatal(err)
		}
	}
}

func TestWhoMayCall(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	const stranger, friend, group, other = 54321, 54322, 54333, 54334
	d := startDaemon(t, func(o *Options) { o.AllowUIDs, o.AllowGIDs = []uint32{friend}, []uint32{group} })
	d.openUp()
	bin := caller(t)
	many := make([]uint32, 100) // more groups than fit at the first try
	for i := range many {
		many[i] = uint32(60000 + i)
	}
	for name, c := range map[string]struct {
		cred *syscall.Credential
		want string
	}{
		"root":                           {&syscall.Credential{}, "permitted"},
		"a stranger":                     {&syscall.Credential{Uid: stranger, Gid: other}, CodeNotPermitted},
		"a user of the configuration":    {&syscall.Credential{Uid: friend, Gid: other}, "permitted"},
		"a group of the configuration":   {&syscall.Credential{Uid: stranger, Gid: group}, "permitted"},
		"a supplementary group":          {&syscall.Credential{Uid: stranger, Gid: other, Groups: append(many, group)}, "permitted"},
		"other supplementary groups":     {&syscall.Credential{Uid: stranger, Gid: other, Groups: many}, CodeNotPermitted},
		"root's group is not permission": {&syscall.Credential{Uid: stranger, Gid: 0}, CodeNotPermitted},
	} {
		if got := d.callAs(bin, c.cred); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if log := d.log.String(); !strings.Contains(log, `"operator refused","uid":54321`) {
		t.Errorf("a refusal is logged: %s", log)
	}
}

func TestPeerOf(t *testing.T) {
	dir := t.TempDir()
	ln := listen(t, filepath.Join(dir, "s"))
	defer ln.Close()
	c, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := peerOf(s)
	if err != nil || int(p.UID) != os.Getuid() || int(p.PID) != os.Getpid() || int(p.GID) != os.Getgid() {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := peerOf(&net.TCPConn{}); err == nil {
		t.Error("a connection that is none has no peer")
	}
}
