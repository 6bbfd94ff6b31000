package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// offered is what a shell's script would be told.
func offered(t *testing.T, args ...string) (kind string, words []string) {
	t.Helper()
	var out, complaints bytes.Buffer
	if err := run(context.Background(), append([]string{"__complete"}, args...), strings.NewReader(""), &out, &complaints); err != nil || complaints.Len() > 0 {
		t.Fatalf("%q: %v %s", args, err, &complaints)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, l := range lines[1:] {
		word, _, _ := strings.Cut(l, "\t")
		words = append(words, word)
	}
	return lines[0], words
}

const wordBreaks = " \t\n\"'><=;|&(:"

func TestShellWordsOffered(t *testing.T) {
	t.Setenv("NVSESS_ADMIN", filepath.Join(t.TempDir(), "none.sock"))
	for _, test := range []struct{ line, kind, has, hasNot string }{
		{"nvsessctl ", "words", "sesses", "__complete"},
		{"nvsessctl ", "words", "connect", "gen nginx"},
		{"nvsessctl fst_s", "words", "fst_sess", "lst_sess"},
		{"nvsessctl -s /x --json jb", "words", "jbroadcast_ignore_reply", "sesses"},
		{"nvsessctl --", "words", "--keep-going", "-k"},
		{"nvsessctl -s ", "files", "", ""},
		{"nvsessctl sesses --l", "words", "--long", "--count"},
		{"nvsessctl sesses --long --l", "words", "--limit", "--long"},
		{"nvsessctl close ", "words", "fst", "sesses"},
		{"nvsessctl handlers ", "words", "json", ""},
		{"nvsessctl jsend fst '{\"a b\": 1}' --", "words", "--json", ""},
		{"nvsessctl jsend fst {\\\"a\\ b\\\":1} -", "words", "--json", ""},
		{"nvsessctl sess_filter o", "nospace", "origin", "path"},
		{"nvsessctl bsend fst --file ", "files", "", ""},
		{"nvsessctl help gen", "words", "gen", "get_sess"},
		{"nvsessctl tst --fail", "words", "--fail-on-loss", ""},
		{"nvsessctl tst --count ", "words", "", "--count"},
		{"nvsessctl connect w", "nospace", "wss", ""},
		{"nvsessctl gen ", "words", "external-client", "bw"},
		{"nvsessctl gen nginx --external_ssl_", "words", "--external_ssl_key", ""},
		{"nvsessctl gen nginx -o ", "files", "", ""},
		{"nvsessctl pp", "words", "pprof", ""},
		{"nvsessctl pprof ", "words", "goroutine", "profile"},
		{"nvsessctl pprof heap --", "words", "--seconds", "--json"},
		{"nvsessctl pprof heap -o ", "files", "", ""},
		{"nvsessctl completion ", "words", "fish", "csh"},
		{"nvsessctl no_such_command ", "words", "", "fst"},
	} {
		kind, words := offered(t, "line", test.line, wordBreaks[:len(wordBreaks)-1])
		if kind != test.kind || test.has != "" && !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, test.has) }) ||
			test.hasNot != "" && slices.Contains(words, test.hasNot) {
			t.Errorf("%s: %s %q", test.line, kind, words)
		}
	}
	// What the shell takes for a word of its own is not repeated.
	if kind, words := offered(t, "line", "nvsessctl connect ws+unix:", wordBreaks); kind != "nospace" || !slices.Equal(words, []string{"///"}) {
		t.Errorf("behind a colon: %s %q", kind, words)
	}
	if kind, words := offered(t, "words", "--", "connect", "ws+unix:"); kind != "nospace" || !slices.Equal(words, []string{"ws+unix:///"}) {
		t.Errorf("in a shell that does not: %s %q", kind, words)
	}
	for _, args := range [][]string{{}, {"line"}, {"words"}, {"words", "--"}, {"x", "y", "z"}, {"line", "", ""}} {
		var out bytes.Buffer
		if err := shellComplete(args, streams{strings.NewReader(""), &out, &out}); err != nil || out.Len() > 0 {
			t.Errorf("%q: %v %s", args, err, &out)
		}
	}
}

// A daemon that takes connections and says nothing does not hang the shell.
func TestShellDoesNotWait(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Setenv("NVSESS_ADMIN", socket)
	if kind, words := offered(t, "words", "--", "close", ""); kind != "words" || !slices.Equal(words, []string{"fst", "lst"}) {
		t.Errorf("%s %q", kind, words)
	}
}

func TestCompletionCommand(t *testing.T) {
	for _, shell := range shells {
		var out, complaints bytes.Buffer
		if err := run(context.Background(), []string{"completion", shell}, strings.NewReader(""), &out, &complaints); err != nil || !strings.Contains(out.String(), "nvsessctl") {
			t.Errorf("%s: %v\n%s%s", shell, err, &out, &complaints)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not installed", shell)
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = bytes.NewReader(out.Bytes())
		if said, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, said)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"completion", "bash", "zsh"}, {"completion", "../bash"}} {
		var out, complaints bytes.Buffer
		if err := run(context.Background(), args, strings.NewReader(""), &out, &complaints); exitCode(err) != exitUsage || !strings.Contains(complaints.String(), "bash, zsh, fish") {
			t.Errorf("%q: %v %s", args, err, &complaints)
		}
	}
}

// TestCompletionInShells types into real shells, with a real daemon and its session.
func TestCompletionInShells(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	m := d.join("/", false)
	defer m.conn.CloseNow() //nolint:errcheck // it is gone
	id := m.id
	for shell, setup := range map[string][]string{
		"bash": {"bash", "--norc", "--noprofile", "-i"},
		"zsh":  {"zsh", "-f", "-i"},
	} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			cmd := exec.Command(setup[0], setup[1:]...)
			cmd.Env = append(os.Environ(), "NVSESS_ADMIN="+d.Admin, "TERM=dumb", "NO_COLOR=1", "PS1=ready> ", "HOME="+t.TempDir(), "INPUTRC=/dev/null")
			c := openTerminal(t, cmd)
			c.expect("ready> ")
			if shell == "zsh" {
				c.keys("autoload -Uz compinit; compinit -u -D\r")
			}
			c.keys("source <(nvsessctl completion " + shell + "); echo lo''aded\r")
			c.expect("loaded")
			c.expect("ready> ")
			c.keys("nvsessctl sesse\t--cou\t\r") // only what is whole is a command
			c.expect("1\r\n")
			c.expect("ready> ")
			c.keys("nvsessctl get_sess " + id[:2] + "\t")
			c.expect(id[2:8])
			c.keys("\r")
			c.expect(`"id": "` + id)
		})
	}
	t.Run("fish", func(t *testing.T) {
		if _, err := exec.LookPath("fish"); err != nil {
			t.Skip("fish is not installed")
		}
		for line, want := range map[string]string{
			"nvsessctl fst_s":               "fst_sess\tshow the session that has been here longest",
			"nvsessctl get_sess " + id[:2]:  id[:8],
			"nvsessctl sesses --cou":        "--count\tonly how many",
			"nvsessctl -s " + d.Dir + "/ad": d.Admin,
		} {
			cmd := exec.Command("fish", "--no-config", "-c", "nvsessctl completion fish | source; complete -C $argv[1]", line)
			cmd.Env = append(os.Environ(), "NVSESS_ADMIN="+d.Admin, "HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %v\n%s, not %s", line, err, out, want)
			}
		}
	})
}
