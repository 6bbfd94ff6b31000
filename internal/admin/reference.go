package admin

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
)

//go:embed reference_head.md
var referenceHead string

// Reference is docs/admin.md: what is said about all commands, and then each of them from the table.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(strings.TrimSpace(referenceHead))
	b.WriteString("\n\n## Commands\n")
	for _, group := range Groups {
		b.WriteString("\n### " + group + "\n")
		for _, c := range table {
			if c.Group == group && !c.Hidden {
				c.reference(&b)
			}
		}
	}
	return b.Bytes()
}

// ReferenceHead is what is said about all commands, in Markdown.
func ReferenceHead() string { return referenceHead }

// Label is how an argument is written: SESS, or --timeout DURATION.
func (a *Arg) Label() string {
	if a.Option {
		return a.spelling()
	}
	return a.metavar()
}

// Description is the help of an argument, with its default.
func (a *Arg) Description() string { return a.describe() }

func (c *Command) reference(b *bytes.Buffer) {
	b.WriteString("\n#### `" + c.Usage() + "`\n\n" + upperFirst(c.Summary) + ".")
	if names := c.otherNames(); names != "" {
		b.WriteString(" Also: `" + strings.ReplaceAll(names, ", ", "`, `") + "`.")
	}
	b.WriteString("\n")
	if c.Help != "" {
		b.WriteString("\n" + markdown(c.Help) + "\n")
	}
	if len(c.Args) > 0 {
		b.WriteString("\n| argument | in the API | |\n|---|---|---|\n")
		for i := range c.Args {
			a := &c.Args[i]
			spelling := a.metavar()
			if a.Option {
				spelling = a.spelling()
			}
			api := "`" + a.Name + "`, " + string(a.apiType())
			if a.Local {
				api = "-"
			}
			b.WriteString("| `" + strings.ReplaceAll(spelling, "|", `\|`) + "` | " + api + " | " + markdown(a.describe()) + " |\n")
		}
	}
	if len(c.Examples) == 0 {
		return
	}
	b.WriteString("\n```\n")
	for _, e := range c.Examples {
		line := e.Line
		if e.Note != "" {
			line = pad(line, 44, false) + "  # " + e.Note
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("```\n")
	if curl := c.curl(); curl != "" {
		b.WriteString("\n```sh\n" + curl + "\n```\n")
	}
}

// curl writes the first example as a call of the API.
func (c *Command) curl() string {
	if c.Run == nil {
		return ""
	}
	options := "-sS"
	if c.Stream && c.Verdict == nil {
		options = "-sSN --max-time 2" // it would not end
	}
	line := "curl " + options + " --unix-socket \"$NVSESS_ADMIN\" http://nvsessd/v1/" + c.Name
	inv, err := ParseLine(c.Examples[0].Line)
	if err != nil {
		return ""
	}
	if body, err := marshal(inv.apiArgs(nil)); err == nil && string(body) != "{}" {
		return line + " -d '" + strings.ReplaceAll(string(body), "'", `'\''`) + "'"
	}
	if slices.Contains(c.methods(), "GET") {
		return line
	}
	return line + " -X POST"
}

// markdown keeps names such as ___sreq___ and JSON from being taken for markup.
func markdown(s string) string {
	fields := strings.Split(s, " ")
	for i, f := range fields {
		if strings.ContainsAny(f, "_*<>|~{}") {
			bare := strings.TrimRight(strings.TrimLeft(f, "("), ".,;:)")
			before, after, _ := strings.Cut(f, bare)
			fields[i] = before + "`" + strings.ReplaceAll(bare, "|", `\|`) + "`" + after
		}
	}
	return strings.Join(fields, " ")
}
