package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/session"
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
		path = e.pathLocked()
	}
	e.mu.Unlock()
	if path == "" {
		return ErrNoFile
	}
	f, err := e.read(path)
	if err != nil {
		return err
	}
	w := e.current()
	if w == nil {
		return ErrClosed
	}
	if err := e.load(ctx, w, f); err != nil {
		return err
	}
	e.mu.Lock()
	e.file = f
	e.mu.Unlock()
	e.log.Info("handlers loaded", zap.String("file", path))
	return nil
}

// Unload takes back what the file has registered. Without one there is nothing to
// do.
func (e *Engine) Unload(ctx context.Context) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	if e.File() == "" {
		return nil
	}
	w := e.current()
	if w == nil {
		return ErrClosed
	}
	var mine []session.Kind
	for _, h := range e.now().Sessions.Handlers() {
		if h.Name == name {
			mine = append(mine, h.Kind)
		}
	}
	if err := e.load(ctx, w, &file{program: nothing()}); err != nil {
		return err
	}
	for _, h := range e.now().Sessions.Handlers() {
		if h.Name == session.HandlerNone && slices.Contains(mine, h.Kind) {
			e.now().Sessions.ResetHandler(h.Kind, session.HandlerNone)
		}
	}
	e.mu.Lock()
	e.file = nil
	e.mu.Unlock()
	e.log.Info("handlers taken back: there is no file of them any more")
	return nil
}

// nothing is a file that registers nothing.
var nothing = sync.OnceValue(func() *goja.Program { return goja.MustCompile("", fileHead+fileTail, false) })

// A file is one of handlers, as it was when it was read.
type file struct {
	path    string
	program *goja.Program
}

// ErrNoFile is returned when there is no file of handlers.
var ErrNoFile = errors.New("script: no file of handlers")

// File is the file that was loaded last; "" if there is none.
func (e *Engine) File() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pathLocked()
}

func (e *Engine) pathLocked() string {
	if e.file == nil {
		return ""
	}
	return e.file.path
}

// CheckFile reports what is wrong with a file of handlers, as far as can be told
// without running it.
func CheckFile(path string) error {
	_, err := (&Engine{}).read(path)
	return err
}

// read reads and compiles a file of handlers.
func (e *Engine) read(path string) (*file, error) {
	// A FIFO is refused, and not waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is no file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	name := filepath.Base(path)
	if nesting(string(text)) > maxNesting {
		return nil, &Error{Text: "SyntaxError: this is nested too deeply", File: name, Line: 1, Column: 1}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if bytes.HasPrefix(text, []byte("#!")) {
		copy(text, "//")
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
	return &file{path, p}, nil
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

// loading is a file that is being loaded. It belongs to the world's goroutine
// until done is closed.
type loading struct {
	w     *world
	owner owner
	over  bool
	err   error
	done  chan struct{}
}

func (l *loading) waiting() bool { return !l.over }

func (l *loading) fail(err error) { l.end(l.w.explain(err)) }

// end ends it once: what was registered is put in force, or nothing is.
func (l *loading) end(err error) {
	if l.over {
		return
	}
	l.over = true
	s := l.w.staged
	l.w.staged = nil
	if err == nil {
		err = l.w.try(func() { l.w.commit(s) })
	}
	l.w.endTimers(l.w.loaded)
	l.err = err
	close(l.done)
}

// load runs a file in a world.
func (e *Engine) load(ctx context.Context, w *world, f *file) error {
	e.mu.Lock()
	e.loads++
	me := owner(e.loads)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, e.now().Timeout)
	defer cancel()
	l := &loading{w: w, owner: me, done: make(chan struct{})}
	b := &budget{loadCPU, f.path}
	if !w.post(job{budget: b, origin: &origin{owner: me, waiter: l}, run: func(w *world) { l.run(f) }}) {
		return ErrClosed
	}
	select {
	case <-l.done:
		return l.err
	case <-w.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
	}
	w.watch.cancel(b, errors.New("took too long"))
	late := &Error{Text: "the file did not end within " + e.now().Timeout.String()}
	if !w.post(job{budget: b, run: func(*world) { l.end(late) }}) {
		return ErrClosed
	}
	select {
	case <-l.done: // or it has ended after all
		return l.err
	case <-w.ctx.Done():
		return ErrClosed
	}
}

func (l *loading) run(f *file) {
	w := l.w
	w.staged = &staging{owner: l.owner}
	v, err := w.rt.RunProgram(f.program)
	if err != nil {
		l.fail(err)
		return
	}
	main, _ := goja.AssertFunction(v)
	module, exports := w.rt.NewObject(), w.rt.NewObject()
	_ = module.Set("exports", exports)
	v, err = main(goja.Undefined(), exports, w.require, module, w.rt.ToValue(f.path), w.rt.ToValue(filepath.Dir(f.path)))
	if err != nil {
		l.fail(err)
		return
	}
	promise, _ := exported[*goja.Promise](v)
	delete(w.rejected, promise)
	if err := w.then(promise, func(goja.Value) { l.end(nil) }, func(reason goja.Value) { l.end(w.explainValue(reason)) }); err != nil {
		l.fail(err)
	}
}

// commit puts what a file has registered in force, in place of what files before
// it registered.
func (w *world) commit(s *staging) {
	w.loaded = s.owner
	for id := range numHandlers {
		switch {
		case s.handlers[id] != nil:
			w.install(id, s.handlers[id])
		case w.handlers[id].fn != nil && w.handlers[id].owner != 0:
			w.install(id, &registered{})
		}
	}
}
