// Package internal_test proves that imports point down.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nvsess/nvsess/"

// allowed is which of our packages each may import; see docs/architecture.md. A
// package that is not here does not belong anywhere yet.
var allowed = map[string][]string{
	"client":                  {"internal/deflate"},
	"cmd/nvsessctl":           {"client", "internal/admin", "internal/config", "internal/gen", "internal/jsinput", "internal/loadtest"},
	"cmd/nvsessd":             {"internal/admin", "internal/auth", "internal/config", "internal/deflate", "internal/fdstore", "internal/listen", "internal/metrics", "internal/route", "internal/script", "internal/session", "internal/snapshot", "internal/webhook", "internal/ws", "web"},
	"internal/admin":          {"internal/session", "internal/timing"},
	"internal/auth":           {"internal/session", "internal/ws"},
	"internal/config":         {},
	"internal/deflate":        {},
	"internal/fdstore":        {},
	"internal/gen":            {"web"},
	"internal/hostile":        {},
	"internal/jsinput":        {},
	"internal/listen":         {"internal/config"},
	"internal/loadtest":       {"client"},
	"internal/metrics":        {"internal/script", "internal/session", "internal/timing", "internal/webhook"},
	"internal/manual":         {"internal/admin"},
	"internal/route":          {"internal/session", "internal/ws"},
	"internal/script":         {"internal/jsinput", "internal/script/inspect", "internal/session", "internal/timing", "internal/ws"},
	"internal/script/inspect": {},
	"internal/session":        {"internal/fdstore", "internal/snapshot", "internal/timing", "internal/ws"},
	"internal/snapshot":       {},
	"internal/webhook":        {"internal/session", "internal/timing"},
	"internal/ws":             {"internal/deflate", "internal/fdstore", "internal/snapshot", "internal/timing"},
	"test/soak":               {"client", "internal/admin", "internal/session"},      // the operators' API is called too often for a process each
	"test/continuity/swarm":   {"bench/wire", "internal/admin", "internal/loadtest"}, // as test/soak
	"test/clock":              {"client", "internal/admin"},                          // as test/soak: there are no other programs in its machine
	"internal/timing":         {},
	"web":                     {},
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
	seen := 0
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
			t.Errorf("%s has no place: add it to the table here and to docs/architecture.md", name)
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
	if seen < 8 {
		t.Errorf("only %d packages were seen", seen)
	}
}
