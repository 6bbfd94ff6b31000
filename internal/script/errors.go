package script

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/jsinput"
)

// An Error is what went wrong in JavaScript.
type Error struct {
	Text string // as the console shows it, with the stack; several lines
	// Where it was thrown, or does not parse. Empty and 0 when not known.
	File         string
	Line, Column int
}

// Error is the first line, after the position.
func (e *Error) Error() string {
	first, _, _ := strings.Cut(e.Text, "\n")
	if e.Line == 0 {
		return first
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, first)
}

// problem is an error of a handler.
type problem struct {
	text    string // first line: what; then the stack
	at      string // "handlers.js:3:7"
	timeout bool
}

func (p problem) oneLine() string {
	first, _, _ := strings.Cut(p.text, "\n")
	if p.at != "" {
		first = p.at + ": " + first
	}
	return first
}

// frame is a line of a stack as goja writes it: "at f (file:line:col(pc))".
var frame = regexp.MustCompile(`([^\s()]+):(\d+):(\d+)(?:\(\d+\))?`)

// internalFrame is one of the daemon's own, which say nothing to a user.
var internalFrame = regexp.MustCompile(`\n\s+at [^\n]*(?:\(native\)|(?:prelude|limits|buffer|inspect)\.js:[^\n]*)`)

// position finds the first position in a stack.
func position(stack string) (file string, line, column int) {
	for _, l := range strings.Split(stack, "\n") {
		if !strings.Contains(l, "at ") {
			continue
		}
		if m := frame.FindStringSubmatch(l); m != nil {
			line, _ = strconv.Atoi(m[2])
			column, _ = strconv.Atoi(m[3])
			return m[1], line, column
		}
	}
	return "", 0, 0
}

// tidy takes out of a stack what is goja's and ours, and maps positions back to
// what was typed.
func (w *world) tidy(stack string) string {
	stack = internalFrame.ReplaceAllString(stack, "")
	return frame.ReplaceAllStringFunc(stack, func(s string) string {
		m := frame.FindStringSubmatch(s)
		line, _ := strconv.Atoi(m[2])
		column, _ := strconv.Atoi(m[3])
		line, column = w.e.mapPosition(m[1], line, column)
		return fmt.Sprintf("%s:%d:%d", m[1], line, column)
	})
}

// explain makes an Error of what a call returned.
func (w *world) explain(err error) *Error {
	var typed *jsinput.SyntaxError
	switch x := err.(type) {
	case *goja.InterruptedError:
		w.suspect = true
		return w.unthrown(fmt.Sprintf("the call was ended: it %v", x.Value()), x.String())
	case *goja.StackOverflowError:
		w.suspect = true
		return w.unthrown("RangeError: Maximum call stack size exceeded", x.String())
	case *goja.Exception:
		return w.explainValue(x.Value(), x.String())
	}
	if errors.As(err, &typed) {
		return &Error{Text: "SyntaxError: " + typed.Message, Line: typed.Line, Column: typed.Column}
	}
	return &Error{Text: err.Error()}
}

// unthrown makes an Error of what ended a call and was not thrown in it, with
// where it was. (Of a loop without a body goja knows only the function.)
func (w *world) unthrown(text, stack string) *Error {
	const most = 10 // frames
	e := &Error{Text: text}
	stack = w.tidy(stack)
	e.File, e.Line, e.Column = position(stack)
	_, frames, _ := strings.Cut(stack, "\n")
	for i, line := range strings.Split(strings.TrimSpace(frames), "\n") {
		if line = strings.TrimSpace(line); line != "" && i < most {
			e.Text += "\n    " + line
		}
	}
	return e
}

