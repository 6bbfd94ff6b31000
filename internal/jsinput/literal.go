package jsinput

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// template scans the characters of a template, up to its end or the next substitution; t is the token that began.
func (s *scanner) template(t lexeme) bool {
	t.kind = template
	for s.at < len(s.text) {
		switch {
		case s.text[s.at] == '\\':
			s.at++
			if s.at < len(s.text) {
				s.at += width(s.text[s.at:])
			}
		case s.text[s.at] == '`':
			s.at++
			t.ends = true
			return s.add(t)
		case strings.HasPrefix(s.text[s.at:], "${"):
			s.at += 2
			return s.add(t) && s.push(level{token: len(s.tokens) - 1, bracket: '`'})
		default:
			s.at++
		}
	}
	s.at = len(s.text)
	s.open, s.openAt = inTemplate, t.start
	s.add(t)
	return false
}

// quoted scans a string.
func (s *scanner) quoted(quote byte) bool {
	start := s.at
	s.at++
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == quote:
			s.at++
			return true
		case c == '\n' || c == '\r':
			return s.fail(start, "this string is not closed")
		case c == '\\':
			s.at++
			if strings.HasPrefix(s.text[s.at:], "\r\n") {
				s.at++
			}
			continued := s.at == len(s.text) || strings.ContainsRune("\n\r\u2028\u2029", first(s.text[s.at:]))
			if s.at < len(s.text) {
				s.at += width(s.text[s.at:])
			}
			if continued && s.at == len(s.text) {
				s.open, s.openAt = inString, start
				return false
			}
		default:
			s.at++
		}
	}
	return s.fail(start, "this string is not closed")
}

// regex scans a regular expression and its flags.
func (s *scanner) regex() bool {
	start := s.at
	class := false
	for s.at++; s.at < len(s.text); {
		r := first(s.text[s.at:])
		switch {
		case strings.ContainsRune("\n\r\u2028\u2029", r):
			return s.fail(start, "this regular expression is not closed")
		case r == '\\':
			s.at++
			if s.at == len(s.text) || strings.ContainsRune("\n\r\u2028\u2029", first(s.text[s.at:])) {
				return s.fail(start, "this regular expression is not closed")
			}
		case r == '[':
			class = true
		case r == ']':
			class = false
		case r == '/' && !class:
			s.at++
			flags := s.at
			s.identifier()
			return s.flags(flags)
		}
		s.at += width(s.text[s.at:])
	}
	return s.fail(start, "this regular expression is not closed")
}

// flags judges those of a regular expression.
func (s *scanner) flags(from int) bool {
	for i, r := range s.text[from:s.at] {
		if strings.ContainsRune("dv", r) {
			return s.fail(from+i, "the regular expression flag "+string(r)+" is not supported here")
		}
		if !strings.ContainsRune("gimsuy", r) {
			return s.fail(from+i, "Invalid regular expression flag "+string(r))
		}
	}
	return true
}

// number scans what begins as a number.
func (s *scanner) number() {
	start := s.at
	based := len(s.text) > s.at+1 && s.text[s.at] == '0' && strings.IndexByte("xXoObB", s.text[s.at+1]) >= 0
	point := false
	for ; s.at < len(s.text); s.at++ {
		c := s.text[s.at]
		switch {
		case c == '.' && !point && !based:
			point = true
		case (c == '+' || c == '-') && !based && s.at > start && s.text[s.at-1]|0x20 == 'e' && s.digit(s.at+1):
		case c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z':
		default:
			return
		}
	}
}

func (s *scanner) digit(at int) bool {
	return at < len(s.text) && '0' <= s.text[at] && s.text[at] <= '9'
}

// identifierAt reports whether an identifier begins at an offset. Any character outside of ASCII will do: goja knows which it takes.
func (s *scanner) identifierAt(at int) bool {
	if at >= len(s.text) {
		return false
	}
	r := first(s.text[at:])
	return r == '$' || r == '_' || r == '\\' || 'a' <= r|0x20 && r|0x20 <= 'z' && r < utf8.RuneSelf || r >= utf8.RuneSelf && !space(r)
}

// identifier scans one, or nothing.
func (s *scanner) identifier() {
	for s.digit(s.at) || s.identifierAt(s.at) {
		if strings.HasPrefix(s.text[s.at:], `\u{`) {
			if n := strings.IndexByte(s.text[s.at:], '}'); n > 0 && n < 16 {
				s.at += n
			}
		}
		s.at += width(s.text[s.at:])
	}
}

// blank skips blanks and comments; ok is false if a comment is not closed.
func (s *scanner) blank() (lf, ok bool) {
	for s.at < len(s.text) {
		r := first(s.text[s.at:])
		switch {
		case strings.ContainsRune("\n\r\u2028\u2029", r):
			lf = true
			s.at += width(s.text[s.at:])
		case space(r):
			s.at += width(s.text[s.at:])
		case strings.HasPrefix(s.text[s.at:], "//"):
			s.at = lineEnd(s.text, s.at)
		case strings.HasPrefix(s.text[s.at:], "/*"):
			n := strings.Index(s.text[s.at+2:], "*/")
			if n < 0 {
				s.open, s.openAt, s.at = inComment, s.at, len(s.text)
				return lf, false
			}
			lf = lf || strings.ContainsAny(s.text[s.at:s.at+2+n], "\n\r\u2028\u2029")
			s.at += n + 4
		default:
			return lf, true
		}
	}
	return lf, true
}

// lineEnd is the offset of the line terminator after at.
func lineEnd(text string, at int) int {
	if n := strings.IndexAny(text[at:], "\n\r\u2028\u2029"); n >= 0 {
		return at + n
	}
	return len(text)
}

func space(r rune) bool { return r == '\ufeff' || r != '\u0085' && unicode.IsSpace(r) }

func first(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func width(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// punctuators are those of more than one character, the longest first.
var punctuators = []string{
	">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=",
	"=>", "==", "!=", "<=", ">=", "&&", "||", "??", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**",
}

// punctuator is the length of the one that text begins with.
func punctuator(text string) int {
	if strings.HasPrefix(text, "?.") && (len(text) < 3 || text[2] < '0' || text[2] > '9') {
		return 2
	}
	for _, p := range punctuators {
		if strings.HasPrefix(text, p) {
			return len(p)
		}
	}
	return width(text)
}
