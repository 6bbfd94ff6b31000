package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a terminal with nvsessctl on it.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu     sync.Mutex // guards what follows
	output strings.Builder
	seen   int           // what expect has gone past
	more   chan struct{} // closed and replaced when there is more
	ended  bool
}

// openTerminal runs nvsessctl (the test binary: see TestMain) on a terminal of 80 columns.
func openTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	c := &terminal{t: t, cmd: cmd, tty: tty, more: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			c.mu.Lock()
			c.output.Write(b[:n])
			c.ended = err != nil
			close(c.more)
			c.more = make(chan struct{})
			c.mu.Unlock()
			if err != nil { // EIO: the process is gone
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-done
		tty.Close()
	})
	return c
}

// expect waits for text after what was expected before, and returns what stood between.
func (c *terminal) expect(text string) string {
	c.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		c.mu.Lock()
		rest, more, ended := c.output.String()[c.seen:], c.more, c.ended
		if i := strings.Index(rest, text); i >= 0 {
			c.seen += i + len(text)
			c.mu.Unlock()
			return rest[:i]
		}
		c.mu.Unlock()
		if ended {
			c.t.Fatalf("the terminal ended before %q: %q", text, rest)
		}
		select {
		case <-more:
		case <-timer.C:
			c.t.Fatalf("no %q, but %q", text, rest)
		}
	}
}

func (c *terminal) keys(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.tty, keys); err != nil {
		c.t.Fatal(err)
	}
}

// exits waits for the end, with that exit status.
func (c *terminal) exits(code int) {
	c.t.Helper()
	defer time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() }).Stop()
	_ = c.cmd.Wait()
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.t.Errorf("exit status %d, want %d\n%s", got, code, c.output.String())
	}
}
