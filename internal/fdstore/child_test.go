package fdstore

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This binary is also the process without privileges that a test needs.
const childVar = "NVSESS_FDSTORE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) == "" {
		os.Exit(m.Run())
	}
	childLimit()
}

// childLimit fills the store as far as the kernel allows its user, and then some, without privileges. Each line is a fact.
func childLimit() {
	lingerLimit = 400 * time.Millisecond
	s, _, err := Open(Options{})
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	k := s.Keeper()
	var fds []int32
	for key := uint64(1); ; key++ {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			break
		}
		_ = unix.Close(p[1])
		fds = append(fds, int32(p[0]))
		k.Add(int32(p[0]), key, []byte("x"))
		k.Flush(0)
	}
	fmt.Println("open", len(fds) > 900, s.Stats().Waiting)
	// Closed and replaced, over and over: there is never more garbage than is allowed in flight.
	for round := range 30 * len(fds) {
		i := (round * 7919) % len(fds)
		k.Drop(fds[i])
		_ = unix.Close(int(fds[i]))
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			fmt.Println("socketpair:", err)
			return
		}
		_ = unix.Close(p[1])
		fds[i] = int32(p[0])
		k.Add(fds[i], uint64(round+1_000_000), []byte("x"))
		k.Flush(0)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if st := s.Stats(); st.Garbage == 0 && st.Waiting == 0 {
			break
		}
	}
	st := s.Stats()
	fmt.Println("churned", st.Kept == len(fds), st.Waiting, st.Garbage)
	for _, fd := range fds[len(fds)-20:] { // room for what follows
		k.Drop(fd)
		_ = unix.Close(int(fd))
	}
	fds = fds[:len(fds)-20]
	// Somebody else of the same user has as many in flight: nothing more can be sent.
	r, err := newRing(1, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	var e envelope
	for i := range perMessage {
		e.put(i, fds[0], 0, 0)
	}
	for err == nil {
		err = e.send(r.w, perMessage)
	}
	fmt.Println("crowded:", err)
	for i := range 300 {
		k.Drop(fds[i])
		_ = unix.Shutdown(int(fds[i]), unix.SHUT_RDWR)
		_ = unix.Close(int(fds[i]))
		p, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		_ = unix.Close(p[1])
		fds[i] = int32(p[0])
		k.Add(fds[i], uint64(i+100_000_000), []byte("x"))
		k.Flush(0)
	}
	fmt.Println("waiting", s.Stats().Waiting > 0)
	r.closeFDs()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if st := s.Stats(); st.Garbage == 0 && st.Waiting == 0 {
			break
		}
	}
	st = s.Stats()
	fmt.Println("in the end", st.Kept == len(fds), st.Waiting, st.Garbage)
}

// The kernel lets a user have as many descriptors in flight as one process may have open. A process that uses up the limit still gets along.
func TestLimitOfDescriptorsInFlight(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of a user that nobody else is")
	}
	startManager(t, 64)
	path := os.Getenv("NOTIFY_SOCKET")
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(filepath.Dir(path), "child")
	if err := os.WriteFile(exe, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `ulimit -n 1000 && exec "$0"`, exe)
	cmd.Env = append(os.Environ(), childVar+"=limit", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64123, Gid: 64123}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for in := bufio.NewScanner(out); in.Scan(); {
		got = append(got, in.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	want := []string{"open true 0", "churned true 0 0", "crowded: too many references: cannot splice", "waiting true", "in the end true 0 0"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the process says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
