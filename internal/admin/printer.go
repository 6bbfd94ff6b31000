package admin

import (
	"io"
	"regexp"
	"strings"
	"time"
)

// Style is how a piece of text stands out on a terminal.
type Style string

// The styles in use; colours that read on dark and light grounds.
const (
	Bold   Style = "\x1b[1m"
	Dim    Style = "\x1b[2m"
	Red    Style = "\x1b[31m"
	Green  Style = "\x1b[32m"
	Yellow Style = "\x1b[33m"
	Cyan   Style = "\x1b[36m"
	reset        = "\x1b[0m"
)

// Printer shows results to a human. All it writes is escaped: of control characters only line breaks, and its own styles when Color is
// set, reach W. A printer serves one command.
type Printer struct {
	W     io.Writer
	Color bool
	Width int // of the screen in columns; 0 when there is none, and nothing is shortened
	Now   func() time.Time

	columns []int // of the table being printed, page after page
	told    bool  // what is to be said once
	shown   int   // sessions printed so far, page after page
	err     error
}

// NewPrinter makes a printer for plain text.
func NewPrinter(w io.Writer) *Printer { return &Printer{W: w, Now: time.Now} }

// Err is the first error of W.
func (p *Printer) Err() error { return p.err }

// Printf prints text. Text from outside goes into it by way of Quote or Escape, so that it cannot break the line either.
func (p *Printer) Printf(format string, args ...any) {
	if p.err != nil {
		return
	}
	_, p.err = io.WriteString(p.W, p.net(sprintf(format, args...)))
}

// JSON prints a JSON text, indented and in colour where there is any.
func (p *Printer) JSON(raw []byte) { p.Printf("%s\n", p.paintJSON(IndentJSON(raw))) }

// style marks text.
func (p *Printer) style(s Style, text string) string {
	if !p.Color || s == "" || text == "" {
		return text
	}
	return string(s) + text + reset
}

// Styled is text in a style, to be printed by Printf.
func (p *Printer) Styled(s Style, text string) string { return p.style(s, Escape(text)) }

// net is what everything passes on its way out, whatever was forgotten before.
func (p *Printer) net(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, "\n\x1b")
		if i < 0 {
			b.WriteString(Escape(s))
			break
		}
		b.WriteString(Escape(s[:i]))
		s = s[i:]
		n := 1
		if s[0] == '\x1b' {
			if n = styleLen(s); n == 0 || !p.Color {
				b.WriteString(`\x1b`)
				s = s[1:]
				continue
			}
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return b.String()
}

// styleLen is the length of the style a text begins with: one of ours, or of those in which Node.js shows values. Others could hide what
// is written.
func styleLen(s string) int {
	m := nodeStyle.FindString(s)
	return len(m)
}

var nodeStyle = regexp.MustCompile("^\x1b\\[(?:0|1|2|3|4|22|23|24|3[1-6]|39|90)m")

// paintJSON colours the names of members: what one looks for in a long record.
func (p *Printer) paintJSON(text string) string {
	if !p.Color {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		body := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(body, `"`) {
			continue
		}
		if end := closingQuote(body, 1, '"'); end > 0 && strings.HasPrefix(body[end+1:], ":") {
			lines[i] = line[:len(line)-len(body)] + p.style(Cyan, body[:end+1]) + body[end+1:]
		}
	}
	return strings.Join(lines, "\n")
}

// ShortID is the part of an id that is shown and typed: 12 of 64 characters tell sessions apart.
func ShortID(id string) string { return Escape(id[:min(len(id), shortID)]) }

const shortID = 12

// age writes a duration in at most four characters or so.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return sprintf("%dh", d/time.Hour)
	}
	return sprintf("%dd", d/(24*time.Hour))
}

// size writes a number of bytes in few characters.
func size(n uint64) string {
	switch {
	case n < 10_000:
		return sprintf("%d", n)
	case n < 10<<20:
		return sprintf("%dKi", n>>10)
	}
	return sprintf("%dMi", n>>20)
}
