package restart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/test/continuity/swarm"
)

// resumed is in a line of the log after each upgrade.
const resumed = `"msg":"resumed"`

var upgraded = regexp.MustCompile(`^upgraded: (\S+) -> (\S+), (\d+) sessions kept, paused \S+$`)

// is checks that a daemon is of that version and still the same process.
func (d *daemon) is(version string) {
	d.t.Helper()
	if v, pid := d.version(); v != version || pid != d.Cmd.Process.Pid {
		d.t.Errorf("it is %s with pid %d, not %s with %d", v, pid, version, d.Cmd.Process.Pid)
	}
}

// A newer binary takes over by nvsessctl, several times in a row.
func TestUpgradeByCommand(t *testing.T) {
	d := start(t, "v1")
	versions := []string{"v1", "v2", "v3", "v1"}
	o := d.load(swarm.None)
	o.Times = len(versions) - 1
	o.Do = func(_ context.Context, n int) error {
		d.replace(versions[n+1])
		out, err := d.ctl("upgrade")
		m := upgraded.FindStringSubmatch(out)
		if err != nil || m == nil || m[1] != versions[n] || m[2] != versions[n+1] || m[3] == "0" {
			return fmt.Errorf("nvsessctl upgrade: %v: %s", err, out)
		}
		t.Log(out)
		return nil
	}
	for _, v := range versions {
		programs(t, v)
	}
	check(t, o)
	d.is("v1")
	if n := d.Count(resumed); n != o.Times {
		t.Errorf("the log tells of %d upgrades, not %d", n, o.Times)
	}
}

// The same by a signal, which nobody answers: the log does.
func TestUpgradeBySignal(t *testing.T) {
	d := start(t, "v1")
	programs(t, "v2")
	o := d.load(swarm.None)
	o.Times = 3
	o.Do = func(_ context.Context, n int) error {
		d.replace([]string{"v2", "v1", "v2"}[n])
		if err := d.Cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			return err
		}
		return d.Await(fmt.Sprintf("resumed %d times", n+1), func() bool { return d.Count(resumed) > n })
	}
	check(t, o)
	d.is("v2")
}

// A binary elsewhere.
func TestUpgradeToAnotherBinary(t *testing.T) {
	d := start(t, "v1")
	other := filepath.Join(programs(t, "v2"), "nvsessd")
	o := d.load(swarm.None)
	o.Do = func(context.Context, int) error {
		out, err := d.ctl("upgrade", "--binary", other)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	check(t, o)
	d.is("v2")
}

// otherState makes a binary whose version of the state is not ours.
const otherState = "main.stateVersion=0"

// When the new binary is none, or does not want, the old one carries on, says
// why, and can be upgraded afterwards.
func TestUpgradeRefused(t *testing.T) {
	d := start(t, "v1")
	script := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(d.dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newer := filepath.Join(programs(t, "v2"), "nvsessd")
	cases := []struct {
		name   string
		binary string
		config string
		why    *regexp.Regexp // in what nvsessctl says, and in the log
	}{
		{"missing", filepath.Join(d.dir, "none"), "", regexp.MustCompile(`no such file`)},
		{"a directory", d.dir, "", regexp.MustCompile(`director|permission|not executable`)},
		{"not executable", script("plain", "#!/bin/sh\n", 0o600), "", regexp.MustCompile(`permission denied|not executable`)},
		{"no program", script("text", "no program\n", 0o700), "", regexp.MustCompile(`exec format error|exit`)},
		{"exits at once", script("exits", "#!/bin/sh\necho I would rather not >&2\nexit 3\n", 0o700), "", regexp.MustCompile(`(?s)exit|I would rather not`)},
		{"exits and says all is well", script("well", "#!/bin/sh\nexit 0\n", 0o700), "", regexp.MustCompile(`.`)},
		{"hangs", script("hangs", "#!/bin/sh\nexec sleep 1000\n", 0o700), "", regexp.MustCompile(`time|long|answer|ready|deadline`)},
		{"is killed", script("killed", "#!/bin/sh\nkill -9 $$\n", 0o700), "", regexp.MustCompile(`kill|signal`)},
		{"refuses its configuration", newer, "mode = \"ecko\"\n", regexp.MustCompile(`ecko`)},
		{"does not know the state", filepath.Join(programs(t, "v9", otherState), "nvsessd"), "", regexp.MustCompile(`state|version`)},
	}
	o := d.load(swarm.None)
	o.Times = len(cases) + 1
	o.Do = func(_ context.Context, n int) error {
		if n == len(cases) {
			if out, err := d.ctl("upgrade", "--binary", newer); err != nil {
				return fmt.Errorf("after all that: %w: %s", err, out)
			}
			return nil
		}
		c := cases[n]
		if c.config != "" {
			d.configure(c.config)
			defer d.configure(configuration)
		}
		out, err := d.ctl("upgrade", "--binary", c.binary)
		t.Logf("%s: %s", c.name, out)
		switch {
		case err == nil:
			return fmt.Errorf("%s: it was taken: %s", c.name, out)
		case !c.why.MatchString(out):
			return fmt.Errorf("%s: it does not say why: %s", c.name, out)
		}
		select {
		case <-d.Ended:
			return errors.New(c.name + ": the daemon is gone")
		default:
		}
		if v, _ := d.version(); v != "v1" {
			return fmt.Errorf("%s: it is %s", c.name, v)
		}
		return nil
	}
	check(t, o)
	d.is("v2")
}

// Several upgrades at once: each call is carried out, or says that another is;
// a signal meanwhile does no harm.
func TestUpgradesAtOnce(t *testing.T) {
	d := start(t, "v1")
	programs(t, "v2")
	o := d.load(swarm.None)
	o.Times = 3
	o.Do = func(context.Context, int) error {
		d.replace("v2")
		var all sync.WaitGroup
		outs, errs := make([]string, 5), make([]error, 5)
		for i := range outs {
			all.Go(func() {
				outs[i], errs[i] = d.ctl("upgrade")
				_ = d.Cmd.Process.Signal(syscall.SIGUSR2)
			})
		}
		all.Wait()
		done := 0
		for i, out := range outs {
			switch {
			case errs[i] == nil:
				done++
			case !strings.Contains(out, "under way"):
				return fmt.Errorf("%w: %s", errs[i], out)
			}
		}
		if done == 0 {
			return fmt.Errorf("none was carried out: %q", outs)
		}
		return nil
	}
	check(t, o)
	d.is("v2")
}
