package attacks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/test/nvsessd"
)

// patience bounds every wait of a test; none is expected to last.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(swarmEnv) != "" {
		os.Exit(swarm())
	}
	nvsessd.M{M: m}.Run()
}

// A setting is what a test wants of its daemon.
type setting struct {
	mode   string // "": echo
	config string // further TOML
	files  int    // its limit of descriptors; 0: as it is
	log    string // format; "": json

	unasked bool // no operator asks the bystander: the operators' socket is what is attacked
}

// A daemon is a running nvsessd.
type daemon struct {
	*nvsessd.Daemon
	t   *testing.T
	ctl *admin.Client

	unasked bool // see setting
}

// start runs a daemon that logs all it can. At the end of the test it has to
// stop by itself, and well.
func start(t *testing.T, s setting) *daemon {
	t.Helper()
	if s.mode == "" {
		s.mode = "echo"
	}
	if s.log == "" {
		s.log = "json"
	}
	o := nvsessd.Options{
		Config: s.config + "\n[log]\nlevel = \"debug\"\nformat = \"" + s.log + "\"\n",
		Args:   []string{"-mode", s.mode},
	}
	if s.files > 0 {
		o.Shell = fmt.Sprintf("ulimit -n %d", s.files)
	}
	d := &daemon{Daemon: nvsessd.Start(t, o), t: t, unasked: s.unasked}
	var err error
	if d.ctl, err = admin.Dial(d.Admin); err != nil {
		t.Fatal(err)
	}
	return d
}

// call carries out an operator's command; the answer goes into result.
func (d *daemon) call(name string, args, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := d.ctl.Call(ctx, name, args)
	if err != nil {
		return err
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

// must is call for what has to succeed.
func (d *daemon) must(name string, args, result any) {
	d.t.Helper()
	if err := d.call(name, args, result); err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
}

// js evaluates JavaScript and gives the value as the console shows it.
func (d *daemon) js(code string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := d.ctl.Stream(ctx, "js", map[string]string{"code": code}, nil, func(*admin.Line) error { return nil })
	if err != nil {
		d.t.Fatalf("%s: %v", code, err)
	}
	var v admin.Value
	if err := json.Unmarshal(answer.Result, &v); err != nil {
		d.t.Fatal(err)
	}
	return v.Text
}

func (d *daemon) stats() (s session.Stats) {
	d.t.Helper()
	d.must("stats", nil, &s)
	return s
}

// descriptors is how many the daemon has open.
func (d *daemon) descriptors() int {
	d.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.Cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	return len(entries)
}

// memory is a figure of /proc/PID/status, in bytes: VmRSS is what is resident
// now, VmHWM the most that ever was.
func (d *daemon) memory(name string) int {
	d.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", d.Cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name+":"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				d.t.Fatal(err)
			}
			return kb << 10
		}
	}
	d.t.Fatalf("no %s", name)
	return 0
}
