package timing

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of a histogram's buckets but the last, which has
// none.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// A Histogram counts durations by their bucket. The zero value is empty. Safe
// for concurrent use.
type Histogram struct {
	buckets [len(Bounds) + 1]atomic.Uint64
	sum     atomic.Int64
}

// Observe counts a duration; one below 0 counts as 0.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// Snapshot is what has been observed. What is observed meanwhile may be in it in
// part.
func (h *Histogram) Snapshot() (s Snapshot) {
	for i := range h.buckets {
		s.Buckets[i] = h.buckets[i].Load()
	}
	s.Sum = time.Duration(h.sum.Load())
	return s
}

// A Snapshot is what a Histogram has observed.
type Snapshot struct {
	Buckets [len(Bounds) + 1]uint64 // each by itself; the last has no bound
	Sum     time.Duration
}

// Count is the number of durations.
func (s *Snapshot) Count() (n uint64) {
	for _, b := range s.Buckets {
		n += b
	}
	return n
}

// Add adds another snapshot.
func (s *Snapshot) Add(o Snapshot) {
	for i, b := range o.Buckets {
		s.Buckets[i] += b
	}
	s.Sum += o.Sum
}

// Since is what has been observed since an earlier snapshot.
func (s *Snapshot) Since(earlier Snapshot) Snapshot {
	d := *s
	for i, b := range earlier.Buckets {
		d.Buckets[i] -= min(b, d.Buckets[i])
	}
	d.Sum = max(0, d.Sum-earlier.Sum)
	return d
}

// Worst is an upper bound of the longest duration: that of its bucket, or 0 when
// there is none. What is beyond the last bound is twice that.
func (s *Snapshot) Worst() time.Duration {
	for i := len(s.Buckets) - 1; i >= 0; i-- {
		if s.Buckets[i] == 0 {
			continue
		}
		if i == len(Bounds) {
			return 2 * Bounds[i-1]
		}
		return Bounds[i]
	}
	return 0
}
