package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A sink takes what is written as the test wants it.
type sink struct {
	enter chan struct{} // something is about to be written
	leave chan error    // what comes of it

	mu   sync.Mutex
	text strings.Builder
}

func (s *sink) Write(p []byte) (int, error) {
	s.enter <- struct{}{}
	err := <-s.leave
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		p = p[:len(p)/2] // as a disk that fills up
	}
	s.text.Write(p)
	return len(p), err
}

func TestLogQueueLosesAndTells(t *testing.T) {
	s := &sink{enter: make(chan struct{}), leave: make(chan error)}
	q := newLogQueue(s, func(n uint64) []byte { return fmt.Appendf(nil, "lost %d\n", n) })
	write := func(line string) {
		if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
			t.Error(n, err)
		}
	}
	let := func(err error) { <-s.enter; s.leave <- err }

	write("first\n")
	<-s.enter // it is stuck in there
	big := strings.Repeat("x", maxLogQueue-10) + "\n"
	write(big)
	write("no room 1\n")
	write("no room 2\n")
	s.leave <- nil
	let(nil) // big
	let(nil) // what was lost
	write("full\n")
	let(errors.New("no space left on device"))
	write("still full\n")
	let(errors.New("no space left on device")) // to tell
	write("room again\n")
	let(nil) // to tell
	let(nil)
	q.close()
	want := "first\n" + big + "lost 2\nfu\nlos\nlost 2\nroom again\n"
	if got := s.text.String(); strings.ReplaceAll(got, big, "") != strings.ReplaceAll(want, big, "") || !strings.Contains(got, big) {
		t.Errorf("%q", strings.ReplaceAll(got, big, "BIG\n"))
	}
	if q.Lost() != 4 {
		t.Errorf("%d lines were lost", q.Lost())
	}
}

// flooded makes the daemon log much: what operators change is.
func (p *process) flooded() {
	p.t.Helper()
	for range 40 {
		p.call("loglevel", map[string]any{"level": "info"}, nil)
	}
}

// serves checks that sessions and operators get what they want, whatever becomes
// of the log.
func (p *process) serves(to string) {
	p.t.Helper()
	a, b := visit(p.t, to), visit(p.t, to)
	for i := range 20 {
		a.say(p.t, fmt.Sprint("hello ", i))
		b.hears(p.t, fmt.Sprint("hello ", i))
	}
}

// A log that cannot be taken stops nobody: a full disk, a reader that is gone, a
// reader that does not read. What was lost is counted.
func TestLogThatIsNotTaken(t *testing.T) {
	quiet := []string{"-mode", "forward"}
	t.Run("full disk", func(t *testing.T) {
		t.Parallel()
		p := launch(t, quiet, inShell(`exec 2>/dev/full`))
		p.listens()
		p.flooded()
		p.serves("ws+unix://" + p.socket("nvsess.sock"))
		p.lostLines(40)
		p.Signal(os.Interrupt)
		p.Ends(0)
		p.noSockets()
	})
	t.Run("reader that is gone", func(t *testing.T) {
		t.Parallel()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := launch(t, quiet, func(p *process) { p.Cmd.ExtraFiles = []*os.File{w} }, inShell(`exec 2>&3 3>&-`))
		w.Close()
		p.listens()
		r.Close()
		p.flooded()
		p.serves("ws+unix://" + p.socket("nvsess.sock"))
		p.lostLines(40)
		p.Signal(os.Interrupt)
		p.Ends(0)
		p.noSockets()
	})
	t.Run("reader that does not read", func(t *testing.T) {
		t.Parallel()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
			t.Fatal(err)
		}
		p := launch(t, append(configured(t, patient), quiet...), func(p *process) { p.Cmd.ExtraFiles = []*os.File{w} }, inShell(`exec 2>&3 3>&-`))
		w.Close()
		p.listens()
		p.flooded()
		p.serves("ws+unix://" + p.socket("nvsess.sock"))
		m := visitMute(t, p.socket("nvsess.sock"))
		p.Signal(os.Interrupt)
		m.closeCode(t)
		p.Signal(os.Interrupt)
		p.Ends(1) // and not never: the last words are not taken either
		p.noSockets()
	})
	t.Run("disk that has room again", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("to mount a small file system takes root")
		}
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
			t.Skip("cannot mount a small file system:", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		p := launch(t, quiet, inShell(`exec 2>>`+dir+`/log`))
		p.listens()
		for range 4 {
			p.flooded()
		}
		p.serves("ws+unix://" + p.socket("nvsess.sock"))
		p.lostLines(1)
		if err := os.Truncate(dir+"/log", 0); err != nil {
			t.Fatal(err)
		}
		p.call("loglevel", map[string]any{"level": "warn"}, nil)
		p.call("loglevel", map[string]any{"level": "info"}, nil)
		p.Signal(os.Interrupt)
		p.Ends(0)
		text, err := os.ReadFile(dir + "/log")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		told := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "lines of the log were lost") })
		again := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"arg_level"`) })
		if told < 0 || again < told || !strings.Contains(lines[len(lines)-2], `"stopped"`) {
			t.Errorf("%s", text)
		}
	})
}

// listens waits until the daemon does, of which its log may not tell.
func (p *process) listens() {
	p.t.Helper()
	p.Until("it listens", func() bool { // a socket is there a moment before that
		c, err := net.Dial("unix", p.socket("admin.sock"))
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	p.call("version", nil, nil)
}

// lostLines waits until so many are counted.
func (p *process) lostLines(atLeast uint64) {
	p.t.Helper()
	p.Until("lines are lost", func() bool {
		var s struct {
			LogLost uint64 `json:"log_lost"`
		}
		p.call("stats", nil, &s)
		return s.LogLost >= atLeast
	})
}
