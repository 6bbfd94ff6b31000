package loadtest

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A bucket's width is at most 1/subBuckets of what it holds.
const (
	subBits    = 7
	subBuckets = 1 << subBits
	maxBits    = 40 // longer than 18 minutes is as long as that
	buckets    = (maxBits - subBits + 1) * subBuckets
)

// Histogram counts durations in buckets of logarithmic size, exact up to 127 ns and to 1 part in 128 above. It may be used from any
// goroutine; its zero value is empty.
type Histogram struct {
	counts [buckets]atomic.Uint64
	max    atomic.Int64
}

// Record counts d; what is negative counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))].Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// bucketOf keeps the subBits bits after the leading one.
func bucketOf(v uint64) int {
	if v >= 1<<maxBits {
		return buckets - 1
	}
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// highestOf is the largest value that falls into a bucket.
func highestOf(bucket int) uint64 {
	shift := max(bucket>>subBits-1, 0)
	return uint64(bucket-shift<<subBits+1)<<shift - 1
}

// Latency sums up a histogram.
type Latency struct {
	Count              uint64
	P50, P90, P99, Max time.Duration
}

// Latency gives the percentiles. Each is the nearest rank's, rounded up within its bucket: never below the true one, and above it by less
// than 1 part in 128.
func (h *Histogram) Latency() Latency {
	var counts [buckets]uint64
	var l Latency
	for i := range counts {
		counts[i] = h.counts[i].Load()
		l.Count += counts[i]
	}
	l.Max = time.Duration(h.max.Load())
	percentile := func(p uint64) time.Duration {
		rank := (l.Count*p + 99) / 100
		for i, n := range counts {
			if n >= rank && rank > 0 {
				return min(time.Duration(highestOf(i)), l.Max)
			}
			rank -= n
		}
		return 0
	}
	l.P50, l.P90, l.P99 = percentile(50), percentile(90), percentile(99)
	return l
}
