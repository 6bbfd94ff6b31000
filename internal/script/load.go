package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"go.uber.org/zap"
)

// A file of handlers runs as the body of an async function, as Node.js runs a
// module: its variables are its own, and await may stand at its top.
const (
	fileHead = "(async function (exports, require, module, __filename, __dirname) {"
	fileTail = "\n})"
)

// maxFile is far above any file of handlers; more is a mistake.
const maxFile = 8 << 20

// Load runs a file of handlers, or with an empty path the one that was loaded
// last. What the file registers takes the place of what it registered before,
// all at once when it has run to its end; its timers go. A file that cannot be
// read, does not compile, throws, or does not end in time leaves everything as
// it was, and its first error is returned, an *Error if it is of the script.
// Without a file there is nothing to do, and ErrNoFile is returned.
func (e *Engine) Load(ctx context.Context, path string) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	e.mu.Lock()
	if path == "" {
		path = e.file
	}
	e.mu.Unlock()
	if path == "" {
		return ErrNoFile
	}
	w := e.current()
	if w == nil {
		return ErrClosed
	}
	if err := e.load(ctx, w, path); err != nil {
		return err
	}
	e.mu.Lock()
	e.file = path
	e.mu.Unlock()
	e.log.Info("handlers loaded", zap.String("file", path))
	return nil
}

// ErrNoFile is returned when there is no file of handlers.
var ErrNoFile = errors.New("script: no file of handlers")

// File is the file that was loaded last; "" if there is none.
func (e *Engine) File() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.file
}

// CheckFile reports what is wrong with a file of handlers, as far as can be told
// without running it.
func CheckFile(path string) error {
	_, err := (&Engine{}).compileFile(path)
	return err
}

func (e *Engine) compileFile(path string) (*goja.Program, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	name := filepath.Base(path)
	if depth(string(text)) > maxNesting {
		return nil, &Error{Text: "SyntaxError: too many brackets inside each other", File: name, Line: 1, Column: 1}
	}
	tree, err := parser.ParseFile(nil, name, fileHead+string(text)+fileTail, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, atEnd(e.compileError(err), string(text))
	}
	if len(tree.Body) != 1 || !isFunction(tree.Body[0]) {
		return nil, &Error{Text: "SyntaxError: a } too many", File: name, Line: 1, Column: 1}
	}
	p, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, e.compileError(err)
	}
	return p, nil
}

// atEnd puts right an error that is behind the end of a text, in what was put
// there.
func atEnd(e *Error, text string) *Error {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	if e.Line > len(lines) || e.Line == len(lines) && e.Column > len(lines[len(lines)-1])+1 {
		e.Text = "SyntaxError: the file ends too early"
		e.Line, e.Column = len(lines), len(lines[len(lines)-1])+1
	}
	return e
}

func isFunction(s ast.Statement) bool {
	x, ok := s.(*ast.ExpressionStatement)
	if !ok {
		return false
	}
	_, ok = x.Expression.(*ast.FunctionLiteral)
	return ok
}

// load runs a file in a world.
func (e *Engine) load(ctx context.Context, w *world, path string) error {
	program, err := e.compileFile(path)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.loads++
	me := owner(e.loads)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, e.opt.Timeout)
	defer cancel()

	var failed error
	done := make(chan struct{})
	over := false // set by the world's goroutine, as everything in it
	end := func(err error) {
		if over {
			return
		}
		over = true
		if err != nil {
			w.staged = nil
			w.clearTimersOf(me)
		} else {
			w.commit()
		}
		failed = err
		close(done)
	}
	b := &budget{loadCPU, path}
	run := func() {
		w.staged = &staging{owner: me}
		v, err := w.rt.RunProgram(program)
		if err != nil {
			end(w.explain(err))
			return
		}
		f, _ := goja.AssertFunction(v)
		module := w.rt.NewObject()
		exports := w.rt.NewObject()
		_ = module.Set("exports", exports)
		v, err = f(goja.Undefined(), exports, w.rt.Get("require"), module, w.rt.ToValue(path), w.rt.ToValue(filepath.Dir(path)))
		if err != nil {
			end(w.explain(err))
			return
		}
		promise, _ := exported[*goja.Promise](v)
		delete(w.rejected, promise)
		w.then(promise, func(goja.Value) { end(nil) }, func(reason goja.Value) { end(w.explainValue(reason)) })
	}
	if !w.post(job{budget: b, owner: me, run: run}) {
		return ErrClosed
	}
	select {
	case <-done:
		return failed
	case <-w.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
	}
	w.watch.cancel(b, errors.New("took too long"))
	late := &Error{Text: "the file did not end within " + e.opt.Timeout.String()}
	if !w.post(job{budget: b, run: func() { end(late) }}) {
		return ErrClosed
	}
	select {
	case <-done: // or it has ended after all
		return failed
	case <-w.ctx.Done():
		return ErrClosed
	}
}

// commit puts what a file has registered in force, in place of what files before
// it registered.
func (w *world) commit() {
	s := w.staged
	w.staged = nil
	for id := range numHandlers {
		switch {
		case s.handlers[id] != nil:
			w.install(id, s.handlers[id])
		case w.handlers[id].fn != nil && w.handlers[id].owner != 0:
			w.install(id, &registered{})
		}
	}
	for _, t := range w.timers {
		if t.owner != 0 && t.owner != s.owner {
			w.clearTimersOf(t.owner)
		}
	}
}

// restore registers functions from their source: what the console registered in
// a world that was given up.
func (w *world) restore(sources map[handlerID]string) {
	done := make(chan struct{})
	if !w.post(job{budget: &budget{loadCPU, "the console's handlers"}, run: func() {
		defer close(done)
		for id, text := range sources {
			p, err := compile(inputName+"0", "("+text+"\n)")
			if err != nil {
				w.e.logError(handlerNames[id], w.e.compileError(err))
				continue
			}
			v, err := w.rt.RunProgram(p)
			if err != nil {
				w.e.logError(handlerNames[id], w.explain(err))
				continue
			}
			w.register(id, v)
		}
	}}) {
		return
	}
	select {
	case <-done:
	case <-w.ctx.Done():
	}
}

// sources is what the console has registered.
func (w *world) sources() map[handlerID]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := make(map[handlerID]string)
	for id := range numHandlers {
		if w.text[id] != "" {
			m[id] = w.text[id]
		}
	}
	return m
}
