package jsinput

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestIncomplete(t *testing.T) {
	for _, text := range []string{
		"1 +", "f(", "f(1,", "[", "[1,\n", "{", "{a:", "{a:1,", "{ \"a\": [", "`", "`a\n", "`a${", "`a${b", "`a${b}", "`${`", "/*", "1 /* x\n", "if (x)", "if (x) {", "if (x) {} else",
		"for (;;)", "for (const a of", "while (x)", "do x; while", "do {", "function", "function f", "function f(a", "function f() {", "async function f() {\n await x;", "x =>", "x => {", "async () => {",
		"async (a,", "(a, ...b", "f((a, ...b", "class", "class A", "class A extends", "class A {", "class A { x", "class A { static", "class A { get", "class A { x =", "try {", "try { x }", "try {} catch", "try {} catch (e) {", "try {} finally",
		"f(() => { try {} ", "switch (x)", "switch (x) { case", "switch (x) { case 1: ", "x =", "x ?", "x ? y", "x ? y :", "x.", "x?.", "x[", "new", "typeof", "!", "const", "const {a", "const {a} ", "let x =", "var x,", "label:", "await", "x = await", "await f(",
		"const x = await g(),", "for (const s of await h()) {", "{ await x", "{ let x = await", "throw x +", "\"a\\", "'a\\\n", "\"a\\\nb\\\n", "(\n1\n", "a &&", "a ??\n// c", "srv.regis_$json_handle$(\n  async (j,conn,sess,self) => {",
		"--", "x\n++", "`a` + ", "y = function () {} / (", "if (a) /re(/.test(", "x = { a: 1 } / (", "x = {\n  async f() {", "(await 1) + (",
	} {
		if state, err := Check(text); state != Incomplete || err != nil {
			t.Errorf("%q: %v, %v", text, state, err)
		}
		var bad *SyntaxError
		if _, err := Prepare(text); !errors.As(err, &bad) || !bad.Incomplete {
			t.Errorf("%q: prepared: %v", text, err)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, text := range []string{
		"", " ", "1", "f()", "`${`a`}`", "if (a) /re(/.test(b)", "a / b / c", "x = y / 2; z = '/('", "() => {}\n/re)/.test(x)", "x = {} / 2 // (", "x++ / 2 // '", "[1] / 2 + f(3 / 4)", "x = a ? {b: 1} / 2 : 3 // '",
		"function f() {} /(/.test(a)", "class A {} /(/.test(a)", "x = class {} / 2 // '", "x = function () {} / 2 // '", "label: {} /(/.test(a)", "switch (a) { case b ? 1 : 2: {} /(/ }", "a.if / 2 // '", "while (a) /(/.test(b)", "(a) / 2 // '",
		"for (const s of await h()) { f(s) }", "const x = await g(), y = 2", "async () => { for (;;) await x }", "x = async function () { await y }", "o = { async m() { await x }, get await() { return 1 } }", "return1", "1_000n ** 2n", "a?.b?.[c]?.(d) ?? e", "a ||= b", "a?.1:2",
		"class A { #x = 1; static { this.y = 2 } static async m() {} get z() { return #x in this } }", "/[/]/g", "/a\\/b/.test(`${/}/}`)", "\"\\\"\" + '\\\\'", "var { a, b: { c } = {}, ...d } = e", "do x; while (y) z", "if (a) b; else c", "// '", "/* ' */ 1",
		"'a\u2028b'", "let async; async = 1; async\n(1)", "function* g() { yield /a(/; yield* b }", "0x1e+5", "1e+5", ".5 / 2", "1..toFixed() // '",
	} {
		if state, err := Check(text); state != Complete || err != nil {
			t.Errorf("%q: %v, %v", text, state, err)
		}
		if _, err := Prepare(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestInvalid(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`"abc`, "this string is not closed (1:1)"},
		{"f(1,\n  'abc\n)", "this string is not closed (2:3)"},
		{"x = /abc", "this regular expression is not closed (1:5)"},
		{"1 2", "Unexpected number (1:3)"},
		{"'ü' 2", "Unexpected number (1:5)"},
		{"f(1\n  2)", "Unexpected number (2:3)"},
		{"f)", "Unexpected token ) (1:2)"},
		{"f(]", "Unexpected token ] (1:3)"},
		{"})(); (() => {", "Unexpected token } (1:1)"},
		{"await x\n})(); (async () => {", "Unexpected token } (2:1)"},
		{"return 1", "Illegal return statement (1:1)"},
		{"await 1\nif (x) { return }", "Illegal return statement (2:10)"},
		{"break", "Illegal break statement (1:1)"},
		{"function f() { await x }", "await is only allowed in async functions and outside of functions (1:16)"},
		{"await 1; f(() => await x)", "await is only allowed in async functions and outside of functions (1:18)"},
		{"await 1; async (a = await 2) => 3", "await is not allowed in parameters (1:21)"},
		{"await 1; (a = await 2, b) => 3", "await is not allowed in parameters (1:15)"},
		{"import x from 'y'", "modules are not available here (1:1)"},
		{"1; export default 2", "modules are not available here (1:4)"},
		{"x = await import('y')", "import() is not available here (1:11)"},
		{"for await (const x of y) {}", "for await is not supported here (1:5)"},
		{"async () => {\n  for await (x of y);\n}", "for await is not supported here (2:7)"},
		{"async function* g() {}", "async generators are not supported here (1:1)"},
		{"o = { async *g() {} }", "async generators are not supported here (1:14)"},
		{"class A { async *g() {} }", "async generators are not supported here (1:11)"},
		{"/a/v", "the regular expression flag v is not supported here (1:4)"},
		{"/a/gd", "the regular expression flag d is not supported here (1:5)"},
		{"/a/x", "Invalid regular expression flag x (1:4)"},
		{"@a class B {}", "decorators are not supported here (1:1)"},
		{"say “hello”", "Unexpected character '“' (1:5)"},
		{"const x", "Missing initializer in const declaration (1:7)"},
		{"const {x};", "Missing initializer in destructuring declaration (1:10)"},
		{"let x = 1; let x = 2", "Identifier 'x' has already been declared (1:16)"},
		{"let x = 1; { var x = 2 }", "Identifier 'x' has already been declared (1:5)"},
		{"class f {}; function f() {}", "Identifier 'f' has already been declared (1:7)"},
		{"await 0; const [a, {b: a}] = c", "Identifier 'a' has already been declared (1:24)"},
		{"{a: 1, b 2}", "Unexpected number (1:10)"},
		{"throw", "Illegal newline after throw"},
		{"x = 1\xff", "this is not valid UTF-8 (1:6)"},
		{"a => b => c =>\n) ", "Unexpected token ) (2:1)"},
	} {
		state, err := Check(test.text)
		if state != Invalid || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, %v; want %s", test.text, state, err, test.want)
		}
		if _, again := Prepare(test.text); fmt.Sprint(again) != fmt.Sprint(err) {
			t.Errorf("%q: %v, but prepared: %v", test.text, err, again)
		}
	}
}

// What operators paste: how servers are written for nv-session-simple, with its documentation's comments, blanks and all.
func TestServerSnippets(t *testing.T) {
	files, err := filepath.Glob("testdata/server/*.js")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(b), strings.ReplaceAll(string(b), "\n", "\r\n"), strings.TrimSpace(string(b))} {
			if state, err := Check(text); state != Complete {
				t.Errorf("%s: %v, %v", name, state, err)
			}
			p, err := Prepare(text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			compiles(t, name, p)
		}
		// Line by line, as a console reads: it may be complete before its end, but never wrong.
		lines := strings.SplitAfter(string(b), "\n")
		for i := range lines {
			if state, err := Check(strings.Join(lines[:i], "")); state == Invalid {
				t.Errorf("%s: after line %d: %v", name, i, err)
			}
		}
	}
}

// deep are texts that would take a parser's stack or time.
var deep = map[string]func(n int) string{
	"parentheses":     func(n int) string { return strings.Repeat("(", n) },
	"brackets":        func(n int) string { return strings.Repeat("[", n) },
	"blocks":          func(n int) string { return strings.Repeat("{", n) },
	"balanced":        func(n int) string { return strings.Repeat("[", n/2) + strings.Repeat("]", n/2) },
	"templates":       func(n int) string { return strings.Repeat("`${", n/3) },
	"nots":            func(n int) string { return strings.Repeat("!", n) + "1" },
	"voids":           func(n int) string { return strings.Repeat("void\n", n/5) + "1" },
	"news":            func(n int) string { return strings.Repeat("new ", n/4) + "X" },
	"arrows":          func(n int) string { return strings.Repeat("a=>", n/3) + "1" },
	"assignments":     func(n int) string { return strings.Repeat("a=\n", n/3) + "1" },
	"conditions":      func(n int) string { return strings.Repeat("a?b:", n/4) + "1" },
	"comparisons":     func(n int) string { return strings.Repeat("a<", n/2) + "1" },
	"powers":          func(n int) string { return strings.Repeat("a**", n/3) + "1" },
	"sums":            func(n int) string { return strings.Repeat("a+", n/2) + "1" },
	"calls":           func(n int) string { return "f" + strings.Repeat("()", n/2) },
	"members":         func(n int) string { return "f" + strings.Repeat("\n.a", n/3) },
	"ifs":             func(n int) string { return strings.Repeat("if(a)\n", n/6) + "1" },
	"elses":           func(n int) string { return strings.Repeat("if(a){}else ", n/12) + "1" },
	"elses with ;":    func(n int) string { return strings.Repeat("if(a)b;else ", n/12) + "1" },
	"labels":          func(n int) string { return strings.Repeat("a:\n", n/3) + "1" },
	"dos":             func(n int) string { return strings.Repeat("do\n", n/3) },
	"do while":        func(n int) string { return strings.Repeat("if(a)do b;while(c)else ", n/24) + "1" },
	"classes":         func(n int) string { return strings.Repeat("class\nextends\n", n/14) },
	"functions":       func(n int) string { return strings.Repeat("function(){", n/11) },
	"parameters":      func(n int) string { return strings.Repeat("(a=", n/9) + "1" + strings.Repeat(")=>1", n/9) },
	"async parameter": func(n int) string { return strings.Repeat("async(a=", n/14) + "1" + strings.Repeat(")=>1", n/14) },
	"awaits":          func(n int) string { return strings.Repeat("await ", n/6) + "1" },
	"hidden":          func(n int) string { return "'\n" + strings.Repeat("(", n) },
}

func TestLimits(t *testing.T) {
	for name, text := range deep {
		start := time.Now()
		if state, err := Check(text(MaxText - 10)); state != Invalid || err == nil {
			t.Errorf("%s: %v, %v", name, state, err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	if state, err := Check(strings.Repeat(" ", MaxText+1)); state != Invalid || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v, %v", state, err)
	}
}

// Nothing near the limits harms the parser, or an engine.
func TestWithinLimits(t *testing.T) {
	for name, text := range deep {
		for _, n := range []int{30, 900, maxPending} {
			p, err := Prepare(text(n))
			if err == nil {
				compiles(t, name, p)
			}
		}
	}
	for name, text := range map[string]string{
		"statements": strings.Repeat("f(a.b, 'c')\n", MaxText/13),
		"elements":   "[" + strings.Repeat("-1,{a:1},\n", MaxText/11) + "]",
		"functions":  strings.Repeat("function f(a) { if (a) { return a } else { return 0 } }\n", MaxText/60),
	} {
		if _, err := Prepare(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
