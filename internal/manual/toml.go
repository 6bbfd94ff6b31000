package manual

import (
	"regexp"
	"slices"
	"strings"
)

var (
	keyLine   = regexp.MustCompile(`^([a-z_]+) = (.*)$`)
	tableLine = regexp.MustCompile(`^\[([a-z_.]+)\]$`)
	tableOf   = regexp.MustCompile(`^\[\[([a-z_]+)\]\]$`)
)

// configuration adds the commented configuration file: what stands above a table or keys is said about them.
func (p *page) configuration(file string) {
	var comment []string
	lines := strings.Split(file, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch m, t := keyLine.FindStringSubmatch(line), tableLine.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "#"):
			comment = append(comment, strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
		case t != nil:
			p.subsection("[" + t[1] + "]")
			if len(comment) > 0 {
				p.comment(comment)
				comment = nil
			}
		case m != nil:
			tags := []string{m[1] + " = " + m[2]}
			for i+1 < len(lines) && keyLine.MatchString(lines[i+1]) { // several share a comment
				i++
				tags = append(tags, lines[i])
			}
			p.keys(tags, strings.Join(comment, " "))
			comment = nil
		case line == "" && len(comment) > 0:
			// A comment with nothing below it: the file's head, or a table that is only an example.
			p.comment(comment)
			comment = nil
		}
	}
	if len(comment) > 0 {
		p.comment(comment)
	}
}

// keys are those that share what is said about them.
func (p *page) keys(tags []string, text string) {
	p.WriteString(".TP\n\\fB" + escape(tags[0]) + "\\fR\n")
	for _, tag := range tags[1:] {
		p.WriteString(".TQ\n\\fB" + escape(tag) + "\\fR\n")
	}
	p.WriteString(orNothing(inline(literal(text))) + "\n")
}

// comment is prose, and examples that are commented out.
func (p *page) comment(lines []string) {
	if i := slices.IndexFunc(lines, tableOf.MatchString); i >= 0 {
		p.subsection(lines[i])
	}
	for i := 0; i < len(lines); {
		end := i
		for end < len(lines) && lines[end] != "" {
			end++
		}
		switch part := lines[i:end]; {
		case len(part) == 0:
		case tableOf.MatchString(part[0]):
			p.code(part)
		default:
			p.text(literal(strings.Join(part, " ")))
		}
		i = end + 1
	}
}
