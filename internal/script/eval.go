package script

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

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
	var res Result
	var failed error
	done := make(chan struct{})
	w := e.current()
	if w == nil {
		return Result{}, ErrClosed
	}
	show := func(v goja.Value) {
		defer close(done)
		_ = w.rt.Set("_", v)
		res, failed = w.result(v, o)
	}
	fail := func(err error) {
		defer close(done)
		failed = err
	}
	b := &budget{consoleCPU, "the console"}
	run := func() {
		v, err := w.rt.RunProgram(compiled)
		if err != nil {
			fail(w.explain(err))
			return
		}
		if !program.Async {
			show(v)
			return
		}
		promise, ok := exported[*goja.Promise](v)
		if !ok {
			show(goja.Undefined())
			return
		}
		delete(w.rejected, promise)
		w.then(promise, func(v goja.Value) { show(v.ToObject(w.rt).Get("0")) }, func(reason goja.Value) {
			fail(w.explainValue(reason))
		})
	}
	if !w.post(job{budget: b, run: run}) {
		return Result{}, ErrClosed
	}
	select {
	case <-done:
	case <-w.ctx.Done():
		return Result{}, ErrClosed
	case <-ctx.Done():
		w.watch.cancel(b, fmt.Errorf("was interrupted"))
		return Result{}, ctx.Err()
	}
	return res, failed
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
		return Result{}, w.explain(err)
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
	b := &budget{e.opt.CPULimit, "completion"}
	if !w.post(job{budget: b, run: func() {
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
