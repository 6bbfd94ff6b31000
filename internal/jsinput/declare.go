package jsinput

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// judge finds what is wrong with a text that goja's parser takes.
func (in *input) judge() *fault {
	suspect := in.async
	for i := range in.tokens {
		suspect = suspect || in.is(i, "async") && (in.is(i+1, "*") || in.is(i+1, "function") && in.is(i+2, "*"))
	}
	for _, s := range in.body {
		if !suspect {
			break
		}
		if bad := in.judgeIn(s, false); bad != nil {
			return bad
		}
	}
	return in.judgeDeclarations()
}

// judgeIn looks for what the parser lets pass: async generators, return outside of functions, await in parameters.
func (in *input) judgeIn(n ast.Node, within bool) (bad *fault) {
	fail := func(offset int, message string) { bad = &fault{offset: offset, message: message} }
	walk(n, func(n ast.Node) bool {
		var parameters *ast.ParameterList
		var body ast.Node
		switch n := n.(type) {
		case *ast.ReturnStatement:
			if !within {
				fail(in.offset(n.Return), "Illegal return statement")
			}
		case *ast.ClassStaticBlock:
			body = n.Block
		case *ast.ArrowFunctionLiteral:
			parameters, body = n.ParameterList, n.Body
		case *ast.FunctionLiteral:
			if n.Async && n.Generator {
				fail(in.offset(n.Function), asyncGenerators)
			}
			parameters, body = n.ParameterList, n.Body
		}
		if bad == nil && parameters != nil {
			walk(parameters, func(n ast.Node) bool {
				if a, ok := n.(*ast.AwaitExpression); ok {
					fail(in.offset(a.Await), "await is not allowed in parameters")
				}
				return bad == nil && !ofFunction(n)
			})
			if bad == nil {
				bad = in.judgeIn(parameters, true)
			}
		}
		if bad == nil && body != nil {
			bad = in.judgeIn(body, true)
		}
		return bad == nil && body == nil
	})
	return bad
}

// judgeDeclarations looks for what would be an error in a script, and is none once it is rewritten.
func (in *input) judgeDeclarations() *fault {
	lexical, others := map[string]bool{}, map[string]bool{}
	for _, v := range in.vars {
		for _, id := range names(v.List) {
			others[id.Name.String()] = true
		}
	}
	for _, s := range in.body {
		if f, ok := s.(*ast.FunctionDeclaration); ok {
			others[f.Function.Name.Name.String()] = true
		}
	}
	for _, s := range in.body {
		var ids []*ast.Identifier
		switch s := s.(type) {
		case *ast.LexicalDeclaration:
			ids = names(s.List)
			for _, b := range s.List {
				if s.Token == token.CONST && b.Initializer == nil {
					return &fault{offset: in.offset(b.Target.Idx0()), message: "Missing initializer in const declaration"}
				}
			}
		case *ast.ClassDeclaration:
			ids = []*ast.Identifier{s.Class.Name}
		}
		for _, id := range ids {
			name := id.Name.String()
			if name == "let" {
				return &fault{offset: in.offset(id.Idx), message: "let is disallowed as a lexically bound name"}
			}
			if lexical[name] || others[name] {
				return &fault{offset: in.offset(id.Idx), message: "Identifier '" + name + "' has already been declared"}
			}
			lexical[name] = true
		}
	}
	return nil
}

// names are the identifiers that a declaration binds.
func names(list []*ast.Binding) (ids []*ast.Identifier) {
	for _, b := range list {
		ids = append(ids, bound(b.Target)...)
	}
	return ids
}

// bound are the identifiers that a target binds.
func bound(target ast.Expression) (ids []*ast.Identifier) {
	switch t := target.(type) {
	case *ast.Identifier:
		return []*ast.Identifier{t}
	case *ast.AssignExpression: // with a default
		return bound(t.Left)
	case *ast.ArrayPattern:
		for _, e := range t.Elements {
			ids = append(ids, bound(e)...)
		}
		return append(ids, bound(t.Rest)...)
	case *ast.ObjectPattern:
		for _, p := range t.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				ids = append(ids, &p.Name)
			case *ast.PropertyKeyed:
				ids = append(ids, bound(p.Value)...)
			}
		}
		return append(ids, bound(t.Rest)...)
	}
	return nil
}

// declared are the names that an async input leaves behind, but for its functions.
func (in *input) declared() (all []string) {
	add := func(ids []*ast.Identifier) {
		for _, id := range ids {
			all = append(all, id.Name.String())
		}
	}
	for _, v := range in.vars {
		add(names(v.List))
	}
	for _, s := range in.body {
		switch s := s.(type) {
		case *ast.LexicalDeclaration:
			add(names(s.List))
		case *ast.ClassDeclaration:
			add([]*ast.Identifier{s.Class.Name})
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// strict reports whether the text begins with the directive "use strict".
func (in *input) strict() bool {
	for _, s := range in.body {
		e, ok := s.(*ast.ExpressionStatement)
		if !ok {
			return false
		}
		l, ok := e.Expression.(*ast.StringLiteral)
		if !ok || in.is(in.at(l.Idx)-1, "(") {
			return false
		}
		if strings.Trim(l.Literal, `"'`) == "use strict" {
			return true
		}
	}
	return false
}
