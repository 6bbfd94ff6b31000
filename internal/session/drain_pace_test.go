package session

import (
	"math"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/ws"
)

// The formula of docs/drain.md.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		away      time.Duration
		together  int
		rate      float64
		low, high time.Duration
	}{
		{0, 1, 100, 0, time.Second},
		{0, 10, 100, 0, time.Second},
		{0, 5000, 100, 0, 50 * time.Second},
		{0, 1e6, 100, 0, maxRetryAfter},
		{time.Minute, 10, 100, time.Minute, time.Minute + time.Second},
		{time.Hour, 10, 100, maxRetryAfter - time.Second, maxRetryAfter},
		{time.Hour, 1e6, 1, 0, maxRetryAfter},
	} {
		low, high := retryAfter(tt.away, tt.together, tt.rate, 0), retryAfter(tt.away, tt.together, tt.rate, 1)
		if low != tt.low || high != tt.high {
			t.Errorf("%+v: %v to %v", tt, low, high)
		}
	}
	if reason := drainReason(maxRetryAfter); ws.CloseServiceRestart != 1012 || CheckClose(1012, reason) != nil || reason != "service restart; retry_after_ms=300000" {
		t.Error(reason)
	}
	for _, tt := range []struct {
		asked  float64
		n      int
		window time.Duration
		want   float64
	}{
		{0, 0, 5 * time.Minute, 100}, {0, 24_000, 5 * time.Minute, 100}, {0, 48_000, 5 * time.Minute, 200}, {0, 1000, time.Second, 1250},
		{7, 1e6, time.Second, 7}, {0, 1e6, drainTick, MaxDrainRate},
	} {
		if got := drainRate(tt.asked, tt.n, tt.window); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// Reconnects of a simulated drain are at no time more than its rate has, beyond
// the first batches.
func TestReconnectsDoNotStampede(t *testing.T) {
	for name, away := range map[string]time.Duration{"others take them": 0, "back in": 102 * time.Second} {
		const n, rate = 10_000, 100.0
		perTick := int(rate * drainTick.Seconds())
		seconds := map[int]int{}
		first := time.Duration(math.MaxInt64)
		random := 0.0
		for i := range n {
			random = math.Mod(random+math.Phi, 1) // spreads evenly, and is the same each time
			back := time.Duration(i/perTick)*drainTick + retryAfter(away, perTick, rate, random)
			seconds[int(back/time.Second)]++
			first = min(first, back)
		}
		for s, k := range seconds {
			if float64(k) > 1.2*rate {
				t.Errorf("%s: in second %d %d come back", name, s, k)
			}
		}
		if first < away {
			t.Errorf("%s: the first is back after %v", name, first)
		}
	}
}
