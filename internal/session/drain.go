package session

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// The phases of a drain, in their order. Undrain leads back to Serving from any.
const (
	Serving        = "serving"
	DrainAnnounced = "announced" // health says so; sessions are still taken
	DrainClosing   = "closing"   // handshakes are refused, sessions closed one batch after the other
	Drained        = "drained"   // nobody is left; handshakes are refused
)

// Errors of the methods that are about draining.
var (
	ErrStopping     = errors.New("the server is shutting down")
	ErrDrainOptions = errors.New("bad options of a drain")
)

// DrainOptions say how sessions are sent away. The zero value of each field means
// what its comment says.
type DrainOptions struct {
	Rate     float64       // sessions closed per second; 0: DefaultDrainRate, or more if the deadline demands it
	Deadline time.Duration // from the beginning; what is left then is closed at once; 0: DefaultDrainDeadline after Delay
	Delay    time.Duration // of health's saying so before anything else happens
	BackIn   time.Duration // from the last session's closing to this server's return; 0: others take its sessions at once
}

// Defaults and limits of DrainOptions.
const (
	DefaultDrainRate     = 100
	DefaultDrainDeadline = 5 * time.Minute
	MinDrainRate         = 1.0 / 60
	MaxDrainRate         = 1e6
	MaxDrainDeadline     = 24 * time.Hour
	MaxDrainBackIn       = time.Hour
)

func (o DrainOptions) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrDrainOptions, fmt.Sprintf(format, args...))
	}
	switch {
	case o.Rate != 0 && !(o.Rate >= MinDrainRate && o.Rate <= MaxDrainRate):
		return bad("rate is %v a second; from 1 a minute to %d a second", o.Rate, int(MaxDrainRate))
	case o.Deadline < time.Millisecond || o.Deadline > MaxDrainDeadline:
		return bad("deadline is %v; from 1ms to %v", o.Deadline, MaxDrainDeadline)
	case o.Delay < 0 || o.Delay.Milliseconds() >= o.Deadline.Milliseconds(): // as the next process sees them
		return bad("delay is %v; it must be below the deadline, %v", o.Delay, o.Deadline)
	case o.BackIn < 0 || o.BackIn > MaxDrainBackIn:
		return bad("back-in is %v; at most %v", o.BackIn, MaxDrainBackIn)
	}
	return nil
}

