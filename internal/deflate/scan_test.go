package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"math"
	"testing"
)

// scan feeds a payload in pieces of the given sizes, over and over, and returns
// what it becomes.
func scan(t testing.TB, payload []byte, w *Window, limit int64, sizes ...int) (made []byte, err error) {
	t.Helper()
	s := NewScanner(w)
	defer s.Free()
	for i := 0; len(payload) > 0; i++ {
		k := min(len(payload), max(1, sizes[i%len(sizes)]))
		piece := bytes.Clone(payload[:k]) // which is gone afterwards
		payload = payload[k:]
		if made, err = scanPiece(t, s, piece, made, limit); err != nil {
			return made, err
		}
		clear(piece)
	}
	return made, nil
}

// scanPiece appends what a scanner makes of a piece.
func scanPiece(t testing.TB, s *Scanner, piece, made []byte, limit int64) ([]byte, error) {
	t.Helper()
	s.Feed(piece)
	for {
		n, more, err := s.Next(limit)
		made = append(made, s.Last(n)...)
		if int64(len(made)) > limit || n > maxHistory+maxScanned {
			t.Fatalf("%d bytes at once, %d of at most %d", n, len(made), limit)
		}
		if before := min(3, len(made)-n); !bytes.Equal(s.Last(n+before), made[len(made)-n-before:]) {
			t.Fatal("the bytes before the new ones are others")
		}
		if size := s.Size(); size > 16<<10+maxHistory+maxScanned {
			t.Fatalf("it takes %d bytes", size)
		}
		if !more || err != nil {
			return made, err
		}
	}
}

func TestScannerReadsWhatInflateReads(t *testing.T) {
	for _, level := range []int{stdflate.HuffmanOnly, stdflate.NoCompression, 1, 6} {
		var w Window
		for n, m := range messages() {
			for _, sizes := range [][]int{{1}, {7, 1, 100}, {1 << 20}} {
				got, err := scan(t, standard(t, level, nil, m), nil, int64(len(m)), sizes...)
				if err != nil || !bytes.Equal(got, m) {
					t.Errorf("message %d at level %d in pieces of %d: %d of %d bytes, %v", n, level, sizes, len(got), len(m), err)
				}
				got, err = scan(t, standard(t, level, w.bytes(), m), &w, math.MaxInt64, sizes...)
				if err != nil || !bytes.Equal(got, m) {
					t.Errorf("message %d at level %d in pieces of %d after others: %d of %d bytes, %v", n, level, sizes, len(got), len(m), err)
				}
			}
			w.add(m, 1<<15)
		}
	}
}

