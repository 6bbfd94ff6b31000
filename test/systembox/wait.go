package systembox

import (
	"bytes"
	"os/exec"
	"testing"
	"time"
)

// Need skips the test when a program is missing.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// Eventually calls ok until it is true. What it waits for has no event to wait for; the calls take their time themselves.
func Eventually(t *testing.T, what string, ok func() (state string, done bool)) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		state, done := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %s", what, state)
		}
	}
}

// Output runs a command outside.
func Output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var buf bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buf, &buf
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &buf)
	}
	return buf.String()
}
