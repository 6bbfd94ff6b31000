package script

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/dop251/goja"
	"golang.org/x/sys/unix"
)

// A watch bounds what the jobs of a world take. While jobs run their goroutine
// is bound to its thread, whose processor time is what counts: a job is not to
// blame for a busy machine. Looking is left to a timer, armed once for many
// jobs: a job may take up to a tick more than its budget, and one that is over
// before the second look was never measured.
type watch struct {
	interrupt func(v any)
	clear     func()
	hung      func() // called once when an interrupt was of no use
	maxHeap   func() uint64
	grace     time.Duration // of processor time, from an interrupt to hung

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	ticking bool  // between enter and leave
	clock   int32 // the thread's processor clock
	job     *budget
	looked  bool // the job has been looked at: cpu and heap are where it began
	cpu     time.Duration
	heap    uint64
	hit     *limitError // the job has been interrupted
	hitCPU  time.Duration
	dead    bool // hung was called
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

// enter begins a row of jobs on the calling goroutine.
func (w *watch) enter() {
	runtime.LockOSThread()
	w.mu.Lock()
	defer w.mu.Unlock()
	// CLOCK_THREAD_CPUTIME_ID of that thread as others may read it; see
	// clock_getcpuclockid(3) and the kernel's posix-timers.
	w.clock = ^int32(unix.Gettid())<<3 | 6
	w.ticking = true
	if w.timer == nil {
		w.timer = time.AfterFunc(watchTick, w.look)
	} else {
		w.timer.Reset(watchTick)
	}
}

// leave ends it.
func (w *watch) leave() {
	w.mu.Lock()
	w.ticking = false
	w.timer.Stop()
	w.mu.Unlock()
	runtime.UnlockOSThread()
}

func (w *watch) begin(b *budget) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job, w.looked, w.hit = b, false, nil
}

// end ends a job. What was interrupted is not felt by the next.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job = nil
	if w.hit != nil {
		if !w.hit.timeout {
			go debug.FreeOSMemory() // it may have been much
		}
		w.hit = nil
		w.clear()
	}
}

// look is called by the timer.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ticking {
		return // it was on its way when the row of jobs ended
	}
	defer w.timer.Reset(watchTick)
	if w.job == nil {
		return
	}
	cpu, heap := w.cpuTime(), heapBytes()
	switch {
	case w.hit != nil:
		// A job hears of it once: goja forgets an interrupt with the call that it
		// ended, and the job may have gone on to the next.
		w.interrupt(w.hit)
		if cpu-w.hitCPU >= w.grace && !w.dead {
			w.dead = true
			w.hung()
		}
	case !w.looked:
		w.looked, w.cpu, w.heap = true, cpu, heap
	case cpu-w.cpu >= w.job.cpu:
		w.hitLocked(&limitError{fmt.Sprintf("took more than %v of processor time", w.job.cpu), true}, cpu)
	default:
		if most := w.maxHeap(); heap > w.heap+most && liveBytes() > w.heap+most {
			w.hitLocked(&limitError{fmt.Sprintf("took more than %d MiB of memory", most>>20), false}, cpu)
		}
	}
}

// cancel interrupts a job if it is running; nil: whatever is.
func (w *watch) cancel(b *budget, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.job != nil && (b == nil || w.job == b) && w.hit == nil {
		w.hitLocked(&limitError{text: why.Error()}, w.cpuTime())
	}
}

func (w *watch) hitLocked(e *limitError, cpu time.Duration) {
	w.hit, w.hitCPU = e, cpu
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

// cpuTime is that of the thread, or where its clock cannot be read, the wall's.
func (w *watch) cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(w.clock, &ts); err != nil {
		w.clock = unix.CLOCK_MONOTONIC
		w.looked = false // it was on the other clock
		_ = unix.ClockGettime(w.clock, &ts)
	}
	return time.Duration(ts.Nano())
}

// heapBytes are those of objects, dead ones that were not collected yet among
// them.
func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// liveBytes is heapBytes without the dead.
func liveBytes() uint64 {
	runtime.GC()
	return heapBytes()
}

// ended is why a call was ended by the watch, or nil if it was not.
func ended(err error) *limitError {
	if i, ok := err.(*goja.InterruptedError); ok {
		if l, ok := i.Value().(*limitError); ok {
			return l
		}
	}
	return nil
}
