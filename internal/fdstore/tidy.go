package fdstore

import (
	"errors"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// hotMessages is when the hot ring is moved to the cold ones. It has room for twice that with the smallest of send buffers.
	hotMessages = 128
	// leastGarbage is never worth a turn before its time.
	leastGarbage = perMessage
	retryAfter   = time.Second
)

// lingerLimit bounds how long a closed descriptor stays in flight: from half of it on a ring is turned, in the other half.
var lingerLimit = 8 * time.Second

// What can go wrong. Each is logged once, until it is over.
var (
	errRange   = errors.New("a descriptor is above the limit that the store was made for")
	errTooLong = errors.New("a connection's data is too long")
	errClosed  = errors.New("a descriptor was closed and not dropped")
	errRefused = errors.New("systemd keeps no more descriptors: raise FileDescriptorStoreMax=")
)

// popLocked discards a ring's oldest message, in which nothing is alive.
func (s *Store) popLocked(r *ring) error {
	if err := r.discard(); err != nil && err != unix.EAGAIN {
		return err
	}
	m := r.msgs[0]
	r.msgs[0] = nil
	r.msgs = r.msgs[1:]
	n := len(m.slots)
	r.garbage -= n
	s.garbage -= n
	s.flying -= n
	r.full = false
	return nil
}

// turnLocked sends what is alive in a ring's oldest messages again, as one message, and discards those in which nothing is left.
func (s *Store) turnLocked(r *ring) error {
	live := s.scratch[:0]
	for _, m := range r.msgs {
		// One without garbage is not begun: what is left of it would be a reason for the next turn.
		if m.dirty == 0 && len(live)+m.live > perMessage {
			break
		}
		for _, i := range m.slots {
			if s.places[i].msg == m && len(live) < perMessage {
				live = append(live, i)
			}
		}
		if len(live) == perMessage {
			break
		}
	}
	if len(live) > 0 {
		if err := s.storeLocked(live); err != nil {
			return err
		}
	}
	return s.popDeadLocked(r)
}

// makeRoomLocked is for when the kernel allows no more in flight. r was to be turned, if any.
func (s *Store) makeRoomLocked(r *ring) error {
	if worst := s.worstLocked(); worst.garbage > 0 {
		return s.forceLocked(worst)
	}
	if r != nil && s.flying < s.limit-perMessage {
		return s.forceLocked(r) // it may be a single one that it does not allow: see retryLocked
	}
	return unix.ETOOMANYREFS
}

// worstLocked gives the ring with most garbage.
func (s *Store) worstLocked() *ring {
	worst := s.hot
	for _, r := range s.cold {
		if r.garbage > worst.garbage {
			worst = r
		}
	}
	return worst
}

// forceLocked turns a ring's oldest message the other way round: it discards first. For some microseconds what is alive in it would not survive
// a crash, or longer, if somebody else of this user takes the room.
func (s *Store) forceLocked(r *ring) error {
	m := r.msgs[0]
	for _, i := range m.slots {
		if p := &s.places[i]; p.msg == m {
			s.buryLocked(p)
			p.state = placeWaiting
			s.waiting = append(s.waiting, i)
		}
	}
	s.retry = 0
	if err := s.popDeadLocked(r); err != nil {
		return err
	}
	s.retryLocked(s.clock())
	return nil
}

func (s *Store) popDeadLocked(r *ring) error {
	for len(r.msgs) > 0 && r.msgs[0].live == 0 {
		if err := s.popLocked(r); err != nil {
			return err
		}
	}
	return nil
}

// tidy is the goroutine that turns the rings.
func (s *Store) tidy() {
	defer s.running.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.tidyWake:
		case <-timer.C:
		}
		wait := s.tidyUp()
		s.report()
		timer.Reset(wait)
	}
}

const idle = time.Hour

// tidyUp does what is due, and gives the time until it has to be called again.
func (s *Store) tidyUp() time.Duration {
	for {
		s.mu.Lock()
		again, wait := s.stepLocked()
		s.sleeps = s.clock() + wait
		s.mu.Unlock()
		if !again {
			return wait
		}
		runtime.Gosched() // others want the lock
	}
}

