package jsinput

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
)

// form is a way to read a text.
type form struct {
	async  bool // as the body of an async function, where await is an operator
	object bool // as an expression in parentheses, where "{" begins an object
}

// input is a text that was understood.
type input struct {
	*scanner
	form
	lines *lines
	body  []ast.Statement
	vars  []*ast.VariableDeclaration // all of var, in blocks too, but not in functions
	base  file.Idx                   // of the text's first byte
}

// offset is where goja's idx is in the text.
func (in *input) offset(idx file.Idx) int { return int(idx - in.base) }

// at is the token that begins at idx; goja's parser takes such an index from its own tokens. There is none where the two
// disagree about a text, which is then refused: better than to garble it.
func (in *input) at(idx file.Idx) int {
	offset := in.offset(idx)
	lo, hi := 0, len(in.tokens)
	for lo < hi {
		if mid := (lo + hi) / 2; in.tokens[mid].start < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(in.tokens) || in.tokens[lo].start != offset {
		panic(&fault{offset: offset, message: "this cannot be understood"})
	}
	return lo
}

// parse understands text, or says why not.
func parse(text string) (in *input, err *SyntaxError) {
	l := newLines(text)
	in, f := understand(text, l)
	if f == nil {
		return in, nil
	}
	line, column := l.position(f.offset)
	return nil, &SyntaxError{Line: line, Column: column, Message: f.message, Incomplete: f.incomplete}
}

func understand(text string, l *lines) (*input, *fault) {
	if len(text) > MaxText {
		return nil, &fault{offset: MaxText, message: fmt.Sprintf("this is longer than %d bytes", MaxText)}
	}
	if !utf8.ValidString(text) {
		return nil, &fault{offset: invalidUTF8(text), message: "this is not valid UTF-8"}
	}
	s := scan(text)
	if s.err != nil && s.tooMuch {
		return nil, s.err
	}
	var best *fault
	for _, f := range s.forms() {
		in := &input{scanner: s, form: f, lines: l}
		bad := in.read()
		if bad == nil && f.async && !in.awaits() {
			continue // nothing here needs it; and there is no worse reading of a text than one that was not needed
		}
		if bad == nil {
			return in, nil
		}
		if best == nil || bad.incomplete && !best.incomplete || bad.incomplete == best.incomplete && bad.offset > best.offset {
			best = bad
		}
		if bad.incomplete && f.async && !f.object {
			break // "var x = await": as a script, it would be complete
		}
	}
	return nil, best
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && width(text[i:]) == 1 {
			return i
		}
	}
	return len(text)
}

// forms are the ways to read the text, in the order to try them.
func (s *scanner) forms() []form {
	await := false
	for i, t := range s.tokens {
		await = await || t.kind == word && s.of(i) == "await"
	}
	var forms []form
	for _, object := range []bool{true, false} {
		if object && (!s.is(0, "{") || s.is(len(s.tokens)-1, ";")) {
			continue
		}
		if await {
			forms = append(forms, form{async: true, object: object})
		}
		forms = append(forms, form{object: object})
	}
	return forms
}

// read parses the text in its form and judges what the parser does not.
func (in *input) read() (bad *fault) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *fault:
			bad = r
		case error: // goja's parser panics on some nonsense
			bad = &fault{message: "this cannot be parsed"}
		default:
			bad = &fault{message: "this cannot be parsed"}
		}
	}()
	opening, closing := "", ""
	if in.async {
		opening, closing = "(async()=>{", "\n})"
	}
	if in.object {
		opening, closing = opening+"(", "\n)"+closing
	}
	in.base = file.Idx(1 + len(opening))
	text := in.text
	if strings.HasPrefix(text, "#!") {
		text = "//" + text[2:]
	}
	if in.err != nil { // the tokens after it were not counted: they are not for the parser
		text = text[:in.err.offset]
	}
	if in.err != nil || in.open != inNothing {
		return in.reason(opening + text)
	}
	program, err := parser.ParseFile(nil, "", opening+text+closing, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return in.reason(opening + text)
	}
	in.body, in.vars = program.Body, program.DeclarationList
	if in.async {
		arrow, ok := in.only().(*ast.ArrowFunctionLiteral)
		if !ok {
			return &fault{message: "this cannot be parsed"}
		}
		in.body, in.vars = arrow.Body.(*ast.BlockStatement).List, arrow.DeclarationList
	}
	if in.object && in.only() == nil {
		return &fault{message: "this cannot be parsed"}
	}
	return in.judge()
}

