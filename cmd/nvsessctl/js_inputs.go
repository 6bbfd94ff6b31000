package main

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/jsinput"
)

// input is what is carried out at once: a command, or JavaScript, which may have several lines.
type input struct {
	text    string
	command bool
	line    int   // where it begins, from 1
	more    bool  // it wants more lines, and there are none
	err     error // *admin.CodeError: it does not parse
}

// inputs cuts lines into inputs.
type inputs struct {
	read  func() (string, bool) // the next line
	ready func() bool           // read does not wait for somebody to type it
	back  []string              // lines to be read again
	n     int                   // of the line last read
}

// splitInputs cuts a text that is there as a whole.
func splitInputs(text string) []input {
	lines := strings.Split(text, "\n")
	s := inputs{
		read: func() (string, bool) {
			if len(lines) == 0 {
				return "", false
			}
			line := lines[0]
			lines = lines[1:]
			return line, true
		},
		ready: func() bool { return len(lines) > 0 },
	}
	var list []input
	for {
		in, ok := s.next()
		if !ok {
			return list
		}
		list = append(list, in)
	}
}

// readInputs cuts what is read. failed is why it ended.
func readInputs(r io.Reader, limit int) (s *inputs, failed func() error) {
	buf := bufio.NewReaderSize(r, 64<<10)
	var err error
	read := func() (string, bool) {
		var line []byte
		for err == nil {
			var part []byte
			part, err = buf.ReadSlice('\n')
			line = append(line, part...)
			if len(line) > limit {
				err = bufio.ErrTooLong
				return "", false
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
			err = nil
		}
		if len(line) == 0 || err != nil && !errors.Is(err, io.EOF) {
			return "", false
		}
		return withoutLineBreak(string(line)), true
	}
	failed = func() error {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	return &inputs{read: read, ready: func() bool { return buf.Buffered() > 0 }}, failed
}

func (s *inputs) readLine() (string, bool) {
	if n := len(s.back); n > 0 {
		line := s.back[n-1]
		s.back = s.back[:n-1]
		s.n++
		return line, true
	}
	line, ok := s.read()
	if ok {
		s.n++
	}
	return line, ok
}

func (s *inputs) unread(line string) {
	s.back = append(s.back, line)
	s.n--
}

// next is the next input. Blank lines and comments are none.
func (s *inputs) next() (input, bool) {
	for {
		line, ok := s.readLine()
		if !ok {
			return input{}, false
		}
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || trimmed[0] == '#':
			continue
		case jsinput.IsCommand(line, isCommandWord):
			return s.command(line), true
		}
		if in := s.script(line); !isComment(in.text) || in.more {
			return in, true
		}
	}
}

// command takes one line, or more when its JSON goes on.
func (s *inputs) command(line string) input {
	in := input{text: line, command: true, line: s.n}
	var taken []string
	for {
		var broken *admin.JSONError
		_, err := admin.ParseLine(in.text)
		if !errors.As(err, &broken) {
			return in
		}
		if broken.Incomplete() {
			next, ok := s.readLine()
			if ok {
				taken = append(taken, next)
				in.text += "\n" + next
				continue
			}
			in.more = true
			return in
		}
		if len(taken) == 0 {
			return in
		}
		// It is wrong, so the first line stands for itself.
		for i := len(taken) - 1; i >= 0; i-- {
			s.unread(taken[i])
		}
		in.text = line
		return in
	}
}

// script takes lines until they are whole.
func (s *inputs) script(line string) input {
	var text strings.Builder
	text.WriteString(line)
	in := input{line: s.n}
	inside := false // a bracket, a template or a comment, which only a line that ends one can complete
	for {
		if !inside || mayEnd(line) {
			in.text = text.String()
			state, err := jsinput.Check(forced(in.text))
			switch state {
			case jsinput.Complete:
				next, ok := s.goesOn()
				if !ok {
					return in
				}
				line = next
				text.WriteString("\n" + line)
				inside = false
				continue
			case jsinput.Invalid:
				in.err = codeError(in.text, err)
				return in
			}
			state, _ = jsinput.Check(forced(in.text) + "\n0")
			inside = state == jsinput.Incomplete
		}
		next, ok := s.readLine()
		if !ok {
			in.text, in.more = text.String(), true
			if state, err := jsinput.Check(forced(in.text)); state == jsinput.Invalid {
				in.more, in.err = false, codeError(in.text, err)
			}
			return in
		}
		line = next
		text.WriteString("\n" + line)
	}
}

// mayEnd reports whether a line may end a bracket, a template or a comment that began before it. It only spares a check of the whole
// text, so it says yes unless it is plain that the line does not.
func mayEnd(line string) bool {
	if strings.ContainsAny(line, "`/\\") {
		return true
	}
	var open []byte
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case '"', '\'':
			n := strings.IndexByte(line[i+1:], c)
			if n < 0 {
				return true
			}
			i += n + 1
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 {
				return true
			}
			open = open[:len(open)-1]
		}
	}
	return false
}

// goesOn takes the next line if it can only be part of what is whole without it: .then(...), else, catch.
func (s *inputs) goesOn() (string, bool) {
	if len(s.back) == 0 && !s.ready() {
		return "", false
	}
	next, ok := s.readLine()
	if !ok {
		return "", false
	}
	trimmed := strings.TrimLeft(next, " \t")
	for _, begin := range []string{".", "?.", "&&", "||", "??", "? ", ": "} {
		if strings.HasPrefix(trimmed, begin) && !jsinput.IsCommand(next, isCommandWord) {
			return next, true
		}
	}
	word, _, _ := strings.Cut(strings.ReplaceAll(trimmed, "{", " "), " ")
	if word == "else" || word == "catch" || word == "finally" || strings.HasPrefix(word, "catch(") {
		return next, true
	}
	s.unread(next)
	return "", false
}

// forced takes away the ; that makes a line JavaScript, and leaves every place where it was.
func forced(text string) string {
	rest := strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(rest, ";") {
		return text
	}
	return text[:len(text)-len(rest)] + " " + rest[1:]
}

// isComment reports whether a text has nothing but comments.
func isComment(text string) bool {
	for {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
			return true
		case strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			var closed bool
			if _, text, closed = strings.Cut(text[2:], "*/"); !closed {
				return false
			}
		default:
			return false
		}
	}
}

// codeError is an error of package jsinput as it is shown.
func codeError(text string, err error) error {
	var bad *jsinput.SyntaxError
	if !errors.As(err, &bad) {
		return err
	}
	return &admin.CodeError{Text: text, Line: bad.Line, Column: bad.Column, Message: bad.Message}
}

// checkCode says what is wrong with JavaScript that is all there is.
func checkCode(text string) error {
	_, err := jsinput.Prepare(text)
	return codeError(text, err)
}

// isCommandWord reports whether a line that begins with the word is a command.
func isCommandWord(word string) bool {
	c := admin.Lookup(word)
	return c != nil && !c.Hidden || isOutside(word)
}

// isOutside reports whether a word is a command of the shell's and not of the prompt's.
func isOutside(word string) bool { return word == "connect" || word == "tst" || isGenerator(word) }

// wantsMore reports whether a text is not whole yet.
func wantsMore(text string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	if !jsinput.IsCommand(first, isCommandWord) {
		if state, _ := jsinput.Check(forced(text)); state != jsinput.Invalid {
			return state == jsinput.Incomplete
		}
	}
	list := splitInputs(text)
	return len(list) > 0 && list[len(list)-1].more && !hasError(list)
}

func hasError(list []input) bool {
	for _, in := range list {
		if in.err != nil {
			return true
		}
	}
	return false
}
