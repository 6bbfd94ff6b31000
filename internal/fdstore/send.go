package fdstore

import (
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// sendLocked sends slots' descriptors to one ring, all or none.
func (s *Store) sendLocked(r *ring, slots []uint32) error {
	if r.w < 0 || r.full && len(r.msgs) > 0 {
		return unix.EAGAIN
	}
	for n, i := range slots {
		s.out.put(n, s.places[i].fd, i, s.mem.slot(i).id)
	}
	err := s.out.send(r.w, len(slots))
	for err == unix.EINTR {
		err = s.out.send(r.w, len(slots))
	}
	if err == unix.EBADF {
		return s.sendOpenLocked(r, slots)
	}
	if err != nil {
		r.full = err == unix.EAGAIN
		return err
	}
	m := &message{ring: r, slots: slices.Clone(slots), live: len(slots)}
	r.msgs = append(r.msgs, m)
	s.flying += len(slots)
	for _, i := range slots {
		p := &s.places[i]
		if p.msg != nil { // it has moved
			s.buryLocked(p)
		}
		p.state, p.msg = placeFlying, m
	}
	return nil
}

// sendOpenLocked is sendLocked without those descriptors that somebody closed and did not drop.
func (s *Store) sendOpenLocked(r *ring, slots []uint32) error {
	var open []uint32
	for _, i := range slots {
		p := &s.places[i]
		if _, err := unix.FcntlInt(uintptr(p.fd), unix.F_GETFD, 0); err == nil {
			open = append(open, i)
			continue
		}
		s.accident = errClosed
		s.wake()
		if s.inRange(p.fd) {
			atomic.CompareAndSwapUint32(&s.byFD[p.fd], i, 0)
		}
		if p.state == placeWaiting {
			p.state = placeFree // it is in no list but the caller's
			atomic.StoreUint64(&s.mem.slot(i).id, 0)
			s.mem.release(s.mem.slot(i).ref)
			s.freeLocked(i)
		} else {
			s.dropLocked(i)
		}
	}
	if len(open) == 0 || len(open) == len(slots) {
		return nil
	}
	return s.sendLocked(r, open)
}

// storeLocked sends slots' descriptors to a cold ring with room, which is a new one if need be.
func (s *Store) storeLocked(slots []uint32) error {
	for _, r := range s.cold {
		if err := s.sendLocked(r, slots); err != unix.EAGAIN {
			return err
		}
	}
	if len(s.cold) >= maxRings {
		return errFull
	}
	r, err := s.addRingLocked(false)
	if err != nil {
		return err
	}
	return s.sendLocked(r, slots)
}

// maxRings is more than descriptors can be open for.
const maxRings = 1024
