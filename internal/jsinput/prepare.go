package jsinput

import (
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
)

// Program is an input made ready to run.
type Program struct {
	// Source is a classic script. It begins on the line where the text does, and keeps the text's lines, unless function declarations are
	// hoisted out of an Async one; see Position. It names no source map.
	Source string
	// Async: the script's value is a promise for an array of one element, the input's value, which is in an array so that a promise
	// that is itself the value is not awaited. Otherwise the script's value is the input's.
	Async bool

	script *script // nil for the zero Program
	source *lines
	typed  *lines
}

// Position finds the place in the typed text that a line and a column of Source stand for, as goja gives them: from 1, the
// column in bytes. The result's column is in characters.
func (p *Program) Position(line, column int) (int, int) {
	if p.script == nil {
		return line, column
	}
	return p.typed.position(p.script.origin(p.source.offset(line, column)))
}

// Prepare makes a script of text, which has the package's liberties. The error is a *SyntaxError. What only a compiler finds, such as
// a break to a label that is not there or what strict mode forbids, is left to it.
func Prepare(text string) (Program, error) {
	in, bad := parse(text)
	if bad != nil {
		return Program{}, bad
	}
	b, f := in.rewrite()
	if f != nil {
		line, column := in.lines.position(f.offset)
		return Program{}, &SyntaxError{Line: line, Column: column, Message: f.message}
	}
	p := Program{Source: b.String(), Async: in.async, script: b, typed: in.lines}
	p.source = newLines(p.Source)
	return p, nil
}

func (in *input) rewrite() (b *script, bad *fault) {
	defer func() {
		if f, ok := recover().(*fault); ok {
			bad = f
		}
	}()
	b = &script{}
	var edits []edit
	if strings.HasPrefix(in.text, "#!") {
		edits = append(edits, edit{0, 2, "//"})
	}
	if in.async {
		in.wrap(b, edits)
	} else {
		in.keep(b, edits)
	}
	if len(b.pieces) > 1 { // something was changed: make sure that it is a script
		if _, err := parser.ParseFile(nil, "", b.String(), 0, parser.WithDisableSourceMaps); err != nil {
			return nil, &fault{message: "this cannot be made a script"}
		}
	}
	return b, nil
}

// keep makes a synchronous script: the same statements, with what they declare made var.
func (in *input) keep(b *script, edits []edit) {
	if in.object {
		end := in.tokens[len(in.tokens)-1].end
		edits = append(edits, edit{in.tokens[0].start, in.tokens[0].start, "("}, edit{end, end, ")"})
	}
	for _, s := range in.body {
		switch s := s.(type) {
		case *ast.LexicalDeclaration:
			edits = in.replaceKeyword(edits, in.at(s.Idx), "var")
			edits = in.initialize(edits, s.List)
		case *ast.ClassDeclaration:
			edits = in.assignClass(edits, s.Class, "var ")
		}
	}
	b.copy(in.text, edits)
	if strings.Contains(in.text, "sourceMappingURL") {
		b.write("\n//", len(in.text)) // goja would read the file that the last line names
	}
}

// wrap makes an async script: what is declared is declared outside of a function, and assigned in it. Functions move out whole.
func (in *input) wrap(b *script, edits []edit) {
	if in.strict() {
		b.write("'use strict';", 0)
	}
	if names := in.declared(); len(names) > 0 {
		b.write("var "+strings.Join(names, ",")+";", 0)
	}
	for _, s := range in.body {
		switch s := s.(type) {
		case *ast.FunctionDeclaration:
			from, to := in.offset(s.Function.Function), in.offset(s.Function.Body.RightBrace)+1
			b.piece(in.text[from:to], from, true)
			edits = append(edits, edit{from, to, ";"})
		case *ast.LexicalDeclaration:
			edits = in.replaceKeyword(edits, in.at(s.Idx), "0,")
			if s.Token == token.LET {
				edits = in.initialize(edits, s.List)
			}
		case *ast.ClassDeclaration:
			edits = in.assignClass(edits, s.Class, "")
		}
	}
	for _, v := range in.vars {
		keyword := in.at(v.Var)
		if in.is(keyword-1, "(") && in.is(keyword-2, "for") {
			edits = in.replaceKeyword(edits, keyword, "")
			continue
		}
		edits = in.replaceKeyword(edits, keyword, "0,")
		last := v.List[len(v.List)-1]
		if last.Initializer == nil {
			edits = in.terminate(edits, in.at(last.Target.Idx0()), "")
		}
	}
	edits = in.result(edits)
	b.write("(async()=>{", 0)
	b.copy(in.text, edits)
	b.write("\nreturn[void 0]})()", len(in.text))
}

