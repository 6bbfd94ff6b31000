package snapshot

import (
	"bytes"
	"errors"
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
