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
	j := job{budget: e.budgets[verifyHook], event: true, run: func(w *world) { w.verify(h) }}
	if w := e.current(); w == nil || !w.post(j) {
		h.Refuse(http.StatusServiceUnavailable, "")
	}
}

// verifying is a handshake that the hook decides about.
type verifying struct {
	*session.Handshake
	w    *world
	over bool
}

func (v *verifying) waiting() bool { return !v.over }

func (v *verifying) fail(err error) { v.failed(v.w.problem(err)) }

func (v *verifying) failed(p problem) {
	v.over = true
	v.w.failed(verifyHook, p)
	v.Refuse(http.StatusInternalServerError, "it could not be decided whether to accept")
}

func (w *world) verify(h *session.Handshake) {
	hook := w.handlers[verifyHook]
	switch {
	case hook.fn != nil:
	case w.bereft.Load(): // there was one, which may have said no
		h.Refuse(http.StatusServiceUnavailable, "")
		return
	default: // it was taken away
		h.Accept()
		return
	}
	v := &verifying{Handshake: h, w: w}
	w.origin = &origin{owner: hook.owner, waiter: v}
	req, err := w.requestValue(h.Request())
	var decision goja.Value
	if err == nil {
		decision, err = hook.fn(goja.Undefined(), req)
	}
	if err != nil {
		v.fail(err)
		return
	}
	promise, ok := exported[*goja.Promise](decision)
	if !ok {
		v.decide(decision)
		return
	}
	delete(w.rejected, promise)
	if err := w.then(promise, v.decide, func(reason goja.Value) { v.failed(w.problemOf(reason)) }); err != nil {
		v.fail(err)
	}
}

// decide makes a decision of what a hook has returned.
func (v *verifying) decide(d goja.Value) {
	status, detail := 0, ""
	err := v.w.try(func() {
		switch x := d.(type) {
		case *goja.Object:
			if s := x.Get("status"); s != nil && !goja.IsUndefined(s) {
				status = int(s.ToInteger())
			}
			if s := x.Get("detail"); s != nil && !goja.IsUndefined(s) {
				detail = oneLine(s.String())
			}
		default:
			if n, ok := exported[int64](d); ok {
				status = int(n)
			}
		}
	})
	v.over = true
	switch {
	case err != nil:
		v.fail(err)
	case status >= 400 && status <= 599:
		v.Refuse(status, detail)
	case d == nil || !d.ToBoolean():
		v.Refuse(http.StatusForbidden, "")
	default:
		v.Accept()
	}
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
