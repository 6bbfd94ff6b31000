package fdstore

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
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

// name is one of ours in systemd's store.
type name struct {
	prefix     string
	generation uint64
	number     uint64
	end        string // "r" or "w" of a ring
}

func kindOf(s string) string {
	for _, p := range []string{prefixHot, prefixCold, prefixMemory, prefixState} {
		if strings.HasPrefix(s, p) {
			return p
		}
	}
	return ""
}

func parseName(s string) (n name, ok bool) {
	n.prefix = kindOf(s)
	parts := strings.Split(strings.TrimPrefix(s, n.prefix), ".")
	want := map[string]int{prefixHot: 3, prefixCold: 3, prefixMemory: 1, prefixState: 2}[n.prefix]
	if want == 0 || len(parts) != want {
		return name{}, false
	}
	var err error
	if n.generation, err = strconv.ParseUint(parts[0], 10, 62); err != nil {
		return name{}, false
	}
	if want > 1 {
		if n.number, err = strconv.ParseUint(parts[1], 10, 62); err != nil {
			return name{}, false
		}
	}
	if want > 2 {
		n.end = parts[2]
		ok = n.end == "r" || n.end == "w"
		return n, ok
	}
	return n, true
}

// files are what systemd passed, by what they are.
type files struct {
	names   []string // of all
	useless []string // names to be removed
	memory  []file
	rings   []*ringFiles
	states  []file
}

type file struct {
	name
	text string
	fd   int
}

type ringFiles struct {
	name
	texts []string
	r, w  int
}

// sortFiles takes the descriptors out of files, and closes what is none of ours.
func sortFiles(given []*os.File) *files {
	k := &files{}
	for _, f := range given {
		text := f.Name()
		n, ok := parseName(text)
		fd := -1
		if ok {
			fd = take(f)
		}
		_ = f.Close()
		k.names = append(k.names, text)
		switch {
		case fd < 0:
			k.useless = append(k.useless, text)
		case n.prefix == prefixMemory:
			k.memory = append(k.memory, file{n, text, fd})
		case n.prefix == prefixState:
			k.states = append(k.states, file{n, text, fd})
		default:
			k.addRing(n, text, fd)
		}
	}
	// The newest memory that can be used counts.
	slices.SortStableFunc(k.memory, func(a, b file) int { return int(int64(b.generation) - int64(a.generation)) })
	return k
}

func (k *files) addRing(n name, text string, fd int) {
	i := slices.IndexFunc(k.rings, func(r *ringFiles) bool {
		return r.prefix == n.prefix && r.generation == n.generation && r.number == n.number
	})
	if i < 0 {
		i = len(k.rings)
		k.rings = append(k.rings, &ringFiles{name: n, r: -1, w: -1})
	}
	r := k.rings[i]
	end := &r.r
	if n.end == "w" {
		end = &r.w
	}
	if *end >= 0 || !isSeqpacket(fd) {
		_ = unix.Close(fd)
		k.useless = append(k.useless, text)
		return
	}
	*end = fd
	r.texts = append(r.texts, text)
}

// take gives the descriptor of a file, which is to be closed.
func take(f *os.File) int {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1
	}
	fd := -1
	if cerr := conn.Control(func(raw uintptr) { fd, err = unix.FcntlInt(raw, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil || err != nil {
		return -1
	}
	return fd
}

func isSeqpacket(fd int) bool {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	domain, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && err2 == nil && typ == unix.SOCK_SEQPACKET && domain == unix.AF_UNIX
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
	data, ok := s.mem.read(sl)
	if !ok {
		res.Lost++
		return false
	}
	*p = place{fd: int32(fd), state: placeFlying, msg: m}
	m.live++
	if fd >= 0 {
		atomic.StoreUint32(&s.byFD[fd], i)
		res.Conns = append(res.Conns, Conn{FD: fd, Key: sl.key, Data: data, In: sl.in != 0, Out: sl.out != 0, Queued: sl.queued})
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

// claimCarried notes what came through an exec, by key, and stands still until all have been added.
func (s *Store) claimCarried() {
	s.carried = map[uint64]uint32{}
	for i := range s.places {
		if s.places[i].state == placeFlying {
			s.carried[s.mem.slot(uint32(i)).key] = uint32(i)
		}
	}
	s.frozen = true
	s.carrying.Store(true)
}

// adopt gives a connection that came through an exec its descriptor.
func (s *Store) adopt(fd int32, key uint64) bool {
	if !s.carrying.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.carried[key]
	if !ok {
		return false
	}
	delete(s.carried, key)
	s.places[i].fd = fd
	atomic.StoreUint32(&s.byFD[fd], i)
	return true
}

// Adopted says that all that came through an exec have been added: the others are gone.
func (s *Store) Adopted() {
	s.mu.Lock()
	for _, i := range s.carried {
		s.dropLocked(i)
	}
	s.carried = nil
	s.mu.Unlock()
	s.carrying.Store(false)
	s.Thaw()
}

// String is for the log.
func (r *Restored) String() string {
	return fmt.Sprintf("%d connections, %d lost", len(r.Conns), r.Lost)
}
