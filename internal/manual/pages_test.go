package manual_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/manual"
	"github.com/nvsess/nvsess/test/nvsessd"
)

const configFile = "../../configs/nvsess.toml"

// written makes the pages of the programs as they are.
func written(t *testing.T) (dir string) {
	t.Helper()
	bin := t.TempDir()
	if err := nvsessd.Build(bin); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(bin, "man")
	if err := manual.Write(bin, configFile, "1.2.3", time.Unix(1700000000, 0), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shown is a page as a reader has it, its lines long enough not to be broken.
func shown(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command("groff", "-man", "-ww", "-Tutf8", "-P-c", "-rLL=2000n", path)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Errorf("groff: %v\n%s", err, &complaints)
	}
	return regexp.MustCompile("(?s).\b").ReplaceAllString(string(out), "")
}

func TestPages(t *testing.T) {
	dir := written(t)
	pages := map[string]string{}
	for _, name := range []string{"nvsessd.8", "nvsessctl.1", "nvsess.toml.5"} {
		path := filepath.Join(dir, name)
		if _, err := exec.LookPath("mandoc"); err == nil {
			if out, _ := exec.Command("mandoc", "-T", "lint", "-W", "warning", path).CombinedOutput(); len(out) > 0 {
				t.Errorf("mandoc -T lint: %s", out)
			}
		}
		if _, err := exec.LookPath("groff"); err == nil {
			pages[name] = shown(t, path)
		}
	}
	if len(pages) == 0 {
		t.Skip("groff is not installed: the pages were made, nobody has looked at them")
	}
	has := func(page, text string) {
		t.Helper()
		if !strings.Contains(pages[page], text) {
			t.Errorf("%s does not have %q", page, text)
		}
	}
	for page, texts := range map[string][]string{
		"nvsessd.8":     {"NVSESSD(8)", "2023-11-14", "nvsess 1.2.3", "-config FILE", "-handlers FILE", "SIGHUP reads", `"*" (repeatable)`},
		"nvsessctl.1":   {"WHO MAY", "THE CONSOLE", "-k, --keep-going", "--fail-on-loss", "--seconds N", "nvsessctl completion bash|zsh|fish", `srv.regis_$json_handle$(`},
		"nvsess.toml.5": {"[handshake]", "[[mount]]", `origins = ["same"]`, `listen = ["unix:%t/nvsess.sock"]`},
	} {
		for _, text := range texts {
			has(page, text)
		}
	}
	for _, c := range admin.Commands() {
		if c.Hidden {
			continue
		}
		has("nvsessctl.1", c.Usage())
		for i := range c.Args {
			has("nvsessctl.1", c.Args[i].Label())
		}
		for _, e := range c.Examples {
			has("nvsessctl.1", e.Line)
		}
	}
	file, err := os.ReadFile(configFile)
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`(?m)^\w+ = .*$|^\[.*\]$`).FindAllString(string(file), -1)
	if len(keys) < 50 {
		t.Errorf("only %d keys", len(keys))
	}
	for _, key := range keys {
		has("nvsess.toml.5", key)
	}
	if daemon, err := exec.Command("sh", "-c", `grep -o '^  -[a-z]*' ../../cmd/nvsessd/flags.go`).Output(); err != nil {
		t.Error(err)
	} else {
		for option := range strings.FieldsSeq(string(daemon)) {
			has("nvsessd.8", "\n       "+option)
		}
	}
}

// What a program prints never becomes roff's own.
func TestTextStaysText(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed")
	}
	s := &manual.Source{
		Daemon:  "Usage: nvsessd\n\n.so /etc/passwd\n\n'br \\fB *a* `b` a-b ~^ …\n\n  -x FILE  .\\\" gone?\n  -y  'z'\n\nEnd.\n",
		Control: "usage: nvsessctl .x\n\n  -s  .SH no\n\n", Config: "# head\n\n# .so x *y*\nkey = \".\\n\"\n",
	}
	dir := t.TempDir()
	for name, text := range manual.Pages(s) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		page := shown(t, path)
		for _, want := range map[string][]string{
			"nvsessd.8":     {".so /etc/passwd", "'br \\fB *a* `b` a-b ~^ …", `.\" gone?`, "'z'"},
			"nvsessctl.1":   {"nvsessctl .x", ".SH no"},
			"nvsess.toml.5": {".so x *y*", `key = ".\n"`},
		}[name] {
			if !strings.Contains(page, want) {
				t.Errorf("%s shows no %q:\n%s", name, want, page[:min(len(page), 3000)])
			}
		}
	}
}
