package manual

import "strings"

// markdown adds what the project's own Markdown uses: headings, paragraphs, bullets, code, and tables, which become lists. level is the
// number of # of a section; a heading above it is left out.
func (p *page) markdown(text string, level int) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		switch {
		case strings.TrimSpace(line) == "":
			i++
		case strings.HasPrefix(line, "<!--"):
			for !strings.Contains(lines[i], "-->") {
				i++
			}
			i++
		case strings.HasPrefix(line, "#"):
			title := strings.TrimLeft(line, "#")
			switch n := len(line) - len(title); {
			case n == level:
				p.section(strings.Trim(title, " `"))
			case n > level:
				p.subsection(strings.Trim(title, " `"))
			}
			i++
		case strings.HasPrefix(line, "```"):
			end := i + 1
			for end < len(lines) && !strings.HasPrefix(lines[end], "```") {
				end++
			}
			p.code(lines[i+1 : end])
			i = end + 1
		case strings.HasPrefix(line, "    "):
			end := i
			for end < len(lines) && strings.HasPrefix(lines[end], "    ") {
				end++
			}
			p.code(unindent(lines[i:end]))
			i = end
		case strings.HasPrefix(line, "|"):
			end := i
			for end < len(lines) && strings.HasPrefix(lines[end], "|") {
				end++
			}
			for _, row := range lines[min(i+2, end):end] {
				p.row(row)
			}
			i = end
		default:
			bullet := strings.HasPrefix(line, "- ")
			end := i + 1
			for end < len(lines) && goesOn(lines[end]) {
				end++
			}
			if s := strings.Join(lines[i:end], " "); bullet {
				p.bullet(strings.TrimPrefix(s, "- "))
			} else {
				p.text(s)
			}
			i = end
		}
	}
}

// goesOn says whether a line belongs to the paragraph or bullet before it.
func goesOn(line string) bool {
	return strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "#") &&
		!strings.HasPrefix(line, "```") && !strings.HasPrefix(line, "    ")
}

func unindent(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, strings.TrimPrefix(l, "    "))
	}
	return out
}

// row is a table's: the first column names what the others say.
func (p *page) row(line string) {
	const bar = "\x00"
	var cells []string
	for c := range strings.SplitSeq(strings.Trim(strings.ReplaceAll(line, `\|`, bar), "|"), "|") {
		if c = strings.TrimSpace(strings.ReplaceAll(c, bar, "|")); c != "" {
			cells = append(cells, c)
		}
	}
	if len(cells) > 0 {
		p.item(strings.ReplaceAll(cells[0], "`", ""), strings.Join(cells[1:], "; "))
	}
}
