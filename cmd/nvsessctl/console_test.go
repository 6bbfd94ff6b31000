package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func openConsole(t *testing.T, d *daemon, env ...string) *terminal {
	t.Helper()
	cmd := exec.Command("nvsessctl", "-s", d.Admin) // the test binary: see TestMain
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR=1", "XDG_STATE_HOME=" + d.Dir, "PAGER=cat"}, env...)...)
	cmd.Dir = d.Dir
	c := openTerminal(t, cmd)
	c.expect("help lists the commands")
	c.expect(prompt)
	return c
}

// enter types a line, and waits until the editor has it all.
func (c *terminal) enter(line string) {
	c.t.Helper()
	c.keys(line + "\r")
	c.expect("\n")
}

const (
	ctrlC, ctrlD, ctrlR, tab = "\x03", "\x04", "\x12", "\t"
	up, left, home           = "\x1b[A", "\x1b[D", "\x1b[1~"
)

func TestConsoleCommands(t *testing.T) {
	d, members := startTestDaemon(t, "/a", "/b")
	c := openConsole(t, d)
	c.enter("sesses -l")
	c.expect(members[0].id[:12])
	c.expect(members[1].id[:12])
	c.expect(prompt)
	c.enter(`send_jrr_sreq lst {"hi": "you must reply"}`)
	c.expect(`"path": "/b"`)
	c.expect(prompt)
	c.enter(`jsend fst {"a":1,}`)
	c.expect("  {\"a\":1,}\r\n         ^\r\n")
	c.expect("comma too many")
	c.expect(prompt)
	c.enter("srv.fst_sess()")
	c.expect("Sess [{")
	c.expect("}] {}")
	c.expect(prompt)
	c.enter("jsend fst -")
	c.expect("no standard input")
	c.expect(prompt)
	c.keys(ctrlD)
	c.exits(0)
	c = openConsole(t, d)
	c.enter("exit")
	c.exits(0)
}

func TestConsoleHistory(t *testing.T) {
	d, members := startTestDaemon(t, "/a")
	c := openConsole(t, d)
	c.enter("ssend fst first")
	c.expect("sent 5 bytes")
	c.expect(prompt)
	c.enter(" ssend fst secret") // a blank first: not for the history
	c.expect("sent 6 bytes")
	c.expect(prompt)
	c.keys(up + "\r")
	members[0].expect(t, "string first")
	members[0].expect(t, "string secret")
	members[0].expect(t, "string first")
	c.expect("sent 5 bytes")
	c.expect(prompt)
	c.keys(ctrlD)
	c.exits(0)

	path := filepath.Join(d.Dir, "nvsess", "history")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if lines, _ := os.ReadFile(path); string(lines) != "ssend fst first\n" {
		t.Errorf("%q", lines)
	}
	c = openConsole(t, d)
	c.keys(ctrlR + "fir")
	c.expect("ssend fst first")
	c.keys("\r")
	members[0].expect(t, "string first")
	c.expect("sent 5 bytes")
	c.expect(prompt)
	c.keys(up + up + up + "\r") // more than there is
	members[0].expect(t, "string first")
}

func TestConsoleCompletion(t *testing.T) {
	d, members := startTestDaemon(t, "/a", "/b")
	c := openConsole(t, d)
	c.keys("send" + tab)
	c.expect("send_jrr_sre")
	c.keys("q" + tab)
	c.expect("q ")
	c.keys(members[1].id[:5] + tab)
	c.expect(members[1].id[5:12] + " ")
	c.keys("--ti" + tab)
	c.expect("meout ")
	c.keys("5s 1\r")
	c.expect(`"path": "/b"`)
	c.expect(prompt)
	c.keys("handlers json " + tab)
	c.expect("forward")
	c.expect("echo")
	c.keys("ec" + tab + "\r")
	c.expect("json    echo")
	c.expect(prompt)
	c.keys("jbroadcast_until" + tab + tab)
	c.expect("ask every session, and stop")
	c.expect("ask every session, and wait")
	c.keys(ctrlC)
	c.expect(prompt)
	// Without a daemon there is nothing to complete ids with, and nothing is said about it.
	d.Stop()
	c.keys("ping " + tab + "x")
	if got := c.expect("x"); strings.Contains(got, "nvsessd") {
		t.Errorf("completion complained: %q", got)
	}
}

