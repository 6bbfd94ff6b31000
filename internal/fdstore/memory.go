package fdstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The memfd: a header, then chunks, each of slots or of data. Chunks are mapped one by one, and never move. Integers have the machine's
// byte order: what wrote it ran on it.
const (
	magic      = 0x4c_44_53_53_45_53_56_4e // NVSESSDL
	version    = 1
	headerSize = 64 << 10
	chunkSize  = 256 << 10
	maxChunks  = 16 << 10

	slotsPerChunk = chunkSize / int(unsafe.Sizeof(slot{}))
	slotShift     = 12 // log2(slotsPerChunk)
	unit          = 64 // a record's place is a multiple of it, and so is its size
	unitsPerChunk = chunkSize / unit
	sumSize       = 4 // behind the data

	// MaxData is the longest record.
	MaxData = 64 << 10
)

// A chunk's kind.
const (
	chunkFree byte = iota
	chunkSlots
	chunkData
)

type header struct {
	magic      uint64
	version    uint64
	generation uint64 // processes that opened it
	sealed     uint64
	state      uint64 // number in the name of the state that is valid; 0: none
	lastID     uint64 // slot.id
	lastRing   uint64 // number in a ring's name, or a state's
	counters   [maxCounters]counter
	kinds      [maxChunks]byte
}

// A slot is what is known of a connection while it lives. A descriptor in flight names it and its id. It has a cache line of its own, as its
// neighbours may be another loop's.
type slot struct {
	id     uint64 // 0: free. Written last, and by one store
	key    uint64
	ref    uint64 // record: its first unit in the file's data << 32 | length. By one store, too
	queued uint32
	in     byte
	out    byte
	_      [34]byte
}

type slotChunk [slotsPerChunk]slot

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// memory is the mapped memfd. But for the slots' flags it is guarded by Store.mu.
type memory struct {
	fd     int
	h      *header
	chunks int // mapped
	// slots[0][0] is nobody's: what has no slot is written there.
	slots     [maxChunks / 16]*slotChunk
	nslots    int // chunks of them
	data      [maxChunks]*[chunkSize]byte
	space     extents // has as many chunks as there are of data
	freeSlots []uint32
	usedSlots uint32 // those below it are free or used; above they were never
}

var errFull = errors.New("the shared memory is full")

// newMemory makes a memfd that can grow and not shrink: whoever maps it can rely on what is there.
func newMemory() (*memory, error) {
	fd, err := unix.MemfdCreate("nvsess-sessions", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	m := &memory{fd: fd}
	err = unix.Fallocate(fd, 0, 0, headerSize)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK)
	}
	if err == nil {
		err = m.mapHeader()
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	m.h.version = version
	m.h.lastID = 1
	if err := m.grow(chunkSlots); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	m.usedSlots = 1
	m.h.magic = magic
	return m, nil
}

// openMemory maps what another process left. Nothing it says is believed: slots and records are checked when they are read.
func openMemory(fd int) (*memory, error) {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return nil, errors.New("it is no memfd that cannot shrink")
	}
	if seals&(unix.F_SEAL_WRITE|unix.F_SEAL_FUTURE_WRITE|unix.F_SEAL_GROW) != 0 {
		return nil, errors.New("it is read-only")
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Size < headerSize {
		return nil, errors.New("it is too short")
	}
	m := &memory{fd: fd}
	if err := m.mapHeader(); err != nil {
		return nil, err
	}
	if m.h.magic != magic {
		return nil, errors.New("it is something else")
	}
	if m.h.version != version {
		return nil, fmt.Errorf("its format is %d, not %d", m.h.version, version)
	}
	// A chunk whose kind was not written yet when the process died is used anew.
	for i := range min(int((st.Size-headerSize)/chunkSize), maxChunks) {
		if kind := m.h.kinds[i]; kind != chunkSlots && kind != chunkData {
			break
		}
		// Its pages are there already, unless somebody punched a hole.
		if err := unix.Fallocate(fd, 0, m.offset(i), chunkSize); err != nil {
			return nil, err
		}
		if err := m.mapChunk(m.h.kinds[i]); err != nil {
			return nil, err
		}
	}
	if m.nslots == 0 {
		return nil, errors.New("it has no slots")
	}
	*m.slot(0) = slot{}
	return m, nil
}

