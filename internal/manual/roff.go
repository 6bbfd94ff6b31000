package manual

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// page is a man page in the making.
type page struct{ strings.Builder }

// newPage begins a page. The date is that of the source, none if it is zero, so that the same source gives the same page.
func newPage(name, section, version string, date time.Time) *page {
	p := &page{}
	day := ""
	if !date.IsZero() {
		day = date.UTC().Format(time.DateOnly)
	}
	fmt.Fprintf(p, ".TH %s %s \"%s\" \"nvsess %s\" \"nvsess manual\"\n", name, section, day, escape(version))
	p.WriteString(".nh\n.ad l\n")
	return p
}

func (p *page) section(title string)    { fmt.Fprintf(p, ".SH \"%s\"\n", quoted(strings.ToUpper(title))) }
func (p *page) subsection(title string) { fmt.Fprintf(p, ".SS \"%s\"\n", quoted(title)) }

// text is a paragraph, with `code` and *emphasis* of Markdown.
func (p *page) text(s string) { p.WriteString(".PP\n" + inline(s) + "\n") }

// item is a word and what it is. The text may be several paragraphs.
func (p *page) item(tag, text string) {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n")
	fmt.Fprintf(p, ".TP\n\\fB%s\\fR\n%s\n", escape(tag), orNothing(inline(paragraphs[0])))
	for _, s := range paragraphs[1:] {
		if s = strings.TrimSpace(s); s != "" {
			p.WriteString(".IP\n" + inline(s) + "\n")
		}
	}
}

func (p *page) bullet(s string) { p.WriteString(".IP \\(bu 2\n" + inline(s) + "\n") }

// code is lines as they are, indented.
func (p *page) code(lines []string) {
	p.WriteString(".PP\n.RS 4\n.nf\n")
	for _, l := range lines {
		p.WriteString(orNothing(escape(strings.TrimRight(l, " "))) + "\n")
	}
	p.WriteString(".fi\n.RE\n")
}

// orNothing keeps a line that is empty from being a mistake.
func orNothing(s string) string {
	if s == "" {
		return `\&`
	}
	return s
}

// What roff would take for its own, and characters it would make typographic ones of: what is copied from a page must work.
var special = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, noStar, "*", noTick, `\(ga`)

// escape makes text of a line roff.
func escape(s string) string {
	s = special.Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// quoted is escape for a macro's argument between quotes.
func quoted(s string) string { return strings.ReplaceAll(escape(s), `"`, `\(dq`) }

var markup = regexp.MustCompile("`([^`]+)`|\\*([^ *][^*]*)\\*|\\[([^\\]]+)\\]\\([^)]+\\)")

// inline makes a paragraph roff: `code` is bold, *words* are italic, links are their text.
func inline(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	var b strings.Builder
	at := 0
	for _, m := range markup.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(special.Replace(s[at:m[0]]))
		switch {
		case m[2] >= 0:
			b.WriteString(`\fB` + special.Replace(s[m[2]:m[3]]) + `\fR`)
		case m[4] >= 0:
			b.WriteString(`\fI` + special.Replace(s[m[4]:m[5]]) + `\fR`)
		default:
			b.WriteString(special.Replace(s[m[6]:m[7]]))
		}
		at = m[1]
	}
	b.WriteString(special.Replace(s[at:]))
	if s := b.String(); strings.HasPrefix(s, ".") {
		return `\&` + s
	}
	return b.String()
}

// What stands for * and ` that are no markup.
const (
	noStar = "\x01"
	noTick = "\x02"
)

// literal keeps a text without Markdown from being taken for it.
func literal(s string) string { return strings.NewReplacer("`", noTick, "*", noStar).Replace(s) }

// String is the page: without paragraphs right after headings, which begin one, and with letters beyond ASCII spelled out.
func (p *page) String() string {
	var b strings.Builder
	for _, r := range afterHeading.ReplaceAllString(p.Builder.String(), "$1") {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

var afterHeading = regexp.MustCompile(`(?m)^(\.S[HS] .*\n)\.PP\n`)
