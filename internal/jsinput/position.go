package jsinput

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// lines finds lines in a text, with the line terminators of JavaScript: LF, CR, CR LF, U+2028 and U+2029.
type lines struct {
	text   string
	starts []int // offset of each line's first byte
}

func newLines(text string) *lines {
	l := &lines{text: text, starts: []int{0}}
	for i := 0; i < len(text); {
		j := strings.IndexAny(text[i:], "\n\r\u2028\u2029")
		if j < 0 {
			break
		}
		i += j
		switch {
		case strings.HasPrefix(text[i:], "\r\n"):
			i += 2
		case text[i] == '\n' || text[i] == '\r':
			i++
		default:
			i += len("\u2028")
		}
		l.starts = append(l.starts, i)
	}
	return l
}

// line returns the index of the line that offset is in.
func (l *lines) line(offset int) int {
	return sort.SearchInts(l.starts, offset+1) - 1
}

// position returns offset as a person counts: line and column from 1, the column in characters.
func (l *lines) position(offset int) (line, column int) {
	offset = max(0, min(offset, len(l.text)))
	i := l.line(offset)
	return i + 1, utf8.RuneCountInString(l.text[l.starts[i]:offset]) + 1
}

// offset is where goja means by a line and a column: both from 1, the column in bytes. What is beyond the text is its end.
func (l *lines) offset(line, column int) int {
	if line < 1 {
		return 0
	}
	if line > len(l.starts) {
		return len(l.text)
	}
	return max(0, min(l.starts[line-1]+column-1, len(l.text)))
}
