package inspect_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// A generator writes expressions of nested values.
type generator struct {
	*rand.Rand
}

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

// text is a string literal: words of different lengths, sometimes with what needs escaping, line breaks or wide characters.
func (g generator) text() string {
	var b strings.Builder
	for n := g.IntN(g.lengths()); n > 0; n-- {
		b.WriteString(g.pick("a", "bc", "word ", "longer-word", "'", `"`, "`", "\n", "\t", "\\", "\x1b", "é", "日", "😀", "0", "${", "\x7f", "e\u0301"))
	}
	return strconv.QuoteToASCII(b.String()) // of what is in there, Go and JavaScript write \a and runes beyond the BMP differently
}

func (g generator) plain() string {
	return strconv.Quote(strings.Repeat(g.pick("a", "xy", "q-r "), g.IntN(g.lengths())))
}

func (g generator) lengths() int { return []int{3, 8, 30, 3, 8, 120}[g.IntN(6)] }

func (g generator) number() string {
	switch g.IntN(6) {
	case 0:
		return strconv.Itoa(g.IntN(10))
	case 1:
		return strconv.Itoa(g.IntN(2_000_000) - 1_000_000)
	case 2:
		return strconv.FormatFloat(g.NormFloat64()*1000, 'f', g.IntN(6), 64)
	case 3:
		return g.pick("-0", "NaN", "Infinity", "1e21", "1e-7", "123n", "-5n")
	default:
		return strconv.Itoa(g.IntN(1000))
	}
}

func (g generator) key() string {
	switch g.IntN(8) {
	case 0:
		return "[" + g.escaped() + "]"
	case 1:
		return "[Symbol(" + g.plain() + ")]"
	case 2:
		return strconv.Itoa(g.IntN(20))
	default:
		return g.pick("a", "b", "id", "name", "host", "value", "some_long_property_name", "$x", "keepaliveInterval") + strconv.Itoa(g.IntN(30))
	}
}

// escaped is text as JavaScript writes it.
func (g generator) escaped() string {
	s := g.text()
	s = strings.NewReplacer(`\U0001f600`, `\u{1f600}`).Replace(s)
	return s
}

func (g generator) list(n int, item func() string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item()
	}
	return strings.Join(items, ", ")
}

func (g generator) size() int { return g.IntN([]int{3, 5, 9, 30, 3, 5, 9, 130}[g.IntN(8)]) }

func (g generator) value(depth int) string {
	if depth <= 0 {
		return g.leaf()
	}
	inner := func() string { return g.value(depth - 1 - g.IntN(2)) }
	switch g.IntN(14) {
	case 0, 1, 2, 3:
		return "{" + g.list(min(g.size(), 25), func() string { return g.key() + ": " + inner() }) + "}"
	case 4, 5:
		return "[" + g.list(min(g.size(), 30), inner) + "]"
	case 6:
		return "[" + g.list(g.size(), g.number) + "]"
	case 7:
		return "[" + g.list(g.size(), g.plain) + "]"
	case 8:
		return "[" + g.list(g.size(), func() string { return g.pick("", "1", "'x'", "22222") }) + "]"
	case 9:
		return "new Map([" + g.list(g.IntN(6), func() string { return "[" + inner() + ", " + inner() + "]" }) + "])"
	case 10:
		return "new Set([" + g.list(min(g.size(), 30), inner) + "])"
	case 11:
		return "Object.assign(new (class " + g.pick("Foo", "Bar extends Array", "Baz extends Map") + " {})(), {" + g.key() + ": " + inner() + "})"
	case 12:
		return "Object.assign([" + g.list(g.size(), g.leaf) + "], {" + g.key() + ": " + inner() + "})"
	default:
		return g.leaf()
	}
}

func (g generator) leaf() string {
	switch g.IntN(10) {
	case 0, 1, 2:
		return g.number()
	case 3, 4:
		return g.plain()
	case 5:
		return g.escaped()
	case 6:
		return g.pick("null", "undefined", "true", "false")
	case 7:
		return g.pick("{}", "[]", "new Map()", "new Set()", "Object.create(null)", "new Date(0)", "/x/g", "Buffer.from('abc')", "new Uint8Array(9)")
	case 8:
		return g.pick("[() => 1][0]", "function f() {}", "[class A {}][0]", "Symbol('s')", "Object(1)", "Promise.resolve(1)")
	default:
		return g.number()
	}
}

func (g generator) options() string {
	switch g.IntN(4) {
	case 0:
		return fmt.Sprintf("{depth: %s, breakLength: %s, compact: %s, colors: %t, sorted: %t, maxArrayLength: %s}",
			g.pick("0", "1", "2", "5", "null"), g.pick("80", "80", "40", "120", "Infinity"), g.pick("3", "3", "1", "0", "5", "false", "true"),
			g.IntN(3) == 0, g.IntN(5) == 0, g.pick("100", "100", "6", "null", "0"))
	case 1:
		return "{depth: null}"
	default:
		return "undefined"
	}
}

// TestRandomNode compares made up values with the Node.js at hand.
func TestRandomNode(t *testing.T) {
	const seed = 20
	g := generator{rand.New(rand.NewPCG(seed, seed))}
	n := 2000
	if raceEnabled {
		n = 100 // one goroutine, twenty times as slow
	}
	cases := make([]string, n)
	for i := range cases {
		cases[i] = fmt.Sprintf("inspect((%s), %s)", g.value(1+g.IntN(3)), g.options())
	}
	rt := newRuntime(t)
	shortest, failed := -1, 0
	var got string
	wants := node(t, "", cases)
	for i, want := range wants {
		g := run(t, rt, cases[i])
		if g == want {
			continue
		}
		if failed++; shortest < 0 || len(cases[i]) < len(cases[shortest]) {
			shortest, got = i, g
		}
	}
	if failed > 0 {
		t.Errorf("%d differ; the shortest is %s\n%s", failed, cases[shortest], difference(got, wants[shortest]))
	}
}

// difference shows where two texts part.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(g)-1 && i < len(w)-1 && g[i] == w[i] {
		i++
	}
	return fmt.Sprintf("from line %d:\n--- got\n%s\n--- node\n%s", i, strings.Join(g[i:min(i+5, len(g))], "\n"), strings.Join(w[i:min(i+5, len(w))], "\n"))
}
