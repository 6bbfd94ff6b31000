package attacks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/session"
)

// patience bounds every wait of a test; none is expected to last.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(swarmEnv) != "" {
		os.Exit(swarm())
	}
	dir, err := os.MkdirTemp("", "nva")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var binDir string

// binaries builds nvsessd and nvsessctl, once. They are built as they are
// installed, without the race detector: part of what is looked at is memory.
var binaries = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", binDir, "../../cmd/nvsessd", "../../cmd/nvsessctl").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

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
	t     *testing.T
	dir   string
	sock  string // unix, for clients
	tcp   string // HOST:PORT, for clients
	admin string // unix, for operators
	ctl   *admin.Client
	cmd   *exec.Cmd
	read  chan struct{} // closed at the end of stderr

	unasked bool // see setting

	mu  sync.Mutex // guards log
	log strings.Builder
}

// start runs a daemon that logs all it can. At the end of the test it has to
// stop by itself, and well.
func start(t *testing.T, s setting) *daemon {
	t.Helper()
	if err := binaries(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "nva") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{t: t, dir: dir, sock: filepath.Join(dir, "s"), admin: filepath.Join(dir, "a"), read: make(chan struct{}), unasked: s.unasked}
	if s.mode == "" {
		s.mode = "echo"
	}
	if s.log == "" {
		s.log = "json"
	}
	config := s.config + "\n[log]\nlevel = \"debug\"\nformat = \"" + s.log + "\"\n"
	if err := os.WriteFile(filepath.Join(dir, "c.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run := `exec "$0" "$@"`
	if s.files > 0 {
		run = fmt.Sprintf("ulimit -n %d && %s", s.files, run)
	}
	d.cmd = exec.Command("/bin/sh", "-c", run, filepath.Join(binDir, "nvsessd"), "-config", filepath.Join(dir, "c.toml"), "-mode", s.mode,
		"-listen", "unix:"+d.sock, "-listen", "tcp:127.0.0.1:0", "-admin", d.admin)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.scan(stderr)
	t.Cleanup(d.stop)
	for _, address := range d.ready() {
		if after, ok := strings.CutPrefix(address, "tcp:"); ok {
			d.tcp = after
		}
	}
	if d.ctl, err = admin.Dial(d.admin); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *daemon) scan(stderr io.Reader) {
	defer close(d.read)
	b := make([]byte, 64<<10)
	for {
		n, err := stderr.Read(b)
		d.mu.Lock()
		d.log.Write(b[:n])
		d.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// said is the log so far.
func (d *daemon) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// ready waits until the daemon listens and gives the addresses.
func (d *daemon) ready() (listen []string) {
	d.t.Helper()
	d.eventually("the daemon is ready", func() bool {
		for line := range strings.SplitSeq(d.said(), "\n") {
			if i := strings.IndexByte(line, '{'); i >= 0 && strings.Contains(line, "ready") {
				var l struct{ Listen []string }
				if json.Unmarshal([]byte(line[i:]), &l) == nil && len(l.Listen) > 0 {
					listen = l.Listen
				}
			}
		}
		return listen != nil
	})
	return listen
}

// eventually waits for something to be so.
func (d *daemon) eventually(what string, so func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("waited in vain until %s", what)
		}
		select {
		case <-d.read:
			if !so() {
				d.t.Fatalf("the daemon has ended before %s:\n%s", what, tail(d.said()))
			}
			return
		default:
		}
	}
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	killer := time.AfterFunc(patience, func() { _ = d.cmd.Process.Kill() })
	defer killer.Stop()
	<-d.read
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("nvsessd ended with %v", err)
	}
	if strings.Contains(d.said(), "panic") || strings.Contains(d.said(), "goroutine ") {
		d.t.Errorf("nvsessd panicked")
	}
	if d.t.Failed() {
		d.t.Logf("nvsessd said:\n%s", tail(d.said()))
	}
}

// tail is the end of a log, without what the bystander's operator did.
func tail(s string) string {
	var kept strings.Builder
	for line := range strings.Lines(s) {
		if !strings.Contains(line, `"operator command","command":"send_jrr_sreq"`) {
			kept.WriteString(line)
		}
	}
	return kept.String()[max(0, kept.Len()-4000):]
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
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	return len(entries)
}

// memory is a figure of /proc/PID/status, in bytes: VmRSS is what is resident
// now, VmHWM the most that ever was.
func (d *daemon) memory(name string) int {
	d.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
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

// count is how many lines of the log contain text.
func (d *daemon) count(text string) (n int) {
	for line := range strings.SplitSeq(d.said(), "\n") {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
