package internal_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every test and every configuration key that docs/security.md names exists, and
// every attack is in it.
func TestSecurityTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../configs/nvsess.toml")
	if err != nil {
		t.Fatal(err)
	}
	exists := goTests(t)
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) == 1 || strings.Contains(line, "|---") || strings.HasPrefix(line, "| attack |") {
			continue
		}
		if len(cells) != 6 {
			t.Errorf("not four columns: %s", line)
			continue
		}
		tests := regexp.MustCompile(`\b(Test|Fuzz)\w+`).FindAllString(cells[4], -1)
		if len(tests) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, name := range tests {
			if !exists[name] {
				t.Errorf("no such test: %s", name)
			}
		}
		for _, m := range regexp.MustCompile("`([a-z]+\\.)?([a-z0-9_]+)`").FindAllStringSubmatch(cells[3], -1) {
			if !strings.Contains(string(shipped), "\n"+m[2]+" = ") {
				t.Errorf("no such key: %s", m[0])
			}
		}
	}
	for _, name := range attacksIn(t) {
		if !strings.Contains(string(doc), name) {
			t.Errorf("not in docs/security.md: %s", name)
		}
	}
}

// attacksIn is the names of the tests in test/attacks.
func attacksIn(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("../test/attacks")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		source, err := os.ReadFile("../test/attacks/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllSubmatch(source, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}
