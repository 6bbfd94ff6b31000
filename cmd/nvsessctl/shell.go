package main

import (
	"embed"
	"fmt"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
)

// The shells' own scripts are short: at each press of Tab they run "nvsessctl __complete", which looks into the same tables as everything else.
//
//go:embed shell
var shellScripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

const completionUsage = `Usage: nvsessctl completion bash|zsh|fish

Writes the script by which a shell completes nvsessctl's commands, options,
session ids and handlers. The packages install it. By hand:

  bash   source <(nvsessctl completion bash)
         or into ~/.local/share/bash-completion/completions/nvsessctl
  zsh    source <(nvsessctl completion zsh)       after compinit
         or into a directory of $fpath as _nvsessctl
  fish   nvsessctl completion fish | source
         or into ~/.config/fish/completions/nvsessctl.fish

Session ids are asked of the daemon; one that does not answer at once is not
waited for.
`

// printCompletion is the command completion.
func printCompletion(args []string, std streams) error {
	if len(args) == 1 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help") {
		return std.print([]byte(completionUsage))
	}
	if len(args) != 1 {
		return &admin.UsageError{Reason: "completion needs a shell: " + strings.Join(shells, ", ")}
	}
	script, err := shellScripts.ReadFile("shell/" + args[0])
	if err != nil {
		return &admin.UsageError{Reason: fmt.Sprintf("completion knows no shell %s, but %s", admin.Quote(args[0]), strings.Join(shells, ", "))}
	}
	return std.print(script)
}

// shellComplete is what the scripts call. It prints what kind of words follow ("words"; "nospace": they go on; "files": the shell knows
// better), and each with a tab and what it is. Of a mistake in how it is called it says nothing: nobody would see it.
func shellComplete(args []string, std streams) error {
	var words []string
	cut := 0 // so much of the word is the shell's already
	switch {
	case len(args) == 3 && args[0] == "line":
		words = shellWords(args[1])
		if i := strings.LastIndexAny(words[len(words)-1], strings.Trim(args[2], " \t\n\"'")); i >= 0 {
			cut = i + 1
		}
		words = words[1:]
	case len(args) > 2 && args[0] == "words" && args[1] == "--":
		words = args[2:]
	}
	if len(words) == 0 {
		return nil
	}
	kind, found := completeShell(words)
	var b strings.Builder
	b.WriteString(kind + "\n")
	for _, f := range found {
		b.WriteString(f.Text[min(cut, len(f.Text)):])
		if f.Note != "" {
			b.WriteString("\t" + f.Note)
		}
		b.WriteString("\n")
	}
	return std.print([]byte(b.String()))
}

// shellWords splits what was typed as a shell does, as far as it was typed; the last word may be empty.
func shellWords(line string) []string {
	words := []string{""}
	var quote rune
	escaped, blank := false, false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
			words[len(words)-1] += string(r)
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, blank = r, false
		case quote == 0 && strings.ContainsRune(" \t\n", r):
			if !blank {
				words = append(words, "")
			}
			blank = true
			continue
		default:
			words[len(words)-1] += string(r)
		}
		blank = false
	}
	return words
}
