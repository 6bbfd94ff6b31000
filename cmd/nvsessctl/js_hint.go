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
	var usage *admin.UsageError
	var failed *admin.Error
	var syntax *admin.CodeError
	word := firstWord(strings.TrimLeft(text, " \t"))
	name, call := strings.CutSuffix(strings.TrimSuffix(strings.TrimSpace(text), ";"), "()")
	switch {
	case err == nil:
	case call && isCommandWord(name) && errors.As(err, &failed):
		return &hintedError{err, "the command is written without (): " + name}
	case errors.As(err, &usage):
		if state, _ := jsinput.Check(text); state == jsinput.Complete {
			return &hintedError{err, "with ; before it, it is JavaScript"}
		}
	case errors.As(err, &syntax),
		errors.As(err, &failed) && (failed.Code == admin.CodeNotAvailable || failed.Code == admin.CodeJS && strings.HasPrefix(failed.Message, "ReferenceError")):
		near, rest := admin.Nearest(word), strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), word))
		switch {
		case len(word) < 4 || strings.Trim(word, commandLetters) != "":
		case near != "":
			return &hintedError{err, "did you mean the command " + near + "?"}
		case rest == "" || syntax != nil && strings.Trim(rest[:1], commandLetters) == "" && !jsWords[word]:
			return &hintedError{err, "there is no command " + word + ", either; help lists them"}
		}
	}
	return err
}

// jsWords are those a statement begins with.
var jsWords = map[string]bool{
	"async": true, "await": true, "class": true, "const": true, "delete": true, "export": true, "function": true, "import": true, "return": true,
	"switch": true, "throw": true, "typeof": true, "void": true, "while": true,
}

const commandLetters = "abcdefghijklmnopqrstuvwxyz_"

// outsideError is for a command of the shell's at the prompt.
func outsideError(word string) error {
	return &admin.UsageError{Reason: word + " is not for the prompt: in a shell, write nvsessctl " + word + " (help " + word + " explains it)"}
}
