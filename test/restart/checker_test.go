package restart

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/test/continuity/swarm"
	"github.com/nvsess/nvsess/test/systembox"
)

// What is relied on below: with the daemon left alone nothing is wrong, and all
// that is to be seen is seen.
func TestLeftAlone(t *testing.T) {
	d := start(t, "v1")
	r := check(t, d.load(swarm.None))
	if r.Messages.Sent == 0 || r.Messages.Received != r.Messages.Sent || r.Broadcasts.Received == 0 || r.Requests.Answered == 0 || r.Questions.Answered == 0 {
		t.Error("nothing happened")
	}
	for name, o := range r.Odd {
		if o.Entered == 0 || o.Finished != o.Entered {
			t.Errorf("%s: %+v", name, *o)
		}
	}
	if len(r.Odd) != 9 {
		t.Errorf("%d kinds of odd sessions", len(r.Odd))
	}
}

// A daemon that is killed and has nobody to start it again loses everything, and
// that is seen, whatever was expected.
func TestKillIsNoticed(t *testing.T) {
	for _, expect := range []swarm.Expect{swarm.None, swarm.Crash, swarm.Stop} {
		t.Run(string(expect), func(t *testing.T) {
			d := start(t, "v1")
			o := d.load(expect)
			o.Patience = patience / 12 // nobody comes back
			if expect == swarm.Crash {
				o.BroadcastEvery = 0 // of it everybody has something under way
			}
			o.Do = func(context.Context, int) error {
				err := d.Cmd.Process.Kill()
				<-d.Ended
				return err
			}
			r, text := report(t, o)
			if r.OK || r.Closed["1006"] < o.Sessions || r.Abrupt == 0 {
				t.Errorf("it was not noticed:\n%s", text)
			}
			if expect == swarm.Crash && r.Quiet == 0 {
				t.Errorf("nobody had nothing under way:\n%s", text)
			}
		})
	}
}

// To be stopped is not to be crashed: everybody is told 1001.
func TestStop(t *testing.T) {
	d := start(t, "v1")
	o := d.load(swarm.Stop)
	o.Do = func(context.Context, int) error { return d.Cmd.Process.Signal(syscall.SIGTERM) }
	if r := check(t, o); r.Closed["1001"] < o.Sessions {
		t.Errorf("closed: %v", r.Closed)
	}
	d = start(t, "v1")
	o = d.load(swarm.None)
	o.Patience = patience / 12
	o.Do = func(context.Context, int) error { return d.Cmd.Process.Signal(syscall.SIGTERM) }
	if r, text := report(t, o); r.OK || r.Closed["1001"] < o.Sessions {
		t.Errorf("it was not noticed:\n%s", text)
	}
}

// The command says the same by its exit code, and as JSON.
func TestCommand(t *testing.T) {
	command := filepath.Join(t.TempDir(), "continuity")
	systembox.Output(t, exec.Command("go", "build", "-o", command, "../continuity"))
	d := start(t, "v1")
	args := []string{"-addr", d.addr(), "-admin", d.admin(), "-sessions", "20", "-odd", "1", "-every", "100ms", "-after", "100ms", "-patience", "5s", "-json"}
	for _, c := range []struct {
		more []string
		code int
		ok   bool
	}{
		{[]string{"-do", "true", "-times", "2", "-every-max", "200ms"}, 0, true},
		{[]string{"-do", "false"}, 1, false},
		{[]string{"-max-pause", "1ns"}, 1, false},
		{[]string{"-do", fmt.Sprintf("kill -9 %d", d.Cmd.Process.Pid)}, 1, false},
	} {
		cmd := exec.Command(command, append(args, c.more...)...)
		out, _ := cmd.Output() // its code is looked at
		var r swarm.Report
		if err := json.Unmarshal(out, &r); err != nil || r.OK != c.ok || cmd.ProcessState.ExitCode() != c.code {
			t.Errorf("%q: exit %d, %v\n%s", c.more, cmd.ProcessState.ExitCode(), err, out)
		}
	}
	if r, err := exec.Command(command, "-expect", "luck", "-addr", "unix:/x").CombinedOutput(); err == nil || !strings.Contains(string(r), "-expect is one of") {
		t.Errorf("%v: %s", err, r)
	}
}
