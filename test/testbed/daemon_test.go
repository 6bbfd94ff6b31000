package testbed

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// patience bounds every wait of a test; none is expected to last.
const patience = 60 * time.Second

func TestMain(m *testing.M) { nvsessd.M{M: m}.Run() }

// daemon is a running nvsessd, with a file for handlers.
type daemon struct {
	*nvsessd.Daemon
	t          *testing.T
	consoleCtx context.Context
}

func start(t *testing.T, config string, args ...string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvt") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "handlers.js"), []byte("// nothing yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{Daemon: nvsessd.Start(t, nvsessd.Options{Config: config, Args: args, Dir: dir}), t: t}
	var cancel context.CancelFunc
	d.consoleCtx, cancel = context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return d
}

// ctl carries out a command, with something on standard input, and gives all
// that is printed: errors, too.
func (d *daemon) ctl(stdin string, args ...string) string {
	cmd := d.Command(d.consoleCtx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err.Error()
	}
	return strings.TrimSuffix(string(out), "\n")
}
