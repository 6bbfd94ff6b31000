package script

import (
	"context"
	_ "embed" // the sources
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja_nodejs/buffer"
	"github.com/dop251/goja_nodejs/require"
	"github.com/dop251/goja_nodejs/url"

	"github.com/nvsess/nvsess/internal/script/inspect"
)

// A world is a runtime and what lives in it. All but its queue, its watch and its
// sources belongs to the goroutine of run.
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
	require     goja.Value
	handlers    [numHandlers]registered
	staged      *staging // while a file is loaded
	loaded      owner    // the file in force
	origin      *origin  // of what runs
	suspect     bool     // an error ended everything in a job; see probe
	mending     bool
	mended      int
	timers      map[int]*timer
	lastTimer   int
	async       int    // operations under way
	charged     uint64 // bytes, to the job; see charge
	before      uint64 // bytes of the heap then
	generators  int    // inside each other
	unopened    string // where start() opened nothing; it was warned of
	rejected    map[*goja.Promise]goja.Value
	sources     sources
	ready       atomic.Bool // its first handlers are registered
	bereft      atomic.Bool // handlers were lost with the world before

	ctx    context.Context // ends with the world
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned
	wg     sync.WaitGroup

	queue
}

//go:embed js/limits.js
var limitsSource string

//go:embed js/buffer.js
var bufferSource string

// furniture is what a world is furnished with, in this order; the last makes the
// objects.
var furniture = sync.OnceValue(func() []*goja.Program {
	return []*goja.Program{
		goja.MustCompile("limits.js", limitsSource, true),
		goja.MustCompile("buffer.js", bufferSource, true),
		goja.MustCompile("prelude.js", preludeSource(), true),
	}
})

func init() {
	// Expressions that goja hands to regexp2 may backtrack for ever, out of an
	// interrupt's reach. One that takes longer does not match.
	regexp2.DefaultMatchTimeout = time.Second
}

func newWorld(e *Engine) (*world, error) {
	w := &world{
		e: e, rt: goja.New(), ended: make(chan struct{}),
		origin: new(origin), timers: make(map[int]*timer), rejected: make(map[*goja.Promise]goja.Value),
	}
	w.calls = make(map[*pendingCall]struct{})
	w.wake = sync.NewCond(&w.mu)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.watch = watch{
		interrupt: w.rt.Interrupt, clear: w.rt.ClearInterrupt, maxHeap: func() uint64 { return uint64(e.now().MaxHeap) }, grace: e.now().hangGrace,
		hung: func() { e.wg.Go(func() { e.giveUp(w, "it does not come back from a built-in function") }) },
	}
	w.rt.SetParserOptions(parser.WithDisableSourceMaps) // goja would read any file that eval names
	w.rt.SetMaxCallStackSize(maxCallStack)
	w.rt.SetPromiseRejectionTracker(w.trackRejection)
	w.rt.SetAsyncContextTracker(tracker{w})
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
		{"stringify", &w.stringify, w.rt.Get("JSON").(*goja.Object)},
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
	var made goja.Value
	for _, p := range furniture() {
		v, err := w.rt.RunProgram(p)
		if err != nil {
			return err
		}
		install, _ := goja.AssertFunction(v)
		if made, err = install(goja.Undefined(), native); err != nil {
			return err
		}
	}
	out := made.(*goja.Object)
	w.parse, _ = goja.AssertFunction(w.rt.Get("JSON").(*goja.Object).Get("parse")) // as limits.js has left it
	w.srv, w.require = out.Get("srv").(*goja.Object), out.Get("require")
	for name, to := range map[string]*goja.Callable{
		"sess": &w.makeSess, "then": &w.chain, "error": &w.newError, "response": &w.newResponse, "properties": &w.properties,
	} {
		*to, _ = goja.AssertFunction(out.Get(name))
	}
	return nil
}
