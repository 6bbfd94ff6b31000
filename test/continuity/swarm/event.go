package swarm

import (
	"context"
	"fmt"
	"time"
)

// events carries out the events and checks what they leave.
func (s *Swarm) events(ctx context.Context) error {
	for n := range s.opt.Times {
		if err := s.wander(ctx); err != nil {
			return err
		}
		if err := s.prepare(ctx); err != nil {
			return err
		}
		if err := s.event(ctx, n); err != nil {
			return err
		}
		if s.opt.Expect == Stop {
			_, err := s.until(ctx, s.opt.Patience, "sessions to be closed", func() bool { return allClosed(s.sessions) && allClosed(s.odd) })
			return err
		}
		if err := s.release(ctx); err != nil {
			return err
		}
		if err := s.rollCall(ctx); err != nil {
			return err
		}
		if err := s.reopen(ctx); err != nil {
			return err
		}
		s.r.Events++
		fmt.Fprintf(s.opt.Log, "event %d of %d: paused %v, %d closed so far, %d lost, %d problems\n", n+1, s.opt.Times,
			s.r.Pauses[len(s.r.Pauses)-1].Round(time.Millisecond), s.r.closed(), s.lost(), s.problems)
	}
	return nil
}

// wander lets some time pass, with traffic.
func (s *Swarm) wander(ctx context.Context) error {
	d := s.opt.EveryMin
	if n := s.opt.EveryMax - s.opt.EveryMin; n > 0 {
		d += time.Duration(s.rng.Int64N(int64(n)))
	}
	return s.during(ctx, d)
}

func (s *Swarm) during(ctx context.Context, d time.Duration) error {
	for end := s.tick() + int64(d); s.now < end; {
		if err := s.pass(ctx); err != nil {
			return err
		}
	}
	return nil
}

// event does what is to be done, once, under traffic. Every other time nothing is
// broadcast around it: then those who are idle have nothing under way for
// certain.
func (s *Swarm) event(ctx context.Context, n int) error {
	s.noCasts = n%2 == 1
	if s.noCasts {
		if _, err := s.until(ctx, s.opt.Patience, "a broadcast", func() bool { return !s.casting }); err != nil {
			return err
		}
	}
	for i := range s.conns {
		c := &s.conns[i]
		c.atEvent = c.busy() || c.casts.next < s.acceptedCasts()
	}
	s.r.BasePause = max(s.r.BasePause, s.pause)
	s.eventBegan, s.pause = s.tick(), 0
	if s.opt.Expect == Stop { // there is no after, so they have to read now
		s.stopping = true // a call would have systemd start the daemon again
		for _, c := range s.odd {
			if c.stalled {
				c.stalled = false
				s.receive(c, true)
			}
		}
	}
	done := make(chan error, 1)
	s.calls.Go(func() { done <- s.opt.Do(s.life, n) })
	var err error
	over := false
	if _, stepErr := s.until(ctx, s.opt.DoLimit, "the event", func() bool {
		select {
		case err = <-done:
			over = true
		default:
		}
		return over
	}); stepErr != nil {
		return stepErr
	}
	if err != nil {
		s.r.EventErrors++
		s.problem("event %d: %v", n+1, err)
	}
	if err := s.during(ctx, s.opt.After); err != nil {
		return err
	}
	s.noCasts = false
	if s.opt.Expect != Stop {
		if _, err := s.until(ctx, s.opt.Patience, "traffic to go on after the event", s.goesOn()); err != nil {
			return err
		}
	}
	s.measurePause()
	s.r.Pauses = append(s.r.Pauses, s.pause)
	s.r.MaxPause, s.pause = max(s.r.MaxPause, s.pause), 0
	return nil
}

// goesOn tells whether echoes come since it was made, or nobody is there to wait
// for one.
func (s *Swarm) goesOn() func() bool {
	since := s.lastEcho
	return func() bool {
		if s.lastEcho > since {
			return true
		}
		for _, c := range s.sessions {
			if c.live() {
				return false
			}
		}
		return true
	}
}

// rollCall has every session say something, and wants that and all before it
// back, and each broadcast. Whoever does not get it is deaf, or its messages are
// lost.
func (s *Swarm) rollCall(ctx context.Context) error {
	s.quiet = true
	defer func() { // what so many get at once is no measure
		s.quiet, s.talked, s.pause = false, s.tick(), 0
	}()
	calm := func() bool { return !s.casting && s.asking == 0 }
	if _, err := s.until(ctx, s.opt.Patience+10*time.Second, "operators' calls", calm); err != nil {
		return err
	}
	if s.admin != nil && s.opt.BroadcastEvery > 0 {
		for range 10 { // until one is accepted
			s.broadcast()
			if _, err := s.until(ctx, s.opt.Patience+10*time.Second, "operators' calls", calm); err != nil {
				return err
			}
			if s.castings[len(s.castings)-1].accepted {
				break
			}
			if err := s.during(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	var present []*conn
	for i := range s.conns {
		c := &s.conns[i]
		if !c.live() || c.session == "" {
			continue
		}
		present = append(present, c)
		s.say(c, 60)
		if len(present)%500 == 0 {
			if err := s.step(ctx, 0); err != nil {
				return err
			}
		}
	}
	last := 0
	complete := func() bool {
		for ; last < len(present); last++ {
			if c := present[last]; c.state == stateOpen && !s.complete(c) {
				return false
			}
		}
		return true
	}
	for limit := s.tick() + int64(s.opt.Patience); !complete() && s.now < limit; {
		if err := s.step(ctx, 4*time.Millisecond); err != nil {
			return err
		}
	}
	for _, c := range present {
		if c.state == stateOpen && !s.complete(c) {
			s.fault(&s.r.Deaf, "session %d has %d of its %d messages, %d of %d answers and %d of %d broadcasts", c.id, c.echoes.next, c.sent,
				c.creqs-uint64(len(c.unanswered)), c.creqs, c.casts.next, len(s.castings))
		}
	}
	return nil
}

// complete tells whether a session has got what it is owed. Requests are answered
// in their order, so those before an answer that came are lost; they are counted,
// not waited for, when a kill may lose them.
func (s *Swarm) complete(c *conn) bool {
	return c.sent == c.echoes.next && (len(c.unanswered) == 0 || s.opt.Expect == Crash) && c.casts.next >= s.acceptedCasts()
}

// acceptedCasts is one more than the number of the last broadcast that was taken.
func (s *Swarm) acceptedCasts() uint64 {
	for i := len(s.castings) - 1; i >= 0; i-- {
		if s.castings[i].accepted {
			return uint64(i) + 1
		}
	}
	return 0
}

// reopen replaces the sessions that were closed.
func (s *Swarm) reopen(ctx context.Context) error {
	var gone []*conn
	for _, c := range s.sessions {
		if c.state == stateClosed {
			gone = append(gone, c)
		} else {
			s.forgive(c)
		}
	}
	for _, c := range s.odd {
		s.forgive(c)
	}
	ok, err := s.open(ctx, gone)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %d of %d sessions could not be opened again: %v", ErrGone, len(gone), len(s.sessions), s.lastRefusal)
	}
	return err
}

// forgive counts what a session that goes on has lost so far, and forgets it.
func (s *Swarm) forgive(c *conn) {
	if c.state != stateOpen {
		return
	}
	s.r.Requests.Lost += uint64(len(c.unanswered))
	s.unanswered -= len(c.unanswered)
	c.unanswered = nil
}
