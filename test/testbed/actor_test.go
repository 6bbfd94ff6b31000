package testbed

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An actor is a prompt in a transcript.
type actor interface {
	// run carries out an input, and gives what is printed at its end: the value.
	run(input string) string
	// written are the lines that handlers write, as they come.
	written() <-chan string
}

// console is the daemon's.
type console struct {
	d     *daemon
	lines chan string
}

// newConsole gives the daemon's console once it shows what scripts write.
func newConsole(d *daemon) *console {
	d.t.Helper()
	c := &console{d: d, lines: make(chan string, 1000)}
	cmd := d.Command(d.consoleCtx, "js_output")
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	const mark = "the console listens"
	listens := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		seen := false
		for in := bufio.NewScanner(out); in.Scan(); {
			if in.Text() != mark {
				c.lines <- in.Text()
			} else if !seen {
				seen = true
				close(listens)
			}
		}
	}()
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-over
		_ = cmd.Wait() // it was killed
	})
	for deadline := time.Now().Add(patience); ; {
		d.ctl("console.log('"+mark+"')", "js", "--quiet", "-")
		select {
		case <-listens:
			return c
		default:
			if time.Now().After(deadline) {
				d.t.Fatal("js_output says nothing")
			}
		}
	}
}

// commands are those that transcripts use; everything else is JavaScript.
var commands = []string{"sesses", "handlers", "reload_handlers", "enable_forward", "disable_forward", "stats", "send_jrr_sreq", "send_jrr_sres", "jsend", "ssend", "close"}

func (c *console) run(input string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(input), " ")
	for _, name := range commands {
		if word == name {
			return c.d.ctl(input + "\n")
		}
	}
	if out := c.d.ctl(input, "js", "--quiet", "-"); out != "" {
		return out
	}
	return "undefined"
}

func (c *console) written() <-chan string { return c.lines }

// shell is a prompt of Node.js.
type shell struct {
	t     *testing.T
	in    io.Writer
	lines chan string

	mu      sync.Mutex // guards what follows
	asked   int
	answers map[int]chan string
}

// newShell starts Node.js where the client is.
func newShell(t *testing.T) *shell {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	dist, err := filepath.Abs("../../web/dist")
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, lines: make(chan string, 1000), answers: make(map[int]chan string)}
	cmd := exec.Command(node, "shell.js", dist)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	over := make(chan struct{})
	go func() {
		defer close(over)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s.heard(lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-over
		timer.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v\n%s", err, stderr.String())
		}
	})
	return s
}

func (s *shell) heard(line []byte) {
	var m struct {
		N          int
		Log        *string
		Value, Err string
		Error      string
	}
	if err := json.Unmarshal(line, &m); err != nil {
		s.lines <- string(line)
		return
	}
	if m.Log != nil {
		for text := range strings.SplitSeq(*m.Log, "\n") {
			s.lines <- text
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[m.N] <- m.Value + m.Error
}

func (s *shell) run(input string) string {
	answer := make(chan string, 1)
	s.mu.Lock()
	s.asked++
	n := s.asked
	s.answers[n] = answer
	s.mu.Unlock()
	line, err := json.Marshal(map[string]any{"n": n, "code": input})
	if err == nil {
		_, err = s.in.Write(append(line, '\n'))
	}
	if err != nil {
		return err.Error()
	}
	select {
	case text := <-answer:
		return text
	case <-time.After(patience):
		return "(no answer)"
	}
}

func (s *shell) written() <-chan string { return s.lines }
