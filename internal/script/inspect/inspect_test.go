package inspect_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"
	"github.com/dop251/goja_nodejs/require"

	"github.com/nvsess/nvsess/internal/script/inspect"
)

var update = flag.Bool("update", false, "write testdata/corpus.json anew with the answers of the Node.js at hand")

const goldenFile = "testdata/corpus.json"

// A printed is a case of the corpus and what Node.js 20 prints.
type printed struct {
	Case string `json:"case"`
	Want string `json:"want"`
}

func newRuntime(t testing.TB) *goja.Runtime {
	t.Helper()
	rt := goja.New()
	new(require.Registry).Enable(rt)
	buffer.Enable(rt)
	functions, err := inspect.Install(rt)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range functions.Keys() {
		if err := rt.Set(name, functions.Get(name)); err != nil {
			t.Fatal(err)
		}
	}
	return rt
}

func run(t testing.TB, rt *goja.Runtime, code string) string {
	t.Helper()
	v, err := rt.RunString(code)
	if err != nil {
		t.Errorf("%s: %v", code, err)
		return ""
	}
	return v.String()
}

// corpus reads declarations and cases, the latter as expressions that make strings.
func corpus(t *testing.T) (declare string, cases []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '!':
			declare += line[1:] + "\n"
		case line[0] == '=':
			cases = append(cases, line[1:])
		default:
			cases = append(cases, "inspect("+line+")")
		}
	}
	return declare, cases
}

// node asks the real one; without it, or with another version than that of the golden file, the test is skipped.
func node(t *testing.T, declare string, cases []string) []string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the golden file alone is compared")
	}
	if v, err := exec.CommandContext(t.Context(), path, "--version").Output(); err != nil || !bytes.HasPrefix(v, []byte("v20.")) {
		t.Skipf("node is %q, not version 20", v)
	}
	in, err := json.Marshal(map[string]any{"declare": declare, "cases": cases})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "testdata/node.js")
	cmd.Env = append(os.Environ(), "TZ=UTC", "NODE_OPTIONS=")
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(cases) {
		t.Fatalf("%d answers to %d cases", len(answers), len(cases))
	}
	return answers
}

// TestCorpus holds this program's answers against those of Node.js 20 in the golden file.
func TestCorpus(t *testing.T) {
	declare, cases := corpus(t)
	if *update {
		writeGolden(t, declare, cases)
	}
	b, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var golden []printed
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 250 || len(golden) != len(cases) {
		t.Fatalf("%d cases, %d of them in %s: go test -update", len(cases), len(golden), goldenFile)
	}
	rt := newRuntime(t)
	run(t, rt, declare)
	for i, g := range golden {
		if g.Case != cases[i] {
			t.Fatalf("case %d is %s, in %s it is %s: go test -update", i, cases[i], goldenFile, g.Case)
		}
		if got := run(t, rt, g.Case); got != g.Want {
			t.Errorf("%s\n--- got\n%s\n--- node\n%s", g.Case, got, g.Want)
		}
	}
}

func writeGolden(t *testing.T, declare string, cases []string) {
	t.Helper()
	golden := make([]printed, len(cases))
	for i, want := range node(t, declare, cases) {
		golden[i] = printed{cases[i], want}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(golden); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCorpusNode proves the golden file: a Node.js at hand says the same.
func TestCorpusNode(t *testing.T) {
	declare, cases := corpus(t)
	rt := newRuntime(t)
	run(t, rt, declare)
	for i, want := range node(t, declare, cases) {
		if got := run(t, rt, cases[i]); got != want {
			t.Errorf("%s\n--- got\n%s\n--- node\n%s", cases[i], got, want)
		}
	}
}
