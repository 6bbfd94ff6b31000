package nvsessd

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Build makes nvsessd and nvsessctl in a directory, as "make build" does: without
// the race detector, for part of what tests look at is memory. set are variables
// of theirs (main.version=v1).
func Build(dir string, set ...string) error {
	flags := ""
	for _, s := range set {
		flags += " -X " + s
	}
	const module = "github.com/nvsess/nvsess"
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", flags, "-o", dir+"/", module+"/cmd/nvsessd", module+"/cmd/nvsessctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

var programs struct {
	once sync.Once
	dir  string
	err  error
}

// Programs is where nvsessd and nvsessctl are. They are built when they are first
// asked for; TestMain has to remove them, see M.
func Programs(t T) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "nvsess-programs-"); programs.err == nil {
			programs.err = Build(programs.dir)
		}
	})
	if programs.err != nil {
		t.Fatalf("%v", programs.err)
	}
	return programs.dir
}

// M runs the tests of a package, and removes the programs that were built for
// them.
type M struct{ *testing.M }

// Run is what TestMain calls.
func (m M) Run() int {
	defer func() { _ = os.RemoveAll(programs.dir) }() // of "" there is nothing
	return m.M.Run()
}
