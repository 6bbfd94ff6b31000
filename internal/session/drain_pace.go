package session

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

const (
	drainTick = 100 * time.Millisecond // between two batches
	// drainCatchUp is what of a pause (of the machine, say) is made up for: more
	// would come back in one piece.
	drainCatchUp = 2 * drainTick

	minSpread     = time.Second     // of the times at which those of one batch are to come back
	maxRetryAfter = 5 * time.Minute // our clients wait no longer
)

// drainRate is how many sessions are closed per second: what was asked for, or
// what has n of them closed in four fifths of the time there is, if that is more
// than the default.
func drainRate(asked float64, n int, window time.Duration) float64 {
	if asked > 0 {
		return asked
	}
	return min(max(DefaultDrainRate, math.Ceil(float64(n)/(0.8*window.Seconds()))), MaxDrainRate)
}

func atRate(n int, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}

// retryAfter is how long a session that is closed with together others at once is
// told to stay away. Batches follow each other at a rate, so their sessions come
// back at that rate at most, however they are spread; the spread keeps those of
// one batch apart, and those of the deadline's, which may be many, as far as the
// rate would have:
//
//	spread      = together / rate, but at least 1 s
//	retry_after = away + random × spread, at most 5 min
//
// away is for servers that come back themselves: the whole time that the closing
// was planned to take, and what the restart takes. Each is away that long, so that
// the first comes back when the last is gone, and all in the order and at the
// pace of their going.
func retryAfter(away time.Duration, together int, rate, random float64) time.Duration {
	spread := min(max(atRate(together, rate), minSpread), maxRetryAfter)
	away = min(away, maxRetryAfter-spread)
	return away + time.Duration(random*float64(spread))
}

// drainReason is the reason of the close frame; see docs/protocol.md.
func drainReason(after time.Duration) string {
	return "service restart; retry_after_ms=" + strconv.FormatInt(after.Milliseconds(), 10)
}

// run is the goroutine of a drain.
func (d *drain) run(r drainRun, done chan struct{}) {
	defer close(done)
	if r.st.Phase == DrainAnnounced && r.wait(ms(r.st.DelayMS-r.st.ElapsedMS)) {
		r.begin()
	}
	if r.st.Phase == DrainClosing && !r.stopped() {
		r.refuse()
		r.close()
	}
	if r.st.Phase == Drained && !r.stopped() {
		r.refuse()
		<-r.stop
	}
	d.mu.Lock()
	ended := d.ended
	d.mu.Unlock()
	if !ended {
		d.srv.ws.RefuseWith(nil)
		d.away.Store(false)
	}
	d.mu.Lock()
	if !ended {
		d.state = DrainState{Phase: Serving}
	}
	d.stop, d.taken = nil, false
	d.announceLocked()
	d.mu.Unlock()
}

// drainRun is what run's goroutine keeps.
type drainRun struct {
	*drain
	st      DrainState
	stop    chan struct{}
	credit  float64 // sessions that may be closed now
	paced   time.Time
	ending  []*Session // closed, but maybe not gone yet
	refused int64      // seconds in Retry-After at the moment
}

func (r *drainRun) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// wait reports whether the time has passed before the drain is taken back.
func (r *drainRun) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.stop:
		return false
	case <-t.C:
		return true
	}
}

func (r *drainRun) elapsed() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.began)
}

// tell makes what has happened visible.
func (r *drainRun) tell(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := phase != r.st.Phase
	r.st.Phase, r.st.Ending, r.st.ElapsedMS = phase, len(r.ending), time.Since(r.began).Milliseconds()
	r.state = r.st
	if changed {
		r.announceLocked()
	}
}

// begin begins to close: what there is to do is known now.
func (r *drainRun) begin() {
	elapsed := r.elapsed()
	left := ms(r.st.DeadlineMS) - elapsed
	r.st.Total = r.srv.Len()
	r.st.Rate = drainRate(r.st.Rate, r.st.Total, max(left, drainTick))
	r.st.PlannedMS = (elapsed + min(atRate(r.st.Total, r.st.Rate), max(left, 0))).Milliseconds()
	r.refuse()
	r.tell(DrainClosing)
}

// close closes everybody, and is over when nobody is left, or the drain is taken
// back.
func (r *drainRun) close() {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	r.credit, r.paced = r.st.Rate*drainTick.Seconds(), time.Now() // one batch at once
	r.credit = max(r.credit, 1)
	for {
		if r.elapsed() >= ms(r.st.DeadlineMS) {
			if n := r.batch(math.MaxInt); n > 0 {
				r.st.Forced += n
				r.srv.log.Warn("the drain's deadline has come: what was left is closed at once", zap.Int("sessions", n))
			}
		} else {
			n := int(r.credit)
			r.credit -= float64(n)
			r.batch(n)
		}
		r.prune()
		if r.srv.Len() == 0 && len(r.ending) == 0 {
			r.tell(Drained)
			r.srv.log.Info("drained", zap.Int("closed", r.st.Closed), zap.Int64("unanswered", r.cut.Load()), zap.Int("forced", r.st.Forced), zap.Duration("took", ms(r.st.ElapsedMS)))
			return
		}
		r.tell(DrainClosing)
		r.refuse()
		select {
		case <-r.stop:
			return
		case <-tick.C:
		}
		now := time.Now()
		r.credit += r.st.Rate * min(now.Sub(r.paced), drainCatchUp).Seconds()
		r.paced = now
		if r.srv.Len() == 0 { // none is kept for who may yet come
			r.credit = min(r.credit, 1)
		}
	}
}

// batch closes so many sessions, those that came first, and returns how many it
// were.
func (r *drainRun) batch(n int) (closed int) {
	if n == 0 {
		return 0
	}
	all := r.srv.Sessions()
	n = min(n, len(all))
	var away time.Duration
	if r.st.BackInMS > 0 {
		away = ms(r.st.PlannedMS - r.st.DelayMS + r.st.BackInMS)
	}
	for _, s := range all {
		if closed == n {
			break
		}
		s.mu.Lock()
		s.sentAway = true
		s.mu.Unlock()
		if s.Close(ws.CloseServiceRestart, drainReason(retryAfter(away, n, r.st.Rate, rand.Float64()))) != nil {
			s.mu.Lock()
			s.sentAway = false // it goes by itself
			s.mu.Unlock()
			continue
		}
		closed++
		r.ending = append(r.ending, s)
	}
	r.st.Closed += closed
	r.drain.closed.Add(uint64(closed))
	return closed
}

// prune forgets those who are gone.
func (r *drainRun) prune() {
	kept := r.ending[:0]
	for _, s := range r.ending {
		s.mu.Lock()
		over := s.ended
		s.mu.Unlock()
		if !over {
			kept = append(kept, s)
		}
	}
	clear(r.ending[len(kept):])
	r.ending = kept
}

// refuse has handshakes refused. Who asks is told to come back when this server
// will, if it is known; else soon: another may take him at any time.
func (r *drainRun) refuse() {
	after := int64(refusedRetry / time.Second)
	if r.st.BackInMS > 0 {
		left := ms(r.st.PlannedMS+r.st.BackInMS) - r.elapsed()
		after = int64(math.Ceil(max(left, time.Second).Seconds()))
	}
	if after == r.refused {
		return
	}
	r.refused = after
	r.srv.ws.RefuseWith(refusal(after))
}

func refusal(after int64) *ws.Response {
	return &ws.Response{Status: http.StatusServiceUnavailable, Detail: "sessions are being moved away from this server",
		Header: fmt.Sprintf("Retry-After: %d\r\n", after)}
}

const refusedRetry = 5 * time.Second
