package restart

import (
	"context"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/test/continuity/swarm"
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
			o.Do = func(context.Context, int) error {
				err := d.cmd.Process.Kill()
				<-d.ended
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
	o.Do = func(context.Context, int) error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	if r := check(t, o); r.Closed["1001"] < o.Sessions {
		t.Errorf("closed: %v", r.Closed)
	}
	d = start(t, "v1")
	o = d.load(swarm.None)
	o.Patience = patience / 12
	o.Do = func(context.Context, int) error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	if r, text := report(t, o); r.OK || r.Closed["1001"] < o.Sessions {
		t.Errorf("it was not noticed:\n%s", text)
	}
}
