package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Sessions, deadlines and ages do not mind that the wall clock is set.
func TestWallClockIsSet(t *testing.T) {
	kernel, err := exec.LookPath("linux.uml")
	if err != nil {
		t.Skip("no linux.uml: a machine whose clock can be set is missing")
	}
	root := t.TempDir()
	for _, dir := range []string{"proc", "tmp", "dev"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for file, pkg := range map[string]string{"init": ".", daemonFile: "../../cmd/nvsessd"} {
		build := exec.Command("go", "build", "-o", filepath.Join(root, file), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // there is no C library in the machine
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	machine := exec.CommandContext(t.Context(), kernel, "mem=256M", "root=/dev/root", "rootfstype=hostfs", "rootflags="+root, "rw", "init=/init", "con=null", "con0=null,fd:1")
	machine.Env = append(os.Environ(), "HOME="+t.TempDir()) // it keeps notes there
	said, err := machine.CombinedOutput()
	report, noReport := os.ReadFile(filepath.Join(root, reportFile))
	if string(report) != passed {
		log, _ := os.ReadFile(filepath.Join(root, logFile)) // there is none if it did not start
		t.Errorf("%s, %v, %v\nthe daemon said:\n%s\nthe machine said:\n%s", report, err, noReport, log, said)
	}
}
