package script

import (
	"net/http"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"

	"github.com/nvsess/nvsess/internal/session"
)

// Verify asks the verify hook about a handshake: true lets it pass, a status
// refuses with that, {status, detail} says why, too, and anything else that is
// not true of itself refuses with 403. A hook that fails refuses with 500.
func (e *Engine) Verify(h *session.Handshake) {
	w := e.current()
	if w == nil || !w.post(job{budget: e.budgets[verifyHook], run: func() { w.verify(h) }}) {
		h.Refuse(http.StatusServiceUnavailable, "")
	}
}

func (w *world) verify(h *session.Handshake) {
	hook := w.handlers[verifyHook]
	if hook.fn == nil {
		h.Accept()
		return
	}
	fail := func(p problem) {
		w.failed(verifyHook, p)
		h.Refuse(http.StatusInternalServerError, "it could not be decided whether to accept")
	}
	// An interrupt ends this function as well: the answer is then up to the
	// deferred one, and only the first counts.
	decided := false
	defer func() {
		if !decided {
			fail(problem{text: "the call was ended: it took too much", timeout: true})
		}
	}()
	w.owner = hook.owner
	req, err := w.requestValue(h.Request())
	var v goja.Value
	if err == nil {
		v, err = hook.fn(goja.Undefined(), req)
	}
	decided = true
	if err != nil {
		fail(w.problem(err, uncaught(err)))
		return
	}
	promise, ok := exported[*goja.Promise](v)
	if !ok {
		w.decide(h, v)
		return
	}
	delete(w.rejected, promise)
	w.then(promise, func(v goja.Value) { w.decide(h, v) }, func(reason goja.Value) { fail(w.problemOf(reason)) })
}

// decide makes a decision of what a hook has returned.
func (w *world) decide(h *session.Handshake, v goja.Value) {
	if o, ok := v.(*goja.Object); ok && o.Get("status") != nil {
		detail := ""
		if d := o.Get("detail"); d != nil && !goja.IsUndefined(d) {
			detail = oneLine(d.String())
		}
		if status := int(o.Get("status").ToInteger()); status >= 400 {
			h.Refuse(status, detail)
			return
		}
	}
	if n, ok := exported[int64](v); ok && n >= 400 && n <= 599 {
		h.Refuse(int(n), "")
		return
	}
	if v == nil || !v.ToBoolean() {
		h.Refuse(http.StatusForbidden, "")
		return
	}
	h.Accept()
}

// requestValue is a request record in nv-session-simple's shape.
func (w *world) requestValue(r *session.RequestRecord) (goja.Value, error) {
	text, err := encode(r)
	if err != nil {
		return nil, err
	}
	v, err := w.parse(goja.Undefined(), w.rt.ToValue(text))
	if err != nil {
		return nil, err
	}
	if o, ok := v.(*goja.Object).Get("httpRequest").(*goja.Object); ok {
		err = o.Set("body", buffer.WrapBytes(w.rt, nil)) // a handshake has none
	}
	return v, err
}

// oneLine is text made fit for a line of plain text.
func oneLine(s string) string {
	const most = 200
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		if out = append(out, r); len(out) == most {
			break
		}
	}
	return string(out)
}
