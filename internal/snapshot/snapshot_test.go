package snapshot

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"
)

func TestRoundTrip(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	w.Uint(1<<64 - 1)
	w.Record(func() {
		w.Int(-5)
		w.Record(func() {})
		w.Record(func() { w.Bytes(big) })
		w.Bool(true)
	})
	w.String("héllo")
	w.Duration(-time.Hour)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(out.Bytes())
	if v := r.Uint(); v != 1<<64-1 {
		t.Error(v)
	}
	in := r.Record()
	if v := in.Int(); v != -5 {
		t.Error(v)
	}
	if e := in.Record(); e.More() {
		t.Error("an empty record has a field")
	}
	if b := in.Record().Bytes(); !bytes.Equal(b, big) {
		t.Error(len(b), "bytes")
	}
	if !in.Bool() || in.More() || in.Uint() != 0 || in.Bool() || in.Bytes() != nil || in.Err() != nil {
		t.Error("the end of a record", in.Err())
	}
	if s := r.String(); s != "héllo" {
		t.Error(s)
	}
	if d := r.Duration(); d != -time.Hour || r.More() || r.Err() != nil {
		t.Error(d, r.Err())
	}
}

// Large strings stand where they were written, whatever is around them, and are
// not copied: a state may be as large as all that waits to be sent.
func TestLargeStrings(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	list := [][]byte{bytes.Repeat([]byte("a"), largeAt), nil, bytes.Repeat([]byte("b"), 3*flushAt), []byte("c"), bytes.Repeat([]byte("d"), largeAt-1)}
	write := func(w *Writer) {
		for _, b := range list {
			w.Bytes(b)
		}
	}
	read := func(what string, r *Reader) {
		t.Helper()
		for i, b := range list {
			if got := r.Bytes(); !bytes.Equal(got, b) {
				t.Errorf("%s, string %d: %d bytes, not %d", what, i, len(got), len(b))
			}
		}
	}
	write(w)
	w.Record(func() {
		write(w)
		w.Record(func() { write(w) })
		w.Uint(7)
		w.Record(func() { w.Record(func() { write(w) }); w.Uint(8) })
		write(w)
	})
	w.Uint(9)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(out.Bytes())
	read("before", r)
	x := r.Record()
	read("in a record", x)
	read("in one in it", x.Record())
	if n := x.Uint(); n != 7 {
		t.Error(n)
	}
	y := x.Record()
	read("in one in one in it", y.Record())
	if n := y.Uint(); n != 8 {
		t.Error(n)
	}
	read("after that", x)
	if n := r.Uint(); n != 9 || x.More() || y.More() || r.More() || r.Err() != nil || x.Err() != nil || y.Err() != nil {
		t.Error(n, r.Err())
	}

	big := make([]byte, 64<<20)
	w = NewWriter(io.Discard)
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

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriterErrors(t *testing.T) {
	w := NewWriter(failing{})
	for range 10 {
		w.Bytes(make([]byte, flushAt))
	}
	if err := w.Flush(); err == nil || err.Error() != "full" {
		t.Error(err)
	}
}

// FuzzReader: no bytes make a Reader panic or go beyond them, and what it could
// read without an error a Writer writes again, so that it reads the same.
func FuzzReader(f *testing.F) {
	var seed bytes.Buffer
	w := NewWriter(&seed)
	w.Uint(300)
	w.Int(-300)
	w.Record(func() { w.String("abc"); w.Bool(true) })
	_ = w.Flush()
	f.Add(seed.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{1, 2, 5, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(b []byte) (u uint64, i int64, s string, v bool, err error) {
			r := NewReader(b)
			u, i = r.Uint(), r.Int()
			in := r.Record()
			s, v = in.String(), in.Bool()
			if err = r.Err(); err == nil {
				err = in.Err()
			}
			return u, i, s, v, err
		}
		u, i, s, v, err := read(b)
		if err != nil {
			return
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		w.Uint(u)
		w.Int(i)
		w.Record(func() { w.String(s); w.Bool(v) })
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if u2, i2, s2, v2, err := read(out.Bytes()); err != nil || u2 != u || i2 != i || s2 != s || v2 != v {
			t.Errorf("%d %d %q %v, then %d %d %q %v, %v", u, i, s, v, u2, i2, s2, v2, err)
		}
	})
}
