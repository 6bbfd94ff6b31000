package jsinput

import (
	"slices"
	"strings"
)

// CompletionTarget finds what a Tab asks for with the cursor at byte pos of line: the names that begin with prefix among the properties of
// expr, or among the global names if expr is "". Only a chain of names and this, joined by "." and "?.", is ever offered as expr: to
// find the value of anything else could do something. ok is false where there is nothing to complete: in strings, comments
// and numbers, and after what is no such chain.
func CompletionTarget(line string, pos int) (expr, prefix string, ok bool) {
	line = line[:max(0, min(pos, len(line)))]
	if len(line) > MaxText {
		return "", "", false
	}
	s := scan(line)
	n := len(s.tokens)
	if s.err != nil || s.open != inNothing && s.open != inBracket || s.inLineComment() {
		return "", "", false
	}
	i := n - 1 // the last token before the prefix
	if n > 0 && s.tokens[i].kind == word && s.tokens[i].end == len(line) {
		prefix = s.of(i)
		i--
	}
	if !s.member(i) {
		after := i >= 0 && s.tokens[i].ends && (prefix == "" || !s.tokens[n-1].lf)
		if w := s.of(i); i >= 0 && s.tokens[i].kind == word && !s.member(i-1) && slices.Contains(statementWords, w) {
			after = false
		}
		return "", prefix, !after
	}
	var chain []string
	for s.member(i) {
		chain = append(chain, s.of(i))
		i--
		if i < 0 || s.tokens[i].kind != word {
			return "", "", false
		}
		chain = append(chain, s.of(i))
		i--
	}
	if head := chain[len(chain)-1]; head == "super" || head == "import" || keyword(head) {
		return "", "", false
	}
	slices.Reverse(chain)
	return strings.Join(chain[:len(chain)-1], ""), prefix, true
}

// statementWords are the words that an operand or a name may follow although an operand may end with them.
var statementWords = []string{"async", "let", "of", "static", "debugger", "class", "const", "for", "function", "if", "switch", "var", "while", "with"}

// inLineComment reports whether the text ends in a comment to the end of the line.
func (s *scanner) inLineComment() bool {
	at := 0
	if n := len(s.tokens); n > 0 {
		at = s.tokens[n-1].end
	} else if strings.HasPrefix(s.text, "#!") {
		return s.at == len(s.text)
	}
	rest := scanner{text: s.text, at: at}
	for rest.at < len(rest.text) {
		switch r := first(rest.text[rest.at:]); {
		case space(r) || strings.ContainsRune("\n\r\u2028\u2029", r):
			rest.at += width(rest.text[rest.at:])
		case strings.HasPrefix(rest.text[rest.at:], "//"):
			if rest.at = lineEnd(rest.text, rest.at); rest.at == len(rest.text) {
				return true
			}
		default: // a block comment: it is closed
			rest.at += strings.Index(rest.text[rest.at+2:], "*/") + 4
		}
	}
	return false
}
