package script

import (
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"

	"github.com/nvsess/nvsess/internal/session"
)

// pendingCall is an event that is being handled: its handler runs, or its
// promise has not settled.
type pendingCall struct {
	call  *session.Call
	id    handlerID
	timer *time.Timer // guarded by the world's lock
}

// handle runs the handler of an event.
func (w *world) handle(c *session.Call) {
	id := handlerOf(c.Kind)
	p := &pendingCall{call: c, id: id}
	w.mu.Lock()
	w.calls[p] = struct{}{}
	w.mu.Unlock()
	if id == onClose && c.Close.Err != nil {
		if _, hit, err := w.invoke(onError, c); err != nil || hit != nil {
			w.failed(onError, w.problem(err, hit))
		}
	}
	result, hit, err := w.invoke(id, c)
	if err != nil || hit != nil {
		w.failed(id, w.problem(err, hit))
		w.finish(p)
		return
	}
	w.settle(p, result)
}

func handlerOf(k session.Kind) handlerID {
	for id := range numHandlers {
		if kind, ok := id.kindOf(); ok && kind == k {
			return id
		}
	}
	return onClose
}

// invoke calls a handler, if there is one, with nv-session-simple's arguments.
func (w *world) invoke(id handlerID, c *session.Call) (result goja.Value, hit *limitError, err error) {
	h := w.handlers[id]
	if h.fn == nil {
		return nil, nil, nil
	}
	w.owner = h.owner
	hit = w.guard(w.e.budgets[id], func() {
		var args []goja.Value
		if args, err = w.arguments(id, c); err != nil {
			return
		}
		sess := w.sess(c.Session)
		result, err = h.fn(goja.Undefined(), append(args, sess.Get("conn_"), sess, w.srv)...)
	})
	return result, hit, err
}

// arguments are what a handler is called with before conn, sess and self.
func (w *world) arguments(id handlerID, c *session.Call) ([]goja.Value, error) {
	switch id {
	case strHandle:
		return []goja.Value{w.rt.ToValue(string(c.Payload))}, nil
	case binHandle:
		return []goja.Value{w.rt.ToValue(len(c.Payload)), buffer.WrapBytes(w.rt, c.Payload)}, nil
	case onClose, onError:
		return []goja.Value{w.rt.ToValue(c.Close.Code), w.rt.ToValue(c.Close.Reason)}, nil
	case onOpen:
		return nil, nil
	}
	j, err := w.parse(goja.Undefined(), w.rt.ToValue(string(c.Payload)))
	return []goja.Value{j}, err
}

// settle waits for what a handler returned: the session's next event comes
// after it.
func (w *world) settle(p *pendingCall, result goja.Value) {
	promise, ok := exported[*goja.Promise](result)
	if !ok {
		w.finish(p)
		return
	}
	switch promise.State() {
	case goja.PromiseStateFulfilled:
		w.finish(p)
		return
	case goja.PromiseStateRejected:
		delete(w.rejected, promise)
		w.failed(p.id, w.problemOf(promise.Result()))
		w.finish(p)
		return
	}
	w.then(promise, func(goja.Value) { w.finish(p) }, func(reason goja.Value) {
		w.failed(p.id, w.problemOf(reason))
		w.finish(p)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waiting := w.calls[p]; waiting {
		p.timer = time.AfterFunc(w.e.opt.Timeout, func() { w.late(p) })
	}
}

// late ends the wait for a handler's promise.
func (w *world) late(p *pendingCall) {
	w.mu.Lock()
	_, waiting := w.calls[p]
	w.mu.Unlock()
	if waiting {
		w.failed(p.id, problem{text: "its promise took more than " + w.e.opt.Timeout.String(), timeout: true})
		w.finish(p)
	}
}

// finish says that an event has been handled, unless that has been said.
func (w *world) finish(p *pendingCall) {
	w.mu.Lock()
	_, waiting := w.calls[p]
	delete(w.calls, p)
	timer := p.timer
	w.mu.Unlock()
	if !waiting {
		return
	}
	if timer != nil {
		timer.Stop()
	}
	p.call.Done()
}

// finishAll is finish for all.
func (w *world) finishAll() {
	w.mu.Lock()
	all := make([]*pendingCall, 0, len(w.calls))
	for p := range w.calls {
		all = append(all, p)
	}
	w.mu.Unlock()
	for _, p := range all {
		w.finish(p)
	}
}

// then calls one of two functions when a promise has settled.
func (w *world) then(p *goja.Promise, fulfilled, rejected func(goja.Value)) {
	native := func(f func(goja.Value)) goja.Value {
		return w.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			f(c.Argument(0))
			return goja.Undefined()
		})
	}
	obj := w.rt.ToValue(p).(*goja.Object)
	if _, err := w.chain(goja.Undefined(), obj, native(fulfilled), native(rejected)); err != nil {
		rejected(w.rt.NewGoError(err))
	}
}

// exported is the Go value behind a JavaScript one, if it is a T.
func exported[T any](v goja.Value) (t T, ok bool) {
	if v == nil {
		return t, false
	}
	t, ok = v.Export().(T)
	return t, ok
}

// failed counts and logs what went wrong in a handler.
func (w *world) failed(id handlerID, p problem) {
	if w.isStopped() {
		return // it was us
	}
	w.e.reports[id].failed(p)
	w.e.logProblem(handlerNames[id], p)
}
