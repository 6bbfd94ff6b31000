package listen

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// staleSocket leaves a socket file behind as a crash does.
func staleSocket(t *testing.T, path string, typ int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
}

func mustNotExist(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("%s: %v", path, err)
	}
}

func TestOpenConnectClose(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(t.TempDir(), "s")
	s := mustOpen(t, "unix:"+path, mode(0o600))
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fd, _, err := unix.Accept4(s.FD, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if _, _, err := unix.Accept4(s.FD, unix.SOCK_CLOEXEC); err != unix.EAGAIN {
		t.Errorf("accept with nobody there: %v", err)
	}
	if s.String() != "unix:"+path || s.Inherited || s.Name != "" {
		t.Errorf("%+v", s)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	mustNotExist(t, path)
	mustNotExist(t, path+".lock")
}

func TestStaleSocketIsReplaced(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(t.TempDir(), "s")
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		staleSocket(t, path, typ)
		s := mustOpen(t, "unix:"+path, mode(0o640))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A process that was killed leaves its file, and its lock if it was quick to die.
func TestAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	c := startChild(t, "/proc/self/exe", nil)
	c.order("unix:"+path, mode(0o600))
	if got := c.line(); got != "ok" {
		t.Fatal(got)
	}
	c.kill()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, "unix:"+path, mode(0o600))
}

func TestLiveSocketIsRefused(t *testing.T) {
	checkDescriptors(t)
	dir := t.TempDir()
	addr := "unix:" + filepath.Join(dir, "s")

	c := startChild(t, "/proc/self/exe", nil)
	c.order(addr, mode(0o600))
	if got := c.line(); got != "ok" {
		t.Fatal(got)
	}
	mustRefuse(t, addr, mode(0o600), fmt.Sprintf("is in use by another process (pid %d)", c.cmd.Process.Pid))
	c.stop()
	s := mustOpen(t, addr, mode(0o600))
	mustRefuse(t, addr, mode(0o600), "is in use by another process (pid "+pidText()+")")
	if _, err := os.Lstat(s.Addr.Address); err != nil {
		t.Errorf("the live socket is gone: %v", err)
	}

	dgram := filepath.Join(dir, "d")
	l, err := net.ListenPacket("unixgram", dgram)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mustRefuse(t, "unix:"+dgram, mode(0o600), "is in use by another process")
}

// A daemon too busy to accept is alive.
func TestFullBacklogIsRefused(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	sa := &unix.SockaddrUnix{Name: path}
	if err := unix.Bind(fd, sa); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		var c int
		if c, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(c)
		err = unix.Connect(c, sa)
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	mustRefuse(t, "unix:"+path, mode(0o600), "is in use by another process")
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	checkDescriptors(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	staleSocket(t, at("stale"), unix.SOCK_STREAM)
	for _, err := range []error{os.Mkdir(at("dir"), 0o700), os.Symlink("stale", at("link")), os.Symlink("nowhere", at("dangling")), unix.Mkfifo(at("fifo"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, what := range map[string]string{"file": "a regular file", "dir": "a directory", "link": "a symbolic link", "dangling": "a symbolic link", "fifo": "a special file"} {
		before, _ := os.Lstat(at(name))
		mustRefuse(t, "unix:"+at(name), mode(0o600), "is not a socket but "+what+", and is left alone")
		if after, err := os.Lstat(at(name)); err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
			t.Errorf("%s: %v, %v", name, after, err)
		}
		mustNotExist(t, at(name)+".lock")
	}
	if data, err := os.ReadFile(at("file")); string(data) != "precious" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestCloseLeavesWhatIsNotOurs(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(t.TempDir(), "s")
	s := mustOpen(t, "unix:"+path, mode(0o600))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	staleSocket(t, path, unix.SOCK_STREAM) // somebody else's by now
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// The lock decides between two that start together; one that is stuck in the middle does not make the other wait.
func TestOpeningTogether(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(t.TempDir(), "s")
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, "unix:"+path, mode(0o600), "is being opened by another process")
	unlock()
	mustNotExist(t, path+".lock")

	for round := range 20 {
		staleSocket(t, path, unix.SOCK_STREAM)
		children := make([]*child, 4)
		for i := range children {
			children[i] = startChild(t, "/proc/self/exe", nil)
		}
		for _, c := range children {
			c.order("unix:"+path, mode(0o600))
		}
		winners := 0
		var winner int
		for i, c := range children {
			switch got := c.line(); {
			case got == "ok":
				winners++
				winner = i
			case !strings.Contains(got, "is in use by another process (pid ") && !strings.Contains(got, "is being opened by another process"):
				t.Errorf("round %d: %s", round, got)
			}
		}
		if winners != 1 {
			t.Fatalf("round %d: %d opened it", round, winners)
		}
		if err := probe(path); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", children[winner].cmd.Process.Pid)) {
			t.Errorf("round %d: the path is not the winner's: %v", round, err)
		}
		for _, c := range children {
			c.stop()
		}
		mustNotExist(t, path)
		mustNotExist(t, path+".lock")
	}
}

func TestDirectories(t *testing.T) {
	checkDescriptors(t)
	missing := filepath.Join(t.TempDir(), "missing")
	mustRefuse(t, "unix:"+missing+"/s", mode(0o600), "cannot be opened: the directory "+missing+" does not exist")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, "unix:"+file+"/s", mode(0o600), "cannot be opened: "+file+" is not a directory")

	base, err := os.MkdirTemp("/dev/shm", "nvsess-listen-") // not below /tmp
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	for _, tt := range []struct {
		dir  string
		want os.FileMode
	}{{filepath.Join(base, "rt"), 0o755}, {filepath.Join(t.TempDir(), "rt"), 0o700}} {
		t.Setenv("RUNTIME_DIRECTORY", tt.dir)
		s := mustOpen(t, "unix:"+tt.dir+"/s", mode(0o600))
		if st, err := os.Stat(tt.dir); err != nil || st.Mode().Perm() != tt.want {
			t.Errorf("%s: %v, %v", tt.dir, st.Mode(), err)
		}
		s.Close()
		mustOpen(t, "unix:"+tt.dir+"/s", mode(0o600)) // it is there by now
	}
	t.Setenv("RUNTIME_DIRECTORY", filepath.Join(base, "a/b"))
	mustRefuse(t, "unix:"+base+"/a/b/s", mode(0o600), "cannot be opened: the runtime directory "+base+"/a/b cannot be made: no such file or directory")
}

// Below /tmp the runtime directory's name can be taken by anybody.
func TestRuntimeDirectoryInTmp(t *testing.T) {
	checkDescriptors(t)
	dir := filepath.Join(publicDir(t, 0o755), "rt")
	t.Setenv("RUNTIME_DIRECTORY", dir)
	refused := func(want string) {
		t.Helper()
		mustRefuse(t, "unix:"+dir+"/s", mode(0o600), "cannot be opened: "+dir+" "+want)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	refused("must be a directory, but is a symbolic link")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	refused("is writable by others (mode 0770)")
	if os.Geteuid() == 0 {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 65534, 0); err != nil {
			t.Fatal(err)
		}
		refused("belongs to uid 65534")
	}
}
