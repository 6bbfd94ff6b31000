package jsinput

import (
	"strings"
	"unicode"
	"unicode/utf8"
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

// unclosed says what the end of a text is inside of.
type unclosed uint8

const (
	inNothing unclosed = iota
	inBracket
	inTemplate
	inComment
	inString // the line before ended in a backslash
)

// level is an open bracket.
type level struct {
	token    int    // index of the bracket, -1 for the text itself
	bracket  byte   // ( [ { or ` for a substitution, 0 for the text itself
	head     bool   // ( of if, while, for, with: a statement follows its )
	block    bool   // { of statements
	ends     bool   // an operand ends at the closing bracket
	body     string // ( of a function's parameters: "function", or "expression" if the function is an operand
	question int    // ? that wait for their :
	class    string // class waits for its {: "declaration" or "expression"
	pending  int    // tokens since the last statement or element was over
	labels   int    // pending ones that are labels
	params   int    // how deeply arrow functions are nested in the parameters of others
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

// begins reports whether nothing unfinished is before token i, within its bracket: what it begins cannot nest in what was before. It
// may say no wrongly, and then only the count is too high.
func (s *scanner) begins(i int) bool {
	t, p := s.tokens[i], s.tokens[max(i-1, 0)]
	if i == 0 || t.kind == punct && !strings.Contains("{}", s.of(i)) || t.kind == template {
		return i == 0
	}
	switch s.of(i) {
	case "else", "while", "catch", "finally", "in", "instanceof", "of":
		return false
	}
	return s.is(i-1, ";") || s.is(i-1, ",") || s.is(i-1, "}") || t.lf && p.ends
}

// punct adds the punctuator t, which may be a bracket.
func (s *scanner) punct(t lexeme, operand bool) bool {
	i := len(s.tokens)
	switch text := s.text[t.start:s.at]; text {
	case "(", "[", "{":
		l := level{token: i, bracket: text[0]}
		switch text {
		case "(":
			s.parenthesis(&l, i)
		case "[":
			l.ends = true
		case "{":
			s.brace(&l, i, operand)
		}
		if !s.add(t) {
			return false
		}
		return s.push(l)
	case ")", "]", "}":
		b := s.top().bracket
		if b == 0 || b == '`' || b != map[string]byte{")": '(', "]": '[', "}": '{'}[text] {
			return s.fail(t.start, "Unexpected token "+text)
		}
		t.pair = s.close()
		t.ends = s.closed.ends
		s.tokens[t.pair].pair = i
	case "++", "--":
		t.ends = operand
	case "?":
		s.top().question++
	case ":":
		if top := s.top(); top.question > 0 {
			top.question--
		} else {
			t.label = top.block
			if s.isLabel(i - 1) {
				top.labels++
				if s.labels++; s.labels > maxLabels {
					return s.refuse(t.start, "there are too many labels")
				}
			}
		}
	case "=>":
		if s.is(i-1, ")") {
			top := s.top()
			if top.params = max(top.params, s.closed.params+1); top.params > maxParams {
				return s.refuse(t.start, "arrow functions are nested too deeply in parameters")
			}
		}
	}
	return s.add(t)
}

// isLabel reports whether token i, before ":" in a block, is a label rather than the end of a case.
func (s *scanner) isLabel(i int) bool {
	if i < 0 || s.tokens[i].kind != word || s.is(i, "default") {
		return false
	}
	switch s.of(i - 1) {
	case "", ";", "{", "}", ")", "else", "do":
		return true
	}
	return s.tokens[i-1].label || s.tokens[i].lf
}

func (s *scanner) push(l level) bool {
	if s.levels = append(s.levels, l); len(s.levels) > MaxNesting+1 {
		return s.refuse(s.tokens[l.token].start, "brackets are nested too deeply")
	}
	return true
}

// close closes the innermost bracket, and returns its token.
func (s *scanner) close() int {
	s.closed = *s.top()
	s.levels = s.levels[:len(s.levels)-1]
	s.pending -= s.closed.pending
	s.labels -= s.closed.labels
	s.top().params = max(s.top().params, s.closed.params)
	return s.closed.token
}

// parenthesis finds what the "(" that will be token i belongs to.
func (s *scanner) parenthesis(l *level, i int) {
	l.ends = true
	p := i - 1
	if p < 0 || s.tokens[p].kind != word && !s.is(p, "*") || s.member(p-1) {
		return
	}
	switch s.of(p) {
	case "if", "while", "for", "with":
		l.head, l.ends = true, false
		return
	case "await": // for await: not for us, but it has a head all the same
		if s.is(p-1, "for") {
			l.head, l.ends = true, false
		}
		return
	}
	for f := p; f >= p-2 && f >= 0; f-- { // function NAME, function * NAME
		if s.is(f, "function") && !s.member(f-1) {
			l.body = "function"
			if s.is(f-1, "async") {
				f--
			}
			if s.operandExpected(f) {
				l.body = "expression"
			}
			return
		}
		if s.tokens[f].kind != word && !s.is(f, "*") {
			return
		}
	}
}

// brace finds out what the "{" that will be token i opens.
func (s *scanner) brace(l *level, i int, operand bool) {
	top := s.top()
	p := i - 1
	switch {
	case top.class != "" && p >= 0 && (operand || s.is(p, "class")):
		l.ends = top.class == "expression"
		top.class = ""
	case p < 0 || s.is(p, ";"):
		l.block = true
	case s.is(p, ")"):
		l.block, l.ends = true, s.closed.body == "expression"
	case s.is(p, "=>"):
		l.block = true
	case s.is(p, "{"), s.is(p, "}"):
		l.block = true
	case s.is(p, ":"):
		l.block = s.tokens[p].label
		l.ends = !l.block
	case s.tokens[p].kind == word && !s.member(p-1):
		switch s.of(p) {
		case "else", "do", "try", "finally", "catch", "static":
			l.block = true
		default:
			l.block = operand // after an expression and a line terminator
			l.ends = !operand
		}
	default:
		l.block = operand
		l.ends = !operand
	}
}

// member reports whether token i is a dot, so that what follows is a property's name and no keyword.
func (s *scanner) member(i int) bool { return s.is(i, ".") || s.is(i, "?.") }

// operandExpected reports whether token i is where an operand must be, rather than a statement.
func (s *scanner) operandExpected(i int) bool {
	p := i - 1
	if p < 0 {
		return false
	}
	t := s.tokens[p]
	switch {
	case t.kind == word && !s.member(p-1):
		switch s.of(p) {
		case "else", "do", "finally", "try":
			return false
		}
		return operatorWord(s.of(p))
	case t.kind == template:
		return !t.ends
	case t.kind != punct:
		return false
	}
	switch s.of(p) {
	case ";", "}", ")", "]", "++", "--":
		return false
	case "{":
		return !s.top().block
	case ":":
		return !t.label
	}
	return true
}

// operatorWord reports whether an operand follows the keyword, or a statement.
func operatorWord(w string) bool {
	switch w {
	case "await", "case", "delete", "do", "else", "extends", "finally", "in", "instanceof", "new", "return", "throw", "try", "typeof", "void", "yield":
		return true
	}
	return false
}

// keyword reports whether w is a keyword that no operand ends with.
func keyword(w string) bool {
	switch w {
	case "class", "const", "debugger", "for", "function", "if", "switch", "var", "while", "with":
		return true
	}
	return operatorWord(w)
}

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