func TestConsoleInterrupt(t *testing.T) {
	d, members := startTestDaemon(t, "/silent", "/b")
	c := openConsole(t, d)
	c.enter(`send_jrr_sreq fst "anybody there?"`)
	members[0].expect(t, `request "anybody there?"`)
	c.keys(ctrlC)
	c.expect("^C")
	c.expect(prompt)
	c.enter("watch")
	c.expect("Ctrl-C ends it")
	c.enter("") // a watched console may be typed at
	if err := members[1].conn.SendString(t.Context(), "hello \x1b[31m"); err != nil {
		t.Fatal(err)
	}
	c.expect(`"hello \u001b[31m"`)
	c.keys(ctrlC)
	c.expect(prompt)
	c.keys("half a line" + ctrlC)
	c.expect("^C")
	c.expect(prompt)
	c.keys(ctrlC)
	c.expect("Ctrl-D or exit leaves")
	c.expect(prompt)
	c.enter("ping lst")
	c.expect("pong from")
}

func TestConsoleReconnects(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	d.Stop()
	c.enter("sesses --count")
	c.expect("no nvsessd answers at " + d.Admin)
	c.expect("the next command tries again")
	c.expect(prompt)
	c.enter("sesses --count")
	c.expect("no nvsessd answers")
	if got := c.expect(prompt); strings.Contains(got, "tries again") {
		t.Errorf("said twice: %q", got)
	}
	d.start()
	c.enter("sesses --count")
	c.expect("0\r\n")
	c.expect("nvsessd was restarted")
	c.expect(prompt)
	c.enter("sesses --count")
	if got := c.expect(prompt); strings.Contains(got, "restarted") {
		t.Errorf("said twice: %q", got)
	}
}

// Whatever ends the console, the terminal is left as it was found.
func TestConsoleTerminated(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	cooked := func() bool {
		state, err := unix.IoctlGetTermios(int(c.tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ICANON != 0 && state.Lflag&unix.ECHO != 0
	}
	if cooked() {
		t.Error("a line is edited key by key")
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.exits(0)
	if !cooked() {
		t.Error("the terminal was left as the line editor wants it")
	}
}

func TestConsoleWideCharacters(t *testing.T) {
	d, members := startTestDaemon(t, "/a")
	c := openConsole(t, d)
	text := "日本語 😀 wörld 👨‍👩‍👧"
	c.enter("ssend fst " + text)
	members[0].expect(t, "string "+text)
	c.expect("sent ")
	c.expect(prompt)
	// In the middle of a line, and one longer than the screen.
	c.keys("ssend fst 日本" + strings.Repeat(" long", 30) + "😀" + left + "語" + home + "\r")
	members[0].expect(t, "string 日本"+strings.Repeat(" long", 30)+"語😀")
	c.expect("sent ")
	c.expect(prompt)
	c.keys("ssend fst 😀😀\x7f\x7fx\r")
	members[0].expect(t, "string x")
}

func TestConsolePager(t *testing.T) {
	paths := make([]string, 30)
	for i := range paths {
		paths[i] = fmt.Sprintf("/%d", i)
	}
	d, members := startTestDaemon(t, paths...)
	c := openConsole(t, d, "PAGER=sed s/^/paged:/")
	c.enter("sesses -l")
	c.expect("paged: 0 " + members[0].id[:12])
	c.expect("paged:29 " + members[29].id[:12])
	c.expect(prompt)
	c.enter("sesses -l --limit 3") // fits the screen
	if got := c.expect(prompt); strings.Contains(got, "paged:") {
		t.Errorf("%q", got)
	}
	if _, err := exec.LookPath("less"); err != nil {
		t.Skip("there is no less")
	}
	c = openConsole(t, d, "PAGER=", "LESS=")
	c.enter("sesses")
	c.expect("Map(30) {")
	c.expect("\x1b[K") // the pager's own prompt
	c.keys(ctrlC)
	c.expect(prompt)
	c.enter("sesses --count")
	c.expect("30\r\n")
}
