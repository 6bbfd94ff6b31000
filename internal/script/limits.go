package script

import (
	"slices"
	"strings"
)

// Limits of what cannot be interrupted; see js/limits.js.
const (
	maxCallStack  = 4_000     // JavaScript frames
	maxGenerators = 1_000     // inside each other
	maxNesting    = 20_000    // what eval, Function and files are given, by nesting: what package jsinput allows
	maxBrackets   = 1_000     // inside each other in a regular expression
	maxDepth      = 10_000    // and in JSON
	maxString     = 64 << 20  // characters of what repeat and its kin make
	maxElements   = 16 << 20  // of arrays that are made or gone through in one piece
	maxBits       = 1 << 20   // of BigInt.asIntN and asUintN
	maxBuffer     = 256 << 20 // bytes of an ArrayBuffer
)

// charge counts bytes that a job is about to take in large pieces, which may be
// faster than a look at the heap. What was collected since is forgiven.
func (w *world) charge(bytes int) {
	if w.charged == 0 {
		w.before = heapBytes()
	}
	w.charged += uint64(max(bytes, 0))
	limit := uint64(w.e.now().MaxHeap)
	if w.charged <= limit {
		return
	}
	live := liveBytes()
	if live+uint64(bytes) > w.before+limit {
		w.check(jsError{"RangeError", "this takes more memory than script.max_heap_bytes allows"})
	}
	w.charged = uint64(bytes)
}

// resume counts how many generators are inside each other.
func (w *world) resume(n int) {
	if w.generators += n; w.generators > maxGenerators {
		w.generators -= n
		w.check(jsError{"RangeError", "Maximum call stack size exceeded"})
	}
}

// depth is how many brackets stand inside each other in a text, those in strings
// included.
func depth(s string) (most int) {
	n := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '[', '{':
			n++
			most = max(most, n)
		case ')', ']', '}':
			n = max(0, n-1)
		}
	}
	return most
}

// nesting is what a parser may descend to in a program: how many tokens, about,
// belong to expressions and statements that are not over. It may be too high,
// for text in quotes above all.
func nesting(s string) (most int) {
	var open []int // tokens that were not over when a bracket came
	n, before := 0, 0
	word := false
	for i := range len(s) {
		c := s[i]
		inWord := isWord(c)
		switch {
		case inWord && word, c == ' ', c == '\t', c == '\r', c == '\n':
		case c == ',':
			n = 0
		case c == ';':
			if n++; !continues(s[i+1:]) {
				n = 0
			}
		case c == '(' || c == '[' || c == '{':
			n++
			open = append(open, before)
			before, n = before+n, 0
		case c == ')' || c == ']' || c == '}':
			if len(open) > 0 {
				n = before - open[len(open)-1]
				before = open[len(open)-1]
				open = open[:len(open)-1]
			}
			if n++; c == '}' && begins(s[i+1:]) {
				n = 0
			}
		default:
			n++
		}
		word = inWord
		most = max(most, before+n)
	}
	return most
}

// begins reports whether what follows a } begins something new.
func begins(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s == "" || isWord(s[0]) && !continues(s)
}

// continues reports whether what follows belongs to what was before it.
func continues(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return slices.ContainsFunc([]string{"else", "in", "instanceof", "of", "while", "catch", "finally"}, func(word string) bool { return strings.HasPrefix(s, word) })
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
