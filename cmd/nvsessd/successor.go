package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/ws"
)

// A candidate is a binary that is being asked whether it can take over. The daemon
// goes on meanwhile, and may be told to end.
type candidate struct {
	upgradeRequest
	began  time.Time
	file   os.FileInfo        // as it was asked
	answer <-chan error       // nil: it can
	cancel context.CancelFunc // ends its child
}

// ask begins an upgrade.
func (d *daemon) ask(r upgradeRequest) *candidate {
	ctx, cancel := context.WithTimeout(context.Background(), checkPatience)
	answer := make(chan error, 1)
	c := &candidate{upgradeRequest: r, began: time.Now(), answer: answer, cancel: cancel}
	var err error
	if c.binary == "" {
		c.binary, err = os.Executable()
	}
	if err == nil {
		c.file, err = os.Stat(c.binary)
	}
	d.serving.Go(func() {
		defer cancel()
		if err == nil {
			err = askBinary(ctx, c.binary)
		}
		answer <- err
	})
	return c
}

// isAsItWas tells, as far as that can be known, whether execve(2) is about to fail,
// or to execute what nobody has asked.
func (c *candidate) isAsItWas() error {
	now, err := os.Stat(c.binary)
	if err != nil {
		return err
	}
	if !os.SameFile(now, c.file) || now.Size() != c.file.Size() || !now.ModTime().Equal(c.file.ModTime()) {
		return errors.New("it has changed since it was asked whether it can take over")
	}
	return unix.Faccessat(unix.AT_FDCWD, c.binary, unix.X_OK, unix.AT_EACCESS)
}

// askBinary runs the new binary with this process's arguments, to see whether it
// takes them, the configuration, and the state.
func askBinary(ctx context.Context, binary string) error {
	args := append(slices.Clone(os.Args[1:]), "-check-state", strconv.Itoa(ws.StateVersion))
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.WaitDelay = time.Second
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its own children
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "NOTIFY_SOCKET=") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	limited := &limitedBuffer{Buffer: &out, left: 64 << 10}
	cmd.Stdout, cmd.Stderr = limited, limited
	err := cmd.Run()
	said := strings.TrimSpace(out.String())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not say in time, %s, whether it can take over", binary, checkPatience)
	case err != nil && said != "":
		return fmt.Errorf("%s cannot take over: %s", binary, lastLine(said))
	case err != nil:
		return fmt.Errorf("%s cannot take over: %w", binary, err)
	case lastLine(said) != canTakeOver:
		return fmt.Errorf("%s is no nvsessd that can take over: it said %q", binary, lastLine(said))
	}
	return nil
}

// canTakeOver is what a binary says that takes the configuration and the state.
const canTakeOver = "configuration is valid, and the state can be taken over"

func lastLine(s string) string {
	s = s[strings.LastIndexByte(s, '\n')+1:]
	return admin.Escape(s[:min(len(s), 500)])
}

// limitedBuffer keeps the beginning of what a child says.
type limitedBuffer struct {
	*bytes.Buffer
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}
