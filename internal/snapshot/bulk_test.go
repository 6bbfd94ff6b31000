package snapshot

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// apart writes to a file in memory whose large strings begin at bulkAt, and opens it.
func apart(t *testing.T, write func(*Writer)) (*Reader, *Bulk, *os.File) {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "test")
	const bulkAt = 1 << 30
	var out bytes.Buffer
	w := NewWriterApart(&out, io.NewOffsetWriter(f, bulkAt))
	write(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	bulk, err := OpenBulk(f, bulkAt, w.Apart())
	if err != nil {
		t.Fatal(err)
	}
	return NewReaderApart(out.Bytes(), bulk), bulk, f
}

// blocks is the memory that a file takes, in pages.
func blocks(t *testing.T, f *os.File) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512 / page
}

// strings are some that stand apart and some that do not.
var mixed = [][]byte{bytes.Repeat([]byte("a"), largeAt), nil, bytes.Repeat([]byte("b"), 3*flushAt+1), []byte("c"), bytes.Repeat([]byte("d"), largeAt-1)}

// Large strings are read where they were written, whatever is around them.
func TestApart(t *testing.T) {
	write := func(w *Writer) {
		for _, b := range mixed {
			w.Bytes(b)
		}
		w.String(string(mixed[2]))
	}
	read := func(what string, r *Reader) {
		t.Helper()
		for i, b := range append(mixed, mixed[2]) {
			if got := r.Bytes(); !bytes.Equal(got, b) {
				t.Errorf("%s, string %d: %d bytes, not %d", what, i, len(got), len(b))
			}
		}
	}
	r, bulk, _ := apart(t, func(w *Writer) {
		write(w)
		w.Record(func() {
			write(w)
			w.Record(func() { write(w) })
			w.Uint(7)
			for range largeAt { // a record is where it is, however large
				w.Uint(1)
			}
		})
		w.Uint(9)
	})
	defer bulk.Close()
	read("before", r)
	x := r.Record()
	read("in a record", x)
	read("in one in it", x.Record())
	if n := x.Uint(); n != 7 {
		t.Error(n)
	}
	if n := r.Uint(); n != 9 || r.More() || r.Err() != nil || x.Err() != nil {
		t.Error(n, r.Err(), x.Err())
	}
}

// A state may be as large as all that waits to be sent: the writer copies none of it.
func TestApartIsNotCopied(t *testing.T) {
	big := make([]byte, 64<<20)
	w := NewWriterApart(io.Discard, discardAt{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.Record(func() { w.Record(func() { w.Bytes(big) }) })
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > flushAt {
		t.Errorf("to write %d bytes took %d", len(big), n)
	}
}

type discardAt struct{}

func (discardAt) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

// What is kept stays as it is when the rest is given back, and is itself given back
// when it is released, in any order, from any goroutine.
func TestKeep(t *testing.T) {
	const each = largeAt + 100
	taken := int64(pages(each))
	r, bulk, f := apart(t, func(w *Writer) {
		for i := range 10 {
			w.Bytes(bytes.Repeat([]byte{byte(i)}, each))
		}
	})
	other, otherBulk, _ := apart(t, func(w *Writer) { w.Bytes(make([]byte, each)) })
	defer otherBulk.Close()
	if n := blocks(t, f); n != 10*taken {
		t.Fatalf("%d pages are taken, not %d", n, 10*taken)
	}
	var all [][]byte
	for range 10 {
		all = append(all, r.Bytes())
	}
	if r.Err() != nil || r.Keep(other.Bytes()) != nil || r.Keep([]byte("x")) != nil || r.Keep(nil) != nil || r.Keep(all[1][1:]) != nil || NewReader(nil).Keep(all[0]) != nil {
		t.Error("what is none of the file's strings is kept", r.Err())
	}
	release := map[int]func(){}
	for _, i := range []int{7, 2, 3, 5} {
		if release[i] = r.Keep(all[i]); release[i] == nil {
			t.Fatalf("string %d is not kept", i)
		}
	}
	if r.Keep(all[7]) != nil {
		t.Error("a string is kept twice")
	}
	release[5]() // before the rest is given back
	bulk.Close()
	bulk.Close()
	if n := blocks(t, f); n != 3*taken {
		t.Errorf("%d pages are taken for three strings of %d", n, taken)
	}
	if r.Keep(all[0]) != nil {
		t.Error("a string is kept that was given back")
	}
	for _, i := range []int{2, 3, 7} {
		if !bytes.Equal(all[i], bytes.Repeat([]byte{byte(i)}, each)) {
			t.Errorf("string %d has changed", i)
		}
	}
	release[3]()
	if n := blocks(t, f); n != 2*taken {
		t.Errorf("%d pages are taken for two strings of %d", n, taken)
	}
	if !bytes.Equal(all[2], bytes.Repeat([]byte{2}, each)) || !bytes.Equal(all[7], bytes.Repeat([]byte{7}, each)) {
		t.Error("what stands beside a released string has changed")
	}
	var wg sync.WaitGroup
	for _, i := range []int{2, 7} {
		wg.Go(release[i])
	}
	wg.Wait()
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is open when nothing is kept: %v", err)
	}
}

// What a file does not have is not touched: that would be the end of the process.
func TestDamagedBulk(t *testing.T) {
	r, bulk, f := apart(t, func(w *Writer) { w.Bytes(make([]byte, largeAt)) })
	defer bulk.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	again := os.NewFile(uintptr(fd), "again")
	defer again.Close()
	for _, size := range []int64{-1, largeAt + 1, 1 << 62, 1<<63 - 2*page} {
		if _, err := OpenBulk(again, bulk.at, size); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes of %d: %v", size, largeAt, err)
		}
	}
	for _, field := range [][2]uint64{{largeAt + 1, 0}, {largeAt, 1}, {largeAt, 1 << 63}, {1 << 63, 0}, {1<<64 - 1, 1<<64 - 1}} {
		var b bytes.Buffer
		w := NewWriter(&b)
		w.Uint(field[0])
		w.Uint(field[1])
		_ = w.Flush()
		bad := NewReaderApart(b.Bytes(), bulk)
		if v := bad.Bytes(); v != nil || !errors.Is(bad.Err(), ErrCorrupt) {
			t.Errorf("%d bytes from page %d: %d bytes, %v", field[0], field[1], len(v), bad.Err())
		}
	}
	if v := r.Bytes(); len(v) != largeAt || r.Err() != nil {
		t.Error(len(v), r.Err())
	}
	empty, none, _ := apart(t, func(w *Writer) { w.Uint(1) })
	none.Close()
	if empty.Uint() != 1 || empty.Err() != nil {
		t.Error(empty.Err())
	}
}
