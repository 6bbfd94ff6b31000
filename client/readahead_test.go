package client

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// Whatever the sizes of what comes and of what is asked for, bytes are neither
// lost nor exchanged, and the end is the source's.
func TestReadAheadIsTransparent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		want := make([]byte, random.IntN(100<<10))
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		front := random.IntN(min(len(want), 600) + 1)
		var src io.Reader = bytes.NewReader(want[front:])
		switch random.IntN(3) {
		case 0:
			src = iotest.HalfReader(src)
		case 1:
			src = iotest.DataErrReader(src)
		}
		r := newReadAhead(src, want[:front])
		var got []byte
		for {
			p := make([]byte, random.IntN(40<<random.IntN(10)))
			n, err := r.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			must(t, err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes became %d", len(want), len(got))
		}
		if len(r.buf) > readAheadMax {
			t.Errorf("a buffer of %d bytes", len(r.buf))
		}
	}
}

func TestReadAheadGrowsAndShrinks(t *testing.T) {
	var src bytes.Buffer
	r := newReadAhead(&src, nil)
	one := make([]byte, 1)
	consume := func(n int) {
		src.Write(make([]byte, n))
		for range n {
			if _, err := io.ReadFull(r, one); err != nil {
				t.Fatal(err)
			}
		}
	}
	consume(10)
	if len(r.buf) != readAheadMin {
		t.Errorf("%d bytes for a little", len(r.buf))
	}
	for range 8 {
		consume(readAheadMax)
	}
	if len(r.buf) != readAheadMax {
		t.Errorf("%d bytes for a lot", len(r.buf))
	}
	for range readAheadLow * 6 {
		consume(10)
	}
	if len(r.buf) != readAheadMin {
		t.Errorf("%d bytes for a little again", len(r.buf))
	}
}
