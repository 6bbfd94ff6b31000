package systemd_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/systembox"
)

const (
	holderSocket = "[Socket]\nListenStream=/run/holder.sock\nSocketMode=0666\nBacklog=20000\nFileDescriptorName=holder\nService=holder.service\n"
)

// holderUnit is the daemon's own, with another program.
func holderUnit(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(systembox.UnitDir, "nvsessd.service"))
	if err != nil {
		t.Fatal(err)
	}
	var unit []string
	for line := range strings.SplitSeq(string(data), "\n") {
		switch key, _, _ := strings.Cut(line, "="); key {
		case "Requires", "After", "StartLimitIntervalSec", "StartLimitBurst", "ExecReload", "WatchdogSec", "Also", "FileDescriptorStoreMax":
		case "ExecStart":
			unit = append(unit, "ExecStart=/usr/bin/holder", "FileDescriptorStoreMax=64", "WatchdogSec=5s")
		case "Sockets":
			unit = append(unit, "Sockets=holder.socket")
		case "RestartSec":
			unit = append(unit, "RestartSec=50ms")
		case "[Unit]":
			unit = append(unit, line, "StartLimitIntervalSec=0")
		default:
			unit = append(unit, line)
		}
	}
	return strings.Join(unit, "\n")
}

// A holderBox is a box with the holder in it.
type holderBox struct{ *systembox.Box }

// holding is one in which it has started.
func holding(t *testing.T) holderBox {
	t.Helper()
	systembox.Need(t, "go")
	b := holderBox{systembox.Boot(t)}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/holder", "../../internal/fdstore/testdata/holder")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	systembox.Output(t, build)
	b.Install(t, bin+"/holder", "/usr/bin/holder", 0o755)
	b.Install(t, systembox.Sysusers, "/usr/lib/sysusers.d/nvsess.conf", 0o644)
	b.Write(t, "/etc/systemd/system/holder.service", holderUnit(t), 0o644)
	b.Write(t, "/etc/systemd/system/holder.socket", holderSocket, 0o644)
	b.Run(t, "systemd-sysusers", "nvsess.conf")
	b.Run(t, "systemctl", "daemon-reload")
	b.Run(t, "systemctl", "start", "holder.service")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the journal:\n%s", b.journal())
		}
	})
	return b
}

func (b holderBox) journal() string {
	_, _ = b.Try("journalctl", "--sync")
	log, _ := b.Try("journalctl", "--no-pager", "-o", "cat", "-u", "holder*")
	return log
}

// held are connections to the holder, by key.
type held map[uint64]net.Conn

func (b holderBox) connectHolder(t *testing.T, n int) held {
	t.Helper()
	all := held{}
	for range n {
		c, err := net.Dial("unix", b.Path("/run/holder.sock"))
		if err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write([]byte("e")); err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		key, err := answer(c)
		if err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		if all[key] != nil {
			t.Fatalf("two connections have the key %d", key)
		}
		all[key] = c
	}
	return all
}

func answer(c net.Conn) (uint64, error) {
	var b [9]byte
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	if b[8] != '=' {
		return 0, fmt.Errorf("the record of %x is another one", b[:8])
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// check has each connection answer for itself.
func (h held) check(t *testing.T) {
	t.Helper()
	type entry struct {
		key uint64
		c   net.Conn
	}
	work := make(chan entry)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for e := range work {
				if _, err := e.c.Write([]byte("e")); err != nil {
					t.Errorf("connection %d: %v", e.key, err)
				} else if key, err := answer(e.c); err != nil || key != e.key {
					t.Errorf("connection %d answers %d, %v", e.key, key, err)
				}
			}
		})
	}
	for key, c := range h {
		work <- entry{key, c}
	}
	close(work)
	wg.Wait()
}

// ended waits until a connection has ended, and gives how long that took.
func ended(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	_ = c.SetReadDeadline(start.Add(time.Minute))
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("a closed connection: %d, %v", n, err)
	}
	return time.Since(start)
}

func (b holderBox) mainPID(t *testing.T) string {
	t.Helper()
	return b.Run(t, "systemctl", "show", "--value", "-p", "MainPID", "holder")
}

func (b holderBox) stored(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(b.Run(t, "systemctl", "show", "--value", "-p", "NFileDescriptorStore", "holder"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// again waits for another process than pid, that is ready.
func (b holderBox) again(t *testing.T, pid string) {
	t.Helper()
	systembox.Eventually(t, "the service", func() (string, bool) {
		out := b.Run(t, "systemctl", "show", "-p", "MainPID", "-p", "SubState", "holder")
		return out, strings.Contains(out, "SubState=running") && !strings.Contains(out, "MainPID="+pid+"\n") && !strings.HasSuffix(out, "MainPID="+pid)
	})
}

var restoredLine = regexp.MustCompile(`restored (\d+) lost (\d+) wrong (\d+) in (\S+)`)

// Connections go on over every end that a process can find, in the daemon's own sandbox, as its own user.
func TestDescriptorStore(t *testing.T) {
	b := holding(t)
	sessions := 15000
	if testing.Short() {
		sessions = 1000
	}
	all := b.connectHolder(t, sessions)
	if n := b.stored(t); n > 12 {
		t.Errorf("systemd has %d descriptors", n)
	}
	kill := []string{"systemctl", "kill", "--kill-who=main", "-s"}
	for _, how := range []struct {
		name string
		args []string
	}{
		{"kill -9", append(kill, "KILL", "holder")},
		{"restart", []string{"systemctl", "restart", "holder"}},
		{"watchdog", append(kill, "STOP", "holder")},
		{"abort", append(kill, "ABRT", "holder")},
	} {
		pid := b.mainPID(t)
		b.Run(t, how.args...)
		b.again(t, pid)
		all.check(t)
		lines := restoredLine.FindAllStringSubmatch(b.journal(), -1)
		if len(lines) == 0 {
			t.Fatal("nothing was restored")
		}
		last := lines[len(lines)-1]
		t.Logf("%s: %s; systemd has %d descriptors", how.name, last[0], b.stored(t))
		if last[1] != fmt.Sprint(len(all)) || last[2] != "0" || last[3] != "0" {
			t.Errorf("%s: %s, want %d", how.name, last[0], len(all))
		}
		// Some end, some come, before the next.
		closing := 0
		for key, c := range all {
			if closing++; closing > 500 {
				break
			}
			_, _ = c.Write([]byte("c"))
			ended(t, c)
			delete(all, key)
		}
		for key, c := range b.connectHolder(t, 500) {
			all[key] = c
		}
		if t.Failed() {
			return
		}
	}

	// What is closed and not even shut down is gone soon: nobody has its descriptor any more.
	for key, c := range all {
		_, _ = c.Write([]byte("d"))
		t.Logf("a closed descriptor was in flight for %v", ended(t, c))
		delete(all, key)
		break
	}
	all.check(t)

	b.Run(t, append(kill, "USR1", "holder")...)
	all.check(t)
	b.Run(t, "systemctl", "stop", "holder.service")
	for _, c := range all {
		ended(t, c)
	}
	log := b.journal()
	for _, want := range []string{
		`starting: job "start", <nil>`, `terminated: job "restart", <nil>`, `user defined signal 1: job "", <nil>`, `terminated: job "stop", <nil>`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the journal has no %s", want)
		}
	}
	if n := b.stored(t); n != 0 {
		t.Errorf("after stop systemd has %d descriptors", n)
	}
}
