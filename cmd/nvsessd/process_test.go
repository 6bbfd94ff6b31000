package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// A process is a running daemon.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	dir string // its runtime directory

	mu    sync.Mutex // guards lines
	lines []string   // of stderr
	more  chan struct{}
	read  chan struct{} // closed at the end of stderr
	ended chan struct{} // closed when the process has ended; code is set
	code  int
}

// launching changes how a daemon is started.
type launching func(*process)

// launch starts a daemon whose runtime directory is the test's own.
func launch(t *testing.T, args []string, change ...launching) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: filepath.Join(t.TempDir(), "r"), more: make(chan struct{}, 1), read: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(exe, args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Env = []string{asDaemon + "=1", "GORACE=atexit_sleep_ms=0", "RUNTIME_DIRECTORY=" + p.dir, "PATH=" + os.Getenv("PATH")}
	for _, f := range change {
		f(p)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.scan(stderr)
	go func() {
		<-p.read
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the daemon said:\n%s", p.said())
		}
	})
	return p
}

func (p *process) scan(stderr io.Reader) {
	defer close(p.read)
	s := bufio.NewScanner(stderr)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

// said is all of stderr so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// line is a line of the log.
type line struct {
	Level, Msg    string
	Listen, Admin []string
	Mode          string
	Error         string
}

// logged waits for a line of the log with that message.
func (p *process) logged(msg string) line {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		lines := slices.Clone(p.lines)
		p.mu.Unlock()
		for _, s := range lines {
			var l line
			if json.Unmarshal([]byte(s), &l) == nil && l.Msg == msg {
				return l
			}
		}
		select {
		case <-p.more:
		case <-p.ended:
			p.t.Fatalf("the daemon ended with %d before it said %q:\n%s", p.code, msg, p.said())
		case <-limit:
			p.t.Fatalf("the daemon never said %q:\n%s", msg, p.said())
		}
	}
}

// until looks until something has happened.
func (p *process) until(what string, happened func() bool) {
	p.t.Helper()
	for limit := time.Now().Add(patience); !happened(); {
		select {
		case <-p.ended:
			p.t.Fatalf("the daemon ended with %d, and not %s", p.code, what)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(limit) {
			p.t.Fatalf("never: %s", what)
		}
	}
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the end, with that code.
func (p *process) ends(code int) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("the daemon does not end:\n%s", p.said())
	}
	if p.code != code {
		p.t.Fatalf("the daemon ended with %d (%v), not %d", p.code, p.cmd.ProcessState, code)
	}
}

// socket is a path in the runtime directory.
func (p *process) socket(name string) string { return filepath.Join(p.dir, name) }

// noSockets checks that an ended daemon has left no socket behind.
func (p *process) noSockets() {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil && !os.IsNotExist(err) {
		p.t.Error(err)
	}
	for _, e := range entries {
		p.t.Errorf("%s is left behind", e.Name())
	}
}

// inShell starts the daemon by a shell that runs script first, in the same
// process.
func inShell(script string) launching {
	return func(p *process) {
		p.cmd.Args = append([]string{"sh", "-c", script + `; exec "$0" "$@"`, p.cmd.Path}, p.cmd.Args[1:]...)
		p.cmd.Path = "/bin/sh"
	}
}

func withEnv(kv ...string) launching {
	return func(p *process) { p.cmd.Env = append(p.cmd.Env, kv...) }
}

// configured writes a configuration and gives the arguments that read it.
func configured(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nvsess.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-config", path}
}
