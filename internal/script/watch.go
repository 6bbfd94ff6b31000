package script

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/dop251/goja"
	"golang.org/x/sys/unix"
)

// A watch bounds what the jobs of a world take. While jobs run their goroutine
// is bound to its thread, whose processor time is what counts: a job is not to
// blame for a busy machine. Looking is left to a timer that is armed once for
// many jobs.
type watch struct {
	interrupt func(v any)
	clear     func()
	hung      func() // called once when an interrupt was of no use
	maxHeap   uint64

	mu     sync.Mutex // guards what follows
	timer  *time.Timer
	clock  int32 // the thread's processor clock
	job    *budget
	cpu    time.Duration
	heap   uint64
	looked bool
	hit    *limitError // the job has been interrupted
	hitAt  time.Time
	dead   bool
}

// budget is what a job may take.
type budget struct {
	cpu  time.Duration
	what string // for the log
}

// limitError is what interrupts a job.
type limitError struct {
	text    string
	timeout bool
}

func (e *limitError) Error() string { return e.text }

// watchTick is how often a long job is looked at.
const watchTick = 20 * time.Millisecond

// enter begins a batch of jobs on the calling goroutine.
func (w *watch) enter() {
	runtime.LockOSThread()
	w.mu.Lock()
	defer w.mu.Unlock()
	// CLOCK_THREAD_CPUTIME_ID of that thread as others may read it; see
	// clock_getcpuclockid(3) and the kernel's posix-timers.
	w.clock = ^int32(unix.Gettid())<<3 | 6
	if w.timer == nil {
		w.timer = time.AfterFunc(watchTick, w.look)
	} else {
		w.timer.Reset(watchTick)
	}
}

// leave ends a batch.
func (w *watch) leave() {
	w.mu.Lock()
	w.timer.Stop()
	w.mu.Unlock()
	runtime.UnlockOSThread()
}

func (w *watch) begin(b *budget) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job, w.looked, w.hit = b, false, nil
}

// end ends a job. It returns why it was interrupted, if it was.
func (w *watch) end() *limitError {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job = nil
	if w.hit == nil {
		return nil
	}
	w.clear()
	return w.hit
}

// look is called by the timer.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return
	}
	defer func() {
		if !w.dead {
			w.timer.Reset(watchTick)
		}
	}()
	cpu, heap := w.cpuTime(), heapBytes()
	switch {
	case w.job == nil:
	case !w.looked:
		w.looked, w.cpu, w.heap = true, cpu, heap
	case w.hit != nil:
		if time.Since(w.hitAt) > hangGrace {
			w.dead = true
			go w.hung()
		}
	case cpu-w.cpu >= w.job.cpu:
		w.stopLocked(&limitError{fmt.Sprintf("took more than %v of processor time", w.job.cpu), true})
	case heap > w.heap && heap-w.heap > w.maxHeap:
		w.stopLocked(&limitError{fmt.Sprintf("took more than %d MiB of memory", w.maxHeap>>20), false})
	}
}

// cancel interrupts a job if it is still running.
func (w *watch) cancel(b *budget, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.job == b && w.hit == nil {
		w.stopLocked(&limitError{why.Error(), false})
	}
}

func (w *watch) stopLocked(e *limitError) {
	w.hit, w.hitAt = e, time.Now()
	w.interrupt(e)
}

// running is what the job is.
func (w *watch) running() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.job == nil {
		return ""
	}
	return w.job.what
}

func (w *watch) cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(w.clock, &ts); err != nil {
		return time.Duration(time.Now().UnixNano()) // the thread is not known: the wall has to do
	}
	return time.Duration(ts.Nano())
}

func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// uncaught is the limitError that ended a call, or nil.
func uncaught(err error) *limitError {
	if i, ok := err.(*goja.InterruptedError); ok {
		if l, ok := i.Value().(*limitError); ok {
			return l
		}
		return &limitError{text: fmt.Sprint(i.Value())}
	}
	return nil
}
