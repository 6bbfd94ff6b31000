package webhook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// push queues an event. It is called on event loops.
func (h *Hook) push(e *event) {
	h.mu.Lock()
	h.queue = append(h.queue, e)
	switch {
	case !h.closed:
		h.staffLocked()
	case h.workers == 0:
		// Nothing is sent any more, so the event fails at once, and whatever
		// its session then brings: here, and not one within the other.
		h.workers++
		h.mu.Unlock()
		h.work()
		return
	}
	h.mu.Unlock()
}

// staffLocked starts a worker for what has just been queued if there may be one
// more. It ends when the queue is empty; Close waits for it.
func (h *Hook) staffLocked() {
	if h.workers < h.set.Load().Concurrency {
		h.workers++
		go h.work()
	}
}

func (h *Hook) work() {
	for {
		e, closed := h.next()
		if e == nil {
			return
		}
		if closed {
			h.finish(e, &failure{what: "the daemon is stopping", stopping: true})
			continue
		}
		h.try(e)
	}
}

// next takes the event that has waited longest, or signs off.
func (h *Hook) next() (e *event, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		h.queue = nil
		h.workers--
		h.settleLocked()
		return nil, h.closed
	}
	if h.workers > h.set.Load().Concurrency { // it was more
		h.workers--
		return nil, h.closed
	}
	e = h.queue[0]
	h.queue[0] = nil
	h.queue = h.queue[1:]
	return e, h.closed
}

// settleLocked tells Close when nothing is left.
func (h *Hook) settleLocked() {
	if !h.ending || len(h.queue) > 0 || h.workers > 0 || len(h.sleeping) > 0 {
		return
	}
	h.closed = true
	select {
	case <-h.quiet:
	default:
		close(h.quiet)
	}
}

// try makes an attempt at an event, and ends it or puts it to sleep.
func (h *Hook) try(e *event) {
	if !e.deadline.IsZero() && !time.Now().Before(e.deadline) {
		h.finish(e, &failure{what: "no time was left to decide", timeout: true})
		return
	}
	h.mu.Lock()
	circuit := h.circuit // another address has another one
	may, probe := circuit.enter(time.Now())
	why := circuit.why
	h.mu.Unlock()
	if !may {
		h.finish(e, &failure{what: "it is left alone after failures: " + why, leftAlone: true})
		return
	}
	began := time.Now()
	r, f := h.post(e)
	h.attempts.Observe(time.Since(began))
	wait, again := time.Duration(0), false
	if f != nil && f.away && !f.stopping && !probe && e.attempt <= h.set.Load().Retries {
		wait = h.pause(e.attempt, f.after)
		again = e.deadline.IsZero() || time.Now().Add(wait).Before(e.deadline)
	}
	h.leave(circuit, f, probe, again)
	if again && h.sleep(e, wait) {
		return
	}
	if f == nil {
		f = h.perform(e, r)
	}
	h.finish(e, f)
}

// leave tells the circuit of an attempt, and the log of the circuit.
func (h *Hook) leave(c *circuit, f *failure, probe, again bool) {
	o := reached
	switch {
	case f == nil:
	case f.stopping || again:
		o = unknown
	case f.away:
		o = failed
	}
	h.mu.Lock()
	if o == failed {
		c.why = f.what
	}
	changed := c.leave(o, probe, time.Now()) && c == h.circuit
	failures := c.failures
	h.mu.Unlock()
	switch {
	case changed && o == failed:
		h.log.Warn("the webhook is left alone for a while", zap.Int("failures", failures),
			zap.Duration("for", h.set.Load().OpenFor), zap.String("last", printable(f.what)))
	case changed:
		h.log.Info("the webhook answers again")
	}
}

// pause is how long to wait after that attempt: twice as long each time, at
// random by up to half shorter so that events that failed together do not come
// back together, and as long as the server asks for within the bound.
func (h *Hook) pause(attempt int, asked time.Duration) time.Duration {
	s := h.set.Load()
	d := s.Backoff
	for i := 1; i < attempt && d < s.MaxBackoff; i++ {
		d *= 2
	}
	d = min(d, s.MaxBackoff)
	return max(d-rand.N(d/2+1), min(asked, s.MaxBackoff))
}

// sleep queues the event again later. It fails when the hook has closed.
func (h *Hook) sleep(e *event, d time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.stats.Retries++
	h.sleeping[e] = time.AfterFunc(d, func() { h.wake(e) })
	return true
}

func (h *Hook) wake(e *event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sleeping[e] == nil {
		return // Close has taken it
	}
	delete(h.sleeping, e)
	h.queue = append(h.queue, e)
	h.staffLocked()
}

// finish says what became of an event, counts it, and lets its session's next
// one go.
func (h *Hook) finish(e *event, f *failure) {
	if f != nil && !f.stopping && !f.leftAlone { // the circuit has been logged, the end is
		fields := []zap.Field{zap.String("event", e.name), zap.String("id", e.id), zap.Int("attempts", e.attempt), zap.String("what", printable(f.what))}
		if e.call != nil {
			fields = append(fields, zap.String("session", e.call.Session.ID()))
		}
		h.failures.Warn("the webhook failed", fields...)
	}
	h.count(e, f)
	if e.call != nil {
		e.call.Done()
		return
	}
	if f != nil {
		e.shake.Refuse(503, "it could not be decided whether to accept")
	}
}

func (h *Hook) count(e *event, f *failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Handled++
	if f == nil {
		return
	}
	h.stats.Failed++
	if f.stopping {
		h.stats.Dropped++
	}
	r := h.kinds[e.name]
	r.Errors++
	if f.timeout {
		r.Timeouts++
	}
	r.Last = f.what
}

// Close ends the hook. It lets what is under way, or waits, come to its end
// until ctx is done, and drops the rest, of which the error tells. Events that
// come after that fail at once.
func (h *Hook) Close(ctx context.Context) (err error) {
	h.mu.Lock()
	h.ending = true
	h.settleLocked()
	h.mu.Unlock()
	select {
	case <-h.quiet:
	case <-ctx.Done():
		h.cut()
		<-h.quiet
		if n := h.dropped(); n > 0 {
			err = fmt.Errorf("webhook: %d events were dropped: %w", n, ctx.Err())
		}
	}
	h.cancel()
	h.set.Load().client.CloseIdleConnections()
	return err
}

// cut ends everything now.
func (h *Hook) cut() {
	h.cancel()
	h.mu.Lock()
	h.closed = true
	for e, t := range h.sleeping {
		t.Stop()
		h.queue = append(h.queue, e)
	}
	clear(h.sleeping)
	if h.workers > 0 || len(h.queue) == 0 {
		h.settleLocked()
		h.mu.Unlock()
		return
	}
	h.workers++
	h.mu.Unlock()
	h.work()
}
