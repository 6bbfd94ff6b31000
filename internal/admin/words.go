package admin

import "strings"

// word is one word of a command as it was typed.
type word struct {
	text   string // without quotes
	raw    string // with them
	quoted bool   // some of it was in quotes, so it is no option
}

// words is where a command is read from: a line in the console, or the arguments of a process.
type words interface {
	peek() (w word, ok bool, err error)
	advance() // past the word last peeked
	rest() string
	// jsonValue takes one JSON value; what follows it is left.
	jsonValue() (string, error)
}

// lineWords reads a line: words separated by blanks, '...' as it stands, "..." with \" and \\.
type lineWords struct {
	line string
	pos  int
	next int // where the word last peeked ends
}

func (l *lineWords) peek() (word, bool, error) {
	for l.pos < len(l.line) && isBlank(l.line[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.line) {
		return word{}, false, nil
	}
	var text strings.Builder
	w := word{}
	i := l.pos
	for i < len(l.line) && !isBlank(l.line[i]) {
		c := l.line[i]
		i++
		if c != '"' && c != '\'' {
			text.WriteByte(c)
			continue
		}
		w.quoted = true
		end := closingQuote(l.line, i, c)
		if end < 0 {
			return word{}, false, &UsageError{Reason: "a quote is not closed: " + Quote(clip(l.line[i-1:], 40))}
		}
		inner := l.line[i:end]
		if c == '"' {
			inner = unbackslash(inner)
		}
		text.WriteString(inner)
		i = end + 1
	}
	l.next = i
	w.text, w.raw = text.String(), l.line[l.pos:i]
	return w, true, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func closingQuote(s string, from int, quote byte) int {
	for i := from; i < len(s); i++ {
		if s[i] == '\\' && quote == '"' {
			i++
		} else if s[i] == quote {
			return i
		}
	}
	return -1
}

// unbackslash undoes \" and \\ and leaves every other backslash: patterns are full of them.
func unbackslash(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s)
}

func (l *lineWords) advance() { l.pos = l.next }

func (l *lineWords) rest() string {
	s := strings.TrimLeft(l.line[l.pos:], " \t")
	l.pos = len(l.line)
	return s
}

func (l *lineWords) jsonValue() (string, error) {
	text := strings.TrimLeft(l.line[l.pos:], " \t")
	end, err := scanJSON(text)
	if err != nil {
		return "", err
	}
	tail := strings.TrimLeft(text[end:], jsonSpace)
	if tail != "" && !strings.HasPrefix(tail, "-") {
		return "", CheckJSON(text)
	}
	l.pos = len(l.line) - len(tail)
	return text[:end], nil
}

// argWords reads the arguments of a process: the shell has already split them.
type argWords struct{ args []string }

func (a *argWords) peek() (word, bool, error) {
	if len(a.args) == 0 {
		return word{}, false, nil
	}
	return word{text: a.args[0], raw: a.args[0]}, true, nil
}

func (a *argWords) advance() { a.args = a.args[1:] }

func (a *argWords) rest() string {
	s := strings.Join(a.args, " ")
	a.args = nil
	return s
}

// jsonValue joins arguments until they make a value: JSON that was not quoted for the shell may come in pieces.
func (a *argWords) jsonValue() (string, error) {
	for n := 1; n <= len(a.args); n++ {
		text := strings.Join(a.args[:n], " ")
		if _, err := scanJSON(text); err != nil {
			continue
		}
		if err := CheckJSON(text); err != nil {
			return "", err
		}
		if n < len(a.args) && !strings.HasPrefix(a.args[n], "-") {
			return "", CheckJSON(strings.Join(a.args, " "))
		}
		a.args = a.args[n:]
		return text, nil
	}
	return "", CheckJSON(strings.Join(a.args, " "))
}
