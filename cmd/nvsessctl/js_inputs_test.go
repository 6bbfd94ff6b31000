package main

import (
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestSplitInputs(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                       nil,
		"\n \n# a comment\n// another\n":         nil,
		"sesses":                                 {"!sesses"},
		"a\nb":                                   {"a", "b"},
		"  stats\n1 +\n1\n\nsesses -l":           {"!  stats", "1 +\n1", "!sesses -l"},
		"f(\nsesses\n)\nstats":                   {"f(\nsesses\n)", "!stats"},         // a variable of that name
		"`\nstats\n`":                            {"`\nstats\n`"},                     // text
		"/*\nstats\n*/\nx":                       {"x"},                               // a comment
		"// why\nx":                              {"x"},                               //
		";stats":                                 {";stats"},                          //
		"p\n  .then(f)\n  .catch(g)\nq":          {"p\n  .then(f)\n  .catch(g)", "q"}, // not what Node.js does
		"if (a) {\n}\nelse {\n}\nb":              {"if (a) {\n}\nelse {\n}", "b"},
		"try { a }\ncatch(e) { b }":              {"try { a }\ncatch(e) { b }"},
		"a\n.exit":                               {"a", "!.exit"},
		"jbroadcast {\"a\":\n1}\nx":              {"!jbroadcast {\"a\":\n1}", "x"},
		"jbroadcast {\"a\":\nstats\nx":           {"!jbroadcast {\"a\":", "!stats", "x"}, // wrong, so by itself
		"jbroadcast {\"a\":":                     {"!jbroadcast {\"a\": ..."},
		"jbroadcast \"a\nstats":                  {"!jbroadcast \"a", "!stats"},
		"f(":                                     {"f( ..."},
		"a b\nc":                                 {"a b ?", "c"},
		"connect ws://h/":                        {"!connect ws://h/"},
		"a = {\n b: [1, ')'],\n c: `\n}`,\n}\nd": {"a = {\n b: [1, ')'],\n c: `\n}`,\n}", "d"},
		"1 +\nf(')')\n2":                         {"1 +\nf(')')", "2"},
		"`\n'\n`\n2":                             {"`\n'\n`", "2"},
		"f(1 +\n2\n)\n3":                         {"f(1 +\n2\n)", "3"},
	} {
		var got []string
		for _, in := range splitInputs(text) {
			s := in.text
			if in.command {
				s = "!" + s
			}
			if in.more {
				s += " ..."
			}
			if in.err != nil {
				s += " ?"
			}
			got = append(got, s)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if list := splitInputs("\n\nf(\n)\n# x\nsesses"); list[0].line != 3 || list[1].line != 6 {
		t.Errorf("%+v", list)
	}
}

func TestWantsMore(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "a": false, "f(": true, "f(\n)": false, "sesses": false, "sesses\nf(": true, "a b": false, "a b\nf(": false, "f({\n a b": false, ";{": true,
		"jsend fst {": true, "jsend fst {}": false, "\n\n": false, "// c": false, "/* c": true,
	} {
		if got := wantsMore(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// An input is there as soon as its last line is: nothing waits for what somebody has not sent yet.
func TestReadInputsDoesNotWait(t *testing.T) {
	r, w := io.Pipe()
	s, failed := readInputs(r, maxPayload)
	go func() {
		_, _ = io.WriteString(w, "f(\n)\n")
		_, _ = io.WriteString(w, "sesses\n")
		w.Close()
	}()
	for _, want := range []string{"f(\n)", "sesses"} {
		if in, ok := s.next(); !ok || in.text != want {
			t.Errorf("%+v %v", in, ok)
		}
	}
	if in, ok := s.next(); ok || failed() != nil {
		t.Errorf("%+v %v", in, failed())
	}
	s, failed = readInputs(strings.NewReader(strings.Repeat("x", 2000)), 1000)
	if in, ok := s.next(); ok || failed() == nil {
		t.Errorf("%+v %v", in, failed())
	}
}

// A long input is cut in little more time than it takes to read it.
func TestSplitInputsLong(t *testing.T) {
	text := "var big = {\n" + strings.Repeat("  key: [1, 'some text (here)'],\n", 20_000) + "};\nbig"
	if list := splitInputs(text); len(list) != 2 || list[1].line != 20_003 {
		t.Errorf("%d inputs", len(list))
	}
}
