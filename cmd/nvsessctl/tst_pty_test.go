package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/await"
)

// openTst opens a terminal with "nvsessctl tst" on it.
func openTst(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command("nvsessctl", append([]string{"tst"}, args...)...)
	cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR=", "LC_ALL=C.UTF-8"), env...)
	return openTerminal(t, cmd)
}

func TestTstLiveView(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "forward")
	c := openTst(t, nil, "-n", "100", "-w", "10ms", "--ctrl", "-e", "200ms", d.clients)
	c.expect("opening")
	c.expect("░")
	c.expect(" of 100 ")
	c.expect(" left")
	c.expect(" open   0 failed   0 ended early")
	c.expect("latency ")
	c.expect("\x1b[") // drawn again in its place
	c.expect("holding")
	c.expect("Ctrl-C ends and reports")
	c.expect("100 open")
	c.expect("copies")
	c.keys("\x03")
	c.expect("tst\x1b[0m 100 clients on " + d.clients)
	c.expect("100 opened of 100   0 failed   0 ended early")
	c.expect("0 lost   0 duplicates")
	c.expect("delivery")
	c.expect("every client opened and stayed")
	c.exits(0)
}

// Messages stand above the block, and no terminal is asked for more than it can do.
func TestTstPlainTerminal(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "forward")
	c := openTst(t, []string{"NO_COLOR=1", "LC_ALL=C"}, "-n", "3", "-v", "--ctrl", `{"hello":"wörld\u001b"}`, "-e", "100ms", "-d", "1s", d.clients)
	shown := c.expect(`c0 {"hello":"wörld\u001b","tst":{`)
	shown += c.expect("#") // the bar
	shown += c.expect("3 opened of 3")
	shown += c.expect("every client opened and stayed")
	c.exits(0)
	for _, sgr := range regexp.MustCompile(`\x1b\[[0-9;]*m|█`).FindAllString(shown, -1) {
		t.Errorf("the terminal got %q", sgr)
	}
	dumb := openTst(t, []string{"TERM=dumb"}, "-n", "3", "-d", "100ms", d.clients)
	if shown := dumb.expect("every client opened and stayed"); strings.Contains(shown, "\x1b") {
		t.Errorf("a dumb terminal got %q", shown)
	}
	dumb.exits(0)
}

func TestTstInterrupted(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "forward")
	for _, args := range [][]string{{"-n", "20", "-w", "0", "-d", "1h"}, {"-n", "20", "-w", "1h"}} {
		cmd := exec.Command("nvsessctl", append(append([]string{"tst", "--json"}, args...), d.clients)...)
		var out await.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{true: 20, false: 1}[args[3] == "0"]
		d.Until("the clients", func() bool { return tstStats(d).Sessions == want })
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != exitInterrupted || !strings.Contains(out.String(), `"ended": "interrupted"`) {
			t.Errorf("exit status %d\n%s", got, out.String())
		}
		d.Until("the sessions to end", func() bool { return tstStats(d).Sessions == 0 })
	}
	if c := tstStats(d).Closes; len(c) != 1 || c["1000"] != 21 {
		t.Errorf("sessions were closed with %v", c)
	}
}
