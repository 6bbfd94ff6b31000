package admin

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// PrintHelp prints the list of commands, or the help of one.
func PrintHelp(p *Printer, name string) error {
	if name != "" {
		c, err := lookup(name)
		if err != nil {
			return err
		}
		p.commandHelp(c)
		return p.Err()
	}
	for _, group := range Groups {
		p.Printf("%s\n", p.style(Bold, group))
		for _, c := range table {
			if c.Group != group || c.Hidden {
				continue
			}
			p.Printf("  %s  %s\n", pad(c.Name, nameColumn, false), fitScreen(c.Summary, p.Width-nameColumn-4))
		}
	}
	p.Printf("\n%s\n", wrap("At the console's prompt, a line whose first word is one of these commands is that command; any other line, and each that begins with ;, is JavaScript (help js).", p.textWidth()))
	p.Printf("\nSESS is an id, the beginning of one, an index, fst or lst. help COMMAND explains a command; Tab completes.\n")
	return p.Err()
}

const nameColumn = 33

func fitScreen(s string, width int) string {
	if width < 20 {
		return s
	}
	return Fit(s, width)
}

func (p *Printer) commandHelp(c *Command) {
	p.Printf("%s\n\n  %s\n", upperFirst(c.Summary)+".", p.style(Bold, c.Usage()))
	if others := c.otherNames(); others != "" {
		p.Printf("\nAlso: %s\n", others)
	}
	if c.Help != "" {
		p.Printf("\n%s\n", wrap(c.Help, p.textWidth()))
	}
	if len(c.Args) > 0 {
		p.Printf("\n")
		for i := range c.Args {
			a := &c.Args[i]
			spelling := a.metavar()
			if a.Option {
				spelling = a.spelling()
			}
			p.Printf("  %s  %s\n", pad(spelling, 22, false), strings.ReplaceAll(wrap(a.describe(), p.textWidth()-26), "\n", "\n"+strings.Repeat(" ", 26)))
		}
	}
	if len(c.Examples) > 0 {
		p.Printf("\nFor example:\n")
		for _, e := range c.Examples {
			line := "  " + e.Line
			if e.Note != "" {
				line = pad(line, 40, false) + p.style(Dim, "  # "+e.Note)
			}
			p.Printf("%s\n", line)
		}
	}
}

// describe is the help of an argument with its default.
func (a *Arg) describe() string {
	if a.Default == "" {
		return a.Help
	}
	return a.Help + " (default: " + a.Default + ")"
}

func (c *Command) otherNames() string {
	return strings.Join(slices.Sorted(slices.Values(c.Aliases)), ", ")
}

func (p *Printer) textWidth() int {
	if p.Width <= 0 || p.Width > 100 {
		return 100
	}
	return max(p.Width, 50)
}

// upperFirst begins a sentence.
func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// wrap breaks text into lines of so many columns; paragraphs stay apart.
func wrap(text string, columns int) string {
	var out []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for w := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = w
			case TextWidth(line)+1+TextWidth(w) > columns:
				out = append(out, line)
				line = w
			default:
				line += " " + w
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// Explain shows why a command could not be read or did not succeed, with a caret under the place where JSON broke.
func Explain(p *Printer, err error) {
	switch e := err.(type) {
	case *JSONError:
		p.caret(e.Text, e.Offset, e.Error())
	case *CodeError:
		p.caret(e.Text, e.offset(), e.Error())
	case *UsageError:
		p.Printf("%s\n", p.Styled(Red, e.Reason))
		if e.Command != nil {
			p.Printf("usage: %s\n", e.Command.Usage())
		}
	case *Error:
		if e.Code == CodeJS && e.Stack != "" && !strings.HasPrefix(e.Message, e.File+":") {
			p.scriptError(e)
			return
		}
		p.Printf("%s\n", p.Styled(Red, e.Message))
		for _, line := range slices.Concat(e.Sessions, e.Problems) {
			p.Printf("  %s\n", Escape(line))
		}
	default:
		p.Printf("%s\n", p.Styled(Red, err.Error()))
	}
}

// caret shows the line that broke, or as much of it as the screen takes, and a caret under the character.
func (p *Printer) caret(text string, offset int, message string) {
	offset = min(offset, len(text))
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	end := len(text)
	if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
		end = start + i
	}
	before, after := Escape(text[start:offset]), Escape(text[offset:end])
	room := p.textWidth() - 4
	if TextWidth(before) > room*2/3 {
		before = "…" + lastColumns(before, room*2/3-1)
	}
	after = Fit(after, max(4, room-TextWidth(before)))
	p.Printf("  %s%s\n  %s%s\n%s\n", before, after, strings.Repeat(" ", TextWidth(before)), p.style(Red, "^"), p.Styled(Red, message))
}

// CodeError is JavaScript that does not parse. nvsessctl finds it before it asks the daemon.
type CodeError struct {
	Text         string
	Line, Column int // from 1, the column in characters
	Message      string
	First        int // the line of a script where Text begins, 0 without one
}

func (e *CodeError) Error() string {
	if e.First > 0 {
		return sprintf("line %d: SyntaxError: %s", e.line(), e.Message)
	}
	if strings.Contains(e.Text, "\n") {
		return sprintf("SyntaxError: %s (line %d, column %d)", e.Message, e.Line, e.Column)
	}
	return "SyntaxError: " + e.Message
}

// line counts from the beginning of the script, if there is one.
func (e *CodeError) line() int { return e.Line + max(e.First-1, 0) }

// offset is where in the text it is, in bytes.
func (e *CodeError) offset() int {
	at := 0
	for range e.Line - 1 {
		i := strings.IndexByte(e.Text[at:], '\n')
		if i < 0 {
			return len(e.Text)
		}
		at += i + 1
	}
	for column := range e.Text[at:] {
		if utf8.RuneCountInString(e.Text[at:at+column]) == e.Column-1 {
			return at + column
		}
	}
	return len(e.Text)
}

// lastColumns is the end of a text that takes so many columns.
func lastColumns(s string, columns int) string {
	runes := []rune(s)
	n := 0
	for i := len(runes) - 1; i >= 0; i-- {
		if n += RuneWidth(runes[i]); n > columns {
			return string(runes[i+1:])
		}
	}
	return s
}

// ErrorJSON is an error as the API gives it, for those who asked for JSON.
func ErrorJSON(err error) []byte {
	var e *Error
	var j *JSONError
	var u *UsageError
	var c *CodeError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &j):
		e = errorf(CodeBadJSON, "%s", j.Error())
		e.Line, e.Column = j.position()
	case errors.As(err, &u):
		e = errorf(CodeUsage, "%s", u.Reason)
	case errors.As(err, &c):
		e = errorf(CodeSyntax, "%s", c.Error())
		e.Line, e.Column = c.line(), c.Column
	default:
		e = errorf(CodeFailed, "%s", err)
		if n := (*NotReachableError)(nil); errors.As(err, &n) {
			e.Code = CodeNotReachable
			if errors.Is(err, fs.ErrPermission) {
				e.Code = CodeNotPermitted
			}
		}
	}
	raw, merr := marshal(struct {
		Error *Error `json:"error"`
	}{e})
	if merr != nil {
		return []byte("{}\n")
	}
	return append(EscapeJSON(raw), '\n')
}

// The codes that only nvsessctl gives.
const (
	CodeUsage        = "usage"
	CodeSyntax       = "syntax"
	CodeFailed       = "failed"
	CodeNotReachable = "not_reachable"
)
