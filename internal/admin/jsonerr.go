package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// JSONError says where a JSON text broke and why, so that it can be shown with a caret under the place.
type JSONError struct {
	Text   string
	Offset int // of the offending byte; len(Text) when the text ends too early
	Reason string
	First  int // the line of a script where Text begins, 0 without one
}

// Incomplete reports whether the text may be the beginning of JSON that goes on in another line.
func (e *JSONError) Incomplete() bool {
	return strings.HasPrefix(e.Reason, endsTooEarly) && !strings.HasSuffix(e.Reason, openString)
}

const (
	endsTooEarly = "the value ends too early"
	openString   = ": a string has no closing quote"
)

func (e *JSONError) Error() string {
	line, column := e.position()
	if e.First > 0 {
		return sprintf("line %d: invalid JSON at column %d: %s", line, column, e.Reason)
	}
	if !strings.Contains(e.Text, "\n") {
		return sprintf("invalid JSON at column %d: %s", column, e.Reason)
	}
	return sprintf("invalid JSON at line %d, column %d: %s", line, column, e.Reason)
}

// position is where it broke; the line counts from the beginning of the script, if there is one.
func (e *JSONError) position() (line, column int) {
	line, column = position(e.Text, e.Offset)
	return line + max(e.First-1, 0), column
}

// position turns a byte offset into line and column, both from 1, columns in characters.
func position(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[start:])
}

// CheckJSON returns nil for a text that is one JSON value, and a *JSONError otherwise.
func CheckJSON(text string) error {
	end, err := scanJSON(text)
	if err != nil {
		return err
	}
	if rest := strings.TrimLeft(text[end:], jsonSpace); rest != "" {
		return &JSONError{Text: text, Offset: len(text) - len(rest), Reason: "there is more after the end of the value"}
	}
	return nil
}

const jsonSpace = " \t\r\n"

// scanJSON finds the end of the JSON value a text begins with.
func scanJSON(text string) (end int, err error) {
	if strings.Trim(text, jsonSpace) == "" {
		return 0, &JSONError{Text: text, Offset: len(text), Reason: "a JSON value is missing"}
	}
	if bad := invalidUTF8(text); bad >= 0 {
		return 0, &JSONError{Text: text, Offset: bad, Reason: "this byte is not UTF-8"}
	}
	var v json.RawMessage
	dec := json.NewDecoder(strings.NewReader(text))
	err = dec.Decode(&v)
	if err == nil {
		return int(dec.InputOffset()), nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := max(0, int(syntax.Offset)-1)
		return 0, &JSONError{Text: text, Offset: at, Reason: reason(text, at, syntax.Error())}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, &JSONError{Text: text, Offset: len(text), Reason: endsTooEarly + unclosed(text)}
	}
	return 0, &JSONError{Text: text, Offset: 0, Reason: err.Error()}
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// reason puts the usual mistakes in words; the parser's own words serve for the rest.
func reason(text string, at int, parser string) string {
	rest := text[min(at, len(text)):]
	before := strings.TrimRight(text[:min(at, len(text))], jsonSpace)
	c, _ := utf8.DecodeRuneInString(rest)
	switch {
	case c == '\'' || c == '‘' || c == '“':
		return "strings are written with double quotes, \"...\""
	case strings.HasSuffix(before, ",") && (c == '}' || c == ']'):
		return "there is a comma too many before it"
	case strings.Contains(parser, "looking for beginning of object key string"):
		return "the name of a member is written in double quotes, \"name\""
	case strings.Contains(parser, "in string literal"):
		return sprintf("a control character in a string must be escaped, as \\u%04x", c)
	case strings.Contains(parser, "after object key:value pair"):
		return "a comma or } is missing before it"
	case strings.Contains(parser, "after array element"):
		return "a comma or ] is missing before it"
	case strings.Contains(parser, "after object key"):
		return "a colon is missing before it"
	case strings.Contains(parser, "looking for beginning of value"):
		return "a value was expected: text goes in double quotes, or is it true, false, null or a number?"
	}
	return strings.Replace(parser, "invalid character ", "unexpected ", 1)
}

// unclosed names what is still open at the end of a text that ends too early.
func unclosed(text string) string {
	var open []byte
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{':
			open = append(open, '}')
		case c == '[':
			open = append(open, ']')
		case (c == '}' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if inString {
		return openString
	}
	for i, j := 0, len(open)-1; i < j; i, j = i+1, j-1 {
		open[i], open[j] = open[j], open[i]
	}
	if len(open) == 0 {
		return ""
	}
	return ": " + string(bytes.Join(bytes.Split(open, nil), []byte(" "))) + " is missing"
}
