package admin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/nvsess/nvsess/internal/session"
)

// Script is the daemon's JavaScript, as the commands need it. Its methods are safe for concurrent use.
type Script interface {
	// Eval runs code. The end of ctx interrupts it. What is the code's own fault is a *ScriptError.
	Eval(ctx context.Context, code string, o EvalOptions) (EvalResult, error)

	// Complete lists the members of what expr names, or the globals, that begin with prefix. Nothing is called for it.
	Complete(ctx context.Context, expr, prefix string) []string

	// Output begins to receive what scripts write; so many lines wait for the reader before some are lost.
	Output(buffer int) Output

	// Reload loads the file of handlers again; ErrNoHandlersFile if there is none. After a *ScriptError the old handlers are in force.
	Reload(ctx context.Context) error

	// File is the file of handlers; "" if there is none.
	File() string

	// Hooks tells of what handles no kind of message, by name.
	Hooks() map[string]session.Report
}

// EvalOptions says how a value is to be shown.
type EvalOptions struct {
	Colors bool
	Width  int // columns; 0: 80
}

// EvalResult is a value.
type EvalResult struct {
	Text string          // as Node.js shows it, in several lines where it is long
	JSON json.RawMessage // nil when JSON has no such value
}

// Output receives what scripts write, until Stop.
type Output interface {
	Next(ctx context.Context) (OutputLine, error) // waits for a line, or the end of ctx
	Waiting() int                                 // lines that Next has at once
	Dropped() uint64                              // lines lost because the reader did not keep up
	Stop()
}

// OutputLine is what a script has written with one call of console.log or its kin. It may have several lines.
type OutputLine struct {
	Seq   uint64 `json:"seq"`   // counts the lines of this run of the daemon
	Level string `json:"level"` // debug, log, info, warn or error
	Text  string `json:"text"`
}

// ScriptError is what went wrong in JavaScript.
type ScriptError struct {
	Text         string // with the stack; several lines
	File         string // where it was thrown or does not parse; "" and 0 when that is not known
	Line, Column int
}

func (e *ScriptError) Error() string { return firstLine(e.Text) }

func (e *ScriptError) error() *Error {
	return &Error{Code: CodeJS, Message: e.Error(), Stack: e.Text, File: e.File, Line: e.Line, Column: e.Column}
}

// ErrNoHandlersFile is returned by Reload when there is nothing to load.
var ErrNoHandlersFile = errors.New("this daemon was started without a file of handlers")

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// script is what runs JavaScript, for the console or for another command.
func (c *Call) script(forConsole bool) (Script, error) {
	switch {
	case c.Daemon.Script == nil:
		return nil, errorf(CodeNotAvailable, "this daemon runs no JavaScript")
	case forConsole && c.noConsole:
		return nil, errorf(CodeNotAvailable, "this daemon takes no JavaScript from operators (script.console in its configuration)")
	}
	return c.Daemon.Script, nil
}
