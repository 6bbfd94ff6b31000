package web

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/hostile"
	"github.com/nvsess/nvsess/internal/selfsigned"
	"github.com/nvsess/nvsess/test/node"
	"github.com/nvsess/nvsess/test/nvsessd"
)

func TestMain(m *testing.M) { nvsessd.M{M: m}.Run() }

// scriptBudget is what bwsess.js may weigh: with all of Node's part in it, and
// with what tells a misspelt setting from one.
const scriptBudget = 36 << 10

// generators are the commands of web.go's go:generate lines, their output in dir.
func generators(t *testing.T, dir string) [][]string {
	t.Helper()
	src, err := os.ReadFile("web.go")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, m := range regexp.MustCompile(`(?m)^//go:generate (.*)$`).FindAllStringSubmatch(string(src), -1) {
		var words []string
		for _, w := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\S+`).FindAllString(m[1], -1) {
			if strings.HasPrefix(w, `"`) {
				w = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(w[1 : len(w)-1])
			}
			words = append(words, strings.Replace(w, "--outfile=dist", "--outfile="+dir, 1))
		}
		all = append(all, words)
	}
	return all
}

func TestDistIsWhatTheSourceGives(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "tool", "esbuild", "--version").CombinedOutput(); err != nil {
		t.Skipf("esbuild cannot be built here: %v\n%s", err, out)
	}
	dir := t.TempDir()
	for _, words := range generators(t, dir) {
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%q: %v\n%s", words, err, out)
		}
	}
	for name, committed := range map[string][]byte{"nvsess.mjs": Module(), "bwsess.js": Script()} {
		built, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(built, committed) {
			t.Errorf("dist/%s is not what src gives: run go generate ./web", name)
		}
	}
}

func TestScriptIsSmall(t *testing.T) {
	if n := len(Script()); n > scriptBudget {
		t.Errorf("bwsess.js has %d bytes; the budget is %d", n, scriptBudget)
	}
}

func TestEveryExportIsDeclared(t *testing.T) {
	exports := regexp.MustCompile(`(?s)\nexport \{\n(.*?)\n\};`).FindSubmatch(Module())
	if exports == nil {
		t.Fatal("nvsess.mjs exports nothing")
	}
	for _, line := range strings.Split(string(exports[1]), ",") {
		words := strings.Fields(line)
		name := words[len(words)-1]
		if !regexp.MustCompile(`\bexport (?:class|function) ` + name + `\b|\bas ` + name + `\b`).Match(Types()) {
			t.Errorf("nvsess.d.ts does not declare %s", name)
		}
	}
}

// TestEveryTypeHasTheScriptsName: who has only the script's one name finds the
// module's types by it.
func TestEveryTypeHasTheScriptsName(t *testing.T) {
	script, err := os.ReadFile("dist/bwsess.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^export (?:class|interface|type) (\w+)`).FindAllSubmatch(Types(), -1)
	if len(names) == 0 {
		t.Fatal("nvsess.d.ts has no types")
	}
	for _, m := range names {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^  type %[1]s(?:<.*>)? = nvsess\.%[1]s\b`, m[1])).Match(script) {
			t.Errorf("bwsess.d.ts does not have Bwsess.%s", m[1])
		}
	}
}

// TestDemoStandsAlone: the page loads nothing but the client, and puts nothing
// that came from elsewhere into itself as HTML.
func TestDemoStandsAlone(t *testing.T) {
	page := string(Demo())
	if !strings.Contains(page, `from "./nvsess.mjs"`) {
		t.Error("the page does not load ./nvsess.mjs")
	}
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "stylesheet", "https://", "http://", "@import", "src=\""} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
}

// TestNode runs test/*.test.mjs: the client in Node against a real nvsessd.
func TestNode(t *testing.T) {
	bin := nvsessd.Programs(t)
	selfsigned.Files(t, bin, "localhost")
	breaker, err := hostile.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer breaker.Close()
	files, err := filepath.Glob("test/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatal("no tests", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".test.mjs"), func(t *testing.T) {
			node.Test(t, file, "NVSESS_BIN="+bin, "NVSESS_HOSTILE="+breaker.Control())
		})
	}
}