func (m *memory) mapHeader() error {
	p, err := unix.MmapPtr(m.fd, 0, nil, headerSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	m.h = (*header)(p)
	return err
}

func (*memory) offset(chunk int) int64 { return headerSize + int64(chunk)*chunkSize }

// grow adds a chunk. Its pages are allocated now: later, being out of memory would be a signal.
func (m *memory) grow(kind byte) error {
	if m.chunks == maxChunks || kind == chunkSlots && m.nslots == len(m.slots) {
		return errFull
	}
	if err := unix.Fallocate(m.fd, 0, m.offset(m.chunks), chunkSize); err != nil {
		return err
	}
	m.h.kinds[m.chunks] = kind
	return m.mapChunk(kind)
}

func (m *memory) mapChunk(kind byte) error {
	if kind == chunkSlots && m.nslots == len(m.slots) {
		return errFull
	}
	p, err := unix.MmapPtr(m.fd, m.offset(m.chunks), nil, chunkSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	m.chunks++
	if kind == chunkSlots {
		m.slots[m.nslots] = (*slotChunk)(p)
		m.nslots++
	} else {
		m.data[len(m.space.chunks)] = (*[chunkSize]byte)(p)
		m.space.grow()
	}
	return nil
}

func (m *memory) unmap() {
	for i := range m.nslots {
		_ = unix.MunmapPtr(unsafe.Pointer(m.slots[i]), chunkSize)
	}
	for i := range m.space.chunks {
		_ = unix.MunmapPtr(unsafe.Pointer(m.data[i]), chunkSize)
	}
	_ = unix.MunmapPtr(unsafe.Pointer(m.h), headerSize)
}

// slot gives one that is known to be there.
func (m *memory) slot(i uint32) *slot { return &m.slots[i>>slotShift][i%uint32(slotsPerChunk)] }

// known reports whether there is such a slot.
func (m *memory) known(i uint32) bool { return i > 0 && int(i>>slotShift) < m.nslots }

// newSlot gives a slot that is free, and makes it nobody's yet.
func (m *memory) newSlot() (uint32, error) {
	if n := len(m.freeSlots); n > 0 {
		i := m.freeSlots[n-1]
		m.freeSlots = m.freeSlots[:n-1]
		return i, nil
	}
	i := m.usedSlots
	if int(i>>slotShift) == m.nslots {
		if err := m.grow(chunkSlots); err != nil {
			return 0, err
		}
	}
	m.usedSlots++
	return i, nil
}

// place reserves room for a record of n bytes.
func (m *memory) place(n int) (ref uint64, err error) {
	units := unitsFor(n)
	at, ok := m.space.alloc(units)
	if !ok {
		if err := m.grow(chunkData); err != nil {
			return 0, err
		}
		at, _ = m.space.alloc(units)
	}
	return uint64(at)<<32 | uint64(n), nil
}

func (m *memory) release(ref uint64) {
	m.space.free(uint32(ref>>32), unitsFor(int(uint32(ref))))
}

func unitsFor(n int) int { return (n + sumSize + unit - 1) / unit }

// bytes is where the record ref is, with its sum.
func (m *memory) bytes(ref uint64) []byte {
	at, n := uint32(ref>>32), int(uint32(ref))
	off := int(at%unitsPerChunk) * unit
	return m.data[at/unitsPerChunk][off : off+n+sumSize]
}

// write fills a record that nothing refers to yet.
func (m *memory) write(ref, key uint64, data []byte) {
	b := m.bytes(ref)
	copy(b, data)
	binary.NativeEndian.PutUint32(b[len(data):], sum(key, data))
}

// claim is a slot's record, where it is, and keeps its place from being given away. It reports false when the record is not whole.
func (m *memory) claim(sl *slot) ([]byte, bool) {
	ref, key := atomic.LoadUint64(&sl.ref), sl.key
	at, n := int(ref>>32), int(uint32(ref))
	if n > MaxData || at/unitsPerChunk >= len(m.space.chunks) || at%unitsPerChunk+unitsFor(n) > unitsPerChunk {
		return nil, false
	}
	b := m.bytes(ref)
	if sum(key, b[:n]) != binary.NativeEndian.Uint32(b[n:]) {
		return nil, false
	}
	return b[:n:n], m.space.take(uint32(at), unitsFor(n))
}

func sum(key uint64, data []byte) uint32 {
	var k [8]byte
	binary.NativeEndian.PutUint64(k[:], key)
	return crc32.Update(crc32.Update(uint32(len(data)), castagnoli, k[:]), castagnoli, data)
}
