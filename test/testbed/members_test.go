package testbed

import (
	"path/filepath"
	"testing"

	"github.com/nvsess/nvsess/test/node"
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

// TestClientMembers uses each member of the client in Node.js: see members.js.
func TestClientMembers(t *testing.T) {
	t.Parallel()
	node.Test(t, "node.test.mjs", "NVSESS_URL=ws://"+driven(t).TCP+"/")
}

// TestBrowserMembers uses each member of the client in a page.
func TestBrowserMembers(t *testing.T) {
	t.Parallel()
	chromium := node.Chromium(t)
	d := driven(t)
	node.Test(t, "browser.test.mjs", "NVSESS_URL=ws://"+d.TCP+"/", "NVSESS_SITE=http://"+d.TCP+"/", "CHROMIUM="+chromium)
}
