package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/nvsess/nvsess/internal/admin"
)

// lineView draws the line being edited. The editor's own drawing takes every character but some East Asian ones for one column wide and
// loses its place on long lines; so it is told that the screen is endlessly wide, and what it writes is drawn anew here, broken at the edge
// of the real screen. It is the editor's Painter, which tells it the line, and its Stdout, which tells it when.
type lineView struct {
	out    io.Writer
	prompt string
	width  func() int
	height func() int // nil: endless

	mu      sync.Mutex // guards what follows
	painted bool       // the next write is the line
	line    []rune     // as the editor last had it
	pos     int
	drawn   []rune // as it is on the screen
	drawnAt int
	window  int  // the row of the cursor among those shown, when not all fit the screen; -1 when they do
	erase   bool // the editor wants what is drawn erased; it is done with the next write, which may only add to it
	active  bool // a line is being edited: what is printed meanwhile goes above it
	holding bool // nothing may be printed now
	held    []byte
	lost    int // prints that were more than held takes
}

// lineBreak stands for a line's end in the editor's buffer and in the history, which take the usual one for the end of the input. To
// JavaScript it is one as well.
const lineBreak = '\u2028'

// morePrompt begins the second line of an input and those after it.
const morePrompt = "... "

// maxHeld is how much is kept while nothing may be printed, in bytes.
const maxHeld = 1 << 20

// eraseLine is what the editor writes to erase a line it takes for unbroken.
var eraseLine = []byte("\x1b[J\x1b[2K\r")

// Paint is called by the editor with the line it is about to write.
func (v *lineView) Paint(line []rune, pos int) []rune {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.painted, v.line, v.pos = true, slices.Clone(line), pos
	return line
}

// Write is called by the editor to erase the line, to write it, or to write something else.
func (v *lineView) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out bytes.Buffer
	switch {
	case v.painted:
		v.painted = false
		v.drawLocked(&out)
	case bytes.Equal(b, eraseLine):
		v.erase = true
		return len(b), nil
	default:
		v.eraseLocked(&out)
		out.Write(b)
	}
	if _, err := v.out.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// above prints whole lines above the line being edited.
func (v *lineView) above(b []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.holding {
		if len(v.held)+len(b) > maxHeld {
			v.lost++
		} else {
			v.held = append(v.held, b...)
		}
		return
	}
	v.aboveLocked(b)
}

func (v *lineView) aboveLocked(b []byte) {
	if len(b) == 0 {
		return
	}
	if !v.active {
		_, _ = v.out.Write(b) // the editor finds out when the terminal is gone
		return
	}
	var out bytes.Buffer
	pending := v.erase
	v.erase = true
	line, at := v.drawn, v.drawnAt
	v.eraseLocked(&out)
	out.Write(b)
	next, nextAt := v.line, v.pos
	v.line, v.pos = line, at
	v.drawLocked(&out)
	v.line, v.pos = next, nextAt
	v.erase = pending
	_, _ = v.out.Write(out.Bytes())
}

// hold keeps back what is to be printed until it is called with false: a pager has the screen.
func (v *lineView) hold(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.holding = on; on {
		return
	}
	held := v.held
	if v.lost > 0 {
		held = fmt.Appendf(held, "... %d more were written meanwhile\n", v.lost)
	}
	v.held, v.lost = nil, 0
	v.aboveLocked(held)
}

// text is the line as it is being edited, and the cursor in it.
func (v *lineView) text() ([]rune, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.line, v.pos
}

// picture is a line as it is drawn, with its prompts.
func (v *lineView) picture(line []rune) string {
	var b strings.Builder
	b.WriteString(v.prompt)
	for _, r := range line {
		b.WriteString(shown(r))
	}
	return b.String()
}

// drawLocked draws the line, or adds to it when that is all there is to do.
func (v *lineView) drawLocked(out *bytes.Buffer) {
	width := v.width()
	n := len(v.line)
	switch {
	case v.erase && v.active && n == len(v.drawn)+1 && v.line[n-1] == '\n' && v.drawnAt == n-1 && slices.Equal(v.line[:n-1], v.drawn):
		if v.layout(v.drawn, width).column > 0 { // else the cursor is on the next row already
			out.WriteByte('\n')
		}
		v.erase = false
	case v.erase && v.addsLocked(width):
		out.WriteString(string(v.line[len(v.drawn):]))
		v.erase = false
	default:
		v.eraseLocked(out)
		v.window = -1
		if rows := v.rows(v.line, width); v.height != nil && len(rows) > v.height() {
			v.drawWindowLocked(out, rows, width)
			break
		}
		end := v.layout(v.line, width)
		out.WriteString(v.picture(v.line))
		if end.column == 0 && n > 0 && v.line[n-1] != '\n' {
			out.WriteString("\r\n") // the screen goes on to the next row only with the next character
		}
		moveBack(out, end, v.layout(v.line[:v.pos], width))
	}
	v.drawn, v.drawnAt, v.active = v.line, v.pos, true
	if n > 0 && v.line[n-1] == '\n' {
		v.drawn, v.drawnAt, v.window, v.active = nil, 0, -1, false // entered: what comes next is below it
	}
}

