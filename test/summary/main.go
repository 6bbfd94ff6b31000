// Command summary reads the output of go test -json and prints what a person
// wants of it: the output of what failed, what was skipped and why, the time of
// each package, and a count as the last line. Its exit status is 1 when a test
// or a package failed, or none ran.
//
// With arguments, a command such as "go test -race", a few tests that failed are
// run again, each alone: see [repeatable].
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	ImportPath                    string
	Elapsed                       float64
}

func main() {
	alone := func(f failure) ([]byte, error) {
		args := append(os.Args[2:], "-count=1", "-run", "^"+f.test+"$", f.pkg)
		return exec.Command(os.Args[1], args...).CombinedOutput()
	}
	if len(os.Args) < 3 {
		alone = nil
	}
	if !summarise(os.Stdin, os.Stdout, alone) {
		os.Exit(1)
	}
}

// summarise reports whether all is well. With alone, which runs one test,
// failures that are repeatable get a second chance.
func summarise(r io.Reader, w io.Writer, alone func(failure) ([]byte, error)) bool {
	var failures []failure
	output := map[string][]string{} // by package and test
	var passed, failed, skipped int
	var skips []string
	ok := true
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(w, line) // not an event: the go command itself speaks
				continue
			}
			key := e.Package + " " + e.Test
			switch e.Action {
			case "output":
				output[key] = append(output[key], e.Output)
			case "build-output":
				fmt.Fprint(w, e.Output)
			case "pass", "fail", "skip":
				if e.Test == "" {
					if e.Action == "fail" {
						ok = false
						failures = append(failures, failure{pkg: e.Package, output: strings.Join(output[key], "")})
						fmt.Fprint(w, strings.Join(output[key], ""))
					}
					if e.Action != "skip" {
						fmt.Fprintf(w, "%-5s %6.1fs %s\n", e.Action, e.Elapsed, e.Package)
					}
					continue
				}
				switch e.Action {
				case "pass":
					passed++
				case "skip":
					skipped++
					skips = append(skips, fmt.Sprintf("skipped: %s %s: %s", e.Package, e.Test, reason(output[key])))
				case "fail":
					failed++
					ok = false
					failures = append(failures, failure{e.Package, e.Test, strings.Join(output[key], "")})
					fmt.Fprint(w, strings.Join(output[key], ""))
				}
				delete(output, key)
			}
		}
		if err != nil {
			break
		}
	}
	sort.Strings(skips)
	for _, s := range skips {
		fmt.Fprintln(w, s)
	}
	if alone != nil && repeatable(failures) {
		if repeat(w, failures, alone) {
			passed, failed, ok = passed+failed, 0, true
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return ok && passed > 0
}

// reason is what a test said when it skipped itself.
func reason(lines []string) string {
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "===") && !strings.HasPrefix(l, "---") {
			if _, said, ok := strings.Cut(l, ".go:"); ok {
				if _, said, ok = strings.Cut(said, ": "); ok {
					return said
				}
			}
			return l
		}
	}
	return "no reason given"
}
