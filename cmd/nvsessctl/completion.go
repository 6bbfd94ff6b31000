package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/jsinput"
)

// completer answers Tab: one way to go on is taken, several are listed.
type completer struct{ repl *repl }

// How many candidates are listed: with an explanation on a line each, and in columns.
const (
	maxListed  = 40
	maxColumns = 160
)

// Do is called by the editor with the line and the cursor in it. It returns what to insert.
func (c *completer) Do(line []rune, pos int) ([][]rune, int) {
	text := typed(line[:pos])
	start, found := c.complete(text)
	typed := text[start:]
	switch len(found) {
	case 0:
		return nil, 0
	case 1:
		rest := strings.TrimPrefix(found[0].Text, typed)
		if found[0].Space && (pos == len(line) || line[pos] != ' ') {
			rest += " "
		}
		if rest == "" {
			return nil, 0
		}
		return [][]rune{[]rune(rest)}, len([]rune(typed))
	}
	if common := commonPrefix(found); len(common) > len(typed) {
		return [][]rune{[]rune(common[len(typed):])}, len([]rune(typed))
	}
	c.list(line, found)
	return nil, 0
}

// complete finds the ways to go on with a text, and where in it what they replace begins.
func (c *completer) complete(text string) (start int, found []admin.Candidate) {
	begin := strings.LastIndexByte(text, '\n') + 1
	if last := text[begin:]; jsinput.IsCommand(last, isCommandWord) && strings.ContainsAny(strings.TrimLeft(last, " \t"), " \t") && !wantsMore(text[:begin]) {
		start, found = admin.Complete(last, c.repl.client)
		if files := completeFile(last); files != nil {
			found = files
		}
		return begin + start, found
	}
	if strings.TrimSpace(text) == "" {
		return admin.Complete(text, c.repl.client)
	}
	code := forced(text)
	expr, prefix, ok := jsinput.CompletionTarget(code, len(code))
	if !ok {
		return len(text), nil
	}
	start = len(text) - len(prefix)
	if expr == "" && strings.TrimSpace(code[:start]) == "" && code == text {
		_, found = admin.Complete(prefix, c.repl.client) // the first word of an input may be a command as well
	}
	for _, name := range c.repl.client.Members(expr, prefix) {
		if strings.HasPrefix(name, prefix) && isIdentifier(name) && !slices.ContainsFunc(found, func(f admin.Candidate) bool { return f.Text == name }) {
			found = append(found, admin.Candidate{Text: name})
		}
	}
	return start, found
}

// isIdentifier reports whether a member may be written behind a point.
func isIdentifier(name string) bool {
	for i, r := range name {
		if r != '_' && r != '$' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return name != ""
}

func commonPrefix(found []admin.Candidate) string {
	common := found[0].Text
	for _, f := range found[1:] {
		for !strings.HasPrefix(f.Text, common) {
			common = common[:len(common)-1]
		}
	}
	return strings.ToValidUTF8(common, "")
}

// list shows the candidates: those that can be explained on a line each, the rest in columns.
func (c *completer) list(line []rune, found []admin.Candidate) {
	limit := maxListed
	if found[len(found)-1].Note == "" {
		limit = maxColumns
	}
	more := len(found) > limit
	if more {
		found = found[:limit]
	}
	widest := 0
	for _, f := range found {
		widest = max(widest, admin.TextWidth(f.Text))
	}
	p := newPrinter(c.repl.out)
	var b strings.Builder
	p.W = &b
	columns, column := max(1, max(p.Width, 20)/(widest+2)), 0
	for i, f := range found {
		blank := strings.Repeat(" ", widest-admin.TextWidth(f.Text)+2)
		column++
		switch {
		case f.Note != "":
			p.Printf("%s%s%s\n", admin.Escape(f.Text), blank, p.Styled(admin.Dim, admin.Fit(f.Note, max(10, p.Width-widest-3))))
			column = 0
		case column == columns || i == len(found)-1:
			p.Printf("%s\n", admin.Escape(f.Text))
			column = 0
		default:
			p.Printf("%s%s", admin.Escape(f.Text), blank)
		}
	}
	if more {
		p.Printf("%s\n", p.Styled(admin.Dim, "... and more"))
	}
	// Below the line as it is, which the editor then draws again.
	_, _ = c.repl.editor.Stdout().Write([]byte(c.repl.view.picture(line) + "\n" + b.String()))
}

// completeFile offers files after --file; nil when it is no file that is wanted.
func completeFile(text string) []admin.Candidate {
	words := strings.Fields(text)
	partial := ""
	if !strings.HasSuffix(text, " ") && len(words) > 0 {
		partial = words[len(words)-1]
		words = words[:len(words)-1]
	}
	if len(words) == 0 || words[len(words)-1] != "--file" {
		return nil
	}
	dir, base := filepath.Split(partial)
	entries, err := os.ReadDir(filepath.Join(".", dir))
	if filepath.IsAbs(dir) {
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil
	}
	var found []admin.Candidate
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, base) && (base != "" || name[0] != '.') && !strings.ContainsAny(name, " \t") {
			f := admin.Candidate{Text: dir + name, Space: !e.IsDir()}
			if e.IsDir() {
				f.Text += "/"
			}
			found = append(found, f)
		}
	}
	return found
}
