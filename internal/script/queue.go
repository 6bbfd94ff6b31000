package script

import (
	"sync"

	"github.com/nvsess/nvsess/internal/session"
)

// A job is something for a world to do: an event to handle, or a function to
// run.
type job struct {
	call   *session.Call
	begun  *pendingCall // of call, once it is taken
	run    func(w *world)
	budget *budget
	origin *origin
	event  bool // comes from outside: the next world does it if this one is given up
}

// queue is what waits for a world. Everything in it is bounded elsewhere: a
// session has one event here, handshakes, timers and operations under way have
// limits.
type queue struct {
	mu      sync.Mutex // guards what follows
	wake    *sync.Cond
	jobs    []job // from head on
	head    int
	held    []job // events, while hold
	hold    bool
	stopped bool
	calls   map[*pendingCall]struct{} // being handled
}

// post gives the world something to do, and reports whether it will.
func (w *world) post(j job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return false
	case w.hold && j.event:
		w.held = append(w.held, j)
	default:
		w.addLocked(j)
	}
	return true
}

func (w *world) addLocked(j job) {
	if w.head == len(w.jobs) {
		w.wake.Signal()
	}
	if w.head > 1024 && w.head > len(w.jobs)/2 { // it never ran empty
		n := copy(w.jobs, w.jobs[w.head:])
		clear(w.jobs[n:])
		w.jobs, w.head = w.jobs[:n], 0
	}
	w.jobs = append(w.jobs, j)
}

// release ends hold: the world is ready for events.
func (w *world) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = false
	for _, j := range w.held {
		w.addLocked(j)
	}
	w.held = nil
}

// wait waits for jobs. It returns false when the world has been stopped.
func (w *world) wait() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.head == len(w.jobs) && !w.stopped {
		w.wake.Wait()
	}
	return !w.stopped
}

// next takes a job, if there is one.
func (w *world) next() (j job, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.jobs) || w.stopped {
		w.jobs, w.head = w.jobs[:0], 0
		if cap(w.jobs) > 1024 {
			w.jobs = nil
		}
		return job{}, false
	}
	j, w.jobs[w.head] = w.jobs[w.head], job{}
	w.head++
	if j.call != nil {
		j.begun = newPendingCall(w, j.call)
		w.calls[j.begun] = struct{}{}
	}
	return j, true
}

func (w *world) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

// halt lets the world take no more jobs, and returns the events that wait.
func (w *world) halt() (events []job) {
	w.mu.Lock()
	w.stopped = true
	w.wake.Broadcast()
	for _, j := range append(w.jobs[w.head:], w.held...) {
		if j.event {
			events = append(events, j)
		}
	}
	w.jobs, w.head, w.held = nil, 0, nil
	w.mu.Unlock()
	w.cancel()
	return events
}

// drop ends the wait of events that nobody will handle.
func drop(events []job) {
	for _, j := range events {
		if j.call != nil {
			j.call.Done()
		}
	}
}
