package nvsessd

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Patience bounds every wait of a test; none is expected to last.
const Patience = 2 * time.Minute

// T is what the tests of package testing and of package testscript have in
// common.
type T interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A Process is a program that a test runs. What it says on stderr is kept.
type Process struct {
	Cmd   *exec.Cmd
	Ended chan struct{} // closed when it has, and all it said is there

	t    T
	told atomic.Bool // to end
	mu   sync.Mutex  // guards what follows
	log  strings.Builder
	more chan struct{} // closed and replaced when the log grows
}

// Start begins it. The end of the test kills it, if nobody has ended it before.
func (p *Process) Start(t T) {
	t.Helper()
	p.t, p.Ended, p.more = t, make(chan struct{}), make(chan struct{})
	p.Cmd.Stderr = p
	p.Cmd.WaitDelay = Patience // who has its stderr, too, does not keep it from ending
	if p.Cmd.SysProcAttr == nil {
		p.Cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	if p.Cmd.SysProcAttr.Pdeathsig == 0 {
		p.Cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatalf("%v", err)
	}
	go func() {
		_ = p.Cmd.Wait() // ProcessState has it
		close(p.Ended)
	}()
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill()
		<-p.Ended
		if t.Failed() {
			t.Logf("%s said, besides operators' commands:\n%s", p.Cmd.Path, lastWords(p.Said()))
		}
	})
}

// InShell has it started by a shell that runs script first, in the same process.
func (p *Process) InShell(script string) {
	p.Cmd.Args = append([]string{"sh", "-c", script + `; exec "$0" "$@"`, p.Cmd.Path}, p.Cmd.Args[1:]...)
	p.Cmd.Path = "/bin/sh"
}

// Write adds to what it has said. Who wants its stdout there, too, makes the
// process that.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
	return p.log.Write(b)
}

// Said is all it has said so far, less the last line's end.
func (p *Process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSuffix(p.log.String(), "\n")
}

// lastWords are the end of a log. Tests have operators do much that nobody wants
// to read.
func lastWords(said string) string {
	var kept strings.Builder
	for line := range strings.Lines(said) {
		if !strings.Contains(line, "operator command") {
			kept.WriteString(line)
		}
	}
	return kept.String()[max(0, kept.Len()-1<<14):]
}

// Count is how many lines of the log contain text.
func (p *Process) Count(text string) (n int) {
	for line := range strings.Lines(p.Said()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// A Line is what tests look at in a line of the daemon's log.
type Line struct {
	Level, Msg    string
	Listen, Admin []string
	Mode          string
	Error         string
}

// parse reads a line of either format, if it has fields.
func parse(s string) (l Line, ok bool) {
	before, _, ok := strings.Cut(s, "{")
	if !ok || json.Unmarshal([]byte(s[len(before):]), &l) != nil {
		return l, false
	}
	if l.Msg == "" { // TIME LEVEL MESSAGE {...}
		before = strings.TrimSuffix(before, "\t")
		l.Msg = before[strings.LastIndexByte(before, '\t')+1:]
	}
	return l, true
}

// Logged waits for a line of the log with that message.
func (p *Process) Logged(msg string) Line {
	p.t.Helper()
	limit := time.After(Patience)
	for seen, ended := 0, false; ; {
		p.mu.Lock()
		rest, more := p.log.String()[seen:], p.more
		p.mu.Unlock()
		for s := range strings.Lines(rest) {
			if !strings.HasSuffix(s, "\n") && !ended {
				break // more of it may come
			}
			if l, ok := parse(s); ok && l.Msg == msg {
				return l
			}
			seen += len(s)
		}
		if ended {
			p.t.Fatalf("it ended with %v before it said %q:\n%s", p.Cmd.ProcessState, msg, p.Said())
		}
		select {
		case <-more:
		case <-p.Ended:
			ended = true // what it said at last is not looked at yet
		case <-limit:
			p.t.Fatalf("it never said %q:\n%s", msg, p.Said())
		}
	}
}

// Await looks until something is so that nobody tells.
func (p *Process) Await(what string, so func() bool) error {
	limit := time.After(Patience)
	for !so() {
		select {
		case <-p.Ended:
			if so() {
				return nil
			}
			return fmt.Errorf("the process ended with %v, and not %s", p.Cmd.ProcessState, what)
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			return fmt.Errorf("not within %v: %s", Patience, what)
		}
	}
	return nil
}

// Until is Await for what has to come.
func (p *Process) Until(what string, so func() bool) {
	p.t.Helper()
	if err := p.Await(what, so); err != nil {
		p.t.Fatalf("%v", err)
	}
}

// Signal sends a signal.
func (p *Process) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("%v", err)
	}
}

// Terminate tells it to end, once: a second signal would cut that short.
func (p *Process) Terminate() {
	if !p.told.Swap(true) {
		_ = p.Cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
}

// Ends waits for the end, with that code.
func (p *Process) Ends(code int) {
	p.t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		p.t.Fatalf("it does not end:\n%s", p.Said())
	}
	if got := p.Cmd.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("it ended with %d (%v), not %d", got, p.Cmd.ProcessState, code)
	}
}
