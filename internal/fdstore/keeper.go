package fdstore

import (
	"bytes"
	"math"
	"sync/atomic"
	"time"
)

// A Keeper is one loop's part of the store. Its methods are for that loop's goroutine only.
type Keeper struct {
	store   *Store
	pending []uint32 // slots that the next Flush sends
}

// Keeper gives a new one.
func (s *Store) Keeper() *Keeper { return &Keeper{store: s} }

// A place says where a slot's descriptor is. Guarded by Store.mu.
type place struct {
	fd    int32
	state placeState
	msg   *message // when it is in flight
}

type placeState uint8

const (
	placeFree    placeState = iota
	placeWaiting            // for Flush, or for room
	placeFlying
	placeDropped // while it waited
)

// Add keeps a connection from the next Flush on. The data, of up to MaxData bytes, is copied. The key is the caller's; no two connections have
// the same. What Open restored is kept already; adding it again is an Update, and is how a connection that came through an exec is told
// its descriptor. A failure is logged, and leaves the connection to die with the process.
func (k *Keeper) Add(fd int32, key uint64, data []byte) {
	s := k.store
	if !s.inRange(fd) {
		s.trouble(errRange)
		return
	}
	if i := atomic.LoadUint32(&s.byFD[fd]); i != 0 {
		if s.mem.slot(i).key == key {
			k.Update(fd, data)
			return
		}
		k.Drop(fd) // who closed it forgot us
	}
	if s.adopt(fd, key) {
		k.Update(fd, data)
		return
	}
	if len(data) > MaxData {
		s.trouble(errTooLong)
		return
	}
	i, ref, err := s.reserve(fd, len(data))
	if err != nil {
		s.trouble(err)
		return
	}
	s.mem.write(ref, key, data)
	sl := s.mem.slot(i)
	sl.key, sl.ref, sl.queued, sl.in, sl.out = key, ref, 0, 0, 0
	atomic.StoreUint64(&sl.id, atomic.AddUint64(&s.mem.h.lastID, 1))
	atomic.StoreUint32(&s.byFD[fd], i)
	k.pending = append(k.pending, i)
}

// Known reports whether a connection is kept already, under that key: what Open restored is, and what came through an exec, which is told its
// descriptor by this. It goes on with the data and the flags it has.
func (k *Keeper) Known(fd int32, key uint64) bool {
	s := k.store
	if !s.inRange(fd) {
		return false
	}
	if i := atomic.LoadUint32(&s.byFD[fd]); i != 0 {
		return s.mem.slot(i).key == key
	}
	return s.adopt(fd, key)
}

// reserve takes a slot, and room for a record.
func (s *Store) reserve(fd int32, n int) (i uint32, ref uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, err = s.mem.place(n)
	if err != nil {
		return 0, 0, err
	}
	if i, err = s.mem.newSlot(); err != nil {
		s.mem.release(ref)
		return 0, 0, err
	}
	for int(i) >= len(s.places) {
		s.places = append(s.places, place{})
	}
	s.places[i] = place{fd: fd, state: placeWaiting}
	return i, ref, nil
}

// Update replaces a connection's data. After a crash it is either the old or the new.
func (k *Keeper) Update(fd int32, data []byte) {
	s := k.store
	if !s.inRange(fd) || len(data) > MaxData {
		s.trouble(errTooLong)
		return
	}
	i := atomic.LoadUint32(&s.byFD[fd])
	if i == 0 {
		return
	}
	sl := s.mem.slot(i)
	if int(uint32(sl.ref)) == len(data) && bytes.Equal(s.mem.bytes(sl.ref)[:len(data)], data) {
		return
	}
	s.mu.Lock()
	ref, err := s.mem.place(len(data))
	s.mu.Unlock()
	if err != nil {
		s.trouble(err)
		return
	}
	old := sl.ref
	s.mem.write(ref, sl.key, data)
	atomic.StoreUint64(&sl.ref, ref)
	s.mu.Lock()
	s.mem.release(old)
	s.mu.Unlock()
}

