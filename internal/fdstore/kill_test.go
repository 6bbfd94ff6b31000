package fdstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A service is testdata/holder, started as systemd starts it.
type service struct {
	manager *manager
	exe     string
	listen  *os.File
	addr    string
	cmd     *exec.Cmd
	log     string
}

func newService(t *testing.T, m *manager) *service {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/holder", "./testdata/holder")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sv := &service{manager: m, exe: dir + "/holder", addr: filepath.Join(dir, "socket"), log: dir + "/log"}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: sv.addr, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	if sv.listen, err = l.File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sv.kill()
		sv.listen.Close()
		if log, _ := os.ReadFile(sv.log); t.Failed() {
			t.Logf("the service says:\n%s", log[max(0, len(log)-5000):])
		}
	})
	return sv
}

func (sv *service) start(t *testing.T) {
	t.Helper()
	names := []string{"holder"}
	files := []*os.File{sv.listen}
	for _, f := range sv.manager.files(t) {
		names = append(names, f.Name())
		files = append(files, f)
		defer f.Close()
	}
	log, err := os.OpenFile(sv.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	sv.cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0"`, sv.exe)
	sv.cmd.Env = append(os.Environ(), fmt.Sprint("LISTEN_FDS=", len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	sv.cmd.ExtraFiles = files
	sv.cmd.Stdout, sv.cmd.Stderr = log, log
	sv.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := sv.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (sv *service) kill() {
	if sv.cmd != nil {
		_ = sv.cmd.Process.Kill()
		_ = sv.cmd.Wait()
	}
	sv.cmd = nil
}

// clients come and go.
type clients struct {
	mu      sync.Mutex
	open    map[uint64]net.Conn // that were told their key
	closing map[uint64]net.Conn
	most    int
}

// visit opens a connection, or closes one.
func (cs *clients) visit(addr string) error {
	cs.mu.Lock()
	n := len(cs.open)
	if n > 0 && (n >= cs.most || rand.IntN(3) == 0) {
		defer cs.mu.Unlock()
		for key, c := range cs.open {
			delete(cs.open, key)
			cs.closing[key] = c
			_, _ = c.Write([]byte{"cd"[rand.IntN(2)]})
			return nil
		}
	}
	cs.mu.Unlock()
	c, err := net.Dial("unix", addr)
	if err != nil {
		return err
	}
	key, err := ask(c)
	if err == io.EOF || isReset(err) {
		return c.Close() // the process ended before it was kept
	}
	if err != nil {
		return err
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open[key] != nil || cs.closing[key] != nil {
		return fmt.Errorf("two connections have the key %d", key)
	}
	cs.open[key] = c
	return nil
}

func isReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET)
}

// ask asks for a connection's key, again when nobody answers: a process may end between reading and writing.
func ask(c net.Conn) (key uint64, err error) {
	for range 600 {
		if _, err := c.Write([]byte("e")); err != nil {
			return 0, io.EOF
		}
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if key, err = readKey(c); !errors.Is(err, os.ErrDeadlineExceeded) {
			return key, err
		}
	}
	return 0, err
}

func readKey(c net.Conn) (uint64, error) {
	var b [9]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	if b[8] != '=' {
		return 0, fmt.Errorf("the record of %x is another one", b[:8])
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// check has every open one answer, and every closed one end.
func (cs *clients) check(t *testing.T) {
	t.Helper()
	for key, c := range cs.open {
		if got, err := ask(c); err != nil || got != key {
			t.Errorf("connection %d: answers %d, %v", key, got, err)
		}
	}
	for key, c := range cs.closing {
		_, _ = c.Write([]byte("c")) // again, should the process have ended before
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); err != nil && !isReset(err) {
			t.Errorf("closed connection %d: %v", key, err)
		}
		c.Close()
	}
	clear(cs.closing)
}

// Killed at any moment, fifty times in a row, while connections come and go: whoever was told that it is kept is kept.
func TestKilledAtRandom(t *testing.T) {
	m := startManager(t, 64)
	sv := newService(t, m)
	cs := &clients{open: map[uint64]net.Conn{}, closing: map[uint64]net.Conn{}, most: 400}
	defer func() {
		for _, c := range cs.open {
			c.Close()
		}
	}()
	sv.start(t)
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if err := cs.visit(sv.addr); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		<-time.After(time.Duration(rand.IntN(120)) * time.Millisecond) // not for anything: the moment is to be any
		sv.kill()
		if round%3 == 0 { // and at the beginning of the next
			sv.start(t)
			<-time.After(time.Duration(rand.IntN(30)) * time.Millisecond)
			sv.kill()
		}
		sv.start(t)
		close(stop)
		wg.Wait()
		if round%5 == 4 {
			cs.check(t)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	cs.check(t)
	t.Logf("%d connections are open in the end; systemd has %d descriptors", len(cs.open), len(m.names()))
	if n := len(m.names()); n > 7 {
		t.Errorf("systemd has %q", m.names())
	}
}
