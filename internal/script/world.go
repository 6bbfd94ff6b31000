package script

import (
	"context"
	_ "embed" // the prelude
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja_nodejs/buffer"
	"github.com/dop251/goja_nodejs/require"
	"github.com/dop251/goja_nodejs/url"
	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/script/inspect"
	"github.com/nvsess/nvsess/internal/session"
)

// A world is a runtime and what lives in it. All but its queue belongs to the
// goroutine of run.
type world struct {
	e     *Engine
	rt    *goja.Runtime
	watch watch

	srv         *goja.Object  // the Server
	makeSess    goja.Callable // of a handle
	parse       goja.Callable
	stringify   goja.Callable
	inspect     goja.Callable
	format      goja.Callable
	chain       goja.Callable // promise.then as the language has it
	newError    goja.Callable // of a name and a text
	newResponse goja.Callable // for hsrv_handle
	properties  goja.Callable // for completion
	handlers    [numHandlers]registered
	staged      *staging // while a file is loaded
	owner       owner    // of what runs
	timers      map[int]*timer
	lastTimer   int
	async       int // operations under way
	rejected    map[*goja.Promise]goja.Value

	ctx    context.Context // ends with the world
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned
	wg     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	wake    *sync.Cond
	queue   []job
	stopped bool
	calls   map[*pendingCall]struct{}
	text    [numHandlers]string // the source of what the console registered
}

// A job is something for a world to do: an event to handle, or a function to
// run.
type job struct {
	call   *session.Call
	run    func()
	budget *budget
	owner  owner
}

// owner is who began something: the load of the file, by its number, or the
// console, 0. What a file began ends when the file is loaded again.
type owner int

//go:embed js/limits.js
var limitsSource string

//go:embed js/buffer.js
var bufferSource string

//go:embed js/prelude.js
var preludeSource string

var (
	limits  = goja.MustCompile("limits.js", limitsSource, true)
	buffers = goja.MustCompile("buffer.js", bufferSource, true)
	prelude = goja.MustCompile("prelude.js", preludeSource, true)
)

func init() {
	// Expressions that goja hands to regexp2 may backtrack for ever, out of an
	// interrupt's reach. One that takes longer does not match.
	regexp2.DefaultMatchTimeout = time.Second
}

func newWorld(e *Engine) (*world, error) {
	w := &world{
		e: e, rt: goja.New(), ended: make(chan struct{}),
		calls: make(map[*pendingCall]struct{}), timers: make(map[int]*timer), rejected: make(map[*goja.Promise]goja.Value),
	}
	w.wake = sync.NewCond(&w.mu)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.watch = watch{
		interrupt: w.rt.Interrupt, clear: w.rt.ClearInterrupt, maxHeap: uint64(e.opt.MaxHeap),
		hung: func() { e.giveUp(w) },
	}
	w.rt.SetParserOptions(parser.WithDisableSourceMaps) // goja would read any file that eval names
	w.rt.SetMaxCallStackSize(maxCallStack)
	w.rt.SetPromiseRejectionTracker(w.trackRejection)
	return w, w.furnish()
}

// furnish makes the globals.
func (w *world) furnish() error {
	registry := require.NewRegistry(require.WithLoader(func(path string) ([]byte, error) { return nil, require.ModuleFileDoesNotExistError }))
	req := registry.Enable(w.rt)
	buffer.Enable(w.rt)
	url.Enable(w.rt)
	insp, err := inspect.Install(w.rt)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		to   *goja.Callable
		of   *goja.Object
	}{
		{"parse", &w.parse, w.rt.Get("JSON").(*goja.Object)}, {"stringify", &w.stringify, w.rt.Get("JSON").(*goja.Object)},
		{"inspect", &w.inspect, insp}, {"format", &w.format, insp},
	} {
		*f.to, _ = goja.AssertFunction(f.of.Get(f.name))
	}
	native := w.natives()
	for name, v := range map[string]any{"inspect": insp, "require": req.Require} {
		if err := native.Set(name, v); err != nil {
			return err
		}
	}
	for _, p := range []*goja.Program{limits, buffers, prelude} {
		v, err := w.rt.RunProgram(p)
		if err != nil {
			return err
		}
		install, _ := goja.AssertFunction(v)
		made, err := install(goja.Undefined(), native)
		if err != nil {
			return err
		}
		if p == prelude {
			out := made.(*goja.Object)
			w.srv = out.Get("srv").(*goja.Object)
			for name, to := range map[string]*goja.Callable{
				"sess": &w.makeSess, "then": &w.chain, "error": &w.newError, "response": &w.newResponse, "properties": &w.properties,
			} {
				*to, _ = goja.AssertFunction(out.Get(name))
			}
		}
	}
	return nil
}