// After each byte all is there that the bits so far determine: of compressed
// blocks what the reference makes of them before it misses more, of stored ones
// each byte.
func TestScannerHoldsNothingBack(t *testing.T) {
	m := slicesConcat(messages()[3], messages()[4], messages()[7])
	for _, level := range []int{stdflate.HuffmanOnly, 6} {
		payload := standard(t, level, nil, m)
		s := NewScanner(nil)
		var got []byte
		for k := range payload {
			var err error
			if got, err = scanPiece(t, s, payload[k:k+1], got, math.MaxInt64); err != nil {
				t.Fatal(err)
			}
			r := reference{in: payload[:k+1], back: maxHistory, limit: math.MaxInt}
			_ = r.message()
			if !bytes.Equal(got, r.out) {
				t.Fatalf("level %d, after %d of %d bytes: %d bytes, not %d", level, k+1, len(payload), len(got), len(r.out))
			}
		}
		s.Free()
	}
	payload := standard(t, stdflate.NoCompression, nil, m)
	s := NewScanner(nil)
	defer s.Free()
	var got []byte
	for k := range payload {
		var err error
		if got, err = scanPiece(t, s, payload[k:k+1], got, math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		if want := min(max(0, k+1-5), len(m)); len(got) != want {
			t.Fatalf("stored, after %d of %d bytes: %d bytes, not %d", k+1, len(payload), len(got), want)
		}
	}
}

func TestScannerStopsAtTheLimit(t *testing.T) {
	bomb := standard(t, 6, nil, make([]byte, 4<<20))
	for _, limit := range []int64{0, 1, 257, 1000, 1 << 20} {
		got, err := scan(t, bomb, nil, limit, 13)
		if err != ErrTooBig || int64(len(got)) != limit {
			t.Errorf("limit %d: %d bytes, %v", limit, len(got), err)
		}
	}
	// And before its bytes have come.
	for k := range bomb {
		if got, err := scan(t, bomb[:k], nil, 1000, k); err == ErrTooBig && len(got) == 1000 {
			if k > len(bomb)/10 {
				t.Errorf("after %d of %d bytes", k, len(bomb))
			}
			return
		}
	}
	t.Error("never")
}

func TestScannerCountsLastBlocks(t *testing.T) {
	for _, n := range []int{maxStreams - 1, maxStreams} {
		payload := append(bytes.Repeat([]byte{3, 0}, n), 0)
		_, want := Inflate(nil, payload, 15, 10, nil)
		if _, err := scan(t, slicesConcat(payload, ending), nil, 10, 1); err != want || (err == nil) != (n < maxStreams) {
			t.Errorf("%d: %v, Inflate: %v", n, err, want)
		}
	}
}

// FuzzScanner: however a payload is cut, a scanner makes the same of it, and what
// it finds wrong before the end, Inflate finds in the whole.
func FuzzScanner(f *testing.F) {
	for _, m := range messages()[:6] {
		f.Add(standard(f, 6, nil, m), []byte("window"), uint16(1000), []byte{2, 9})
		f.Add(standard(f, stdflate.NoCompression, nil, m), []byte{}, uint16(65535), []byte{})
		f.Add(standard(f, stdflate.HuffmanOnly, nil, m), []byte{}, uint16(3), []byte{200})
	}
	for _, s := range []string{"f348cdc9c9070000", "f200110000", "06", "1b0300", "000500fbff48656c6c6f00", "f248050000 00ffff cac9c90700"} {
		f.Add(unhex(f, s), []byte("Hello"), uint16(4), []byte{0})
	}
	f.Add(dynamic(5, 0, 256), []byte{}, uint16(9), []byte{3})
	f.Fuzz(func(t *testing.T, payload, before []byte, limit uint16, cut []byte) {
		var w Window
		w.add(before, 1<<15)
		got, err := scan(t, payload, &w, int64(limit), 1<<20)
		sizes := []int{1}
		for _, k := range cut {
			sizes = append(sizes, int(k))
		}
		for _, sizes := range [][]int{{1}, sizes} {
			if again, againErr := scan(t, payload, &w, int64(limit), sizes...); !bytes.Equal(again, got) || againErr != err {
				t.Fatalf("in pieces of %d: %d bytes, %v; in one: %d, %v", sizes, len(again), againErr, len(got), err)
			}
		}
		// With what a message's payload is made whole by, of which a block may even
		// have bytes.
		all, allErr := scan(t, slicesConcat(payload, ending), &w, int64(limit), 1<<20)
		whole, wholeErr := Inflate(nil, payload, 15, int64(limit), &w)
		switch {
		case err != nil && (wholeErr != err || !bytes.Equal(whole, got)):
			t.Fatalf("%d bytes, %v; Inflate: %d, %v", len(got), err, len(whole), wholeErr)
		case !bytes.HasPrefix(whole, got) && !errors.Is(wholeErr, ErrCorrupt):
			t.Fatal("it is no beginning of what Inflate makes")
		case wholeErr == nil && len(payload) > 0: // an empty one is taken for an empty message
			if allErr != nil || !bytes.Equal(all, whole) {
				t.Fatalf("%d bytes, %v; Inflate: %d", len(all), allErr, len(whole))
			}
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	for _, n := range []int{3, 4, 5} {
		m := messages()[n]
		payload := standard(b, 6, nil, m)
		b.Run(size(len(m)), func(b *testing.B) {
			b.SetBytes(int64(len(m)))
			b.ReportAllocs()
			for b.Loop() {
				s := NewScanner(nil)
				s.Feed(payload)
				for more := true; more; {
					var err error
					if _, more, err = s.Next(1 << 30); err != nil {
						b.Fatal(err)
					}
				}
				s.Free()
			}
		})
	}
}

// A window that was read from a damaged state may be of any size. What is scanned
// with it is scanned as with its end.
func TestWindowTooLarge(t *testing.T) {
	for _, n := range []int{maxHistory, maxHistory + 1, maxHistory + maxScanned, 1 << 20} {
		w := NewWindow(append(make([]byte, n-5), "Hello"...))
		for _, size := range []int{1, 100} {
			if got, err := scan(t, unhex(t, "f200110000"), w, 100, size); err != nil || string(got) != "Hello" {
				t.Errorf("window of %d bytes: %q, %v", n, got, err)
			}
		}
		if got, err := Inflate(nil, unhex(t, "f200110000"), 15, 100, w); err != nil || string(got) != "Hello" {
			t.Errorf("window of %d bytes: %q, %v", n, got, err)
		}
	}
}
