package fdstore

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// left is what systemd has of a store with pairs that ended, and its memory.
func left(t *testing.T, m *manager, pairs map[uint64]*pair) (mem []byte) {
	t.Helper()
	s, _, _ := opened(t, Options{})
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.stored {
		if kindOf(f.name) == prefixMemory {
			var st unix.Stat_t
			if err := unix.Fstat(f.fd, &st); err != nil {
				t.Fatal(err)
			}
			mem, err := unix.Mmap(f.fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Munmap(mem) })
			return mem
		}
	}
	t.Fatal("systemd has no memory")
	return nil
}

// A record that is not whole costs its own connection.
func TestTornRecord(t *testing.T) {
	m := startManager(t, 64)
	pairs := somePairs(t, 1, 300)
	mem := left(t, m, pairs)
	text := []byte(pairs[77].data())
	i := indexOf(mem, text)
	if i < 0 {
		t.Fatal("the record is not there")
	}
	mem[i+len(text)/2] ^= 1
	_, r, _ := opened(t, Options{Files: m.files(t)})
	if r.Lost != 1 {
		t.Errorf("%d were lost", r.Lost)
	}
	r.Lost = 0
	torn := pairs[77]
	delete(pairs, 77)
	whole(t, r, pairs)
	eventually(t, "the torn one is closed", torn.hungUp)
}

func indexOf(all, part []byte) int {
	for i := headerSize; i+len(part) <= len(all); i++ {
		if all[i] == part[0] && string(all[i:i+len(part)]) == string(part) {
			return i
		}
	}
	return -1
}

// Whatever is in the memory: what comes back can be worked with, and nothing crashes.
func TestRandomMemory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		m := startManager(t, 64)
		pairs := somePairs(t, 1, 60)
		mem := left(t, m, pairs)
		where := [][2]int{{16, headerSize}, {headerSize, headerSize + 64*70}, {headerSize + chunkSize, len(mem)}, {16, len(mem)}, {0, 64}}[round%5]
		for range 1 + rnd.IntN(200) {
			at := where[0] + rnd.IntN(where[1]-where[0])
			if rnd.IntN(2) == 0 && at+8 <= len(mem) {
				binary.NativeEndian.PutUint64(mem[at&^7:], []uint64{0, 1, ^uint64(0), rnd.Uint64(), rnd.Uint64N(1 << 40)}[rnd.IntN(5)])
			} else {
				mem[at] = byte(rnd.Uint32())
			}
		}
		s, r, err := Open(Options{Files: m.files(t)})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if r == nil || len(r.Conns)+r.Lost > 59 {
			t.Fatalf("round %d: %v", round, r)
		}
		k := s.Keeper()
		for n, c := range r.Conns {
			switch n % 3 {
			case 0:
				k.Add(int32(c.FD), c.Key, append(c.Data, "more"...))
			case 1:
				k.Drop(int32(c.FD))
			}
			s.SetIn(int32(c.FD), 1)
		}
		more := somePairs(t, 100, 160)
		addAll(k, more)
		k.Flush(0)
		crash(s)
		for _, p := range more {
			p.close()
		}
		s, r2, err := Open(Options{Files: m.files(t)})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		mine := 0
		for _, c := range r2.Conns {
			if p := more[c.Key]; p != nil && string(c.Data) == p.data() {
				mine++
			}
		}
		if mine != len(more) {
			t.Errorf("round %d: %d of %d that were added after came back", round, mine, len(more))
		}
		s.Close()
		for _, c := range append(r.Conns, r2.Conns...) {
			_ = unix.Close(c.FD)
		}
	}
}

// Numbers at their end do not end the store.
func TestNumbersRunOut(t *testing.T) {
	shrink(t, 8<<10)
	m := startManager(t, 64)
	pairs := somePairs(t, 1, 100)
	mem := left(t, m, pairs)
	h := (*header)(unsafe.Pointer(&mem[0]))
	h.lastID, h.lastRing, h.state, h.generation = ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)
	s, r, _ := opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
	more := somePairs(t, 100, 2000)
	k := s.Keeper()
	addAll(k, more)
	k.Flush(0)
	settle(t, s)
	crash(s)
	for key, p := range more {
		pairs[key] = p
	}
	for _, p := range pairs {
		p.close()
	}
	_, r, _ = opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
}