// stepLocked does one thing that is due.
func (s *Store) stepLocked() (again bool, wait time.Duration) {
	if s.frozen {
		return false, idle
	}
	now := s.clock()
	r, wait := s.dueLocked(now)
	if r != nil {
		err := s.turnLocked(r)
		if err == unix.ETOOMANYREFS {
			err = s.makeRoomLocked(r)
		}
		s.problem = err
		return err == nil, retryAfter
	}
	for i := 0; i < len(s.cold); i++ {
		if r := s.cold[i]; len(r.msgs) == 0 && (len(s.cold) > 1 || r.w < 0) {
			s.cold = slices.Delete(s.cold, i, i+1)
			s.removeRingLocked(r)
			i--
		}
	}
	if len(s.waiting) > 0 {
		if now < s.retry {
			return false, min(wait, s.retry-now)
		}
		again = s.retryLocked(now)
		if !again && s.problem == unix.ETOOMANYREFS {
			again = s.makeRoomLocked(nil) == nil
		}
		return again, 0
	}
	s.problem = nil
	return false, wait
}

// dueLocked gives a ring that has to be turned now, or how long that may wait.
func (s *Store) dueLocked(now time.Duration) (*ring, time.Duration) {
	if len(s.hot.msgs) >= hotMessages || s.hot.full && len(s.hot.msgs) > 0 {
		return s.hot, 0
	}
	wait := idle
	for i := -1; i < len(s.cold); i++ {
		r := s.hot
		if i >= 0 {
			r = s.cold[i]
		}
		if r.w < 0 && len(r.msgs) > 0 {
			return r, 0
		}
		for k, m := range r.msgs {
			if m.dirty == 0 {
				continue
			}
			if begin := m.dirty + lingerLimit/2; begin > now {
				wait = min(wait, begin-now)
			} else if r.paced > now {
				wait = min(wait, r.paced-now)
			} else {
				r.paced = now + max(begin+lingerLimit/2-now, 0)/time.Duration(k+2)
				return r, 0
			}
		}
	}
	if s.garbage > s.tolerated() {
		return s.worstLocked(), 0
	}
	return nil, wait
}

// tolerated is how much may be in flight for nothing: a quarter of what lives, and not so much that the kernel's limit is reached.
func (s *Store) tolerated() int {
	live := s.flying - s.garbage
	return min(max(live/4, leastGarbage), max(s.limit-live-2*perMessage, perMessage/4))
}

// retryLocked sends some of those that wait. Those it cannot send wait on.
func (s *Store) retryLocked(now time.Duration) (again bool) {
	batch := s.waitingBatch(min(len(s.waiting), perMessage))
	if len(batch) == 0 {
		return true
	}
	err := s.storeLocked(batch)
	if err == nil {
		return true
	}
	if err == unix.ETOOMANYREFS && s.flying < s.limit-perMessage {
		// Older kernels say it of a single socket, too, in which somebody has put sockets with sockets in them.
		batch = slices.DeleteFunc(batch, func(i uint32) bool { return s.storeLocked([]uint32{i}) == nil })
	}
	s.problem = err
	s.retry = now + retryAfter
	s.waiting = append(s.waiting, batch...)
	return false
}

// waitingBatch takes up to n out of the list, less those that were dropped.
func (s *Store) waitingBatch(n int) []uint32 {
	batch := s.scratch[:0]
	for _, i := range s.waiting[:n] {
		if s.places[i].state == placeDropped {
			s.freeLocked(i)
		} else {
			batch = append(batch, i)
		}
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
	return batch
}

// wake wakes the goroutine.
func (s *Store) wake() {
	select {
	case s.tidyWake <- struct{}{}:
	default:
	}
}

// trouble notes what went wrong; tidy says it.
func (s *Store) trouble(err error) {
	s.mu.Lock()
	s.accident = err
	s.mu.Unlock()
	s.wake()
}

// report logs a problem when it is new, and its end.
func (s *Store) report() {
	s.mu.Lock()
	problem, accident, waiting := s.problem, s.accident, len(s.waiting)
	s.accident = nil
	s.mu.Unlock()
	if accident != nil && (s.saidAccident == nil || s.saidAccident.Error() != accident.Error()) {
		s.saidAccident = accident
		s.log.Error("a connection is not kept and would not survive a crash", zap.Error(accident))
	}
	switch {
	case problem != nil && s.said == nil:
		s.log.Error("connections are not kept and would not survive a crash", zap.Error(explain(problem)), zap.Int("connections", waiting))
	case problem == nil && s.said != nil:
		s.log.Info("all connections are kept again")
	}
	s.said = problem
}

func explain(err error) error {
	if errors.Is(err, unix.ETOOMANYREFS) {
		return errors.New("more descriptors in flight than LimitNOFILE= allows this user")
	}
	return err
}
