package testbed

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// driven starts a daemon for members.js.
func driven(t *testing.T) *daemon {
	t.Helper()
	driver, err := filepath.Abs("driver.js")
	if err != nil {
		t.Fatal(err)
	}
	return start(t, `subprotocols = ["chat"]`, "-handlers", driver, "-demo")
}

// nodeTest runs a file of Node.js's tests.
func nodeTest(t *testing.T, file string, env ...string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec", "--test-timeout=60000", file)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its Chromium first
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestClientMembers uses each member of the client in Node.js: see members.js.
func TestClientMembers(t *testing.T) {
	t.Parallel()
	nodeTest(t, "node.test.mjs", "NVSESS_URL=ws://"+driven(t).tcp+"/")
}

// TestBrowserMembers uses each member of the client in a page.
func TestBrowserMembers(t *testing.T) {
	t.Parallel()
	var chromium string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		t.Skip("chromium is not installed: run make setup")
	}
	if _, err := os.Stat("../browser/node_modules/playwright-core"); err != nil {
		t.Skip("the npm package playwright-core is not installed: run make setup, or npm ci --ignore-scripts in test/browser")
	}
	d := driven(t)
	nodeTest(t, "browser.test.mjs", "NVSESS_URL=ws://"+d.tcp+"/", "NVSESS_SITE=http://"+d.tcp+"/", "CHROMIUM="+chromium)
}
