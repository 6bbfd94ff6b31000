package jsinput

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// compiles proves that a prepared script is one: what a compiler says against it, it says of a place in it.
func compiles(t *testing.T, text string, p Program) {
	t.Helper()
	if _, err := parser.ParseFile(nil, "", p.Source, 0, parser.WithDisableSourceMaps); err != nil {
		t.Errorf("%q is prepared as %q: %v", text, p.Source, err)
		return
	}
	_, err := goja.Compile("", p.Source, false)
	var bad *goja.CompilerSyntaxError
	if err != nil && !errors.As(err, &bad) {
		t.Errorf("%q is prepared as %q: %v", text, p.Source, err)
	}
}

func FuzzPrepare(f *testing.F) {
	for _, s := range sessions {
		for _, l := range s.lines {
			f.Add(l[0])
		}
	}
	files, _ := filepath.Glob("testdata/server/*.js")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(string(b))
		}
	}
	for _, text := range deep {
		f.Add(text(60))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		state, err := Check(text)
		if (state == Invalid) != (err != nil) {
			t.Fatalf("%q: %v, %v", text, state, err)
		}
		p, err := Prepare(text)
		var bad *SyntaxError
		if err != nil && (!errors.As(err, &bad) || bad.Message == "" || strings.ContainsAny(err.Error(), "\r\n")) {
			t.Fatalf("%q: %#v", text, err)
		}
		if err != nil && (bad.Line < 1 || bad.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+strings.Count(text, "\u2028")+strings.Count(text, "\u2029")+1 || bad.Column < 1) {
			t.Errorf("%q: %v", text, err)
		}
		switch state {
		case Complete:
			if err == nil {
				compiles(t, text, p)
			} else if bad.Incomplete {
				t.Errorf("%q is complete, but %v", text, err)
			}
			// A blank line and a comment end no input, and begin none.
			if again, err := Check("\n" + text + "\n// c\n"); again != Complete && !strings.HasPrefix(text, "#!") {
				t.Errorf("%q is complete, but not with a comment: %v", text, err)
			}
		case Incomplete:
			if err == nil || !bad.Incomplete {
				t.Errorf("%q is incomplete, but prepared: %v", text, err)
			}
		case Invalid:
			if err == nil || bad.Incomplete {
				t.Errorf("%q is invalid, but prepared: %v", text, err)
			}
			// What is wrong stays wrong, whatever follows.
			if again, _ := Check(text + "\nx;\n"); again == Complete {
				t.Errorf("%q is invalid, but complete with more", text)
			}
		}
		// Each place of the script is one of the text.
		if err == nil {
			l, typed := newLines(p.Source), len(newLines(text).starts)
			for at := range p.Source {
				line := l.line(at)
				if ln, col := p.Position(line+1, at-l.starts[line]+1); ln < 1 || col < 1 || ln > typed {
					t.Fatalf("%q: %d is %d:%d", text, at, ln, col)
				}
			}
		}
		for i := range len(text) + 1 {
			if i > 200 {
				break
			}
			CompletionTarget(text, i)
		}
	})
}
