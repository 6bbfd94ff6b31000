package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestKeyReader(t *testing.T) {
	long := strings.Repeat("x", 4094)
	for sent, want := range map[string]string{
		"abc\r":                                                "abc\r",
		"\x1b[1~\x1b[4~":                                       "\x1b[H\x1b[F",
		"a\x1b[200~b\x1b[201~c":                                "a<b>c",
		"\x1b[200~b\r\x1b[201~":                                "<b>\r",
		"\x1b[200~a\rb\nc\r\nd\x1b[201~":                       "<a|b|c|d>",
		"\x1b[200~\x03\x1b[A\x7f\u009bx\x1b[201~":              "<[Ax>",
		"\x1b[200~> f(\r... 1\r..... 2\r)\r\x1b[201~":          "<f(|1|2|)>\r",
		"\x1b[200~\r\x1b[201~":                                 "<>",
		"\x1b[200~a\x1b[201~\x1b[200~b\x1b[201~":               "<a><b>",
		long + "\x1b[200~b\x1b[201~":                           long + "<b>",
		"\x1b":                                                 "\x1b",
		"\x1b[200~" + strings.Repeat("y", 5<<20) + "\x1b[201~": "\a",
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(sent), "halves": iotest.HalfReader(strings.NewReader(sent))} {
			if name == "halves" && !strings.HasPrefix(sent, "\x1b[200~") {
				continue // a key comes in one piece
			}
			k := &keyReader{in: io.MultiReader(r)}
			keys, err := io.ReadAll(k)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, key := range string(keys) {
				if key != pasteKey {
					got.WriteRune(key)
					continue
				}
				text, ok := k.pasted()
				if !ok {
					t.Errorf("%.40q: no paste", sent)
				}
				got.WriteString("<" + strings.ReplaceAll(string(text), string(lineBreak), "|") + ">")
			}
			if got.String() != want {
				t.Errorf("%s of %.40q: %.60q, want %.60q", name, sent, got.String(), want)
			}
			if _, ok := k.pasted(); ok {
				t.Errorf("%.40q: more pastes than keys", sent)
			}
		}
	}
}
