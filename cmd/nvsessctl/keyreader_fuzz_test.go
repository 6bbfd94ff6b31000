package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pieces reads a text in pieces of one size.
type pieces struct {
	text []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.text)
	p.text = p.text[n:]
	return n, nil
}

// FuzzKeyReader: what a terminal pastes never acts as keys do, however it comes:
// a paste is one key, without control characters, and not one more is made up.
func FuzzKeyReader(f *testing.F) {
	f.Add([]byte("> f(\r... 1\r)\r"), []byte("ab\x1b[1~"), uint16(3))
	f.Add([]byte("\x03\x1b[A\x7f\u009bx"), []byte("\r"), uint16(1))
	f.Add([]byte("\x1b[201"), []byte(""), uint16(7))
	f.Add([]byte("\xff\xfe\ue2bd"), []byte("\x1b[200"), uint16(4096))
	f.Fuzz(func(t *testing.T, pasted, typed []byte, size uint16) {
		if bytes.Contains(append(bytes.Clone(pasted), pasteEnds...)[:len(pasted)+len(pasteEnds)-1], pasteEnds) || bytes.Contains(typed, []byte("\x1b")) {
			return // another paste than this one
		}
		// The mark of the beginning comes like a key, in one piece; the rest in any, but
		// not in thousands.
		text := slices.Concat(typed, pasteBegins, pasted, pasteEnds, typed)
		begin := len(typed) + len(pasteBegins)
		k := &keyReader{in: io.MultiReader(bytes.NewReader(text[:begin]), &pieces{text[begin:], max(1+int(size), len(text)/256)})}
		keys, err := io.ReadAll(k)
		if err != nil {
			t.Fatal(err)
		}
		clean, enter := cleanPaste(string(pasted))
		want := slices.Concat(typed, []byte(string(pasteKey)), typed)
		if enter {
			want = slices.Concat(typed, []byte(string(pasteKey)+"\r"), typed)
		}
		if !bytes.Equal(keys, want) {
			t.Fatalf("%q gave the keys %q, want %q", text, keys, want)
		}
		got, ok := k.pasted()
		if _, more := k.pasted(); !ok || more || string(got) != clean {
			t.Fatalf("%q was pasted as %q, %v, and more: %v", text, string(got), ok, more)
		}
		if strings.ContainsFunc(clean, func(r rune) bool { return r != '\t' && unicode.IsControl(r) && r != lineBreak }) {
			t.Fatalf("%q was pasted as %q", text, clean)
		}
	})
}
