package fdstore

import (
	"fmt"
	"os"
	"sync/atomic"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Restored is what a process before left. Its connections are kept already; each is to be added again, or to be dropped and closed.
type Restored struct {
	Conns []Conn
	// State was given to PutState before a graceful restart, and is nil after a crash.
	State *os.File
	// Sealed says that what is known of the connections is out of date.
	Sealed bool
	// Counters are the values that the process before left.
	Counters map[string]uint64
	// Lost connections were kept without a record that could be read; they are closed.
	Lost int
}

// A Conn is a connection that outlived a process. Its flags are as they were last set, and stay so in the store.
type Conn struct {
	FD      int
	Key     uint64
	Data    []byte
	In, Out bool
	Queued  uint32
}

// restore takes over memory and rings. Without a memory that can be used s.mem stays nil and everything is lost.
func (s *Store) restore(k *files, carried bool) *Restored {
	if len(k.memory) == 0 && len(k.rings) == 0 && len(k.states) == 0 {
		return nil
	}
	res := &Restored{}
	for _, f := range k.memory {
		if s.mem == nil {
			mem, err := openMemory(f.fd)
			if err == nil {
				s.mem, s.generation = mem, f.generation
				continue
			}
			s.log.Error("what systemd kept of the process before cannot be used", zap.String("name", f.text), zap.Error(err))
		}
		_ = unix.Close(f.fd)
		k.useless = append(k.useless, f.text)
	}
	if s.mem != nil {
		res.Sealed = atomic.LoadUint64(&s.mem.h.sealed) != 0
		res.Counters = s.mem.counters()
		s.places = make([]place, s.mem.nslots*slotsPerChunk)
	}
	valid := uint64(0)
	if s.mem != nil {
		valid = atomic.LoadUint64(&s.mem.h.state)
	}
	for _, f := range k.states {
		if s.mem != nil && f.generation == s.generation && f.number == valid && res.State == nil {
			res.State = os.NewFile(uintptr(f.fd), f.text)
			s.states = append(s.states, f.text)
			continue
		}
		_ = unix.Close(f.fd)
		k.useless = append(k.useless, f.text)
	}
	for _, rf := range k.rings {
		s.restoreRing(k, rf, res, carried)
	}
	if s.mem == nil {
		return res
	}
	if carried {
		s.claimCarried()
	}
	s.sweepSlots(res)
	return res
}

func (s *Store) restoreRing(k *files, rf *ringFiles, res *Restored, carried bool) {
	r := &ring{number: rf.number, hot: rf.prefix == prefixHot, r: rf.r, w: rf.w}
	if r.r < 0 || s.mem == nil || rf.generation != s.generation {
		if r.r >= 0 && s.mem == nil {
			_ = r.peek(false, func(payload []byte, _ []int, _ bool) { res.Lost += max(entries(payload), 0) })
			_ = unix.Close(r.r)
		} else if r.r >= 0 {
			_ = unix.Close(r.r)
		}
		if r.w >= 0 {
			_ = unix.Close(r.w)
		}
		k.useless = append(k.useless, rf.texts...)
		return
	}
	if r.w >= 0 {
		_ = unix.SetsockoptInt(r.w, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	if s.mem.h.lastRing > mostNumber {
		s.mem.h.lastRing = 0
	}
	s.mem.h.lastRing = max(s.mem.h.lastRing, r.number)
	err := r.peek(!carried, func(payload []byte, fds []int, short bool) { s.restoreMessage(r, payload, fds, short, res, carried) })
	if err != nil {
		s.log.Error("connections that systemd kept cannot be received", zap.Error(err))
	}
	if r.hot && s.hot == nil && r.w >= 0 {
		s.hot = r
	} else {
		s.cold = append(s.cold, r)
	}
}

// restoreMessage takes what a message says into the books, and its descriptors.
func (s *Store) restoreMessage(r *ring, payload []byte, fds []int, short bool, res *Restored, carried bool) {
	m := &message{ring: r}
	r.msgs = append(r.msgs, m)
	n := max(entries(payload), 0)
	if short {
		s.log.Error("connections are lost: the limit of open files is too low to take them over", zap.Int("missing", n-len(fds)))
	}
	for i := range n {
		fd := -1
		if i < len(fds) {
			fd = fds[i]
		}
		slot, id := entry(payload, i)
		if id <= mostNumber {
			s.highest = max(s.highest, id)
		}
		if !s.restoreEntry(m, slot, id, fd, res, carried) {
			slot = 0 // nobody's, in the message's books
			if fd >= 0 {
				_ = unix.Close(fd)
			}
		}
		m.slots = append(m.slots, slot)
	}
	for _, fd := range fds[min(n, len(fds)):] {
		_ = unix.Close(fd)
	}
	s.flying += n
	if dead := n - m.live; dead > 0 {
		m.dirty = s.clock()
		r.garbage += dead
		s.garbage += dead
	}
}

// restoreEntry reports whether the descriptor is a connection's, and the first of it.
func (s *Store) restoreEntry(m *message, i uint32, id uint64, fd int, res *Restored, carried bool) bool {
	if !s.mem.known(i) || id == 0 {
		return false
	}
	sl, p := s.mem.slot(i), &s.places[i]
	if sl.id != id || p.state != placeFree {
		return false // closed, or in flight twice
	}
	if fd < 0 && !carried || fd >= 0 && !s.inRange(int32(fd)) {
		res.Lost++
		return false
	}
	data, ok := s.mem.claim(sl)
	if !ok {
		res.Lost++
		return false
	}
	*p = place{fd: int32(fd), state: placeFlying, msg: m}
	m.live++
	if fd >= 0 {
		atomic.StoreUint32(&s.byFD[fd], i)
		res.Conns = append(res.Conns, Conn{FD: fd, Key: sl.key, Data: append([]byte(nil), data...), In: sl.in != 0, Out: sl.out != 0, Queued: sl.queued})
	}
	return true
}

// mostNumber is more than a counter reaches that nobody tampered with.
const mostNumber = 1<<62 - 1<<32

// sweepSlots frees the slots whose connection did not come, and finds the numbers to go on with.
func (s *Store) sweepSlots(res *Restored) {
	h := s.mem.h
	for i := len(s.places) - 1; i > 0; i-- {
		sl, p := s.mem.slot(uint32(i)), &s.places[i]
		if p.state == placeFlying {
			if s.mem.usedSlots == 0 {
				s.mem.usedSlots = uint32(i) + 1
			}
			continue
		}
		p.fd = -1
		if sl.id != 0 {
			atomic.StoreUint64(&sl.id, 0)
		}
		if s.mem.usedSlots > 0 {
			s.mem.freeSlots = append(s.mem.freeSlots, uint32(i))
		}
	}
	s.mem.usedSlots = max(s.mem.usedSlots, 1)
	if h.lastID > mostNumber {
		h.lastID = 1
	}
	h.lastID = max(h.lastID, s.highest)
	if res.Lost > 0 {
		s.log.Error("connections were kept whose record cannot be read", zap.Int("lost", res.Lost))
	}
}

// String is for the log.
func (r *Restored) String() string {
	return fmt.Sprintf("%d connections, %d lost", len(r.Conns), r.Lost)
}
