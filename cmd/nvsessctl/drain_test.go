package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/admin"
)

// openDrain opens a terminal with "nvsessctl drain" on it.
func openDrain(t *testing.T, d *daemon, env []string, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command("nvsessctl", append([]string{"-s", d.Admin, "drain"}, args...)...)
	cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR=", "LC_ALL=C.UTF-8"), env...)
	return openTerminal(t, cmd)
}

func TestDrainLiveView(t *testing.T) {
	var paths []string
	for i := range 20 {
		paths = append(paths, fmt.Sprintf("/%d", i))
	}
	d, _ := startTestDaemon(t, paths...)
	c := openDrain(t, d, nil, "--rate", "1/min", "--delay", "1s", "--deadline", "1h")
	c.expect("announced")
	c.expect("░")
	c.expect("closing in 0:0")
	c.expect("20 left   health says 503   ")
	c.expect("Ctrl-C leaves it running")
	c.expect("\x1b[2A") // drawn again in its place
	c.expect("draining")
	c.expect("1 of 20   19:00 left")
	c.expect("19 left   1/min")

	// Another terminal sees the same; Ctrl-C there, and here, ends no drain.
	other := openDrain(t, d, []string{"NO_COLOR=1", "LC_ALL=C"}, "--rate", "1000")
	other.expect("a drain is under way since ")
	shown := other.expect("1 of 20   19:00 left")
	if strings.Contains(shown, "█") || !strings.Contains(shown, "#") {
		t.Errorf("a terminal without UTF-8 shows %q", shown)
	}
	for _, x := range []*terminal{other, c} {
		x.keys("\x03")
		x.expect("drain: 1 of 20 closed, 19 left, 1/min, 19m0s to go")
		x.expect("the drain goes on: drain shows it again, undrain takes it back")
		x.exits(exitInterrupted)
	}
	c = openDrain(t, d, nil)
	c.expect("1 of 20   19:00 left")
	if out, err := exec.Command("nvsessctl", "-s", d.Admin, "undrain").CombinedOutput(); err != nil || string(out) != "drain taken back: 1 closed by it, 19 open; health says 200, sessions are taken\n" {
		t.Errorf("%v %s", err, out)
	}
	c.expect("the drain was taken back")
	c.exits(exitFailed)
	c = openDrain(t, d, nil, "--rate", "1000/s")
	c.expect("drained")
	c.expect(": 19 sessions closed in ")
	c.exits(0)
}

// In the console it is the same, and Ctrl-C ends the showing only.
func TestDrainInTheConsole(t *testing.T) {
	d, _ := startTestDaemon(t, "/a", "/b")
	cmd := exec.Command("nvsessctl", "-s", d.Admin)
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1", "LC_ALL=C.UTF-8", "XDG_STATE_HOME="+d.Dir)
	c := openTerminal(t, cmd)
	c.expect("nvsess> ")
	c.keys("drain --rate 1/min\r")
	c.expect("1 of 2   1:00 left")
	c.keys("\x03")
	c.expect("the drain goes on")
	c.expect("nvsess> ")
	c.keys("undrain\r")
	c.expect("drain taken back: 1 closed by it, 1 open")
	c.expect("nvsess> ")
	c.keys("exit\r")
	c.exits(0)
}

// Neither a narrow terminal nor large numbers break a line.
func TestDrainViewFits(t *testing.T) {
	v := drainView{tstView: tstView{fancy: true}}
	p := newPrinter(new(strings.Builder))
	d := &admin.Drain{ETAMS: 3_600_000}
	d.Phase, d.Rate, d.Total, d.Closed, d.Left, d.Ending, d.Unanswered, d.Forced = "closing", 12_345, 1_000_000, 400_000, 600_000, 5000, 70, 1
	for _, columns := range []int{1, 10, 40, 80, 200} {
		for _, line := range v.lines(p, d, columns) {
			if got := admin.TextWidth(tstFit(line, columns-1)); got >= columns && columns > 1 {
				t.Errorf("%d of %d columns: %q", got, columns, line)
			}
		}
	}
}
