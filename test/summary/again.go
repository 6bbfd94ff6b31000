package main

import (
	"fmt"
	"io"
	"strings"
)

// A failure is a test that failed, or with an empty name its package.
type failure struct{ pkg, test, output string }

// fewFailures is how many tests may fail beside others and be tried again.
const fewFailures = 3

// repeatable reports whether failures may be those of a busy machine, on which
// everything else ran at the same time: few tests, each of which has said what
// it missed. A data race, a panic, a package that does not build or ends by
// itself, and what was left behind (goroutines, descriptors) are none.
func repeatable(failures []failure) bool {
	failed := map[string]bool{} // packages with a test that failed
	tests := 0
	for _, f := range failures {
		for _, never := range []string{"DATA RACE", "panic: ", "fatal error: ", "SIGSEGV", "leak"} {
			if strings.Contains(f.output, never) {
				return false
			}
		}
		if f.test != "" {
			failed[f.pkg] = true
			if !strings.Contains(f.test, "/") {
				tests++
			}
		}
	}
	for _, f := range failures {
		if !failed[f.pkg] {
			return false
		}
	}
	return tests > 0 && tests <= fewFailures
}

// repeat runs the tests that failed again, each alone, says what came of it, and
// reports whether all passed.
func repeat(w io.Writer, failures []failure, alone func(failure) ([]byte, error)) bool {
	ok := true
	for _, f := range failures {
		if f.test == "" || strings.Contains(f.test, "/") { // its parent is run
			continue
		}
		if out, err := alone(f); err != nil {
			ok = false
			fmt.Fprintf(w, "again: %s %s failed alone, too: %v\n%s", f.pkg, f.test, err, out)
			continue
		}
		fmt.Fprintf(w, "again: %s %s passed alone; UNSTEADY beside others, see its output above\n", f.pkg, f.test)
	}
	return ok
}
