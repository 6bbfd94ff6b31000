package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every test in the tables of docs/conformance.md exists, and every Go test that
// is named after an RFC is in them. A JavaScript test is named by its file and
// its title: `web/test/FILE: TITLE`.
func TestConformanceTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := goTests(t)
	listed := map[string]bool{}
	quoted := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.Trim(cells[1], "- ") == "" || strings.TrimSpace(cells[1]) == "clause" {
			if strings.HasPrefix(line, "|") && len(cells) != 5 {
				t.Errorf("not three columns: %s", line)
			}
			continue
		}
		names := quoted.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range names {
			name := m[1]
			listed[name] = true
			if file, title, ok := strings.Cut(name, ": "); ok {
				source, err := os.ReadFile(filepath.Join("..", file))
				if err != nil || !strings.Contains(string(source), title) {
					t.Errorf("no such test: %s (%v)", name, err)
				}
			} else if !exists[name] {
				t.Errorf("no such test: %s", name)
			}
		}
	}
	var missing []string
	for name := range exists {
		if strings.HasPrefix(name, "TestRFC") && !listed[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("not in docs/conformance.md: %s", strings.Join(missing, ", "))
	}
}

// goTests is the names of all test functions of this module.
func goTests(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
