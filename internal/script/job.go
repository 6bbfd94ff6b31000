package script

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dop251/goja"
	"go.uber.org/zap"
)

// owner is who began something: the load of the file, by its number, or the
// console, 0. What a file began ends when the file is loaded again.
type owner int

// origin is on whose behalf JavaScript runs: it stays the same through awaits
// and timers.
type origin struct {
	owner  owner
	waiter waiter // nil: nobody
}

// A waiter is somebody who waits for the end of what was begun. Its methods are
// called by the world's goroutine.
type waiter interface {
	waiting() bool
	// fail ends the wait: what was begun was interrupted, and will not go on.
	fail(err error)
}

// tracker keeps the origin across promises.
type tracker struct{ w *world }

func (t tracker) Grab() any     { return t.w.origin }
func (t tracker) Resumed(o any) { t.w.origin, _ = o.(*origin) }
func (t tracker) Exited()       {}

// superseded reports whether the file that runs was loaded anew, or not loaded
// in the end.
func (w *world) superseded() bool {
	o := w.origin.owner
	return o != 0 && o != w.loaded && (w.staged == nil || w.staged.owner != o)
}

// run is the world's goroutine.
func (w *world) run() {
	defer close(w.ended)
	for w.serve() {
		w.mended++
	}
	for _, t := range w.timers {
		t.timer.Stop()
	}
	w.finishAll()
	w.wg.Wait()
}

// mend is thrown to put the runtime's stacks right. When an async function is
// ended from outside, goja leaves its frames behind, and from then on takes each
// call for a part of it, so that no promise goes on. A frame is taken away by
// each call of Try that mend passes.
type mend struct{}

const (
	mendable = 64     // frames; with more than that the world is replaced
	maxMends = 10_000 // of a world: each costs as many frames of memory
)

// serve does jobs until the world is stopped, or has to be mended.
func (w *world) serve() (again bool) {
	defer func() {
		if x := recover(); x != nil {
			if _, again = x.(mend); !again {
				panic(x)
			}
		}
	}()
	w.within(mendable, func() {
		for more := true; more; more = w.wait() {
			w.doAll()
		}
	})
	return false
}

// within calls f inside as many calls of Try.
func (w *world) within(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	w.rt.Try(func() { w.within(n-1, f) }) // f throws nothing that it catches
}

// doAll does the jobs that there are.
func (w *world) doAll() {
	w.watch.enter()
	defer w.watch.leave()
	if w.mending {
		w.probe()
	}
	began := time.Now()
	for j, ok := w.next(); ok; j, ok = w.next() {
		w.do(&j)
		ended := time.Now() // where the next begins
		w.e.jobs.Observe(ended.Sub(began))
		began = ended
	}
}

// stop ends the world; see ended.
func (w *world) stop() {
	drop(w.halt())
	w.watch.cancel(nil, ErrClosed)
}

// do runs a job.
func (w *world) do(j *job) {
	if j.call != nil {
		w.handle(j.begun)
	} else {
		w.guard(j.budget, j.origin, func() { j.run(w) })
	}
	if w.suspect {
		w.probe()
	}
	if len(w.rejected) > 0 {
		w.guard(w.e.now().timerBudget, nil, w.reportRejections)
	}
}

// noOrigin is that of what nobody waits for.
var noOrigin = new(origin)

// guard runs f within a budget. Whatever runs JavaScript, to show an error too,
// does so in here.
func (w *world) guard(b *budget, o *origin, f func()) {
	if o == nil {
		o = noOrigin
	}
	w.origin, w.charged, w.generators = o, 0, 0
	w.watch.begin(b)
	defer w.watch.end()
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *goja.InterruptedError:
			w.lose(b.what, x)
		case *goja.StackOverflowError:
			w.lose(b.what, x)
		case *goja.Exception:
			w.lose(b.what, x)
		default:
			// A defect of the engine costs its world, not the sessions.
			w.e.log.Error("the JavaScript engine failed", zap.String("running", b.what), zap.Any("panic", x), zap.ByteString("stack", debug.Stack()))
			w.lose(b.what, errors.New("the JavaScript engine failed"))
			w.halted("it failed")
		}
	}()
	f()
}

// probe looks whether promises go on after an error that has ended everything,
// and mends the world if they do not.
func (w *world) probe() {
	goesOn := false
	w.guard(w.e.now().timerBudget, nil, func() {
		p, resolve, _ := w.rt.NewPromise()
		if err := resolve(nil); err == nil {
			_ = w.then(p, func(goja.Value) { goesOn = true }, func(goja.Value) {})
		}
	})
	switch {
	case goesOn:
		w.suspect, w.mending = false, false
	case w.mending || w.mended > maxMends:
		w.halted("no promise goes on any more, after an error")
	default:
		w.mending = true
		panic(mend{})
	}
}

// halted gives this world up, from inside.
func (w *world) halted(why string) {
	if !w.isStopped() {
		w.e.wg.Go(func() { w.e.giveUp(w, why) })
		<-w.ctx.Done() // and takes no more jobs
	}
}

// blame tells of an error that nobody has caught.
func (w *world) blame(what string, err error) {
	if uncatchable(err) {
		w.lose(what, err)
		return
	}
	w.e.logError(what, w.explain(err))
}

// lose tells whoever waits for what ran that it will not go on.
func (w *world) lose(what string, err error) {
	if wt := w.origin.waiter; wt != nil && wt.waiting() {
		wt.fail(err)
		return
	}
	w.e.logError(what, w.explain(err))
}

// uncatchable reports whether an error ends JavaScript, past every catch.
func uncatchable(err error) bool {
	_, thrown := err.(*goja.Exception)
	return !thrown
}

// try runs what may throw: a property's getter, say.
func (w *world) try(f func()) (err error) {
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *goja.InterruptedError:
			err = x
		case *goja.StackOverflowError:
			err = x
		default:
			panic(x)
		}
	}()
	if ex := w.rt.Try(f); ex != nil {
		return ex
	}
	return nil
}

// await runs f elsewhere and gives its promise. What f returns is made into a
// value by the world.
func (w *world) await(what string, f func(ctx context.Context) (func() goja.Value, error)) goja.Value {
	if w.async >= maxAsync {
		panic(w.errorValue(fmt.Errorf("more than %d operations are under way", maxAsync)))
	}
	w.async++
	promise, resolve, reject := w.rt.NewPromise()
	origin := w.origin
	w.wg.Go(func() {
		v, err := f(w.ctx)
		w.post(job{origin: origin, budget: &budget{w.e.now().CPULimit, what}, run: func(*world) {
			w.async--
			switch {
			case err != nil:
				err = reject(w.errorValue(err))
			case v == nil:
				err = resolve(goja.Undefined())
			default:
				err = resolve(v())
			}
			if err != nil {
				w.blame(what, err)
			}
		}})
	})
	return w.rt.ToValue(promise)
}

// trackRejection notes promises that were rejected and that nobody looks at.
func (w *world) trackRejection(p *goja.Promise, op goja.PromiseRejectionOperation) {
	if op == goja.PromiseRejectionReject {
		w.rejected[p] = p.Result()
	} else {
		delete(w.rejected, p)
	}
}

// maxRejections is of how many rejected promises the log may be told at once.
const maxRejections = 10

func (w *world) reportRejections() {
	told := 0
	for p, reason := range w.rejected {
		delete(w.rejected, p)
		if told++; told <= maxRejections {
			w.e.logError("a promise that nobody awaits", w.explainValue(reason))
		}
	}
}
