package jsinput

import (
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// Each is one session at the console: inputs, and what each of them gives. A result that begins with "!" is an error that contains the rest.
var sessions = []struct {
	name  string
	lines [][2]string
}{
	{"values", [][2]string{
		{"1 + 1", "2"}, {"1;2;", "2"}, {"'a' // b", "a"}, {"", "undefined"}, {" \r\n\t", "undefined"}, {"// only", "undefined"},
		{"/* a\nb */", "undefined"}, {";", "undefined"}, {";;7", "7"}, {"\ufeff 'bom'", "bom"}, {"\r\n\r\n  // c\r\n5\r\n", "5"},
		{"5;\n/* end", "!Unexpected end"}, {"if (1) { 5 }", "5"}, {"for (var i = 0; i < 3; i++) i", "2"}, {"i", "3"}, {"try { 7 } catch (e) {}", "7"},
		{"void 0", "undefined"}, {"var v = 5", "undefined"}, {"(1, 2)", "2"}, {"l: for (;;) { break l }", "undefined"}, {"'ü' + `ñ${1}`", "üñ1"},
		{"#!hashbang\n3", "3"},
	}},
	{"an object or a block", [][2]string{
		{"{a:1}", `{"a":1}`}, {"{}", "{}"}, {" {a: 1, 'b': [2]} // x", `{"a":1,"b":[2]}`}, {"{a:1};", "1"}, {"{ let x = 1; x + 1 }", "2"},
		{"x", "!x is not defined"}, {"{a:1}.a", "1"}, {"{ f(){ return 1 } }.f()", "1"}, {"{a: await 3}", `{"a":3}`}, {"{ await later(3) }", "3"},
		{"{ a: { b: 1 } }", `{"a":{"b":1}}`}, {"{}\n{}", "undefined"}, {"{ ...{a: 1} }", `{"a":1}`},
	}},
	{"declarations stay and may be repeated", [][2]string{
		{"let x = 1", "undefined"}, {"x", "1"}, {"let x = 2", "undefined"}, {"x", "2"}, {"let x", "undefined"}, {"x", "undefined"}, {"const x = 3", "undefined"},
		{"const x = 4; x", "4"}, {"var x = 5; x", "5"}, {"class x {}; typeof x", "function"}, {"class x { y() { return 6 } }", "undefined"}, {"new x().y()", "6"},
		{"function x() { return 7 }", "undefined"}, {"x()", "7"}, {"let x = 8; x", "8"}, {"globalThis.x", "8"},
		{"let a, b = 2, c", "undefined"}, {"[a, b, c]", "[null,2,null]"},
		{"const {d, e: [f, ...g], ...h} = {d: 1, e: [2, 3, 4], i: 5}", "undefined"}, {"[d, f, g, h]", `[1,2,[3,4],{"i":5}]`},
		{"let [j = 1, [k] = [2]] = []; j + k", "3"}, {"let[m]=[9]; m", "9"}, {"const{n}={n:1}; n", "1"},
		{"{ let inner = 1; var outer = 2 }", "undefined"}, {"typeof inner + outer", "undefined2"}, {"for (var q of [1, 2]) {}", "undefined"}, {"q", "2"},
		{"let fn = () => {}; fn.name", "fn"}, {"class K {}\n(5)", "5"}, {"let u\n(6)", "6"}, {"class L extends K {}\n[7]", "[7]"}, {"new L() instanceof K", "true"},
		{"let let1 = 1, \\u0061b = 2; ab", "2"}, {"let été = 3\nété", "3"},
	}},
	{"and so with await", [][2]string{
		{"await later(5)", "5"}, {"const x = await later(1), y = 2", "undefined"}, {"x + y", "3"}, {"const x = await later(2)", "undefined"}, {"x", "2"},
		{"let z; await 0", "0"}, {"let x; await 0", "0"}, {"x", "undefined"}, {"let s = 0; for (const n of await later([1, 2, 3])) { s += n }", "undefined"}, {"s", "6"},
		{"const {a, b: [c]} = await later({a: 1, b: [2]})", "undefined"}, {"[a, c]", "[1,2]"}, {"typeof b", "undefined"},
		{"let {d = await later(4)} = {}; d", "4"}, {"var [e, f] = await later([5, 6]); e + f", "11"},
		{"if (await later(1)) { var v = 8 }", "undefined"}, {"v", "8"}, {"for (var i = await 0; i < 3; i++) { let j = i; var k = j }", "undefined"}, {"[i, k, typeof j]", `[3,2,"undefined"]`},
		{"for (var p in await later({k: 1})) ;", "undefined"}, {"p", "k"}, {"for (var [o] of await [[7]]); o", "7"},
		{"await 0; function g() { return h() }\nfunction h() { return 9 }", "undefined"}, {"g()", "9"}, {"let r = hoisted(); await 0\nfunction hoisted() { return 1 }\n(r)", "1"},
		{"await 0; g = () => 10; g()", "10"}, {"g()", "10"},
		{"class A { static async m() { return await later(3) } }\nawait A.m()", "3"}, {"A.name", "A"}, {"await 0\nclass B extends A {}\n[B.name]", `["B"]`},
		{"async function t() { return await later(4) }", "undefined"}, {"await t()", "4"}, {"t()", "a promise"}, {"await 0; t()", "a promise"},
		{"await 0; var w\n(1)", "1"}, {"await 0; let w2\n[1]", "[1]"}, {"if (!await 0) var w3\nelse 2", "undefined"}, {"await 0; var w4, w5", "undefined"},
		{"await 1, 2", "2"}, {"(await 1) + (await 2);", "3"}, {"((await 1), (2))", "2"}, {"(await later(x => x + 1))(1) // end", "2"}, {"await 0; ({a: 1})", `{"a":1}`},
		{"await 0; { 1; { 2 } }", "2"}, {"if (await 0) { 1 } else if (1) { 2 } else 3", "2"}, {"try { await later(1); q.q } catch (e) { e.name }", "ReferenceError"},
		{"try { await 4 } finally { 5 }", "4"}, {"await 0; l: { break l }", "undefined"}, {"await 0; while (0);", "undefined"}, {"String.raw`a${await 1}`", "a1"}, {"(await 1) ? 2 : 3", "2"},
		{"await Promise.reject(new Error('no'))", "!rejected: Error: no"}, {"var late = 1; throw await 'x'", "!rejected: x"}, {"late", "1"},
		{"await 0; this === globalThis", "true"}, {"'use strict'; await 0; function strict() { return this }; strict()", "undefined"}, {"await 0; function sloppy() { return this === globalThis }; sloppy()", "true"},
		{"'use strict'; await 0; undeclared = 1", "!rejected: ReferenceError"}, {"#!x\nawait 2", "2"}, {"var été = await 5; été", "5"}, {"var \\u0062c = await 6; bc", "6"},
		{"var await1 = 1; ({ await: 2 }).await", "2"}, {"var await = 3", "undefined"}, {"await", "!Unexpected end"}, {"void await 0, 8", "8"}, {"-await 9", "-9"}, {"x = await 1\n++x", "2"},
	}},
	{"strict mode", [][2]string{
		{"'use strict'; undeclared = 1", "!undeclared is not defined"}, {"'use strict'", "use strict"}, {"undeclared = 1", "1"}, {"'use strict'; let a = 1; a", "1"},
	}},
	{"line ends", [][2]string{
		{"var f = x => 'f' + x, a = f\na\n(1)", "f1"}, {"var b = 1\n++b", "2"}, {"let c = f\n(2)", "undefined"}, {"c", "f2"}, {"let d = () => {}\n;(3)", "3"}, {"let g = 4\r\ng", "4"},
	}},
}

func TestSessions(t *testing.T) {
	for _, s := range sessions {
		t.Run(s.name, func(t *testing.T) {
			c := newConsole(t)
			for _, l := range s.lines {
				got, err := c.run(l[0])
				want, fails := strings.CutPrefix(l[1], "!")
				switch {
				case fails && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("%q: %s, %v; want the error %s", l[0], got, err, want)
				case !fails && (err != nil || got != want):
					t.Errorf("%q: %s, %v; want %s", l[0], got, err, want)
				}
			}
		})
	}
}

func TestAsync(t *testing.T) {
	for text, want := range map[string]bool{
		"1":                                       false,
		"await 1":                                 true,
		"'await 1'":                               false,
		"// await 1":                              false,
		"async () => { await 1 }":                 false,
		"async function f() { await 1 }":          false,
		"var o = { async m() { await 1 } }":       false,
		"x.await":                                 false,
		"`${await 1}`":                            true,
		"function f(a) { return a }; f(await 1)":  true,
		"class A { [await 1]() {} }":              true,
		"class A extends (await 1) {}":            true,
		"async x => await x; if (1) { await 2 }":  true,
		"switch (1) { case 1: await 2 }":          true,
		"var await = 1; await":                    false,
		"for (const x of await y) { f(() => x) }": true,
	} {
		p, err := Prepare(text)
		if err != nil || p.Async != want {
			t.Errorf("%q: async %v, %v", text, p.Async, err)
		}
	}
}

// A synchronous input is the typed text, but for what has to change.
func TestSourceIsTheText(t *testing.T) {
	for _, text := range []string{"f(1)\n", "var x = 1;\r\n x", "function f() { return 1 }", "\ufeff// c\n\n 1"} {
		if p, err := Prepare(text); err != nil || p.Source != text {
			t.Errorf("%q: %q, %v", text, p.Source, err)
		}
	}
}

func TestRuntimePositions(t *testing.T) {
	for _, test := range []struct {
		text         string
		line, column int
	}{
		{"boom()", 1, 1},
		{"1;\n  boom()", 2, 3},
		{"let a, b = boom()", 1, 12},
		{"let a; boom()", 1, 8},
		{"class A {} boom()", 1, 12},
		{"class A {}\r\nboom()", 2, 1},
		{"const x = 1; boom()", 1, 14},
		{"'üü'; boom()", 1, 7},
		{"{a: boom()}", 1, 5},
		{"{\n a: boom()}", 2, 5},
		{"function f() {\n boom()\n}\nf()", 2, 2},
		{"await 0; boom()", 1, 10},
		{"'ü'; await 0\n 'ü', boom()", 2, 7},
		{"const x = await 1, y = boom()", 1, 24},
		{"await 0;\nfunction f() {\n  boom()\n}\nf()", 3, 3},
		{"f(); await 0\nfunction f() {\n  boom()\n}", 3, 3},
		{"let u; await 0; class C { static x = boom() }", 1, 38},
		{"for (var i of await [1]) { boom() }", 1, 28},
		{"/* a\u2028 */ await 0; boom()", 2, 14},
	} {
		p, err := Prepare(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		var line, column int
		vm := goja.New()
		_ = vm.Set("boom", func(goja.FunctionCall) goja.Value {
			at := vm.CaptureCallStack(0, nil)[1].Position()
			line, column = p.Position(at.Line, at.Column)
			return goja.Undefined()
		})
		if _, err := vm.RunString(p.Source); err != nil {
			t.Errorf("%q: %v", test.text, err)
		}
		if line != test.line || column < test.column || column > test.column+len("boom") {
			t.Errorf("%q: %d:%d, want %d:%d; %q", test.text, line, column, test.line, test.column, p.Source)
		}
	}
}

// A compiler's error has a place as well.
func TestCompilerPosition(t *testing.T) {
	p, err := Prepare("let a;\nlet b; ({c = 1})")
	if err != nil {
		t.Fatal(err)
	}
	_, err = goja.Compile("", p.Source, false)
	bad, ok := err.(*goja.CompilerSyntaxError)
	if !ok {
		t.Fatal(err)
	}
	at := bad.File.Position(bad.Offset)
	if line, column := p.Position(at.Line, at.Column); line != 2 || column < 9 || column > 15 {
		t.Errorf("%d:%d in %q: %v", line, column, p.Source, err)
	}
}

func TestNoSourceMapIsRead(t *testing.T) {
	for _, text := range []string{"1\n//# sourceMappingURL=data:application/json,x", "await 1\n//# sourceMappingURL=/etc/passwd"} {
		p, err := Prepare(text)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(p.Source, "\n")
		if last := lines[len(lines)-1]; last == "" || last == "})" || strings.HasPrefix(last, "//#") {
			t.Errorf("%q", p.Source)
		}
	}
}
