package restart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/continuity/swarm"
	"github.com/nvsess/nvsess/test/systembox"
)

// A service is the daemon as an operator installs it, under a real systemd.
type service struct {
	*systembox.Box
	t *testing.T
}

// The drop-in is for the tests: the daemon is killed more often than the unit
// takes for a coincidence, and a watchdog of 20 s takes long.
const dropIn = `[Unit]
StartLimitIntervalSec=0
[Service]
WatchdogSec=13s
`

func serve(t *testing.T) *service {
	t.Helper()
	s := &service{Box: systembox.Installed(t, programs(t, "v1")), t: t}
	s.Write(t, "/etc/nvsess/nvsess.toml", configuration, 0o644)
	s.Write(t, "/etc/systemd/system/nvsessd.service.d/test.conf", dropIn, 0o644)
	s.Run(t, "systemctl", "daemon-reload")
	s.Run(t, "systemctl", "start", "nvsessd")
	return s
}

// anyPause is for events whose pause is not ours alone: systemd waits, too.
func anyPause(o swarm.Options) swarm.Options {
	o.MaxPause = 0
	return o
}

func (s *service) load(expect swarm.Expect) swarm.Options {
	o := load(s.t, "unix:"+s.Path("/run/nvsess/nvsess.sock"), s.Path("/run/nvsess/admin.sock"), expect)
	o.Enter = s.Enter // see connections
	return o
}

// log is the journal of the service since a moment.
func (s *service) log(since time.Time) (string, error) {
	if out, err := s.Try("journalctl", "--sync"); err != nil {
		return out, err
	}
	return s.Try("journalctl", "--no-pager", "-o", "cat", "-u", "nvsessd", "--since", fmt.Sprintf("@%d.%06d", since.Unix(), since.Nanosecond()/1000))
}

// pid is the main process's, as the box counts.
func (s *service) pid() string { return s.Show(s.t, "MainPID") }

// replaced waits until another process than old is the daemon, and ready.
func (s *service) replaced(old string) error {
	for limit := time.Now().Add(2 * patience); ; { // systemctl takes its time itself
		out, err := s.Try("systemctl", "show", "-p", "MainPID,SubState", "nvsessd")
		if err == nil && strings.Contains(out, "SubState=running") && !strings.Contains(out, "MainPID="+old+"\n") && !strings.Contains(out, "MainPID=0\n") {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("process %s was not replaced: %v: %s", old, err, out)
		}
	}
}

// systemctl is an event.
func (s *service) systemctl(args ...string) func(context.Context, int) error {
	return func(context.Context, int) error {
		if out, err := s.Try(append([]string{"systemctl"}, args...)...); err != nil {
			return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
}

// kill is an event: the main process gets a signal, and there is another.
func (s *service) kill(signal string) func(context.Context, int) error {
	return func(context.Context, int) error {
		old := s.pid()
		if out, err := s.Try("kill", "-s", signal, old); err != nil {
			return fmt.Errorf("kill: %w: %s", err, out)
		}
		return s.replaced(old)
	}
}

// stored is how many descriptors systemd keeps.
func (s *service) stored() string { return s.Show(s.t, "NFileDescriptorStore") }

// connections counts those of clients whose end of the daemon's somebody has, be
// it in flight. That end belongs to the network of who connected.
func (s *service) connections() int {
	data, err := os.ReadFile(s.Path("/proc/1/net/unix"))
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) == 8 && f[7] == "/run/nvsess/nvsess.sock" && f[5] == "03" { // connected
			n++
		}
	}
	return n
}

// empties checks that nothing of sessions that are over is left.
func (s *service) empties(stored string) {
	s.t.Helper()
	systembox.Eventually(s.t, "connections of closed sessions", func() (string, bool) {
		n := s.connections()
		return fmt.Sprint(n), n == 0
	})
	systembox.Eventually(s.t, "descriptors in systemd's store", func() (string, bool) {
		now := s.stored()
		return now + ", and was " + stored, now == stored
	})
	out, err := s.Try("nvsessctl", "--json", "stats")
	var stats struct{ Sessions, Pending int }
	if err == nil {
		err = json.Unmarshal([]byte(out), &stats)
	}
	if err != nil || stats.Sessions != 0 || stats.Pending != 0 {
		s.t.Errorf("nvsessctl stats: %v\n%s", err, out)
	}
}

// The whole life of a service, one thing after the other: what the one leaves the
// next has to cope with.
func TestService(t *testing.T) {
	s := serve(t)
	stored := s.stored()
	t.Run("left alone", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		o := s.load(swarm.None)
		o.Do = func(context.Context, int) error {
			if n := s.connections(); n < o.Sessions {
				return fmt.Errorf("%d connections are seen", n)
			}
			return nil
		}
		check(t, o)
		s.empties(stored)
	})
	t.Run("reload", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		pid := s.pid()
		o := s.load(swarm.None)
		o.Times = 2
		o.Do = s.systemctl("reload", "nvsessd")
		check(t, o)
		if now := s.pid(); now != pid {
			t.Errorf("the process is %s, and was %s", now, pid)
		}
		s.empties(stored)
	})
	t.Run("restart", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		o := anyPause(s.load(swarm.None))
		o.Times = 2
		o.Do = func(ctx context.Context, n int) error {
			old := s.pid()
			if err := s.systemctl("restart", "nvsessd")(ctx, n); err != nil {
				return err
			}
			if s.pid() == old {
				return errors.New("the process is the same")
			}
			return nil
		}
		check(t, o)
		s.empties(stored)
	})
	t.Run("kill", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		since := time.Now()
		o := anyPause(s.load(swarm.Crash))
		o.CutInSend = runtime.NumCPU() // as many loops
		o.Times = setting(t, "NVSESS_RESTART_KILLS", 4)
		o.EveryMin, o.EveryMax = 0, 2*time.Second
		kill := s.kill("KILL")
		o.Do = func(ctx context.Context, n int) error {
			moment := time.NewTimer(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
			select {
			case <-moment.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			return kill(ctx, n)
		}
		o.DaemonLog = func() (string, error) { return s.log(since) }
		r := check(t, o)
		if len(r.Resumed) != o.Times {
			t.Errorf("the log tells of %d times that sessions were taken over, not %d", len(r.Resumed), o.Times)
		}
		s.empties(stored)
	})
	t.Run("watchdog", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		since := time.Now()
		o := anyPause(s.load(swarm.Crash))
		o.CutInSend = runtime.NumCPU() // as many loops
		o.Do = s.kill("STOP")          // systemd finds that it stands still
		o.DaemonLog = func() (string, error) { return s.log(since) }
		check(t, o)
		s.empties(stored)
	})
	t.Run("stop", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		o := s.load(swarm.Stop)
		o.Do = s.systemctl("stop", "nvsessd")
		check(t, o)
		if n := s.connections(); n != 0 {
			t.Errorf("%d connections are left of a daemon that was stopped", n)
		}
		systembox.Eventually(t, "descriptors of a daemon that was stopped", func() (string, bool) {
			now := s.stored()
			return now, now == "0"
		})
	})
	t.Run("started again", func(t *testing.T) {
		s := &service{Box: s.Box, t: t}
		s.Run(t, "systemctl", "start", "nvsessd")
		check(t, s.load(swarm.None))
	})
}
