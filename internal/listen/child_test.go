package listen

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/internal/config"
	"golang.org/x/sys/unix"
)

// This test binary is also the other processes the tests need: it does what childVar says instead of testing.
const childVar = "NVSESS_LISTEN_CHILD"

// quickExit spares each child the second that the race detector waits before it exits.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "":
		os.Exit(m.Run())
	case "open":
		childOpen()
	case "inherit":
		childInherit()
	}
}

// childOpen says "ready", opens what a line of JSON asks for, says "ok" or the error, and closes when its input ends.
func childOpen() {
	fmt.Println("ready")
	var order struct {
		Addr    Addr
		Options Options
		Then    *Options // for Become
	}
	in := bufio.NewReader(os.Stdin)
	if err := json.NewDecoder(in).Decode(&order); err != nil {
		fmt.Println("order:", err)
		return
	}
	s, err := Open(order.Addr, order.Options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ok")
	if order.Then != nil {
		fmt.Printf("%q\n", fmt.Sprint(s.Become(*order.Then)))
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Println(err)
	}
}

// child is a process in childOpen.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild starts a child, as another user when cred is given, and waits until it is ready for its order.
func startChild(t *testing.T, exe string, cred *syscall.Credential) *child {
	t.Helper()
	c := &child{cmd: exec.Command(exe)}
	c.cmd.Env = append(os.Environ(), childVar+"=open", quickExit)
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGKILL}
	c.in, _ = c.cmd.StdinPipe()
	out, _ := c.cmd.StdoutPipe()
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	if got := c.line(); got != "ready" {
		t.Fatalf("child: %s", got)
	}
	return c
}

func (c *child) order(addr string, o Options) {
	a, _ := ParseAddr(addr)
	_ = json.NewEncoder(c.in).Encode(map[string]any{"Addr": a, "Options": o})
}

// orderChange has it opened as one has it, and become what another has.
func (c *child) orderChange(addr string, o, then Options) {
	a, _ := ParseAddr(addr)
	_ = json.NewEncoder(c.in).Encode(map[string]any{"Addr": a, "Options": o, "Then": then})
}

func (c *child) line() string {
	s, _ := c.out.ReadString('\n')
	return strings.TrimSuffix(s, "\n")
}

// stop lets the child close its socket and end.
func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// kill ends the child as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// copyOfSelf is this binary where every user may run it.
func copyOfSelf(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(publicDir(t, 0o755), "child")
	if err := os.WriteFile(exe, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return exe
}

// publicDir is a temporary directory that other users may pass.
func publicDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvsess-listen-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may start processes of other users and give files away")
	}
}

// checkDescriptors fails the test if it ends with other descriptors than it began with.
func checkDescriptors(t *testing.T) {
	t.Helper()
	before := descriptors(t)
	t.Cleanup(func() {
		if after := descriptors(t); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("descriptors before: %q\nafter: %q", before, after)
		}
	})
}

// descriptors are those that refer to sockets and ordinary files; the runtime's own come and go.
func descriptors(t *testing.T) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(link, "anon_inode:") && !strings.HasPrefix(link, "pipe:") && !strings.HasPrefix(link, "/proc/") {
			open = append(open, link)
		}
	}
	return open
}

// mustOpen opens and closes with the test.
func mustOpen(t *testing.T, addr string, o Options) *Socket {
	t.Helper()
	a, err := ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, ok := range map[string]bool{
		"non-blocking":  fcntl(s.FD, unix.F_GETFL)&unix.O_NONBLOCK != 0,
		"close-on-exec": fcntl(s.FD, unix.F_GETFD)&unix.FD_CLOEXEC != 0,
	} {
		if !ok {
			t.Errorf("%s is not %s", s, name)
		}
	}
	return s
}

// mustRefuse wants an error of Open, word for word less "listen: ADDR ".
func mustRefuse(t *testing.T, addr string, o Options, want string) {
	t.Helper()
	a, err := ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(a, o)
	if err == nil {
		s.Close()
		t.Errorf("%s: opened, want: %s", addr, want)
	} else if got := strings.TrimPrefix(err.Error(), "listen: "+addr+" "); got != want {
		t.Errorf("%s:\n%s, want\n%s", addr, got, want)
	}
}

func fcntl(fd, cmd int) int {
	v, _ := unix.FcntlInt(uintptr(fd), cmd, 0)
	return v
}

func mode(m uint32) Options { return Options{Mode: config.FileMode(m)} }

func pidText() string { return strconv.Itoa(os.Getpid()) }
