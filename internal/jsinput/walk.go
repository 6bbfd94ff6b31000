package jsinput

import (
	"reflect"

	"github.com/dop251/goja/ast"
)

var nodeType = reflect.TypeFor[ast.Node]()

// walk calls visit for n and all that is in it, from left to right, but for what visit returns false for.
func walk(n ast.Node, visit func(ast.Node) bool) {
	if visit(n) {
		walkFields(reflect.ValueOf(n), visit)
	}
}

func walkFields(v reflect.Value, visit func(ast.Node) bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Name == "DeclarationList" {
			continue // says again what the body says
		}
		walkValue(v.Field(i), visit)
	}
}

func walkValue(v reflect.Value, visit func(ast.Node) bool) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			walkValue(v.Index(i), visit)
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Type().Implements(nodeType) {
			walk(v.Interface().(ast.Node), visit)
		}
	case reflect.Struct:
		if v.CanAddr() && v.Addr().Type().Implements(nodeType) {
			walk(v.Addr().Interface().(ast.Node), visit)
		}
	}
}

// ofFunction reports whether n is a function, which has its own await, return and var. The static block of a class is one as well.
func ofFunction(n ast.Node) bool {
	switch n.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral, *ast.ClassStaticBlock:
		return true
	}
	return false
}

// awaits reports whether there is an await outside of functions.
func (in *input) awaits() bool {
	found := false
	for _, s := range in.body {
		walk(s, func(n ast.Node) bool {
			if _, ok := n.(*ast.AwaitExpression); ok {
				found = true
			}
			return !found && !ofFunction(n)
		})
	}
	return found
}
