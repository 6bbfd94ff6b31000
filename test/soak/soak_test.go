package main

import (
	"bytes"
	"os/exec"
	"testing"
)

// A short soak, of a daemon built with the race detector.
func TestSoak(t *testing.T) {
	args := []string{"-duration", "9s", "-sessions", "60"}
	if _, err := exec.LookPath("gcc"); err == nil {
		args = append(args, "-race")
	}
	var out bytes.Buffer
	if err := run(t.Context(), args, &out); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	t.Logf("%s", &out)
}