// replaceKeyword puts text over token i and blanks over the rest of it: what follows keeps its column.
func (in *input) replaceKeyword(edits []edit, i int, text string) []edit {
	t := in.tokens[i]
	return append(edits, edit{t.start, t.end, text + strings.Repeat(" ", t.end-t.start-len(text))})
}

// initialize gives undefined to what let declares and does not initialize; it may have had a value.
func (in *input) initialize(edits []edit, list []*ast.Binding) []edit {
	for i, b := range list {
		if b.Initializer != nil {
			continue
		}
		at := in.at(b.Target.Idx0())
		if i < len(list)-1 {
			edits = append(edits, edit{in.tokens[at].end, in.tokens[at].end, "=void 0"})
		} else {
			edits = in.terminate(edits, at, "=void 0")
		}
	}
	return edits
}

// terminate adds text after token i, which ends a declaration, and the semicolon that a line terminator was good for: what is
// on the next line might go on from here now.
func (in *input) terminate(edits []edit, i int, text string) []edit {
	if !in.is(i+1, ";") {
		text += ";"
	}
	return append(edits, edit{in.tokens[i].end, in.tokens[i].end, text})
}

// assignClass makes an expression of a class that is declared.
func (in *input) assignClass(edits []edit, c *ast.ClassLiteral, before string) []edit {
	from, to := in.offset(c.Class), in.offset(c.RightBrace)+1
	return append(edits, edit{from, from, before + c.Name.Name.String() + "="}, edit{to, to, ";"})
}

// result makes the function return the value of the statement that is the last.
func (in *input) result(edits []edit) []edit {
	if n := last(in.body); n != nil {
		return in.value(edits, n, len(in.tokens))
	}
	return edits
}

// last is the last statement that is not empty.
func last(list []ast.Statement) ast.Statement {
	for i := len(list) - 1; i >= 0; i-- {
		if _, empty := list[i].(*ast.EmptyStatement); !empty {
			return list[i]
		}
	}
	return nil
}

// value makes a statement return its value; it must be one after which the function would end. The token end comes after it.
func (in *input) value(edits []edit, n ast.Statement, end int) []edit {
	switch n := n.(type) {
	case *ast.ExpressionStatement:
		from := in.at(leftmost(n.Expression).Idx0())
		for in.is(from-1, "(") {
			from--
		}
		for in.is(end-1, ";") {
			end--
		}
		before, after := in.tokens[from].start, in.tokens[end-1].end
		return append(edits, edit{before, before, "return[("}, edit{after, after, ")];"})
	case *ast.BlockStatement:
		if s := last(n.List); s != nil {
			return in.value(edits, s, in.at(n.RightBrace))
		}
	case *ast.IfStatement:
		if n.Alternate == nil {
			return in.value(edits, n.Consequent, end)
		}
		if block, ok := n.Consequent.(*ast.BlockStatement); ok {
			edits = in.value(edits, block, end)
		}
		return in.value(edits, n.Alternate, end)
	case *ast.TryStatement:
		edits = in.value(edits, n.Body, end)
		if n.Catch != nil {
			edits = in.value(edits, n.Catch.Body, end)
		}
	}
	return edits
}

// leftmost is the operand that an expression begins with, but for parentheses.
func leftmost(e ast.Expression) ast.Expression {
	for {
		switch n := e.(type) {
		case *ast.AssignExpression:
			e = n.Left
		case *ast.BinaryExpression:
			e = n.Left
		case *ast.BracketExpression:
			e = n.Left
		case *ast.CallExpression:
			e = n.Callee
		case *ast.ConditionalExpression:
			e = n.Test
		case *ast.DotExpression:
			e = n.Left
		case *ast.PrivateDotExpression:
			e = n.Left
		case *ast.OptionalChain:
			e = n.Expression
		case *ast.Optional:
			e = n.Expression
		case *ast.SequenceExpression:
			e = n.Sequence[0]
		case *ast.TemplateLiteral:
			if n.Tag == nil {
				return n
			}
			e = n.Tag
		case *ast.UnaryExpression:
			if !n.Postfix {
				return n
			}
			e = n.Operand
		default:
			return e
		}
	}
}
