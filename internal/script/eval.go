package script

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/nvsess/nvsess/internal/jsinput"
)

// EvalOptions says how a result is to be shown.
type EvalOptions struct {
	Colors bool
	Width  int // columns; 0: 80
}

// Result is the value of what was evaluated.
type Result struct {
	Text string          // as the console shows it; may have several lines
	JSON json.RawMessage // nil when JSON has no such value
}

// inputName begins the name, in stacks, of what was typed: REPL1, REPL2, as in
// Node.js.
const inputName = "REPL"

// maxInputs is of how many inputs positions can be told.
const maxInputs = 200

// Eval runs what an operator typed; see package jsinput. It waits for a promise
// that an await at the top waits for, until ctx is done, which also interrupts
// what is running. Errors of the script are of type *Error; others are ctx's and
// ErrClosed.
func (e *Engine) Eval(ctx context.Context, text string, o EvalOptions) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	program, err := jsinput.Prepare(text)
	if err != nil {
		w := e.current()
		if w == nil {
			return Result{}, ErrClosed
		}
		return Result{}, w.explain(err)
	}
	input := e.remember(&program)
	compiled, err := compile(input, program.Source)
	if err != nil {
		return Result{}, e.compileError(err)
	}
	w := e.current()
	if w == nil {
		return Result{}, ErrClosed
	}
	ev := &evaluation{w: w, opt: o, done: make(chan struct{})}
	b := &budget{consoleCPU, "the console"}
	if !w.post(job{budget: b, origin: &origin{waiter: ev}, run: func(*world) {
		if ctx.Err() == nil { // else nobody waits for it any more
			ev.run(compiled, program.Async)
		}
	}}) {
		return Result{}, ErrClosed
	}
	select {
	case <-ev.done:
		return ev.res, ev.err
	case <-w.ctx.Done():
		return Result{}, ErrClosed
	case <-ctx.Done():
		ev.given.Store(true)
		w.watch.cancel(b, errors.New("was interrupted"))
		return Result{}, ctx.Err()
	}
}

// evaluation is an input that is being run. It belongs to the world's goroutine
// until done is closed.
type evaluation struct {
	w     *world
	opt   EvalOptions
	given atomic.Bool // up: nobody wants the result any more
	over  bool
	res   Result
	err   error
	done  chan struct{}
}

func (ev *evaluation) waiting() bool { return !ev.over && !ev.given.Load() }

func (ev *evaluation) fail(err error) { ev.end(ev.w.explain(err)) }

func (ev *evaluation) end(err error) {
	if !ev.over {
		ev.over, ev.err = true, err
		close(ev.done)
	}
}

func (ev *evaluation) run(p *goja.Program, async bool) {
	if ev.given.Load() {
		return // before its turn came
	}
	w := ev.w
	v, err := w.rt.RunProgram(p)
	if err != nil {
		ev.fail(err)
		return
	}
	if !async {
		ev.show(v)
		return
	}
	promise, _ := exported[*goja.Promise](v)
	delete(w.rejected, promise)
	err = w.then(promise, func(v goja.Value) { ev.show(v.(*goja.Object).Get("0")) }, func(reason goja.Value) {
		ev.end(w.explainValue(reason))
	})
	if err != nil {
		ev.fail(err)
	}
}

func (ev *evaluation) show(v goja.Value) {
	if ev.given.Load() {
		return
	}
	_ = ev.w.rt.Set("_", v) // a script may have made it read-only
	var err error
	if ev.res, err = ev.w.result(v, ev.opt); err != nil {
		ev.fail(err)
		return
	}
	ev.end(nil)
}

// remember gives an input its name in stacks.
func (e *Engine) remember(p *jsinput.Program) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inputs++
	if e.programs == nil {
		e.programs = make(map[int]*jsinput.Program)
	}
	e.programs[e.inputs] = p
	delete(e.programs, e.inputs-maxInputs)
	return inputName + strconv.Itoa(e.inputs)
}

// mapPosition undoes what was done to a text before it was run.
func (e *Engine) mapPosition(file string, line, column int) (int, int) {
	if n, err := strconv.Atoi(strings.TrimPrefix(file, inputName)); err == nil {
		e.mu.Lock()
		p := e.programs[n]
		e.mu.Unlock()
		if p != nil {
			return p.Position(line, column)
		}
		return line, column
	}
	if line == 1 && !strings.HasPrefix(file, inputName) {
		column = max(1, column-len(fileHead))
	}
	return line, column
}

// compile makes a program. No source map is looked for: goja would read any file
// that the text names.
func compile(name, source string) (*goja.Program, error) {
	tree, err := parser.ParseFile(nil, name, source, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, err
	}
	return goja.CompileAST(tree, false)
}

// compileError makes an Error of compile's.
func (e *Engine) compileError(err error) *Error {
	text, out := err.Error(), &Error{}
	switch x := err.(type) {
	case parser.ErrorList:
		if len(x) > 0 {
			p := x[0].Position
			text, out.File, out.Line, out.Column = x[0].Message, p.Filename, p.Line, p.Column
		}
	case *parser.Error:
		text, out.File, out.Line, out.Column = x.Message, x.Position.Filename, x.Position.Line, x.Position.Column
	case *goja.CompilerSyntaxError:
		text = x.Message
		if x.File != nil {
			p := x.File.Position(x.Offset)
			out.File, out.Line, out.Column = p.Filename, p.Line, p.Column
		}
	}
	out.Text = "SyntaxError: " + strings.TrimPrefix(text, "SyntaxError: ")
	if out.Line > 0 {
		out.Line, out.Column = e.mapPosition(out.File, out.Line, out.Column)
	}
	return out
}

// result shows a value.
func (w *world) result(v goja.Value, o EvalOptions) (Result, error) {
	opts := w.rt.NewObject()
	for name, x := range map[string]any{"colors": o.Colors, "breakLength": max(o.Width, 80)} {
		if err := opts.Set(name, x); err != nil {
			return Result{}, err
		}
	}
	text, err := w.inspect(goja.Undefined(), v, opts)
	if err != nil {
		return Result{}, err
	}
	res := Result{Text: text.String()}
	if j, err := w.stringify(goja.Undefined(), v); err == nil && !goja.IsUndefined(j) {
		res.JSON = json.RawMessage(j.String())
	}
	return res, nil
}

// Complete lists the properties of what expr names, or the globals if it is
// empty, that begin with prefix. See jsinput.CompletionTarget for what expr may
// be; a getter of the script may run.
func (e *Engine) Complete(ctx context.Context, expr, prefix string) (names []string) {
	w := e.current()
	if w == nil {
		return nil
	}
	done := make(chan struct{})
	b := &budget{e.now().CPULimit, "completion"}
	if !w.post(job{budget: b, run: func(*world) {
		defer close(done)
		if v, err := w.properties(goja.Undefined(), w.rt.ToValue(expr), w.rt.ToValue(prefix)); err == nil {
			_ = w.rt.ExportTo(v, &names)
		}
	}}) {
		return nil
	}
	select {
	case <-done:
		return names
	case <-ctx.Done():
		w.watch.cancel(b, ctx.Err())
	case <-w.ctx.Done():
	}
	return nil
}
