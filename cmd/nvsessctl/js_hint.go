package main

import (
	"errors"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/jsinput"
)

// hintedError is an error with a word on what may have been meant.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// hinted adds to an error of JavaScript that was perhaps meant to be a command, and to that of a command which was perhaps JavaScript.
func hinted(err error, text string) error {
	if err == nil {
		return nil
	}
	if hint := hintFor(err, text); hint != "" {
		return &hintedError{err, hint}
	}
	return err
}

func hintFor(err error, text string) string {
	var usage *admin.UsageError
	var failed *admin.Error
	var syntax *admin.CodeError
	isFailed, isSyntax := errors.As(err, &failed), errors.As(err, &syntax)
	text = strings.TrimSpace(text)
	word := firstWord(text)
	rest := strings.TrimSpace(strings.TrimPrefix(text, word))
	if errors.As(err, &usage) || (isFailed || isSyntax) && isCommandWord(word) && strings.IndexAny(rest, operators) == 0 {
		if state, _ := jsinput.Check(text); state == jsinput.Complete {
			return "with ; before it, it is JavaScript"
		}
		return ""
	}
	unknown := isFailed && (failed.Code == admin.CodeNotAvailable || failed.Code == admin.CodeJS && strings.HasPrefix(failed.Message, "ReferenceError"))
	if !unknown && !isSyntax {
		return ""
	}
	if name, arguments, call := strings.Cut(text, "("); call && isCommandWord(name) {
		if failed != nil && failed.Code == admin.CodeJS && !strings.HasPrefix(failed.Message, "ReferenceError: "+name+" ") {
			return "" // its arguments are at fault
		}
		if c := admin.Lookup(name); c != nil && strings.TrimSuffix(arguments, ";") != ")" {
			name = c.Usage()
		}
		return "the command is written without (): " + name
	}
	if len(word) < 4 || strings.Trim(word, commandLetters) != "" || reserved[word] || isCommandWord(word) {
		return ""
	}
	if near := admin.Nearest(word); near != "" {
		return "did you mean the command " + near + "?"
	}
	if rest == "" || isSyntax && strings.Trim(rest[:1], commandLetters) == "" {
		return "there is no command " + word + ", either; help lists them"
	}
	return ""
}

// operators are what follows a variable in JavaScript, and begins no argument of a command that names a session.
const operators = "=+*/%?&|^.<>,("

// reserved are the words of JavaScript that nobody writes for a command.
var reserved = map[string]bool{}

func init() {
	for _, word := range strings.Fields(`async await break case catch class const continue debugger default delete else enum export extends
		false finally function implements import instanceof interface null package private protected public return static super
		switch this throw true typeof void while with yield`) {
		reserved[word] = true
	}
}

const commandLetters = "abcdefghijklmnopqrstuvwxyz_"

// outsideError is for a command of the shell's at the prompt.
func outsideError(word string) error {
	return &admin.UsageError{Reason: word + " is not for the prompt: in a shell, write nvsessctl " + word + " (help " + word + " explains it)"}
}
