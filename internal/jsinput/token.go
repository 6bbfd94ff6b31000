package jsinput

import (
	"strings"
)

// The limits of a text.
const (
	MaxText    = 1 << 20 // bytes
	MaxNesting = 1000    // brackets open at once

	maxPending = 20000 // tokens of all unfinished expressions and statements: the parser's depth is at most this
	maxLabels  = 200   // on one statement and what it is in: the parser compares each with each
	maxParams  = 4     // arrow functions in the parameters of arrow functions, each of which the parser reads twice
)

type kind uint8

const (
	word kind = iota // identifier or keyword
	private
	number
	str
	template // all of it, or the part before, between or after substitutions
	regex
	punct
)

// A lexeme is a token: a piece of text. What it is depends on what is before it only as far as telling a regular expression from a division
// needs it; the judge of the grammar is goja's parser.
type lexeme struct {
	kind  kind
	lf    bool // a line terminator is before it
	ends  bool // an operand may end here, so that "/" divides and "(" calls
	label bool // ":" of a label or a case
	start int
	end   int
	pair  int // index of the bracket that matches this one, or -1
}

type scanner struct {
	text    string
	at      int
	tokens  []lexeme
	levels  []level
	closed  level // the one closed last
	pending int   // sum of the levels'
	labels  int   // likewise

	open    unclosed
	openAt  int // offset of what is unclosed, unless it is a bracket
	err     *fault
	tooMuch bool // err is about a limit, which the parser does not have
}

// fault is a SyntaxError that has an offset yet.
type fault struct {
	offset     int
	message    string
	incomplete bool
}

// scan cuts text into tokens, as far as it has some sense.
func scan(text string) *scanner {
	s := &scanner{text: text, levels: []level{{token: -1, block: true}}}
	if strings.HasPrefix(text, "#!") {
		s.at = lineEnd(text, 0)
	}
	for s.err == nil && s.next() {
	}
	if s.err == nil && s.open == inNothing && len(s.levels) > 1 {
		s.open = inBracket
	}
	return s
}

func (s *scanner) fail(offset int, message string) bool {
	s.err = &fault{offset: offset, message: message}
	return false
}

// refuse fails because of a limit: the parser must not see the text.
func (s *scanner) refuse(offset int, message string) bool {
	s.tooMuch = true
	return s.fail(offset, message)
}

// top is the innermost open bracket.
func (s *scanner) top() *level { return &s.levels[len(s.levels)-1] }

// of returns the text of token i, "" when there is none.
func (s *scanner) of(i int) string {
	if i < 0 || i >= len(s.tokens) {
		return ""
	}
	return s.text[s.tokens[i].start:s.tokens[i].end]
}

// is reports whether token i is the keyword or punctuator text.
func (s *scanner) is(i int, text string) bool {
	return s.of(i) == text && (s.tokens[i].kind == word || s.tokens[i].kind == punct)
}

// next scans one token.
func (s *scanner) next() bool {
	lf, ok := s.blank()
	if !ok || s.at == len(s.text) {
		return false
	}
	t := lexeme{start: s.at, lf: lf, pair: -1}
	last := len(s.tokens) - 1
	operand := last >= 0 && s.tokens[last].ends
	c := s.text[s.at]
	switch {
	case c == '"' || c == '\'':
		t.kind, t.ends = str, true
		if !s.quoted(c) {
			return false
		}
	case c == '`':
		s.at++
		return s.template(t)
	case c == '}' && s.top().bracket == '`':
		s.at++
		t.pair = s.close()
		s.tokens[t.pair].pair = len(s.tokens)
		return s.template(t)
	case '0' <= c && c <= '9' || c == '.' && s.digit(s.at+1):
		t.kind, t.ends = number, true
		s.number()
	case c == '#' && s.identifierAt(s.at+1):
		s.at++
		s.identifier()
		t.kind, t.ends = private, true
	case s.identifierAt(s.at):
		s.identifier()
		t.kind = word
		t.ends = s.member(last) || !keyword(s.text[t.start:s.at])
	case c == '/' && !operand:
		t.kind, t.ends = regex, true
		if !s.regex() {
			return false
		}
	default:
		t.kind = punct
		s.at += punctuator(s.text[s.at:])
		return s.punct(t, operand)
	}
	return s.add(t)
}

// add appends a token and counts it.
func (s *scanner) add(t lexeme) bool {
	t.end = s.at
	s.tokens = append(s.tokens, t)
	i := len(s.tokens) - 1
	top := s.top()
	if s.begins(i) {
		s.pending -= top.pending
		s.labels -= top.labels
		top.pending, top.labels, top.question = 0, 0, 0
	}
	top.pending++
	if s.pending++; s.pending > maxPending {
		return s.refuse(t.start, "this is too long for one expression or statement")
	}
	if t.kind == word && s.of(i) == "class" && !s.member(i-1) {
		top.class = "declaration"
		if s.operandExpected(i) {
			top.class = "expression"
		}
	}
	return true
}
