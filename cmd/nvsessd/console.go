package main

import (
	"context"
	"errors"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
)

// newConsole makes the engine what operators' commands use.
func newConsole(e *script.Engine) admin.Script { return console{e} }

type console struct{ engine *script.Engine }

func (c console) Eval(ctx context.Context, code string, o admin.EvalOptions) (admin.EvalResult, error) {
	r, err := c.engine.Eval(ctx, code, script.EvalOptions{Colors: o.Colors, Width: o.Width})
	return admin.EvalResult{Text: r.Text, JSON: r.JSON}, scriptError(err)
}

func (c console) Complete(ctx context.Context, expr, prefix string) []string {
	return c.engine.Complete(ctx, expr, prefix)
}

func (c console) Reload(ctx context.Context) error { return scriptError(c.engine.Load(ctx, "")) }

func (c console) File() string                     { return c.engine.File() }
func (c console) Hooks() map[string]session.Report { return c.engine.Hooks() }

func (c console) Output(buffer int) admin.Output { return output{c.engine.Output(buffer)} }

// scriptError puts the engine's errors in the operators' terms.
func scriptError(err error) error {
	var e *script.Error
	switch {
	case errors.As(err, &e):
		return &admin.ScriptError{Text: e.Text, File: e.File, Line: e.Line, Column: e.Column}
	case errors.Is(err, script.ErrNoFile):
		return admin.ErrNoHandlersFile
	case errors.Is(err, script.ErrClosed):
		return &admin.Error{Code: admin.CodeShuttingDown, Message: "the JavaScript engine was stopped"}
	}
	return err
}

type output struct{ *script.Output }

func (o output) Next(ctx context.Context) (admin.OutputLine, error) {
	select {
	case l := <-o.Lines():
		return admin.OutputLine{Seq: l.Seq, Level: l.Level, Text: l.Text}, nil
	case <-ctx.Done():
		return admin.OutputLine{}, ctx.Err()
	}
}

func (o output) Waiting() int { return len(o.Lines()) }
