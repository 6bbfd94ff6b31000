package loadtest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBucketsLeaveNoGap(t *testing.T) {
	for b := range buckets {
		high := highestOf(b)
		if got := bucketOf(high); got != b {
			t.Fatalf("bucket %d ends at %d, which falls into %d", b, high, got)
		}
		if next := bucketOf(high + 1); b < buckets-1 && next != b+1 {
			t.Fatalf("after bucket %d, %d falls into %d", b, high+1, next)
		}
		low := uint64(0)
		if b > 0 {
			low = highestOf(b-1) + 1
		}
		if (high-low)*subBuckets > low && high != low {
			t.Fatalf("bucket %d holds %d to %d: too wide", b, low, high)
		}
	}
	if highestOf(buckets-1) != 1<<maxBits-1 {
		t.Errorf("the last bucket ends at %d", highestOf(buckets-1))
	}
}

func TestHistogramErrorBound(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h Histogram
		all := make([]time.Duration, 1+rnd.IntN(500))
		for i := range all {
			all[i] = time.Duration(rnd.Int64() >> (24 + rnd.IntN(40)))
			h.Record(all[i])
		}
		slices.Sort(all)
		l := h.Latency()
		if l.Count != uint64(len(all)) || l.Max != all[len(all)-1] {
			t.Fatalf("count %d, max %v; want %d, %v", l.Count, l.Max, len(all), all[len(all)-1])
		}
		for p, got := range map[int]time.Duration{50: l.P50, 90: l.P90, 99: l.P99} {
			want := all[(len(all)*p+99)/100-1]
			if got < want || got > want+want/subBuckets+1 {
				t.Fatalf("p%d of %d values is %d, want %d", p, len(all), got, want)
			}
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	var h Histogram
	if l := h.Latency(); l != (Latency{}) {
		t.Errorf("an empty histogram has %+v", l)
	}
	h.Record(-time.Second)
	if l := h.Latency(); l != (Latency{Count: 1}) {
		t.Errorf("a negative duration gives %+v", l)
	}
	var far Histogram
	far.Record(100 * time.Hour)
	if l := far.Latency(); l.Count != 1 || l.Max != 100*time.Hour || l.P50 != 1<<maxBits-1 {
		t.Errorf("100 hours give %+v", l)
	}
}

func TestHistogramFromManyGoroutines(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				h.Record(time.Duration(i*1000 + j))
			}
		})
	}
	wg.Wait()
	if l := h.Latency(); l.Count != 8000 || l.Max != 7999 {
		t.Errorf("%+v", l)
	}
}