// moveBack moves the cursor to an earlier place.
func moveBack(out *bytes.Buffer, from, to place) {
	if from.row > to.row {
		fmt.Fprintf(out, "\x1b[%dA", from.row-to.row)
	}
	if from != to {
		out.WriteByte('\r')
		if to.column > 0 {
			fmt.Fprintf(out, "\x1b[%dC", to.column)
		}
	}
}

// drawWindowLocked draws as many rows as the screen has, the cursor's in the last half of them where that can be.
func (v *lineView) drawWindowLocked(out *bytes.Buffer, rows []string, width int) {
	height := max(1, v.height())
	at := v.layout(v.line[:v.pos], width)
	end := min(len(rows), max(height, at.row+1+height/2))
	top := max(0, end-height)
	out.WriteString(strings.Join(rows[top:end], "\n"))
	v.window = at.row - top
	if n := len(v.line); at.row == end-1 && n > 0 && v.line[n-1] == '\n' {
		return // entered
	}
	moveBack(out, place{row: end - 1, column: width}, at)
}

// rows are the lines on the screen that a text behind the prompt takes.
func (v *lineView) rows(text []rune, width int) (rows []string) {
	var b strings.Builder
	b.WriteString(v.prompt)
	column := admin.TextWidth(v.prompt)
	next := func() {
		rows = append(rows, b.String())
		b.Reset()
		column = 0
	}
	for _, r := range text {
		for _, r := range shown(r) {
			if r == '\n' {
				next()
				continue
			}
			w := admin.RuneWidth(r)
			if column+w > width {
				next()
			}
			b.WriteRune(r)
			if column += w; column >= width {
				next()
			}
		}
	}
	return append(rows, b.String())
}

// addsLocked reports whether the line is the drawn one and something more in the same row, the cursor at its end in both.
func (v *lineView) addsLocked(width int) bool {
	n := len(v.drawn)
	if n == 0 || v.drawnAt != n || len(v.line) <= n || v.pos != len(v.line) || !slices.Equal(v.line[:n], v.drawn) {
		return false
	}
	plain := !slices.ContainsFunc(v.line[n:], func(r rune) bool { return r < ' ' || r == 0x7f || r == lineBreak })
	before, after := v.layout(v.drawn, width), v.layout(v.line, width)
	return plain && before.row == after.row && after.column > before.column
}

// eraseLocked goes up to where the drawn line begins and erases from there.
func (v *lineView) eraseLocked(out *bytes.Buffer) {
	if !v.erase {
		return
	}
	v.erase = false
	row := v.window
	if row < 0 {
		row = v.layout(v.drawn[:v.drawnAt], v.width()).row
	}
	if row > 0 {
		fmt.Fprintf(out, "\x1b[%dA", row)
	}
	out.WriteString("\r\x1b[J")
	v.drawn, v.drawnAt, v.window = nil, 0, -1
}

// place is where on the screen something is, from the beginning of the prompt.
type place struct{ row, column int }

// layout is where the cursor stands after a text behind the prompt.
func (v *lineView) layout(text []rune, width int) place {
	at := place{column: admin.TextWidth(v.prompt)}
	for _, r := range text {
		for _, r := range shown(r) {
			if r == '\n' {
				at = place{row: at.row + 1}
				continue
			}
			w := admin.RuneWidth(r)
			if at.column+w > width { // a wide character does not fit half
				at = place{row: at.row + 1}
			}
			if at.column += w; at.column >= width {
				at = place{row: at.row + 1}
			}
		}
	}
	return at
}

// shown is how a character of the line is written.
func shown(r rune) string {
	switch {
	case r == '\n':
		return "\n"
	case r == lineBreak:
		return "\n" + morePrompt
	case r == '\t':
		return "    "
	}
	return strings.ToValidUTF8(admin.Escape(string(r)), "?")
}
