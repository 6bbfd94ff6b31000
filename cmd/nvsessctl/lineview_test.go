package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/admin"
)

// screen is as much of a terminal as the line view uses.
type screen struct {
	width    int
	cells    [][]string
	row, col int
	pending  bool // the last column was written: the next character goes to the next row
}

func (s *screen) at(row int) {
	for len(s.cells) <= row {
		s.cells = append(s.cells, make([]string, s.width))
	}
}

func (s *screen) Write(b []byte) (int, error) {
	runes := []rune(string(b))
	for i := 0; i < len(runes); i++ {
		s.at(s.row)
		switch r := runes[i]; r {
		case '\r':
			s.col, s.pending = 0, false
		case '\n': // the terminal's driver adds the carriage return
			s.row, s.col, s.pending = s.row+1, 0, false
		case '\x1b':
			n := 0
			for i += 2; runes[i] >= '0' && runes[i] <= '9'; i++ {
				n = n*10 + int(runes[i]-'0')
			}
			s.pending = false
			switch runes[i] {
			case 'A':
				s.row = max(0, s.row-max(n, 1))
			case 'C':
				s.col = min(s.width-1, s.col+max(n, 1))
			case 'J':
				clear(s.cells[s.row][s.col:])
				s.cells = s.cells[:s.row+1]
			}
		default:
			w := admin.RuneWidth(r)
			if w == 0 {
				continue // it joins the character before it
			}
			if s.pending || s.col+w > s.width {
				s.row, s.col, s.pending = s.row+1, 0, false
				s.at(s.row)
			}
			s.cells[s.row][s.col] = string(r)
			if w == 2 {
				s.cells[s.row][s.col+1] = "\x00"
			}
			if s.col += w; s.col >= s.width {
				s.col, s.pending = s.width-1, true
			}
		}
	}
	return len(b), nil
}

