// Package internal_test proves that imports point down.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nvsess/nvsess/"

// allowed is which of our packages each may import: the table of
// docs/architecture.md, and what whole-program tests have of the inside.
func allowed(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{
		"test/soak":             {"client", "internal/admin", "internal/session"},      // the operators' API is called too often for a process each
		"test/continuity/swarm": {"bench/wire", "internal/admin", "internal/loadtest"}, // as test/soak
		"test/clock":            {"client", "internal/admin"},                          // as test/soak: there are no other programs in its machine
	}
	const everything = "everything below"
	var whole []string // packages that may import all others
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|.*\\| *([^|]*?) *\\|$").FindAllStringSubmatch(string(text), -1) {
		var may []string
		for name := range strings.SplitSeq(row[2], ", ") {
			switch name {
			case "", everything:
			case "client", "web":
				may = append(may, name)
			default:
				may = append(may, "internal/"+name)
			}
		}
		for name := range strings.SplitSeq(row[1], ", ") {
			name = strings.Trim(name, "`")
			all[name] = may
			if row[2] == everything {
				whole = append(whole, name)
			}
		}
	}
	for _, name := range whole {
		all[name] = slices.Collect(maps.Keys(all))
	}
	return all
}

// forbidden is what else a package must not know.
var forbidden = map[string][]string{
	"internal/ws": {"encoding/json"}, // no session, no JSON
}

// What stands alone: measurements, and tests of whole programs.
func apart(pkg string) bool {
	return strings.HasPrefix(pkg, "bench/") || strings.HasPrefix(pkg, "test/") || pkg == "internal"
}

func TestImportsPointDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed, seen := allowed(t), 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		may, known := allowed[name]
		if !known && !apart(name) {
			t.Errorf("%s has no place: add it to the table of docs/architecture.md", name)
		}
		seen++
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok && known && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s; allowed: %v", name, ours, may)
			}
			if ours, ok := strings.CutPrefix(i, module); ok && !known && strings.HasPrefix(ours, "internal/") {
				t.Errorf("%s imports %s: it is to use the programs as their users do", name, ours)
			}
			if slices.Contains(forbidden[name], i) {
				t.Errorf("%s imports %s", name, i)
			}
		}
	}
	if seen < 8 || len(allowed) < 8 {
		t.Errorf("only %d packages were seen, and %d in the table", seen, len(allowed))
	}
}
