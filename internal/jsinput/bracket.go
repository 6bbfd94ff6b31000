package jsinput

import (
	"strings"
)

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
