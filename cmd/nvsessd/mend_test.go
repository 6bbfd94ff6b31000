package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// talk has two guests exchange a message.
func talk(t *testing.T, a, b *guest, text string) {
	t.Helper()
	a.say(t, text)
	b.hears(t, text)
}

// Sockets whose files are removed while the daemon runs come back, by themselves
// or at once by SIGHUP; sessions do not notice, and nothing leaks.
func TestRemovedSocketsComeBack(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "forward"})
	p.Logged("ready")
	public, operators := p.socket("nvsess.sock"), p.socket("admin.sock")
	a, b := visit(t, "ws+unix://"+public), visit(t, "ws+unix://"+public)
	there := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return err == nil }
	}
	before := 0
	for i := range 4 {
		for _, path := range []string{public, operators} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if i == 3 { // and the directory with them
			if err := os.RemoveAll(p.dir); err != nil {
				t.Fatal(err)
			}
		}
		talk(t, a, b, fmt.Sprint("meanwhile ", i))
		if i > 0 {
			p.Signal(syscall.SIGHUP)
		}
		p.Until("the sockets are there again", func() bool { return there(public)() && there(operators)() })
		p.Until("the daemon listens", func() bool { c, err := tryVisit(t, "ws+unix://"+public); return err == nil && c.CloseNow() == nil })
		p.Until("only the first sessions are left", func() bool { return p.stats().Sessions == 2 })
		talk(t, b, a, fmt.Sprint("after ", i))
		if i == 0 {
			before = p.descriptors()
		}
		p.Until("no descriptor is left over", func() bool { return p.descriptors() <= before })
	}
	if n := strings.Count(p.Said(), "has been made again"); n != 8 {
		t.Errorf("%d lines about sockets made again", n)
	}
	p.Signal(os.Interrupt)
	a.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

// descriptors counts those of the daemon.
func (p *process) descriptors() int {
	p.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(list)
}

// What took a socket's place is left alone, and said once; when it is gone the
// socket comes back.
func TestSocketWhoseNameWasTaken(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	path := p.socket("admin.sock")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	const gone = "the file of a socket is gone, and cannot be made again; sessions go on"
	for range 3 {
		p.Signal(syscall.SIGHUP)
	}
	p.Logged(gone)
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("%q %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.Logged("the file of a socket was gone, and has been made again")
	if s := p.stats(); s.Sessions != 1 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(p.Said(), gone); n != 1 {
		t.Errorf("said %d times", n)
	}
	p.Signal(os.Interrupt)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

// A socket of systemd's is systemd's to make again.
func TestRemovedSocketOfSystemd(t *testing.T) {
	t.Parallel()
	path, f := unit(t, "a")
	p := launch(t, nil, activated("nvsess", f))
	p.Logged("ready")
	g := visit(t, "ws+unix://"+path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	if l := p.Logged("the file of a socket is gone, and cannot be made again; sessions go on"); l.Level != "error" {
		t.Errorf("%+v", l)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the daemon made it")
	}
	p.Signal(os.Interrupt)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
}
