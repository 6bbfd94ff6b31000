package jsinput

import (
	"strings"
	"testing"
)

func TestCompletionTarget(t *testing.T) {
	for _, test := range []struct {
		line         string // the cursor is at |
		expr, prefix string
		ok           bool
	}{
		{"|", "", "", true}, {"conso|", "", "conso", true}, {"srv.|", "srv", "", true}, {"srv.se|", "srv", "se", true}, {"srv.se|ss", "srv", "se", true}, {"this.a.b|", "this.a", "b", true},
		{"srv?.cfg_?.a|", "srv?.cfg_", "a", true}, {"srv . cfg_ . a|", "srv.cfg_", "a", true}, {"f(srv.se|", "srv", "se", true}, {"f(|", "", "", true}, {"x = ty|", "", "ty", true}, {"1 + |", "", "", true},
		{"typeof sr|", "", "sr", true}, {"await srv.st|", "srv", "st", true}, {"...srv.a|", "srv", "a", true}, {"`a${srv.b|", "srv", "b", true}, {"a.class.b|", "a.class", "b", true}, {"$a_1.$|", "$a_1", "$", true},
		{"été.été|", "été", "été", true}, {"x /* c */ .y|", "x", "y", true}, {"if (x) y|", "", "y", true}, {"let x = a.b|", "a", "b", true}, {"{ a: b.c|", "b", "c", true}, {"new Ma|", "", "Ma", true},
		{"srv.fst_sess().|", "", "", false}, {"srv.fst_sess().conn_.se|", "", "", false}, {"a[0].b|", "", "", false}, {"'a'.b|", "", "", false}, {"'a.b|", "", "", false}, {"\"a|", "", "", false}, {"`a.b|", "", "", false},
		{"// a.b|", "", "", false}, {"x // a|", "", "", false}, {"x //|", "", "", false}, {"/* a.b|", "", "", false}, {"1.a|", "", "", false}, {"12|", "", "", false}, {"/a.b|", "", "", false}, {"a.#b|", "", "", false}, {"x.y |", "", "", false},
		{"super.x|", "", "", false}, {"import.me|", "", "", false}, {"a b|", "", "b", false}, {"f(].x|", "", "", false}, {".x|", "", "", false}, {"`a`.b|", "", "", false},
	} {
		line, after, _ := strings.Cut(test.line, "|")
		expr, prefix, ok := CompletionTarget(line+after, len(line))
		if ok != test.ok || ok && (expr != test.expr || prefix != test.prefix) {
			t.Errorf("%q: %q %q %v", test.line, expr, prefix, ok)
		}
	}
	if _, _, ok := CompletionTarget("a", 9); !ok {
		t.Error("beyond the end")
	}
}

func TestIsCommand(t *testing.T) {
	known := func(w string) bool { return w == "sesses" || w == "jbroadcast" }
	for line, want := range map[string]bool{
		"sesses": true, " sesses": true, "sesses ": true, "sesses --json": true, "jbroadcast {\"a\":1}": true, "sesses\tx": true, "sesses\r\n": true,
		"": false, " ": false, "sesses()": false, "sesses.length": false, "sessesx": false, ";sesses": false, "; sesses": false, "srv": false, "(sesses)": false, "sesses;": false,
	} {
		if got := IsCommand(line, known); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
