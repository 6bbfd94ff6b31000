package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// daemonBinary is nvsessd, built for these tests.
var daemonBinary string

// TestMain makes the test binary nvsessctl where scripts and terminals call it so, and builds the daemon it is to command.
func TestMain(m *testing.M) {
	testscript.Main(built{m}, map[string]func(){"nvsessctl": main})
}

type built struct{ *testing.M }

func (b built) Run() int {
	dir, err := os.MkdirTemp("", "nvsessctl-test-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	daemonBinary = filepath.Join(dir, "nvsessd")
	if out, err := exec.Command("go", "build", "-o", daemonBinary, "../nvsessd").CombinedOutput(); err != nil {
		fmt.Printf("%s%v\n", out, err)
		return 1
	}
	return b.M.Run()
}
