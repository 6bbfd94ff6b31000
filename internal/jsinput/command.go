package jsinput

import "strings"

// IsCommand reports whether line, the first of an input, is a plain command: its first word is one that known accepts, and
// a blank or the end of the line follows. Everything else is JavaScript. A line that begins with ";" always is,
// which is how JavaScript gets past a command of the same name.
func IsCommand(line string, known func(word string) bool) bool {
	line = strings.TrimLeft(line, " \t")
	word := line
	if i := strings.IndexAny(line, " \t\r\n"); i >= 0 {
		word = line[:i]
	}
	return word != "" && word[0] != ';' && known(word)
}
