package manual

import (
	"regexp"
	"strings"
)

// In a help text an option and its value stand two columns in or more, what they do after them or on deeper lines below.
var (
	optionLine = regexp.MustCompile(`^ {2,}(-[\w-]+(?:, --?[\w-]+)?(?: (?:"[^"]*"|\[?[A-Z]{2,}\]?|N|URL))?)(?: +(\S.*))?$`)
	wordLine   = regexp.MustCompile(`^ {2}[a-z_]+$`)
	pairLine   = regexp.MustCompile(`^ {2,6}(\S+(?: \S+)*) {2,}(\S.*)$`)
)

// helpText adds a program's help: options and pairs become lists, lines that end in a colon before such a list headings. The lines of
// usage, which are the synopsis, are left out.
func (p *page) helpText(text string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		switch tag, what, ok := splitOption(line); {
		case strings.TrimSpace(line) == "":
			i++
		case strings.HasPrefix(strings.ToLower(line), "usage: "):
			for i++; i < len(lines) && strings.HasPrefix(lines[i], "  "); i++ {
			}
		case ok:
			i++
			depth := indent(line)
			for ; i < len(lines) && strings.TrimSpace(lines[i]) != "" && indent(lines[i]) > max(depth, 6); i++ {
				what += " " + strings.TrimSpace(lines[i])
			}
			p.item(tag, literal(what))
		case strings.HasPrefix(line, "  "):
			end := i
			for end < len(lines) && strings.HasPrefix(lines[end], "  ") {
				end++
			}
			p.code(lines[i:end])
			i = end
		default:
			end := i + 1
			for end < len(lines) && strings.TrimSpace(lines[end]) != "" && !strings.HasPrefix(lines[end], " ") {
				end++
			}
			s := strings.Join(lines[i:end], " ")
			if end == i+1 && strings.HasSuffix(s, ":") && end < len(lines) && strings.HasPrefix(lines[end], "  ") {
				p.subsection(strings.TrimSuffix(s, ":"))
			} else {
				p.text(literal(s))
			}
			i = end
		}
	}
}

func splitOption(line string) (tag, what string, ok bool) {
	m := optionLine.FindStringSubmatch(line)
	if m == nil {
		m = pairLine.FindStringSubmatch(line)
	}
	switch {
	case m != nil:
		return m[1], m[2], true
	case wordLine.MatchString(line):
		return strings.TrimSpace(line), "", true
	}
	return "", "", false
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// synopsis finds the lines of usage in a help text, without what is said about them.
func synopsis(text string) (lines []string) {
	all := strings.Split(text, "\n")
	for i, line := range all {
		if !strings.HasPrefix(strings.ToLower(line), "usage: ") {
			continue
		}
		lines = append(lines, line[len("usage: "):])
		for _, more := range all[i+1:] {
			if !strings.HasPrefix(more, "  ") {
				break
			}
			lines = append(lines, strings.TrimSpace(more))
		}
		break
	}
	for i := range lines {
		lines[i], _, _ = strings.Cut(lines[i], "   ")
	}
	return lines
}
