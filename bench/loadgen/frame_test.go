package main

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// events decodes b, cut after each of the given counts of bytes.
func events(b []byte, cuts ...int) (got []string, err error) {
	var d wire.Decoder
	for _, n := range append(cuts, len(b)) {
		n = min(n, len(b))
		err = d.Feed(b[:n], func(opcode byte, payload []byte) error {
			got = append(got, fmt.Sprintf("%x:%s", opcode, payload))
			return nil
		})
		if err != nil {
			return got, err
		}
		b = b[n:]
	}
	return got, nil
}

func FuzzSplitDoesNotMatter(f *testing.F) {
	var stream []byte
	stream = append(stream, encode(0x81, []byte("one"))...)
	stream = append(stream, encode(0x01, []byte("frag"))...)
	stream = append(stream, encode(0x89, []byte("ping"))...)
	stream = append(stream, encode(0x80, bytes.Repeat([]byte("x"), 300))...)
	stream = append(stream, encode(0x82, bytes.Repeat([]byte("y"), 70000))...)
	f.Add(stream, 3, 1)
	f.Add([]byte{0x81, 0x85, 1, 2, 3}, 1, 1)
	f.Add([]byte{0x80, 0}, 1, 0)
	f.Fuzz(func(t *testing.T, b []byte, first, then int) {
		whole, wholeErr := events(b)
		var cuts []int
		for left := len(b); left > 0 && len(cuts) < 1000; {
			n := max(first, 0)%64 + 1
			cuts = append(cuts, n)
			left -= n
			first = then
		}
		split, splitErr := events(b, cuts...)
		if !slices.Equal(whole, split) || (wholeErr == nil) != (splitErr == nil) {
			t.Fatalf("whole: %d events, %v; split: %d events, %v", len(whole), wholeErr, len(split), splitErr)
		}
	})
}

func TestDecoder(t *testing.T) {
	b := append(encode(0x01, []byte("a")), encode(0x8a, nil)...)
	b = append(b, encode(0x80, []byte("b"))...)
	got, err := events(b)
	if want := []string{"a:", "1:ab"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for name, b := range map[string][]byte{
		"reserved bit":           {0xc1, 0},
		"masked":                 {0x81, 0x80, 0, 0, 0, 0},
		"unknown opcode":         {0x83, 0},
		"unknown control opcode": {0x8b, 0},
		"fragmented ping":        {0x09, 0},
		"long ping":              {0x89, 126, 0, 126},
		"continuation first":     {0x80, 0},
		"message in a message":   {0x01, 0, 0x81, 0},
		"absurd length":          {0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, err := events(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for i := range 10000 {
		h.add(time.Duration(i) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond} {
		if got := h.quantile(q); got < want*95/100 || got > want*105/100 {
			t.Errorf("quantile %v: %v, want about %v", q, got, want)
		}
	}
	if h.max != 9999*time.Microsecond {
		t.Errorf("max %v", h.max)
	}
	for _, v := range []uint64{0, 31, 32, 33, 63, 64, 1000, 1 << 40, 1<<63 - 1} {
		if i := bucketOf(v); lowerBound(i) > v || lowerBound(i+1) <= v && v < 1<<62 {
			t.Errorf("%d is in bucket %d, from %d to %d", v, i, lowerBound(i), lowerBound(i+1))
		}
	}
}
