package fdstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/await"
)

// A manager is the other end of the protocol, as systemd 252 speaks it; the real one is in test/systemd.
type manager struct {
	conn *net.UnixConn
	done chan struct{}

	mu     sync.Mutex // guards what follows
	most   int
	stored []stored
	heard  []string // first lines
}

type stored struct {
	name string
	fd   int
	poll bool
}

// startManager is who NOTIFY_SOCKET leads to until the test ends, in which nothing lingers for long.
func startManager(t testing.TB, most int) *manager {
	t.Helper()
	linger(t, 400*time.Millisecond)
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	m := &manager{conn: conn, done: make(chan struct{}), most: most}
	go m.run()
	t.Cleanup(func() {
		_ = conn.Close()
		<-m.done
		for _, f := range m.stored {
			_ = unix.Close(f.fd)
		}
	})
	return m
}

func (m *manager) run() {
	defer close(m.done)
	buf, oob := make([]byte, 4096), make([]byte, 4096)
	for {
		n, oobn, _, _, err := m.conn.ReadMsgUnix(buf, oob)
		if err != nil {
			return
		}
		m.handle(string(buf[:n]), rights(oob[:oobn]))
	}
}

func (m *manager) handle(msg string, fds []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := strings.Split(msg, "\n")
	m.heard = append(m.heard, lines[0])
	name, poll := "stored", true
	for _, l := range lines {
		if n, ok := strings.CutPrefix(l, "FDNAME="); ok {
			name = n
		}
		if l == "FDPOLL=0" {
			poll = false
		}
	}
	switch lines[0] {
	case "FDSTORE=1":
		m.pollLocked()
		for _, fd := range fds {
			if len(m.stored) < m.most {
				m.stored = append(m.stored, stored{name, fd, poll})
			} else {
				_ = unix.Close(fd)
			}
		}
		return
	case "FDSTOREREMOVE=1":
		m.removeLocked(func(f stored) bool { return f.name == name })
	}
	for _, fd := range fds { // a barrier's, too
		_ = unix.Close(fd)
	}
}

func (m *manager) removeLocked(which func(stored) bool) {
	var rest []stored
	for _, f := range m.stored {
		if which(f) {
			_ = unix.Close(f.fd)
		} else {
			rest = append(rest, f)
		}
	}
	m.stored = rest
}

// pollLocked forgets what was hung up, which systemd does when it hears of it.
func (m *manager) pollLocked() {
	m.removeLocked(func(f stored) bool {
		p := []unix.PollFd{{Fd: int32(f.fd)}}
		n, _ := unix.Poll(p, 0)
		return f.poll && n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
}

// files are what the next process is given.
func (m *manager) files(t *testing.T) (files []*os.File) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pollLocked()
	for _, f := range m.stored {
		fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), f.name))
	}
	return files
}

func (m *manager) names() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pollLocked()
	for _, f := range m.stored {
		names = append(names, f.name)
	}
	return names
}

// messages is how many came.
func (m *manager) messages() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.heard)
}

// opened is a store, and its log, that ends with the test.
func opened(t *testing.T, o Options) (*Store, *Restored, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	o.Log = zap.New(core)
	s, r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, r, logs
}

// crash ends a store as the end of its process would: nothing more is said to anybody.
func crash(s *Store) {
	s.mu.Lock()
	s.ops, s.frozen = nil, true
	s.mu.Unlock()
	s.Close()
}

// A pair is a connection, and its peer.
type pair struct {
	fd, peer int
	key      uint64
}

func (p pair) data() string {
	return fmt.Sprintf("record of %d %s", p.key, strings.Repeat("x", int(p.key%900)))
}

func newPair(t testing.TB, key uint64) *pair {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{fds[0], fds[1], key}
	t.Cleanup(func() { p.close(); _ = unix.Close(p.peer) })
	return p
}

// close is without shutdown, so that the peer sees whether anybody else has the descriptor.
func (p *pair) close() {
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
	}
	p.fd = -1
}

// hungUp reports whether nobody has the connection's descriptor.
func (p *pair) hungUp() bool {
	f := []unix.PollFd{{Fd: int32(p.peer)}}
	n, _ := unix.Poll(f, 0)
	return n > 0 && f[0].Revents&unix.POLLHUP != 0
}

// eventually waits for what nobody tells.
var eventually = await.That

func settle(t *testing.T, s *Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
}

func unsetenv(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // puts the old one back
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

func linger(t testing.TB, limit time.Duration) {
	old := lingerLimit
	lingerLimit = limit
	t.Cleanup(func() { lingerLimit = old })
}
