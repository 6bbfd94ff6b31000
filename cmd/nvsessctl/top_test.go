package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/admin"
)

// openTop opens a terminal with "nvsessctl top" on it, in a shell that says when it has the terminal back and in what state.
func openTop(t *testing.T, d *daemon, args ...string) *terminal {
	t.Helper()
	return openTerminal(t, topProgram(d, args...))
}

func topProgram(d *daemon, args ...string) *exec.Cmd {
	cmd := exec.Command("nvsessctl", append([]string{"-s", d.Admin, "top"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", "LC_ALL=C.UTF-8")
	return cmd
}

// restored checks that a terminal is as a shell leaves it: with echo and whole lines, the cursor, and its own screen.
func (c *terminal) restored() {
	c.t.Helper()
	c.expect(topLeave) // it may be on its way
	found, err := unix.IoctlGetTermios(int(c.tty.Fd()), unix.TCGETS)
	if err != nil {
		c.t.Fatal(err)
	}
	if want := uint32(unix.ECHO | unix.ICANON | unix.ISIG); found.Lflag&want != want || found.Iflag&unix.ICRNL == 0 {
		c.t.Errorf("the terminal is left with %#x %#x", found.Iflag, found.Lflag)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if all := c.output.String(); !strings.HasSuffix(all, topLeave) || strings.Count(all, topEnter) != strings.Count(all, topLeave) {
		c.t.Errorf("the terminal got at last %q", all[max(0, len(all)-100):])
	}
}

func TestTopLive(t *testing.T) {
	d, members := startTestDaemon(t, "/", "/")
	c := openTop(t, d)
	c.expect(topEnter)
	c.expect("nvsessd")
	c.expect("sessions")
	c.expect("lag p99")
	c.expect("q quit")
	if err := members[0].conn.SendString(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	c.expect("busiest")
	c.expect(admin.ShortID(members[0].id))
	c.keys("h")
	c.expect("the order of the busiest")
	c.keys("h")
	c.expect("lag p99")
	c.keys("s")
	c.expect("s sort: in")
	c.keys("-")
	c.expect("+/- every 2s")
	c.keys("++++") // as often as may be
	c.expect("+/- every 500ms")
	c.keys("\x1b[A\x1b[200~xyz\x1b[201~") // an arrow, a paste: nothing
	c.keys("p")
	c.expect("paused")
	c.expect("p go on")
	c.keys("p")
	c.expect("p pause")
	// A screen of another size, down to none worth mentioning.
	for _, size := range []pty.Winsize{{Rows: 50, Cols: 200}, {Rows: 10, Cols: 30}, {Rows: 1, Cols: 1}, {Rows: 24, Cols: 80}} {
		if err := pty.Setsize(c.tty, &size); err != nil {
			t.Fatal(err)
		}
		shown := c.expect("\x1b[H") + c.expect("\x1b[J")
		if n := strings.Count(shown, "\r\n"); n > 60 {
			t.Errorf("%d lines", n)
		}
	}
	c.expect("q quit")
	c.keys("q")
	c.exits(0)
	c.restored()
}

// Whatever ends it, the terminal is given back.
func TestTopEnds(t *testing.T) {
	d, _ := startTestDaemon(t)
	for name, end := range map[string]func(*terminal){
		"Ctrl-C":  func(c *terminal) { c.keys("\x03") },
		"SIGINT":  func(c *terminal) { _ = c.cmd.Process.Signal(os.Interrupt) },
		"SIGTERM": func(c *terminal) { _ = c.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGHUP":  func(c *terminal) { _ = c.cmd.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			c := openTop(t, d)
			c.expect("q quit")
			end(c)
			c.exits(exitInterrupted)
			c.restored()
		})
	}
}

// A daemon that goes is said to be gone, and found again; one that stops answering is, too, and keys go on working.
func TestTopWithoutDaemon(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	c := openTop(t, d)
	c.expect("lag p99")
	c.keys("+")
	d.Stop()
	c.expect("trying again for ")
	c.expect("no nvsessd answers at")
	c.keys("s")
	c.expect("s sort: in")
	d.start()
	c.expect("the daemon was restarted")
	d.Signal(syscall.SIGSTOP)
	c.expect("the daemon has not answered for")
	c.keys("s")
	c.expect("s sort: out")
	d.Signal(syscall.SIGCONT)
	c.keys("h")
	c.expect("the order of the busiest")
	c.keys("h")
	c.expect("lag p99")
	c.keys("q")
	c.exits(0)
	c.restored()
	gone := exec.Command("nvsessctl", "-s", d.Admin+"x", "top")
	if err := gone.Run(); gone.ProcessState.ExitCode() != exitNotReachable {
		t.Error(err)
	}
}

// Without a terminal it is text, and with --json what the API gives.
func TestTopSnapshots(t *testing.T) {
	d, _ := startTestDaemon(t, "/")
	for _, c := range []struct {
		args []string
		n    int
	}{{nil, 1}, {[]string{"-n", "2", "-i", "500ms"}, 2}} {
		out, err := topProgram(d, c.args...).Output()
		if err != nil || strings.Count(string(out), "lag p99") != c.n || bytes.ContainsRune(out, '\x1b') || strings.Contains(string(out), "- opened/s") {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
	out, err := topProgram(d, "-n", "2", "-i", "500ms", "--json").Output()
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, l := range lines {
		var top admin.Top
		if err := json.Unmarshal(l, &top); err != nil || top.Stats.Sessions != 1 {
			t.Errorf("%v %s", err, l)
		}
	}
	for _, args := range [][]string{{"-i", "1ms"}, {"-i", "2h"}, {"-n", "x"}, {"--limit", "101"}} {
		cmd := topProgram(d, args...)
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != exitUsage {
			t.Errorf("%v ended with %d", args, cmd.ProcessState.ExitCode())
		}
	}
}

func TestPprof(t *testing.T) {
	d, _ := startTestDaemon(t)
	dir := t.TempDir()
	run := func(args ...string) (out, errs string, code int) {
		cmd := exec.Command("nvsessctl", append([]string{"-s", d.Admin, "pprof"}, args...)...)
		var o, e bytes.Buffer
		cmd.Stdout, cmd.Stderr = &o, &e
		_ = cmd.Run()
		return o.String(), e.String(), cmd.ProcessState.ExitCode()
	}
	for _, args := range [][]string{{"cpu", "--seconds", "1"}, {"mutex", "--seconds", "1"}, {"heap"}, {"--seconds", "0", "goroutine"}} {
		file := filepath.Join(dir, "p")
		if _, errs, code := run(append(args, "-o", file)...); code != 0 || !strings.Contains(errs, "bytes in "+file) {
			t.Fatalf("%v: %d %s", args, code, errs)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := profile.Parse(f); err != nil || p.CheckValid() != nil {
			t.Errorf("%v: %v", args, err)
		}
		if fi, err := f.Stat(); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%v: %v %v", args, fi.Mode(), err)
		}
		f.Close()
	}
	if out, _, code := run("heap"); code != 0 || !strings.HasPrefix(out, "\x1f\x8b") {
		t.Errorf("to standard output: %d %.10q", code, out)
	}
	for _, args := range [][]string{{}, {"nonsense"}, {"cpu", "heap"}, {"cpu", "--seconds", "601"}, {"cpu", "--seconds", "-1"}, {"cpu", "--second", "1"}} {
		if _, errs, code := run(args...); code != exitUsage || errs == "" {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
	if out, _, code := run("--help"); code != 0 || !strings.Contains(out, "go tool pprof") {
		t.Error(out)
	}
	// What fails, or is interrupted, leaves no file.
	if _, errs, code := run("heap", "-o", filepath.Join(dir, "none", "p")); code != exitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("%d %s", code, errs)
	}
	cmd := exec.Command("nvsessctl", "-s", d.Admin, "pprof", "cpu", "-o", filepath.Join(dir, "q"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.Until("the profile", func() bool { f, _ := filepath.Glob(filepath.Join(dir, ".nvsessctl-pprof-*")); return len(f) == 1 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("interrupted: %v", cmd.ProcessState)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	c := openTerminal(t, exec.Command("nvsessctl", "-s", d.Admin, "pprof", "heap"))
	c.expect("a profile is not for a terminal")
	c.exits(exitUsage)
}

func TestTopKeys(t *testing.T) {
	for sent, want := range map[string]string{"q": "q", "\x1b[Ap": "p", "\x1b[200~xy\x1b[201~s": "xys", "\x1bOAh": "h", "\x1b": "", "\x1b[1;5": "", "a\x1b[Bb\x03": "ab\x03"} {
		if got := string(pressed([]byte(sent))); got != want {
			t.Errorf("%q is %q", sent, got)
		}
	}
}