// DrainState is how far a drain is, and all that another process needs to go on
// with it. Times are from its beginning, so that no clock is compared with another.
type DrainState struct {
	Phase      string  `json:"phase"`
	Rate       float64 `json:"rate"` // closed per second; 0 until it is known
	DelayMS    int64   `json:"delay_ms"`
	DeadlineMS int64   `json:"deadline_ms"`
	BackInMS   int64   `json:"back_in_ms"`
	ElapsedMS  int64   `json:"elapsed_ms"` // until now; of one that is done, until it was
	PlannedMS  int64   `json:"planned_ms"` // when the last is to be closed

	Total      int `json:"total"`      // sessions when the closing began
	Closed     int `json:"closed"`     // by the drain
	Forced     int `json:"forced"`     // of these, all at once at the deadline
	Unanswered int `json:"unanswered"` // of these, cut because the peer did not answer the close
	Left       int `json:"left"`       // open now
	Ending     int `json:"ending"`     // closed, but not gone yet
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// ETA is when the last session will have been closed, as far as can be told.
func (st *DrainState) ETA() time.Duration {
	limit := max(ms(st.DeadlineMS-st.ElapsedMS), 0)
	switch {
	case st.Phase == DrainAnnounced:
		wait := max(ms(st.DelayMS-st.ElapsedMS), 0)
		return min(wait+atRate(st.Left, drainRate(st.Rate, st.Left, ms(st.DeadlineMS-st.DelayMS))), limit)
	case st.Phase == DrainClosing && st.Rate > 0:
		return min(atRate(st.Left, st.Rate), limit)
	}
	return 0
}

// drain sends the sessions of a server away. While its phase is not Serving it
// has one goroutine, which alone writes to the counts and to the transport's
// refusal; Undrain and the end of the server wait for it.
type drain struct {
	srv  *Server
	away atomic.Bool // health says so

	closed     atomic.Uint64 // by all drains
	unanswered atomic.Uint64
	cut        atomic.Int64 // by this one

	mu      sync.Mutex // guards what follows
	state   DrainState
	began   time.Time
	changed chan struct{} // closed and replaced with each change of phase
	ending  []*Session    // closed by the drain of the process before; for the run that goes on with it
	stop    chan struct{} // tells the goroutine to take it back; nil: there is none
	done    chan struct{} // closed when the goroutine has ended
	taken   bool          // stop is closed
	ended   bool          // the server ends
}

func newDrain(s *Server) *drain {
	return &drain{srv: s, state: DrainState{Phase: Serving}, changed: make(chan struct{})}
}

// StartDrain begins to send the sessions away, and returns at once. If that is
// under way already, or done, it changes nothing and reports false.
func (s *Server) StartDrain(o DrainOptions) (began bool, err error) {
	if o.Deadline == 0 {
		o.Deadline = o.Delay + DefaultDrainDeadline
	}
	if err := o.check(); err != nil {
		return false, err
	}
	began, err = s.drain.start(DrainState{
		Phase: DrainAnnounced, Rate: o.Rate,
		DelayMS: o.Delay.Milliseconds(), DeadlineMS: o.Deadline.Milliseconds(), BackInMS: o.BackIn.Milliseconds(),
	})
	if began {
		s.log.Info("drain begins", zap.Int("sessions", s.Len()), zap.Duration("delay", o.Delay), zap.Duration("deadline", o.Deadline), zap.Duration("back_in", o.BackIn))
	}
	return began, err
}

// RestoreDrain goes on where another process has been: what its DrainState said
// there. It is for before Start, or soon after.
func (s *Server) RestoreDrain(st DrainState) error {
	switch st.Phase {
	case Serving, "":
		return nil
	case DrainAnnounced, DrainClosing, Drained:
	default:
		return fmt.Errorf("%w: there is no phase %q", ErrDrainOptions, st.Phase)
	}
	o := DrainOptions{Rate: st.Rate, Deadline: ms(st.DeadlineMS), Delay: ms(st.DelayMS), BackIn: ms(st.BackInMS)}
	if err := o.check(); err != nil {
		return err
	}
	if st.ElapsedMS < 0 || st.Total < 0 || st.Closed < 0 || st.Forced < 0 || st.Unanswered < 0 || st.Phase == DrainClosing && st.Rate == 0 {
		return fmt.Errorf("%w: %+v", ErrDrainOptions, st)
	}
	if st.Phase != DrainAnnounced {
		s.ws.RefuseWith(refusal(int64(refusedRetry / time.Second))) // from the first handshake on
	}
	_, err := s.drain.start(st)
	return err
}

// Undrain takes sessions again. Those that were not closed stay. It reports false
// if there was nothing to take back.
func (s *Server) Undrain() (was DrainState, undrained bool, err error) {
	was = s.DrainState()
	if undrained, err = s.drain.takeBack(); undrained {
		s.log.Info("drain taken back", zap.String("phase", was.Phase), zap.Int("closed", was.Closed), zap.Int("sessions", s.Len()))
	}
	return was, undrained, err
}

// DrainState tells how far a drain is.
func (s *Server) DrainState() DrainState {
	d := s.drain
	left := s.Len()
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.state
	st.Left = left
	if st.Phase == DrainAnnounced || st.Phase == DrainClosing {
		st.ElapsedMS = time.Since(d.began).Milliseconds()
	}
	if st.Phase != Serving {
		st.Unanswered = int(d.cut.Load())
	}
	return st
}

// DrainChanged is closed with the next change of a drain's phase.
func (s *Server) DrainChanged() <-chan struct{} {
	s.drain.mu.Lock()
	defer s.drain.mu.Unlock()
	return s.drain.changed
}

func (d *drain) start(st DrainState) (began bool, err error) {
	for {
		_, stopping := d.srv.ws.State()
		d.mu.Lock()
		switch {
		case d.ended || stopping:
			d.mu.Unlock()
			return false, ErrStopping
		case d.taken: // somebody takes the last one back just now
			done := d.done
			d.mu.Unlock()
			<-done
			continue
		case d.stop != nil:
			d.mu.Unlock()
			return false, nil
		}
		d.state, d.began = st, time.Now().Add(-ms(st.ElapsedMS))
		d.cut.Store(int64(st.Unanswered))
		d.stop, d.done = make(chan struct{}), make(chan struct{})
		d.announceLocked()
		d.away.Store(true)
		go d.run(drainRun{drain: d, st: st, stop: d.stop, ending: d.ending}, d.done)
		d.ending = nil
		d.mu.Unlock()
		return true, nil
	}
}

func (d *drain) announceLocked() {
	close(d.changed)
	d.changed = make(chan struct{})
	d.srv.changed() // which only rings a bell
}

func (d *drain) takeBack() (bool, error) {
	_, stopping := d.srv.ws.State()
	d.mu.Lock()
	done, mine := d.done, d.stop != nil && !d.taken
	if d.ended || stopping {
		d.mu.Unlock()
		return false, ErrStopping
	}
	if mine {
		d.taken = true
		close(d.stop)
	}
	wait := d.stop != nil
	d.mu.Unlock()
	if wait {
		<-done
	}
	return mine, nil
}

// end stops a drain with its server, which goes on refusing.
func (d *drain) end() {
	d.mu.Lock()
	d.ended = true
	done, wait := d.done, d.stop != nil
	if wait && !d.taken {
		d.taken = true
		close(d.stop)
	}
	d.mu.Unlock()
	if wait {
		<-done
	}
}

// gone counts a session that the drain has closed, when it is gone.
func (d *drain) gone(s *Session, info ws.CloseInfo) {
	s.mu.Lock()
	sent := s.sentAway
	s.mu.Unlock()
	if sent && !info.Clean {
		d.unanswered.Add(1)
		d.cut.Add(1)
	}
}