// Whatever systemd passes under our names, and whatever is in the rings.
func TestForeignFiles(t *testing.T) {
	m := startManager(t, 64)
	pairs := somePairs(t, 1, 200)
	left(t, m, pairs)
	files := m.files(t)
	add := func(name string, fd int, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), name))
	}
	null := func() (int, error) { return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) }
	for _, name := range []string{
		"nvsess-memory.9", "nvsess-memory.x", "nvsess-hot.1.7.r", "nvsess-cold.1.2.r", "nvsess-cold.1.2", "nvsess-state.1.1", "nvsess-probe",
		"nvsess-cold.-1.2.r", "nvsess-cold.1.99999999999999999999.r", "nvsess", "", "nvsess-hot.1.1.q",
	} {
		fd, err := null()
		add(name, fd, err)
	}
	memfd := func(size int64, seals int) (int, error) {
		fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err == nil {
			err = unix.Ftruncate(fd, size)
		}
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
		}
		return fd, err
	}
	for _, c := range []struct {
		size  int64
		seals int
	}{{0, 0}, {1 << 20, 0}, {100, unix.F_SEAL_SHRINK}, {1 << 20, unix.F_SEAL_SHRINK}, {1 << 20, unix.F_SEAL_SHRINK | unix.F_SEAL_WRITE}} {
		fd, err := memfd(c.size, c.seals)
		add("nvsess-memory.8", fd, err)
	}
	// A ring of somebody else's, with descriptors and with nonsense.
	ring, err := newRing(5, false)
	if err != nil {
		t.Fatal(err)
	}
	stranger := newPair(t, 1)
	var e envelope
	for i, id := range []uint64{2, 2, 0, ^uint64(0), 3} {
		e.put(i, int32(stranger.fd), []uint32{1, 1, 0, ^uint32(0), 1 << 20}[i], id)
	}
	for _, n := range []int{1, 5} {
		if err := e.send(ring.w, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, payload := range []string{"x", "NvFS............", string(e.payload[:messageHead+3]), string(make([]byte, 5000)), ""} {
		if err := unix.Sendmsg(ring.w, []byte(payload), unix.UnixRights(stranger.fd, stranger.fd), nil, unix.MSG_DONTWAIT); err != nil {
			t.Fatal(err)
		}
	}
	stranger.close()
	add("nvsess-cold.1.5.r", ring.r, nil)
	add("nvsess-cold.1.5.w", ring.w, nil)
	// And one that only has one end.
	half, err := newRing(6, false)
	if err != nil {
		t.Fatal(err)
	}
	add("nvsess-cold.1.6.w", half.w, nil)
	_ = unix.Close(half.r)

	s, r, _ := opened(t, Options{Files: files})
	whole(t, r, pairs)
	for _, c := range r.Conns {
		t.Cleanup(func() { _ = unix.Close(c.FD) })
	}
	eventually(t, "the stranger's connection is closed", stranger.hungUp)
	eventually(t, "there is no garbage", func() bool { return s.Stats().Garbage == 0 })
}

// A crash between the copy of a descriptor and the end of the old one leaves two, and one of them counts.
func TestInFlightTwice(t *testing.T) {
	m := startManager(t, 64)
	pairs := somePairs(t, 1, 500)
	s, _, _ := opened(t, Options{})
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	s.mu.Lock()
	s.frozen = true
	for range 2 {
		for _, msg := range slices.Clone(s.cold[0].msgs) {
			if err := s.sendLocked(s.hot, msg.slots); err != nil {
				t.Error(err)
			}
		}
	}
	s.mu.Unlock()
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	s, r, _ := opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
	eventually(t, "the others are gone", func() bool { st := s.Stats(); return st.Garbage == 0 && st.Kept == 499 })
}