// explainValue makes an Error of what was thrown. Errors are shown with their
// stack, anything else as the console shows a value. What goja says of it serves
// where that fails, and tells where it was thrown.
func (w *world) explainValue(v goja.Value, thrown ...string) *Error {
	e := &Error{}
	text, err := w.shown(v)
	o, ok := v.(*goja.Object)
	if err != nil && ok && o.ClassName() == "Error" && len(thrown) == 0 {
		_ = w.try(func() { // nothing is known if that fails, too
			if stack := o.Get("stack"); stack != nil {
				thrown = []string{stack.String()}
			}
		})
	}
	switch {
	case ok && o.ClassName() == "Error" && (err == nil || len(thrown) == 0):
		e.Text = w.tidy(text)
		thrown = append(thrown[:0], text)
	case ok && o.ClassName() == "Error":
		e.Text = w.tidy(thrown[0])
	default:
		e.Text = "Uncaught " + text
	}
	for _, s := range thrown {
		e.File, e.Line, e.Column = position(w.tidy(s))
	}
	return e
}

func (w *world) problem(err error) problem {
	p := w.explain(err).problem()
	if l := ended(err); l != nil {
		p.timeout = l.timeout
	}
	return p
}

func (w *world) problemOf(reason goja.Value) problem { return w.explainValue(reason).problem() }

// maxProblem bounds what is logged of an error, in bytes: it may quote what a
// peer has sent.
const maxProblem = 4096

func (e *Error) problem() problem {
	p := problem{text: e.Text}
	if len(p.text) > maxProblem {
		p.text = strings.ToValidUTF8(p.text[:maxProblem], "") + "..."
	}
	if e.Line > 0 {
		p.at = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	return p
}

// errorValue makes a JavaScript Error of a Go one.
func (w *world) errorValue(err error) goja.Value {
	if v, ok := err.(jsError); ok {
		made, nerr := w.newError(goja.Undefined(), w.rt.ToValue(v.name), w.rt.ToValue(v.text))
		if nerr == nil {
			return made
		}
	}
	made, nerr := w.newError(goja.Undefined(), w.rt.ToValue("Error"), w.rt.ToValue(err.Error()))
	if nerr != nil {
		return w.rt.NewGoError(err)
	}
	return made
}

// jsError is an error with a name for JavaScript.
type jsError struct{ name, text string }

func (e jsError) Error() string { return e.name + ": " + e.text }

// show prints a value as the console does, without colours.
func (w *world) show(v goja.Value) string {
	s, _ := w.shown(v)
	return s
}

func (w *world) shown(v goja.Value) (string, error) {
	s, err := w.inspect(goja.Undefined(), v)
	if err != nil {
		return "(a value that cannot be shown)", err
	}
	return s.String(), nil
}

// errorBudget bounds the lines that handlers' errors make in the log.
type errorBudget struct {
	mu      sync.Mutex // guards what follows
	tokens  float64
	at      time.Time
	skipped int
}

// Errors logged in a row, and per second after that.
const (
	errorBurst = 20
	errorRate  = 1.0
)

// take reports whether one more may be logged, and how many were not before it.
func (b *errorBudget) take() (ok bool, skipped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.at.IsZero() {
		b.tokens = errorBurst
	} else {
		b.tokens = min(errorBurst, b.tokens+errorRate*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.tokens < 1 {
		b.skipped++
		return false, 0
	}
	b.tokens--
	skipped, b.skipped = b.skipped, 0
	return true, skipped
}

// logProblem writes down an error of a handler, here and at the consoles.
func (e *Engine) logProblem(where string, p problem) {
	ok, skipped := e.errors.take()
	if !ok {
		return
	}
	fields := []zap.Field{zap.String("in", where), zap.String("error", printable(p.text))}
	if p.at != "" {
		fields = append(fields, zap.String("at", p.at))
	}
	if skipped > 0 {
		fields = append(fields, zap.Int("not_logged", skipped))
	}
	e.log.Warn("JavaScript failed", fields...)
	e.out.tell("error", fmt.Sprintf("in %s: %s", where, p.text))
}

func (e *Engine) logError(where string, err *Error) { e.logProblem(where, err.problem()) }
