package snapshot

import (
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Bulk is the file that a Writer has put large byte strings into, as the process
// sees it that reads them: they need not be copied, and can be given back one by
// one. It is safe for concurrent use.
type Bulk struct {
	file *os.File
	at   int64 // where the strings begin
	mem  []byte

	mu    sync.Mutex
	kept  map[int]int // the place of each string that is kept, and its size
	ended bool        // nothing more will be
}

const page = 4096

// pages is how many of them n bytes take.
func pages(n int) int { return (n + page - 1) / page }

// OpenBulk opens the strings of a file: size bytes from at, which is a multiple of
// the size of a page. The file is the Bulk's then.
func OpenBulk(f *os.File, at, size int64) (*Bulk, error) {
	b := &Bulk{file: f, at: at, kept: map[int]int{}}
	if size == 0 {
		return b, nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if size < 0 || size > math.MaxInt-page || size > info.Size()-at {
		return nil, ErrCorrupt // to touch what is not in the file would be the end
	}
	if b.mem, err = unix.Mmap(int(f.Fd()), at, int(size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return b, nil
}

// find returns n bytes from the beginning of a page, or nil if they are not there.
func (b *Bulk) find(first, n uint64) []byte {
	if size := uint64(len(b.mem)); first > size/page || n > size-first*page {
		return nil
	}
	at := first * page
	return b.mem[at : at+n : at+n]
}

// keep lets a string outlive Close, until release is called. Nil: it is none of
// the Bulk's.
func (b *Bulk) keep(v []byte) (release func()) {
	at, ok := b.place(v)
	if !ok {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, twice := b.kept[at]; twice || b.ended {
		return nil
	}
	b.kept[at] = len(v)
	return func() { b.release(at) }
}

// place is where a string that begins a page of the Bulk stands.
func (b *Bulk) place(v []byte) (at int, ok bool) {
	if len(v) == 0 || len(b.mem) == 0 {
		return 0, false
	}
	from := uintptr(unsafe.Pointer(unsafe.SliceData(v))) - uintptr(unsafe.Pointer(unsafe.SliceData(b.mem)))
	return int(from), from < uintptr(len(b.mem)) && from%page == 0
}

func (b *Bulk) release(at int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.kept[at]
	delete(b.kept, at)
	if b.ended {
		if len(b.kept) == 0 {
			b.unmap()
			return
		}
		b.punch(at, at+pages(n)*page)
	}
}

// Close says that no more strings will be read: what is not kept is given back.
// What has been read before, and not kept, is of no use afterwards.
func (b *Bulk) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	if len(b.kept) == 0 {
		b.unmap()
		return
	}
	places := make([]int, 0, len(b.kept))
	for at := range b.kept {
		places = append(places, at)
	}
	slices.Sort(places)
	end := 0
	for _, at := range places {
		b.punch(end, at)
		end = at + pages(b.kept[at])*page
	}
	b.punch(end, pages(len(b.mem))*page)
}

// punch gives the memory from one place to another back.
func (b *Bulk) punch(from, to int) {
	if from < to { // where that is not possible it stays until the last is released
		_ = unix.Fallocate(int(b.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, b.at+int64(from), int64(to-from))
	}
}

func (b *Bulk) unmap() {
	if b.mem != nil {
		_ = unix.Munmap(b.mem)
		b.mem = nil
	}
	_ = b.file.Close()
}
