package script

import (
	"net/http"

	"github.com/dop251/goja"

	"github.com/nvsess/nvsess/internal/session"
)

// plain gives a request that asks for no upgrade to hsrv_handle.
func (e *Engine) plain(p *session.PlainRequest) {
	w := e.current()
	if w == nil || !w.post(job{budget: e.budgets[hsrvHandle], run: func() { w.plain(p) }}) {
		_ = p.Respond(http.StatusServiceUnavailable, nil, nil)
	}
}

func (w *world) plain(p *session.PlainRequest) {
	hook := w.handlers[hsrvHandle]
	answered := false
	answer := func(status int, fields []session.HeaderField, body []byte) error {
		if answered {
			return nil
		}
		err := p.Respond(status, fields, body)
		answered = err == nil
		return err
	}
	if hook.fn == nil {
		_ = answer(http.StatusNotFound, nil, nil)
		return
	}
	fail := func(pr problem) {
		w.failed(hsrvHandle, pr)
		_ = answer(http.StatusInternalServerError, nil, []byte("the handler failed\n"))
	}
	ended := true
	defer func() {
		if ended {
			fail(problem{text: "the call was ended: it took too much", timeout: true})
		}
	}()
	w.owner = hook.owner
	record := p.Request()
	req, err := w.requestValue(record)
	var v goja.Value
	if err == nil {
		respond := w.rt.ToValue(func(status int, fields [][]string, body goja.Value) error {
			list := make([]session.HeaderField, len(fields))
			for i, f := range fields {
				list[i] = session.HeaderField{Name: f[0], Value: f[1]}
			}
			return answer(status, list, append([]byte(nil), w.bytes(body)...))
		})
		var res goja.Value
		if res, err = w.newResponse(goja.Undefined(), respond); err == nil {
			v, err = hook.fn(goja.Undefined(), req.(*goja.Object).Get("httpRequest"), res)
		}
	}
	ended = false
	if err != nil {
		fail(w.problem(err, uncaught(err)))
		return
	}
	if promise, ok := exported[*goja.Promise](v); ok {
		delete(w.rejected, promise)
		w.then(promise, func(goja.Value) {}, func(reason goja.Value) { fail(w.problemOf(reason)) })
	}
}
