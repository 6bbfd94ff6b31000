package timing

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	if !slices.IsSorted(Bounds[:]) {
		t.Fatal("the bounds are out of order")
	}
	var h Histogram
	for _, d := range []time.Duration{-time.Second, 0, Bounds[0], Bounds[0] + 1, time.Second, time.Hour} {
		h.Observe(d)
	}
	s := h.Snapshot()
	if s.Buckets[0] != 3 || s.Buckets[1] != 1 || s.Buckets[slices.Index(Bounds[:], time.Second)] != 1 || s.Buckets[len(Bounds)] != 1 || s.Count() != 6 {
		t.Errorf("%v", s.Buckets)
	}
	if want := 2*Bounds[0] + 1 + time.Second + time.Hour; s.Sum != want {
		t.Errorf("the sum is %v, not %v", s.Sum, want)
	}
	if w := s.Worst(); w != 2*Bounds[len(Bounds)-1] {
		t.Errorf("the worst is %v", w)
	}
	h.Observe(3 * time.Millisecond)
	now := h.Snapshot()
	d := now.Since(s)
	if d.Count() != 1 || d.Sum != 3*time.Millisecond || d.Worst() != 5*time.Millisecond {
		t.Errorf("since then %+v", d)
	}
	if d = s.Since(now); d.Count() != 0 || d.Sum != 0 || d.Worst() != 0 { // another process's, say
		t.Errorf("before then %+v", d)
	}
	s.Add(now)
	if s.Count() != 13 {
		t.Errorf("together %d", s.Count())
	}
}

// Each duration is in the first bucket whose bound is not below it, whoever
// observes it.
func TestHistogramCountsAll(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				h.Observe(time.Duration(rand.Int64N(int64(time.Minute))))
			}
		})
	}
	wg.Wait()
	s := h.Snapshot()
	if s.Count() != 4000 {
		t.Errorf("%d of 4000 were counted", s.Count())
	}
	for range 1000 {
		var one Histogram
		d := time.Duration(rand.Int64N(int64(40 * time.Second)))
		one.Observe(d)
		s := one.Snapshot()
		i := slices.Index(s.Buckets[:], 1)
		if i < len(Bounds) && d > Bounds[i] || i > 0 && d <= Bounds[i-1] {
			t.Fatalf("%v is in bucket %d", d, i)
		}
	}
}
