package systembox

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Box is a machine of its own: systemd as first process of its own namespaces, network too, on a throw-away overlay of this
// machine's root. Where systemd runs this machine or does not, it runs the box; nothing the box does is seen outside.
//
// All mounts are in the box's mount namespace and all its processes in its pid namespace, so the end of its first process is the end
// of everything, and it ends with the test process at the latest. Outside there are an empty control group and a directory.
type Box struct {
	pid     int
	dir     string // outside: console output and the notify socket
	cgroup  string
	stop    chan struct{}
	stopped chan struct{}
}

const bootLimit = 60 * time.Second

// Boot starts a box and returns when systemd says that it is up. It skips the test where this cannot be done.
func Boot(t *testing.T) *Box {
	t.Helper()
	Need(t, systemd, "nsenter")
	if os.Geteuid() != 0 {
		t.Skip("only root may make the namespaces and mounts of a box")
	}
	cgroups := "/sys/fs/cgroup/unified"
	if _, err := os.Stat(cgroups + "/cgroup.procs"); err != nil {
		cgroups = "/sys/fs/cgroup"
	}
	if _, err := os.Stat(cgroups + "/cgroup.procs"); err != nil {
		t.Skip("no unified control group hierarchy for the box's systemd")
	}
	b := &Box{dir: t.TempDir(), cgroup: fmt.Sprintf("%s/nvsess-box-%d", cgroups, os.Getpid()), stop: make(chan struct{}), stopped: make(chan struct{})}
	for _, d := range []string{b.dir + "/notify", b.dir + "/fs", b.cgroup} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Skipf("cannot prepare a box: %v", err)
		}
	}
	t.Cleanup(func() { removeCgroup(b.cgroup) })
	removeStale(cgroups)
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: b.dir + "/notify/socket", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	b.start(t)
	if err := awaitReady(notify); err != nil {
		console, _ := os.ReadFile(b.dir + "/console")
		t.Fatalf("the box did not boot: %v\n%s", err, console)
	}
	return b
}

// start runs boxInit in new namespaces and in the box's control group.
func (b *Box) start(t *testing.T) {
	t.Helper()
	console, err := os.Create(b.dir + "/console")
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	cg, err := os.Open(b.cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer cg.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{initVar + "=" + b.dir}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Setsid:      true,
		Pdeathsig:   syscall.SIGKILL,
		UseCgroupFD: true,
		CgroupFD:    int(cg.Fd()),
	}
	started := make(chan error)
	go func() {
		defer close(b.stopped)
		// The kernel sends Pdeathsig when the thread ends that started the process, so that thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-b.stop
			_ = cmd.Process.Kill() // and with it all the others
			_ = cmd.Wait()
		}
	}()
	if err := <-started; errors.Is(err, fs.ErrPermission) {
		t.Skipf("the box's namespaces are not allowed here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	b.pid = cmd.Process.Pid
	t.Cleanup(func() { close(b.stop); <-b.stopped })
}

// awaitReady waits for the message that systemd sends to whoever runs it once everything is started.
func awaitReady(notify *net.UnixConn) error {
	if err := notify.SetReadDeadline(time.Now().Add(bootLimit)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, err := notify.Read(buf)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(buf[:n]), "\n") {
			if line == "READY=1" {
				return nil
			}
		}
	}
}

// removeCgroup removes an empty control group and those below.
func removeCgroup(top string) {
	var dirs []string
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		_ = unix.Rmdir(dirs[i])
	}
}

// removeStale removes the control groups of tests that were killed.
func removeStale(cgroups string) {
	groups, _ := filepath.Glob(cgroups + "/nvsess-box-*")
	for _, g := range groups {
		pid, err := strconv.Atoi(g[strings.LastIndexByte(g, '-')+1:])
		if err == nil && unix.Kill(pid, 0) == unix.ESRCH {
			removeCgroup(g)
		}
	}
}

// Path is a path of the box as seen from outside.
func (b *Box) Path(inside string) string { return fmt.Sprintf("/proc/%d/root%s", b.pid, inside) }

// Install copies a file into the box.
func (b *Box) Install(t *testing.T, src, dst string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(t, dst, string(data), mode)
}

// Write makes a file in the box, and the directories above it.
func (b *Box) Write(t *testing.T, dst, content string, mode os.FileMode) {
	t.Helper()
	dst = b.Path(dst)
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dst, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// Command is a command that will run in the box.
func (b *Box) Command(args ...string) *exec.Cmd {
	enter := []string{"-t", fmt.Sprint(b.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "LC_ALL=C.UTF-8"}
	return exec.Command("nsenter", append(enter, args...)...)
}

// Try runs a command in the box and gives what it says, on standard output and standard error.
func (b *Box) Try(args ...string) (string, error) {
	out, err := b.Command(args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Run runs a command that must succeed.
func (b *Box) Run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.Try(args...)
	if err != nil {
		t.Fatalf("in the box: %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Enter puts the calling thread into the box's network: what it makes belongs
// there.
func (b *Box) Enter() error {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", b.pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
}

// Dial connects to an address as seen from inside the box.
func (b *Box) Dial(network, addr string) (net.Conn, error) {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", b.pid))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		var r result
		if r.err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); r.err == nil {
			r.conn, r.err = net.Dial(network, addr)
		}
		done <- r
	}()
	r := <-done
	return r.conn, r.err
}
