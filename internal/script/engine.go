package script

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/jsinput"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/timing"
)

// Options configures an [Engine].
type Options struct {
	Sessions *session.Server // required
	Log      *zap.Logger     // nil: nothing is logged

	CPULimit time.Duration // of a handler's call; 0: 2 s
	Timeout  time.Duration // until a handler's promise settles; 0: 30 s
	MaxHeap  int           // bytes by which one job may grow the heap; 0: 256 MiB

	// FetchHosts is whom fetch may reach: "host", "host:port", "*.host".
	FetchHosts []string

	// Config is srv.cfg_, in nv-session-simple's names.
	Config map[string]any

	// Listeners tells where the daemon listens; Listen opens one more, at a path
	// or a TCP address. A nil Listen allows none. SelfSigned makes a certificate
	// and its key, PEM, for a listener that is given none.
	Listeners  func() []Listener
	Listen     func(address string, cert *tls.Config) error
	SelfSigned func() (cert, key []byte, err error)

	// Changed is called when what Sources returns has changed; it must not block.
	Changed func()

	hangGrace time.Duration // see watch; 0: 2 s
}

// Listener is where the daemon listens.
type Listener struct {
	Network string // "unix" or "tcp"
	Address string // a path, or HOST:PORT
	TLS     bool
}

// Limits that are not for the operator to set.
const (
	consoleCPU = 5 * time.Second // what an operator runs may take longer
	loadCPU    = 5 * time.Second // and so may a file, which is loaded once
	hangGrace  = 2 * time.Second // of processor time, from an interrupt to giving a world up
	maxStuck   = 4               // worlds given up that are still busy; more get no handlers
	maxTimers  = 10_000          // per world
	maxAsync   = 10_000          // operations under way that a promise waits for
)

// ErrClosed is returned by the methods of an engine that was closed, or whose
// world was given up while they waited.
var ErrClosed = errors.New("script: the engine was stopped")

// name is what the handlers of this package are called.
const name = "js"

// An Engine runs JavaScript. Its methods are safe for concurrent use.
type Engine struct {
	set     atomic.Pointer[settings]
	log     *zap.Logger
	out     *output
	reports [numHandlers]report
	errors  errorBudget
	jobs    timing.Histogram
	anew    atomic.Uint64 // worlds given up
	stuck   atomic.Int64  // worlds given up whose goroutines have not come back
	wg      sync.WaitGroup

	first   sync.Once  // for begin
	loading sync.Mutex // held while a file is loaded; before mu

	mu       sync.Mutex // guards what follows
	world    *world
	file     *file // of the handlers; nil: none
	loads    int   // of the file
	closed   bool
	inputs   int                      // typed at the console
	programs map[int]*jsinput.Program // the last of them
}

// New makes an engine, and makes it known to the sessions' server as a backend.
func New(opt Options) *Engine {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	e := &Engine{log: opt.Log, out: newOutput(opt.Log)}
	e.set.Store(opt.settings())
	opt.Sessions.AddBackend(e)
	return e
}

// begin makes the first world, when there is something for it to do: a daemon
// that only forwards spends nothing on it.
func (e *Engine) begin() {
	w, err := newWorld(e)
	if err != nil { // a defect of this package
		e.log.Error("cannot start the JavaScript engine", zap.Error(err))
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		w.cancel()
		return
	}
	e.world = w
	w.ready.Store(true)
	go w.run()
}

// current is the world, or nil when the engine is closed.
func (e *Engine) current() *world {
	e.first.Do(e.begin)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	return e.world
}

// Flush waits until what sessions have sent has been handled, or ctx is done.
func (e *Engine) Flush(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for e.now().Sessions.Stats().HandlerWaiting > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the engine: what runs is interrupted, what waits is dropped. It
// returns when its goroutines have ended, or ctx's error.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	w := e.world
	e.mu.Unlock()
	e.now().Sessions.SetVerifier(name, nil)
	e.now().Sessions.SetPlainHandler(nil)
	if w == nil {
		return nil
	}
	w.stop()
	ended := make(chan struct{})
	go func() { // ends with what it waits for
		<-w.ended
		e.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		w.finishAll()
		return ctx.Err()
	}
}

// giveUp replaces a world that is of no use any more. What was registered in it
// is registered in the next one, from the file and from its source; other
// variables are lost. Events wait until the next one is ready.
func (e *Engine) giveUp(old *world, why string) {
	next, err := newWorld(e)
	if err != nil { // it worked before
		e.log.Error("cannot replace the JavaScript engine", zap.Error(err))
	} else {
		next.hold = true
	}
	e.mu.Lock()
	if e.closed || e.world != old || err != nil {
		e.mu.Unlock()
		drop(old.halt())
		old.finishAll()
		return
	}
	e.world = next
	f := e.file
	e.mu.Unlock()

	running := old.watch.running()
	e.log.Error("JavaScript is begun anew, and the variables in it are lost: "+why, zap.String("running", running))
	if id := slices.Index(handlerNames[:], running); id >= 0 {
		e.reports[id].failed(problem{text: "JavaScript was begun anew: " + why, timeout: true})
	}
	e.anew.Add(1)
	e.stuck.Add(1)
	e.wg.Go(next.run)
	e.wg.Go(func() { <-old.ended; e.stuck.Add(-1) })
	for _, j := range old.halt() {
		if !next.post(j) {
			drop([]job{j})
		}
	}
	old.finishAll() // what hangs among them
	if old.ready.Load() && e.stuck.Load() <= maxStuck {
		e.again(next, f, old.sources.all())
	} else {
		e.log.Error("it fails again and again: the handlers are not loaded until they are registered anew")
		next.bereft.Store(true)
	}
	next.ready.Store(true)
	next.release()
}

// again registers in a new world what the one before it had.
func (e *Engine) again(w *world, f *file, console map[handlerID]source) {
	e.loading.Lock()
	defer e.loading.Unlock()
	if f != nil {
		ctx, cancel := context.WithTimeout(context.Background(), e.now().Timeout)
		defer cancel()
		if err := e.load(ctx, w, f); err != nil {
			e.log.Error("the handlers' file cannot be loaded again", zap.Error(err))
			w.bereft.Store(true)
		}
	}
	w.restore(console)
}