func (s *screen) String() string {
	var rows []string
	for _, cells := range s.cells {
		row := ""
		for _, c := range cells {
			switch c {
			case "":
				row += " "
			case "\x00":
			default:
				row += c
			}
		}
		rows = append(rows, strings.TrimRight(row, " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// edit shows the view a state of the line as the editor does.
func edit(v *lineView, line []rune, pos int) {
	_, _ = v.Write(eraseLine)
	v.Paint(line, pos)
	_, _ = v.Write([]byte("whatever the editor makes of it"))
}

func newView(width int) (*lineView, *screen) {
	s := &screen{width: width}
	return &lineView{out: s, prompt: "> ", width: func() int { return width }, window: -1}, s
}

func TestLineViewDrawsWideCharactersAndLongLines(t *testing.T) {
	v, s := newView(10)
	for _, step := range []struct {
		line     string
		pos      int
		want     string
		row, col int
	}{
		{"", 0, ">", 0, 2},
		{"abc", 3, "> abc", 0, 5},
		{"abc", 1, "> abc", 0, 3},
		{"日本語", 3, "> 日本語", 0, 8},
		{"日本語", 1, "> 日本語", 0, 4},
		{"日本語x", 4, "> 日本語x", 0, 9},
		{"日本語x😀", 5, "> 日本語x\n😀", 1, 2}, // does not fit half
		{"日本語x😀", 4, "> 日本語x\n😀", 0, 9},
		{"12345678", 8, "> 12345678", 1, 0}, // the row is full
		{"12345678", 7, "> 12345678", 0, 9},
		{"1234567890abcdefghij", 20, "> 12345678\n90abcdefgh\nij", 2, 2},
		{"1234567890abcdefghij", 0, "> 12345678\n90abcdefgh\nij", 0, 2},
		{"x", 1, "> x", 0, 3},
	} {
		edit(v, []rune(step.line), step.pos)
		if s.String() != step.want || s.row != step.row || s.col != step.col {
			t.Errorf("%q at %d: row %d, column %d of\n%s", step.line, step.pos, s.row, s.col, s)
		}
	}
	edit(v, []rune("entered\n"), 8)
	_, _ = s.Write([]byte("its answer\n"))
	edit(v, nil, 0)
	if want := "> entered\nits answer\n>"; s.String() != want {
		t.Errorf("after a line was entered:\n%s", s)
	}
	// What is written while a line is edited comes in its place, and the line below it.
	edit(v, []rune("half a long line"), 4)
	_, _ = v.Write(eraseLine)
	_, _ = v.Write([]byte("a note\n"))
	v.Paint([]rune("half a long line"), 4)
	_, _ = v.Write(nil)
	if want := "> entered\nits answer\na note\n> half a l\nong line"; s.String() != want || s.row != 3 || s.col != 6 {
		t.Errorf("row %d, column %d after a note:\n%s", s.row, s.col, s)
	}
}

// What is printed meanwhile goes above the line, whatever the editor is about to do with it.
func TestLineViewPrintsAbove(t *testing.T) {
	v, s := newView(10)
	v.above([]byte("before\n"))
	edit(v, []rune("half a long line"), 4)
	v.above([]byte("one\ntwo\n"))
	if want := "before\none\ntwo\n> half a l\nong line"; s.String() != want || s.row != 3 || s.col != 6 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	// Between the editor's erasing and its drawing.
	_, _ = v.Write(eraseLine)
	v.above([]byte("three\n"))
	v.Paint([]rune("half a"), 6)
	v.above([]byte("four\n"))
	_, _ = v.Write(nil)
	if want := "before\none\ntwo\nthree\nfour\n> half a"; s.String() != want || s.row != 5 || s.col != 8 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	edit(v, []rune("half a\n"), 7)
	v.above([]byte("five\n"))
	if want := "before\none\ntwo\nthree\nfour\n> half a\nfive"; s.String() != want {
		t.Errorf("after it was entered:\n%s", s)
	}
	v.hold(true)
	v.above([]byte("six\n"))
	edit(v, nil, 0)
	v.hold(false)
	if want := "before\none\ntwo\nthree\nfour\n> half a\nfive\nsix\n>"; s.String() != want {
		t.Errorf("after it was held:\n%s", s)
	}
}

func TestLineViewSeveralLines(t *testing.T) {
	v, s := newView(10)
	text := []rune(strings.ReplaceAll("f(\n1,\n  2\n)", "\n", string(lineBreak)))
	edit(v, text, len(text))
	if want := "> f(\n... 1,\n...   2\n... )"; s.String() != want || s.row != 3 || s.col != 5 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	edit(v, text, 4)
	if s.row != 1 || s.col != 5 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	// On a screen with fewer rows, those around the cursor are shown.
	v, s = newView(10)
	v.height = func() int { return 2 }
	edit(v, text, len(text))
	if want := "...   2\n... )"; s.String() != want || s.row != 1 || s.col != 5 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	edit(v, text, 1)
	if want := "> f(\n... 1,"; s.String() != want || s.row != 0 || s.col != 3 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	edit(v, text, len(text))
	edit(v, append(text, '\n'), len(text)+1)
	if want := "...   2\n... )"; s.String() != want || s.row != 2 || s.col != 0 {
		t.Errorf("row %d, column %d of\n%s", s.row, s.col, s)
	}
	_, _ = s.Write([]byte("its answer\n"))
	edit(v, nil, 0)
	if want := "...   2\n... )\nits answer\n>"; s.String() != want {
		t.Errorf("after it was entered:\n%s", s)
	}
}

// However a line came about, the screen shows it as if it had been drawn at once.
func TestLineViewRandomEditing(t *testing.T) {
	alphabet := []rune("ab日語😀é\té\u0301 \u2028")
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		width := 6 + random.IntN(20)
		v, s := newView(width)
		if rows := 1 + random.IntN(12); rows < 8 {
			v.height = func() int { return rows }
		}
		var line []rune
		pos := 0
		for range 60 {
			switch n := random.IntN(10); {
			case n < 6:
				r := alphabet[random.IntN(len(alphabet))]
				line = append(line[:pos:pos], append([]rune{r}, line[pos:]...)...)
				pos++
			case n < 7 && pos > 0:
				line = append(line[:pos-1:pos-1], line[pos:]...)
				pos--
			case n < 9 && len(line) > 0:
				pos = random.IntN(len(line) + 1)
			default:
				pos = len(line)
			}
			edit(v, line, pos)
			fresh, want := newView(width)
			fresh.height = v.height
			edit(fresh, line, pos)
			if s.String() != want.String() || s.row != want.row || s.col != want.col {
				t.Fatalf("width %d, %q at %d:\n%s\n(%d,%d), drawn at once\n%s\n(%d,%d)", width, string(line), pos, s, s.row, s.col, want, want.row, want.col)
			}
		}
	}
}
