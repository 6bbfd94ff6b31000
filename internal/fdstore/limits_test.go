package fdstore

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSystemdKeepsNothing(t *testing.T) {
	for most := range 5 { // a memory and two rings are five
		m := startManager(t, most)
		if s, _, err := Open(Options{}); !errors.Is(err, errRefused) {
			t.Errorf("with room for %d: %v", most, err)
			if err == nil {
				s.Close()
			}
		}
		if names := m.names(); len(names) != 0 {
			t.Errorf("with room for %d systemd is left with %q", most, names)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if _, _, err := Open(Options{}); err == nil {
		t.Error("opened without systemd")
	}
	t.Setenv("NOTIFY_SOCKET", "/nowhere/at/all")
	if _, _, err := Open(Options{}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("opened with systemd gone: %v", err)
	}
}

func TestEnabled(t *testing.T) {
	st, err := os.Lstat("/run/systemd/system")
	booted := err == nil && st.IsDir()
	for _, c := range []struct {
		socket, store string
		set, want     bool
	}{
		{"", "", false, false},
		{"", "8", true, false},
		{"/run/systemd/notify", "", false, booted}, // before 254
		{"/run/systemd/notify", "0", true, false},
		{"@abstract", "512", true, true},
	} {
		t.Setenv("NOTIFY_SOCKET", c.socket)
		t.Setenv("FDSTORE", c.store)
		if !c.set {
			unsetenv(t, "FDSTORE")
		}
		if got := Enabled(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// shrink gives rings a small send buffer until the test ends.
func shrink(t *testing.T, bytes int) {
	old := sendBuffer
	sendBuffer = bytes
	t.Cleanup(func() { sendBuffer = old })
}

// Rings are added when there is no room, and go when there is nothing in them; systemd's refusal of some is said, once.
func TestRingsComeAndGo(t *testing.T) {
	shrink(t, 8<<10)
	m := startManager(t, 64)
	s, _, _ := opened(t, Options{})
	pairs := somePairs(t, 1, 3000)
	k := s.Keeper()
	n := 0
	for _, p := range pairs {
		k.Add(int32(p.fd), p.key, []byte(p.data()))
		if n++; n%3 == 0 {
			k.Flush(0)
		}
	}
	k.Flush(0)
	eventually(t, "all are kept", func() bool { st := s.Stats(); return st.Kept == len(pairs) && st.Waiting == 0 })
	if st := s.Stats(); st.Rings < 4 {
		t.Errorf("only %d rings for so many", st.Rings)
	}
	settle(t, s)
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	s, r, _ := opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
	k = s.Keeper()
	for _, p := range pairs {
		k.Drop(int32(p.fd))
		p.close()
	}
	eventually(t, "nothing is in flight, in few rings", func() bool { st := s.Stats(); return st.Garbage == 0 && st.Rings <= 2 })
	settle(t, s)
	if got := len(m.names()); got > 5 {
		t.Errorf("systemd has %q", m.names())
	}
	for _, p := range pairs {
		if !p.hungUp() {
			t.Fatal("a closed connection is not closed")
		}
	}
}

func TestSystemdRefusesMore(t *testing.T) {
	shrink(t, 8<<10)
	m := startManager(t, 6)
	s, _, logs := opened(t, Options{})
	pairs := somePairs(t, 1, 3000)
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	eventually(t, "the refusal shows", func() bool { return s.Stats().Refused })
	settle(t, s)
	said := 0
	for _, l := range logs.All() {
		if strings.Contains(l.Message, "not kept") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("it was said %d times: %v", said, logs.All())
	}
	// What systemd did take survives.
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	_, r, _ := opened(t, Options{Files: m.files(t)})
	if len(r.Conns) < perMessage || len(r.Conns) > 2000 {
		t.Errorf("%d came back", len(r.Conns))
	}
}

// Without room for descriptors not all can be received. The others come back.
func TestTooFewDescriptorsToReceive(t *testing.T) {
	m := startManager(t, 64)
	s, _, _ := opened(t, Options{})
	pairs := somePairs(t, 1, 1001)
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	files := m.files(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 2000 // 1,000 peers and more are open, so that a message is cut
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	s, r, logs := opened(t, Options{Files: files})
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if len(r.Conns) == 0 || r.Lost == 0 || len(r.Conns)+r.Lost != 1000 {
		t.Errorf("%d came back, %d lost", len(r.Conns), r.Lost)
	}
	if logs.FilterMessageSnippet("limit of open files").Len() == 0 {
		t.Errorf("nothing is said of the limit: %v", logs.All())
	}
	here := map[uint64]bool{}
	for _, c := range r.Conns {
		here[c.Key] = true
		pairs[c.Key].fd = c.FD
	}
	eventually(t, "what is lost is closed", func() bool {
		for key, p := range pairs {
			if p.hungUp() == here[key] {
				return false
			}
		}
		return s.Stats().Garbage == 0
	})
}

// A descriptor that was closed and not dropped costs nobody else anything.
func TestClosedAndNotDropped(t *testing.T) {
	startManager(t, 64)
	s, _, logs := opened(t, Options{})
	pairs := somePairs(t, 1, 100)
	k := s.Keeper()
	pairs[50].close()
	_ = unix.Close(pairs[50].peer)
	for key, p := range pairs {
		if key == 50 {
			k.Add(19000, 50, nil) // nothing has it
		} else {
			k.Add(int32(p.fd), key, nil)
		}
	}
	k.Flush(0)
	if st := s.Stats(); st.Kept != 98 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	eventually(t, "it is said", func() bool { return logs.FilterMessageSnippet("is not kept").Len() == 1 })
	pairs[50].peer = -1
}

// The manager's socket may be an abstract one.
func TestNotifyAbstract(t *testing.T) {
	name := fmt.Sprintf("@nvsess-fdstore-test-%d", os.Getpid())
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	if err := Notify("READY=1\nSTATUS=up"); err != nil {
		t.Fatal(err)
	}
	var b [100]byte
	if n, err := l.Read(b[:]); err != nil || string(b[:n]) != "READY=1\nSTATUS=up" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