// post gives the world something to do, and reports whether it will.
func (w *world) post(j job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	w.queue = append(w.queue, j)
	if len(w.queue) == 1 {
		w.wake.Signal()
	}
	return true
}

// take waits for jobs. There are none when the world has been stopped.
func (w *world) take(done []job) []job {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && !w.stopped {
		w.wake.Wait()
	}
	if w.stopped {
		return nil
	}
	batch := w.queue
	w.queue = done[:0]
	return batch
}

// run is the world's goroutine.
func (w *world) run() {
	defer close(w.ended)
	var batch []job
	for {
		clear(batch)
		if batch = w.take(batch); batch == nil {
			break
		}
		w.watch.enter()
		for i := range batch {
			if w.isStopped() {
				w.giveBack(batch[i:])
				break
			}
			w.do(&batch[i])
		}
		w.watch.leave()
	}
	w.finishAll()
	for _, t := range w.timers {
		t.timer.Stop()
	}
	w.cancel()
	w.mu.Lock()
	left := w.queue
	w.queue = nil
	w.mu.Unlock()
	for _, j := range left {
		if j.call != nil {
			j.call.Done()
		}
	}
	w.wg.Wait()
}

// giveBack puts jobs that were taken back at the head of the queue.
func (w *world) giveBack(jobs []job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(append([]job(nil), jobs...), w.queue...)
}

func (w *world) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

// stop ends the world; see ended.
func (w *world) stop() {
	w.mu.Lock()
	w.stopped = true
	w.wake.Broadcast()
	w.mu.Unlock()
	w.cancel()
	w.watch.mu.Lock()
	defer w.watch.mu.Unlock()
	w.watch.stopLocked(&limitError{text: ErrClosed.Error()})
}

// abandon gives up a world whose goroutine may never come back, and returns the
// events that waited for it.
func (w *world) abandon() (left []*session.Call) {
	w.mu.Lock()
	w.stopped = true
	queue := w.queue
	w.queue = nil
	w.mu.Unlock()
	w.cancel()
	for _, j := range queue {
		if j.call != nil {
			left = append(left, j.call)
		}
	}
	w.finishAll() // the one that hangs among them
	return left
}

func (w *world) running() string { return w.watch.running() }

// do runs a job.
func (w *world) do(j *job) {
	w.owner = j.owner
	if j.call != nil {
		w.handle(j.call)
	} else {
		w.guard(j.budget, j.run)
	}
	if len(w.rejected) > 0 {
		w.reportRejections()
	}
}

// guard runs f within a budget. It returns why it was ended early, if it was.
func (w *world) guard(b *budget, f func()) *limitError {
	w.watch.begin(b)
	func() {
		defer func() {
			// A defect of the engine must cost a call, not the sessions.
			if x := recover(); x != nil {
				w.e.log.Error("the JavaScript engine failed", zap.String("running", b.what), zap.Any("panic", x), zap.ByteString("stack", debug.Stack()))
			}
		}()
		f()
	}()
	return w.watch.end()
}

// await runs f elsewhere and gives its promise. What f returns is made into a
// value by the world.
func (w *world) await(what string, f func(ctx context.Context) (func() goja.Value, error)) goja.Value {
	if w.async >= maxAsync {
		panic(w.rt.NewGoError(fmt.Errorf("more than %d operations are under way", maxAsync)))
	}
	w.async++
	promise, resolve, reject := w.rt.NewPromise()
	owner := w.owner
	w.wg.Go(func() {
		v, err := f(w.ctx)
		w.post(job{owner: owner, budget: &budget{w.e.opt.CPULimit, what}, run: func() {
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
				w.e.logError(what, w.explain(err))
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

func (w *world) reportRejections() {
	for p, reason := range w.rejected {
		delete(w.rejected, p)
		w.e.logError("a promise that nobody awaits", w.explainValue(reason))
	}
}
