package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/ws"
)

// askBinary runs the new binary with this process's arguments, to see whether it
// takes them, the configuration, and the state.
func (d *daemon) askBinary(binary string) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkPatience)
	defer cancel()
	args := append(slices.Clone(os.Args[1:]), "-check-state", strconv.Itoa(ws.StateVersion))
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "NOTIFY_SOCKET=") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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
