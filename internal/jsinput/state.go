package jsinput

import "fmt"

// State says whether a text is a whole JavaScript input.
type State int

// The states of a text.
const (
	Complete   State = iota
	Incomplete       // more lines must follow
	Invalid          // and no more lines would mend it
)

func (s State) String() string {
	switch s {
	case Complete:
		return "complete"
	case Incomplete:
		return "incomplete"
	}
	return "invalid"
}

// SyntaxError says what is wrong with a text, in one line, and where.
type SyntaxError struct {
	Line, Column int // of the typed text, from 1; the column in characters
	Message      string
	Incomplete   bool // the text ends too early
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("SyntaxError: %s (%d:%d)", e.Message, e.Line, e.Column)
}

// Check says whether text is a whole input. The error of an Invalid text is a *SyntaxError; the other states have none.
func Check(text string) (State, error) {
	_, err := parse(text)
	switch {
	case err == nil:
		return Complete, nil
	case err.Incomplete:
		return Incomplete, nil
	}
	return Invalid, err
}
