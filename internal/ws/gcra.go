package ws

import (
	"sync/atomic"
	"time"
)

// A bucket is what all token buckets of one kind share: the rate at which they
// fill and what they hold. A single one is nothing but a time, the theoretical
// arrival time of the generic cell rate algorithm (ITU-T I.371): the later it
// lies, the less is left. The zero time is a full bucket. A nil *bucket never
// runs dry.
type bucket struct {
	each  float64       // nanoseconds until one more token is there
	one   time.Duration // each, in whole ones
	depth time.Duration // what a full bucket is worth
}

// newBucket fills at rate tokens per second, up to burst, which is at least one.
// A rate of 0 is no limit.
func newBucket(rate float64, burst int) *bucket {
	if rate <= 0 {
		return nil
	}
	each := float64(time.Second) / rate
	one := time.Duration(each)
	return &bucket{each: each, one: one, depth: max(one, time.Duration(each*float64(burst)))}
}

// wait is the time until a token is there: 0 when one is.
func (b *bucket) wait(tat, now time.Duration) time.Duration {
	if b == nil {
		return 0
	}
	return max(0, max(tat, now)+b.one-now-b.depth)
}

// debt is the time until the tokens are back that were taken and not there.
func (b *bucket) debt(tat, now time.Duration) time.Duration {
	if b == nil {
		return 0
	}
	return max(0, tat-now-b.depth)
}

// take is the bucket's time when a token is gone, whether it was there or not.
func (b *bucket) take(tat, now time.Duration) time.Duration { return max(tat, now) + b.one }

// takeMany is take for n tokens.
func (b *bucket) takeMany(tat, now time.Duration, n int) time.Duration {
	return max(tat, now) + time.Duration(b.each*float64(n))
}

// clamp is a time of another bucket as one of this: what is left of it, and no
// more debt than that it is empty.
func (b *bucket) clamp(tat, now time.Duration) time.Duration {
	if b == nil {
		return 0
	}
	return min(tat, now+b.depth)
}

// full reports whether a bucket is as good as new.
func (b *bucket) full(tat, now time.Duration) bool { return b == nil || tat <= now }

// A pacer is a token bucket for many goroutines.
type pacer struct {
	bucket atomic.Pointer[bucket]
	tat    atomic.Int64
}

// reset is a new, full bucket.
func (p *pacer) reset(b *bucket) {
	p.bucket.Store(b)
	p.tat.Store(0)
}

// left is the time until the next token is there.
func (p *pacer) left(now time.Duration) time.Duration {
	return p.bucket.Load().wait(time.Duration(p.tat.Load()), now)
}

// spend takes a token. Whoever looks with left and then spends may be one of a
// few who found the same token; the next ones wait for it.
func (p *pacer) spend(now time.Duration) {
	for b := p.bucket.Load(); b != nil; {
		old := p.tat.Load()
		if p.tat.CompareAndSwap(old, int64(b.take(time.Duration(old), now))) {
			return
		}
	}
}