// only is the expression that is all there is, or nil.
func (in *input) only() ast.Expression {
	if len(in.body) == 1 {
		if s, ok := in.body[0].(*ast.ExpressionStatement); ok {
			return s.Expression
		}
	}
	return nil
}

// reason says why text, which is begun and not closed, cannot be parsed: because it is not finished, or because of its first error.
func (in *input) reason(text string) *fault {
	end := 0
	if n := len(in.tokens); n > 0 {
		end = in.tokens[n-1].end
	}
	if in.open == inTemplate || in.open == inComment || in.open == inString {
		end = min(end, in.openAt)
	}
	found := in.firstError(text, end)
	if in.err != nil && (found == nil || in.err.offset <= found.offset) {
		return in.err
	}
	if found == nil || found.offset >= end {
		return &fault{offset: len(in.text), message: "Unexpected end of input", incomplete: true}
	}
	found.message = in.explain(found)
	return found
}

// firstError is the first that goja finds in text before its end, or nil.
func (in *input) firstError(text string, end int) *fault {
	_, err := parser.ParseFile(nil, "", text, 0, parser.WithDisableSourceMaps)
	var list parser.ErrorList
	if !errors.As(err, &list) {
		return nil
	}
	for _, e := range list {
		column := e.Position.Column
		if e.Position.Line == 1 {
			column -= int(in.base) - 1
		}
		f := &fault{offset: in.lines.offset(e.Position.Line, column), message: e.Message}
		if f.offset < end && in.mayMend(f) {
			continue
		}
		return f
	}
	return nil
}

// mayMend reports whether what goja says of an unfinished text is mended by what follows: the rest parameter of an
// arrow function whose arrow is still to come, and a try without its catch.
func (in *input) mayMend(f *fault) bool {
	n := len(in.tokens)
	switch {
	case strings.HasPrefix(f.message, "Missing catch"):
		for i, t := range in.tokens {
			if t.start == f.offset && i+1 < n {
				return in.tokens[i+1].pair < 0 || in.tokens[i+1].pair == n-1
			}
		}
	case strings.HasPrefix(f.message, "Missing initializer in destructuring"):
		return n > 0 && in.tokens[n-1].end <= f.offset
	case strings.HasPrefix(f.message, "Unexpected token ..."):
		for _, l := range in.levels[1:] {
			if l.bracket == '(' && in.tokens[l.token].end <= f.offset {
				return true
			}
		}
	}
	return false
}

// explain says what an error of goja's is about, where it has no word for it.
func (in *input) explain(f *fault) string {
	i := 0
	for i < len(in.tokens) && in.tokens[i].end <= f.offset {
		i++
	}
	switch {
	case i == len(in.tokens):
	case in.is(i, "import") && in.is(i+1, "("):
		return "import() is not available here"
	case in.is(i, "import"), in.is(i, "export"):
		return "modules are not available here"
	case in.is(i, "await") && in.is(i-1, "for"):
		return "for await is not supported here"
	case strings.HasPrefix(f.message, "Illegal await"):
		return "await is not allowed in parameters"
	case in.is(i-1, "await"), in.is(i, "await"):
		if in.is(i-1, "await") {
			f.offset = in.tokens[i-1].start
		}
		return "await is only allowed in async functions and outside of functions"
	case in.is(i-1, "async") && in.is(i, "*"), in.is(i-2, "async") && in.is(i-1, "*"):
		return asyncGenerators
	case in.is(i, "throw") && strings.HasPrefix(f.message, "Unexpected end"):
		return "Illegal newline after throw"
	case in.is(i, "@"):
		return "decorators are not supported here"
	case strings.HasSuffix(f.message, "ILLEGAL"):
		return fmt.Sprintf("Unexpected character %q", first(in.text[in.tokens[i].start:]))
	}
	return f.message
}

const asyncGenerators = "async generators are not supported here"