// Drop forgets a connection, if it is kept. It comes before close(2), and with it come shutdown(2) and the removal from an epoll set, which closing
// implies no longer: a copy of the descriptor stays in flight a little longer. Neither SetIn, SetOut nor SetQueued may follow for it.
func (k *Keeper) Drop(fd int32) {
	s := k.store
	if !s.inRange(fd) {
		return
	}
	i := atomic.LoadUint32(&s.byFD[fd])
	if i == 0 {
		return
	}
	atomic.StoreUint32(&s.byFD[fd], 0)
	s.mu.Lock()
	s.dropLocked(i)
	s.mu.Unlock()
}

// dropLocked frees a slot. One that waits is still in somebody's list, and is freed there.
func (s *Store) dropLocked(i uint32) {
	sl, p := s.mem.slot(i), &s.places[i]
	atomic.StoreUint64(&sl.id, 0)
	s.mem.release(sl.ref)
	p.fd = -1
	if p.state == placeWaiting {
		p.state = placeDropped
		return
	}
	s.buryLocked(p)
	s.freeLocked(i)
}

func (s *Store) freeLocked(i uint32) {
	s.places[i] = place{fd: -1}
	s.mem.freeSlots = append(s.mem.freeSlots, i)
}

// buryLocked makes garbage of what p has in flight.
func (s *Store) buryLocked(p *place) {
	m := p.msg
	p.msg = nil
	m.live--
	m.ring.garbage++
	s.garbage++
	if m.dirty == 0 {
		m.dirty = s.clock()
	}
	if s.sleeps > m.dirty+lingerLimit/2 || s.garbage > s.tolerated() {
		s.wake()
	}
}

// Flush sends what was added since the last one. A loop calls it at the end of each pass.
func (k *Keeper) Flush(time.Duration) {
	if len(k.pending) > 0 {
		k.flush()
	}
}

func (k *Keeper) flush() {
	s := k.store
	s.mu.Lock()
	for rest := k.pending; len(rest) > 0; {
		n := min(len(rest), perMessage)
		s.keepLocked(rest[:n])
		rest = rest[n:]
	}
	s.mu.Unlock()
	if cap(k.pending) > 4*perMessage {
		k.pending = nil
	}
	k.pending = k.pending[:0]
}

// keepLocked sends new ones. What finds no room waits for tidy.
func (s *Store) keepLocked(slots []uint32) {
	live := s.scratch[:0]
	for _, i := range slots {
		if s.places[i].state == placeDropped {
			s.freeLocked(i)
		} else {
			live = append(live, i)
		}
	}
	if len(live) == 0 {
		return
	}
	var err error
	if len(live) >= perMessage/2 {
		err = s.storeLocked(live)
	} else if err = s.sendLocked(s.hot, live); err == nil && len(s.hot.msgs) >= hotMessages {
		s.wake()
	}
	if err != nil {
		s.waiting = append(s.waiting, live...)
		s.wake()
	}
}

// NextDeadline is when Flush wants to be called though nothing happened: never. What could not be sent is sent by the store itself.
func (k *Keeper) NextDeadline() time.Duration { return math.MaxInt64 }

func (s *Store) inRange(fd int32) bool { return uint(fd) < uint(len(s.byFD)) }

// flags is where those of a descriptor are; of one that is not kept, where they do no harm.
func (s *Store) flags(fd int32) *slot {
	var i uint32
	if uint(fd) < uint(len(s.byFD)) {
		i = atomic.LoadUint32(&s.byFD[fd])
	}
	return &s.mem.slots[i>>slotShift][i%uint32(slotsPerChunk)]
}

// SetIn says whether bytes were read from the kernel that are not handled yet. Like the others it may be called by any goroutine that knows
// that the descriptor is not closed meanwhile.
func (s *Store) SetIn(fd int32, v byte) { s.flags(fd).in = v }

// SetOut says whether the kernel has a part of a message only.
func (s *Store) SetOut(fd int32, v byte) { s.flags(fd).out = v }

// SetQueued says how many bytes wait that have not begun to leave.
func (s *Store) SetQueued(fd int32, n uint32) { s.flags(fd).queued = n }
