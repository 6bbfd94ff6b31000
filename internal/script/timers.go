package script

import (
	"fmt"
	"slices"
	"time"

	"github.com/dop251/goja"
)

// A timer is one of setTimeout, setInterval or setImmediate.
type timer struct {
	id     int
	fn     goja.Callable
	args   []goja.Value
	every  time.Duration // 0: once
	origin *origin
	timer  *time.Timer
}

// maxDelay is the longest that Node.js waits, 2^31-1 ms; more is 1 ms, there as
// here.
const maxDelay = 1<<31 - 1

// setTimer implements the functions that set timers: what to call, whether
// again and again, the delay in milliseconds, and the call's arguments.
func (w *world) setTimer(c goja.FunctionCall) goja.Value {
	fn, ok := goja.AssertFunction(c.Argument(0))
	if !ok {
		panic(w.rt.NewTypeError("a timer calls a function, not " + w.show(c.Argument(0))))
	}
	if len(w.timers) >= maxTimers {
		panic(w.errorValue(fmt.Errorf("more than %d timers", maxTimers)))
	}
	ms := c.Argument(2).ToFloat()
	if !(ms >= 1 && ms <= maxDelay) {
		ms = 1
	}
	d := time.Duration(ms * float64(time.Millisecond))
	w.lastTimer++
	t := &timer{id: w.lastTimer, fn: fn, origin: w.origin}
	if len(c.Arguments) > 3 {
		t.args = slices.Clone(c.Arguments[3:]) // goja uses them again
	}
	if c.Argument(1).ToBoolean() {
		t.every = d
	}
	if w.superseded() && !t.awaited() {
		return w.rt.ToValue(t.id) // its file has ended: it never fires
	}
	w.timers[t.id] = t
	t.timer = time.AfterFunc(d, func() { w.post(w.timerJob(t)) })
	return w.rt.ToValue(t.id)
}

func (w *world) timerJob(t *timer) job {
	return job{origin: t.origin, budget: w.e.now().timerBudget, run: func(*world) {
		if w.timers[t.id] != t {
			return // cleared
		}
		if t.every == 0 {
			delete(w.timers, t.id)
		}
		_, err := t.fn(goja.Undefined(), t.args...)
		if err != nil {
			w.blame("a timer", err)
		}
		// Set only now: an interval that takes longer than it waits must not
		// fill the queue.
		if t.every > 0 && w.timers[t.id] == t {
			t.timer.Reset(t.every)
		}
	}}
}

// clearTimer forgets a timer, by its number or the object that the prelude
// makes of it.
func (w *world) clearTimer(c goja.FunctionCall) goja.Value {
	if id := int(c.Argument(0).ToInteger()); w.timers[id] != nil {
		w.timers[id].timer.Stop()
		delete(w.timers, id)
	}
	return goja.Undefined()
}

// awaited reports whether somebody may wait for a timer: a handler that sleeps.
func (t *timer) awaited() bool {
	return t.every == 0 && t.origin.waiter != nil && t.origin.waiter.waiting()
}

// endTimers ends those that files have set, but for what handlers that are under
// way wait for, and those of one file.
func (w *world) endTimers(but owner) {
	for id, t := range w.timers {
		if o := t.origin.owner; o != 0 && o != but && !t.awaited() {
			t.timer.Stop()
			delete(w.timers, id)
		}
	}
}
