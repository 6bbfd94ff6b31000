// Package node runs the tests that are written for Node.js, as tests of Go.
package node

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds a file.
const patience = 3 * time.Minute

// Test runs a file of tests.
func Test(t *testing.T, file string, env ...string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if out, err := exec.Command(node, "-p", "process.versions.node.split('.')[0] >= 20").Output(); err != nil || strings.TrimSpace(string(out)) != "true" {
		t.Skipf("node is older than 20: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec", "--test-timeout=150000", file) // a file is a test, too
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its Chromium first
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Chromium is where the browser is, for tests beside test/browser, which has what
// drives it.
func Chromium(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("../browser/node_modules/playwright-core"); err != nil {
		t.Skip("the npm package playwright-core is not installed: run make setup, or npm ci --ignore-scripts in test/browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("chromium is not installed: run make setup")
	return ""
}
