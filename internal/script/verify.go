package script

import (
	"net/http"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"

	"github.com/nvsess/nvsess/internal/session"
)

// Verify asks the verify hook about a handshake: true lets it pass, a status
// from 400 to 599 refuses with that, and {accept, status, detail} says all of it,
// as a webhook does. False, null and undefined refuse with 403, and so does
// anything else, which is logged: nv-session-simple takes whatever is not false
// of itself for a yes, {accept: false} among it. A hook that fails refuses with
// 500.
func (e *Engine) Verify(h *session.Handshake) {
	j := job{budget: e.now().budgets[verifyHook], event: true, run: func(w *world) { w.verify(h) }}
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
	accept, status, detail := false, 0, ""
	odd := false // it is no answer
	err := v.w.try(func() {
		get := func(o *goja.Object, name string) goja.Value {
			if x := o.Get(name); x != nil && !goja.IsUndefined(x) {
				return x
			}
			return nil
		}
		switch x := d.(type) {
		case nil:
		case *goja.Object:
			says, code := get(x, "accept"), get(x, "status")
			if yes, ok := exported[bool](says); ok {
				accept = yes
			} else {
				odd = says != nil || code == nil
			}
			if code != nil {
				status = int(code.ToInteger())
				odd = odd || !accept && !refusal(status)
			}
			if text := get(x, "detail"); text != nil {
				detail = oneLine(text.String())
			}
		default:
			switch y := d.Export().(type) {
			case bool:
				accept = y
			case int64:
				status = int(y)
				odd = !refusal(status)
			default:
				odd = !goja.IsUndefined(d) && !goja.IsNull(d)
			}
		}
		if odd {
			v.w.e.logProblem(handlerNames[verifyHook], problem{text: "refused, for this is neither true nor false nor a status from 400 to 599: " + v.w.show(d)})
		}
	})
	v.over = true
	switch {
	case err != nil:
		v.fail(err)
	case accept && !odd:
		v.Accept()
	case refusal(status):
		v.Refuse(status, detail)
	default:
		v.Refuse(http.StatusForbidden, detail)
	}
}

func refusal(status int) bool { return status >= 400 && status <= 599 }

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
