package script

import (
	"bytes"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"

	"github.com/nvsess/nvsess/internal/session"
)

// pendingCall is an event that is being handled: its handler runs, or its
// promise has not settled.
type pendingCall struct {
	origin origin
	w      *world
	event  *session.Call
	id     handlerID
	again  bool        // it was under way in the process before
	timer  *time.Timer // guarded by the world's lock
}

func newPendingCall(w *world, c *session.Call) *pendingCall {
	p := &pendingCall{w: w, event: c, id: handlerFor[c.Kind]}
	p.origin.waiter = p
	return p
}

// handlerFor is the handler of each kind of event.
var handlerFor = [...]handlerID{
	session.KindString: strHandle, session.KindJSON: jsonHandle, session.KindBinary: binHandle, session.KindCreq: creqHandle,
	session.KindCfg: cfgHandle, session.KindOpen: onOpen, session.KindClose: onClose,
}

// handle runs the handler of an event; at a session's end, on_error's before
// that, if it was an error.
func (w *world) handle(p *pendingCall) {
	p.again = p.event.Attempt() > 1
	if p.id == onClose && p.event.Close.Err != nil {
		w.guard(w.e.now().budgets[onError], nil, func() {
			if _, err := w.invoke(onError, p.event); err != nil {
				w.failed(onError, w.problem(err))
			}
		})
	}
	if w.handlers[p.id].fn == nil || w.isStopped() {
		w.finish(p)
		return
	}
	p.origin.owner = w.handlers[p.id].owner
	w.guard(w.e.now().budgets[p.id], &p.origin, func() {
		result, err := w.invoke(p.id, p.event)
		if err == nil {
			w.settle(p, result)
			return
		}
		if culprit := w.origin.waiter; culprit != nil && culprit != waiter(p) && uncatchable(err) && culprit.waiting() {
			culprit.fail(err) // it resumed what somebody else began, which then was interrupted
			w.settle(p, nil)
			return
		}
		p.fail(err)
	})
}

// repeated reports whether what runs handles an event again that the process
// before had begun to handle.
func (w *world) repeated() bool {
	p, ok := w.origin.waiter.(*pendingCall)
	return ok && p.again
}

func (p *pendingCall) waiting() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	_, ok := p.w.calls[p]
	return ok
}

func (p *pendingCall) fail(err error) {
	p.w.failed(p.id, p.w.problem(err))
	p.w.finish(p)
}

// invoke calls a handler, if there is one, with nv-session-simple's arguments.
func (w *world) invoke(id handlerID, c *session.Call) (goja.Value, error) {
	h := w.handlers[id]
	if h.fn == nil {
		return nil, nil
	}
	args, err := w.arguments(id, c)
	if err != nil {
		return nil, err
	}
	a, err := w.attach(c.Session)
	if err != nil {
		return nil, err
	}
	return h.fn(goja.Undefined(), append(args, a.conn, a.sess, w.srv)...)
}

// arguments are what a handler is called with before conn, sess and self.
func (w *world) arguments(id handlerID, c *session.Call) ([]goja.Value, error) {
	switch id {
	case strHandle:
		return []goja.Value{w.rt.ToValue(string(c.Payload))}, nil
	case binHandle:
		// The handler may write into it, and the event may come again.
		return []goja.Value{w.rt.ToValue(len(c.Payload)), buffer.WrapBytes(w.rt, bytes.Clone(c.Payload))}, nil
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
	err := w.then(promise, func(goja.Value) { w.finish(p) }, func(reason goja.Value) {
		w.failed(p.id, w.problemOf(reason))
		w.finish(p)
	})
	if err != nil {
		p.fail(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waiting := w.calls[p]; waiting {
		p.timer = time.AfterFunc(w.e.now().Timeout, func() { w.late(p) })
	}
}

// late ends the wait for a handler's promise.
func (w *world) late(p *pendingCall) {
	w.mu.Lock()
	_, waiting := w.calls[p]
	w.mu.Unlock()
	if waiting {
		w.failed(p.id, problem{text: "its promise took more than " + w.e.now().Timeout.String(), timeout: true})
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
	p.event.Done()
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

// then calls one of two functions when a promise has settled. It fails if the
// script has made of the promise what it likes.
func (w *world) then(p *goja.Promise, fulfilled, rejected func(goja.Value)) error {
	native := func(f func(goja.Value)) goja.Value {
		return w.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			f(c.Argument(0))
			return goja.Undefined()
		})
	}
	_, err := w.chain(goja.Undefined(), w.rt.ToValue(p), native(fulfilled), native(rejected))
	return err
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
