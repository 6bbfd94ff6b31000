package script

import (
	"net/http"

	"github.com/dop251/goja"

	"github.com/nvsess/nvsess/internal/session"
)

// plain gives a request that asks for no upgrade to hsrv_handle.
func (e *Engine) plain(p *session.PlainRequest) {
	j := job{budget: e.now().budgets[hsrvHandle], event: true, run: func(w *world) { w.plain(p) }}
	if w := e.current(); w == nil || !w.post(j) {
		_ = p.Respond(http.StatusServiceUnavailable, nil, nil)
	}
}

// answering is a request that hsrv_handle answers.
type answering struct {
	*session.PlainRequest
	w        *world
	answered bool
}

func (a *answering) waiting() bool { return !a.answered }

func (a *answering) fail(err error) { a.failed(a.w.problem(err)) }

func (a *answering) failed(p problem) {
	a.w.failed(hsrvHandle, p)
	_ = a.answer(http.StatusInternalServerError, nil, []byte("the handler failed\n"))
}

// answer answers once; what comes later is not sent.
func (a *answering) answer(status int, fields []session.HeaderField, body []byte) error {
	if a.answered {
		return nil
	}
	err := a.Respond(status, fields, body)
	a.answered = err == nil
	return err
}

func (w *world) plain(p *session.PlainRequest) {
	hook := w.handlers[hsrvHandle]
	a := &answering{PlainRequest: p, w: w}
	if hook.fn == nil {
		_ = a.answer(http.StatusNotFound, nil, nil)
		return
	}
	w.origin = &origin{owner: hook.owner, waiter: a}
	v, err := w.respond(hook.fn, a)
	if err != nil {
		a.fail(err)
		return
	}
	if promise, ok := exported[*goja.Promise](v); ok {
		delete(w.rejected, promise)
		if err := w.then(promise, func(goja.Value) {}, func(reason goja.Value) { a.failed(w.problemOf(reason)) }); err != nil {
			a.fail(err)
		}
	}
}

// respond calls the handler with Node.js's request and response.
func (w *world) respond(handler goja.Callable, a *answering) (goja.Value, error) {
	req, err := w.requestValue(a.Request())
	if err != nil {
		return nil, err
	}
	end := func(c goja.FunctionCall) goja.Value { // status, pairs of a name and a value, body
		var fields [][]string
		if err := w.rt.ExportTo(c.Argument(1), &fields); err != nil {
			panic(w.errorValue(err))
		}
		list := make([]session.HeaderField, len(fields))
		for i, f := range fields {
			list[i] = session.HeaderField{Name: f[0], Value: f[1]}
		}
		if err := a.answer(int(c.Argument(0).ToInteger()), list, append([]byte(nil), w.bytes(c.Argument(2))...)); err != nil {
			panic(w.errorValue(err))
		}
		return goja.Undefined()
	}
	res, err := w.newResponse(goja.Undefined(), w.rt.ToValue(end))
	if err != nil {
		return nil, err
	}
	return handler(goja.Undefined(), req.(*goja.Object).Get("httpRequest"), res)
}
