package admin

import (
	"context"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/timing"
)

// Top is the answer of top. Its counters only grow: rates are the difference of two answers, see Since.
type Top struct {
	Time    time.Time  `json:"time"`
	Version string     `json:"version"`
	PID     int        `json:"pid"`
	Started time.Time  `json:"started"`
	Stats   Stats      `json:"stats"`
	Process TopProcess `json:"process"`
	Loops   []TopLoop  `json:"loops"`
	Waited  TopTimes   `json:"delivery"` // of messages that the kernel did not take at once

	RatesSeconds float64   `json:"rates_seconds"` // what the sessions' rates are of; 0: there are none yet
	Slowest      []TopSess `json:"slowest"`
	Busiest      []TopSess `json:"busiest"`
}

// TopProcess is what the daemon takes.
type TopProcess struct {
	CPUSeconds       float64 `json:"cpu_seconds"`
	RSSBytes         int64   `json:"rss_bytes"`
	HeapBytes        uint64  `json:"heap_bytes"`
	Goroutines       int     `json:"goroutines"`
	DescriptorsLimit uint64  `json:"descriptors_limit"`
}

// TopLoop is an event loop.
type TopLoop struct {
	Connections  int64    `json:"connections"`
	Lag          TopTimes `json:"lag"`
	BusySeconds  float64  `json:"busy_seconds"`
	PassSeconds  float64  `json:"pass_seconds"` // how long the pass under way has taken; 0: it waits
	Lagging      int      `json:"lagging"`      // connections that do not read what they are sent
	QueuedBytes  int64    `json:"queued_bytes"`
	LongestQueue int64    `json:"longest_queue_bytes"`
	StoodSeconds float64  `json:"stood_seconds"`
}

// TopTimes are durations by their bucket, whose bounds are the same always.
type TopTimes struct {
	Seconds float64   `json:"seconds"` // all of them together
	Buckets []uint64  `json:"buckets"`
	Bounds  []float64 `json:"bounds_seconds"` // the last bucket has none
}

// TopSess is a session in one of the lists.
type TopSess struct {
	ID           string  `json:"id"`
	Remote       string  `json:"remote"`
	Mount        string  `json:"mount"`
	Auth         string  `json:"auth"`
	Active       bool    `json:"active"`
	QueuedBytes  int     `json:"queued_bytes"`
	Dropped      uint64  `json:"dropped"`
	InPerSecond  float64 `json:"in_per_second"`
	OutPerSecond float64 `json:"out_per_second"`
	BytesPerSec  float64 `json:"bytes_per_second"`
	AgeSeconds   float64 `json:"age_seconds"`
	IdleSeconds  float64 `json:"idle_seconds"`
}

func runTop(ctx context.Context, c *Call) (any, error) {
	stats, err := runStats(ctx, c)
	if err != nil {
		return nil, err
	}
	limit := topRows
	if c.Args.Has("limit") {
		limit = c.Args.Int("limit")
	}
	top := c.Sessions.Top()
	t := Top{
		Time: time.Now(), Version: c.Daemon.Version, PID: os.Getpid(), Started: c.Daemon.started,
		Stats: stats.(Stats), Process: topProcess(), Waited: topTimes(top.Deliver), RatesSeconds: top.Seconds,
		Slowest: topSessions(top.Slowest, limit), Busiest: topSessions(top.Busiest, limit),
	}
	for _, l := range top.Loops {
		t.Loops = append(t.Loops, TopLoop{
			Connections: l.Conns, Lag: topTimes(l.Late), BusySeconds: l.Busy.Seconds(), PassSeconds: l.Under.Seconds(),
			Lagging: l.Lagging, QueuedBytes: l.Queued, LongestQueue: l.Longest, StoodSeconds: l.Stood.Seconds(),
		})
	}
	return t, nil
}

func topSessions(list []session.TopSession, limit int) []TopSess {
	out := make([]TopSess, 0, min(len(list), limit))
	for _, x := range list[:min(len(list), limit)] {
		s := x.Session
		out = append(out, TopSess{
			ID: s.ID(), Remote: s.RemoteAddr(), Mount: s.Mount(), Auth: authName(s), Active: s.Active(),
			QueuedBytes: x.Stats.Queued, Dropped: x.Stats.Dropped,
			InPerSecond: x.In, OutPerSecond: x.Out, BytesPerSec: x.Bytes,
			AgeSeconds: s.Age().Seconds(), IdleSeconds: s.IdleFor().Seconds(),
		})
	}
	return out
}

func topTimes(s timing.Snapshot) TopTimes {
	t := TopTimes{Seconds: s.Sum.Seconds(), Buckets: s.Buckets[:], Bounds: make([]float64, len(timing.Bounds))}
	for i, b := range timing.Bounds {
		t.Bounds[i] = b.Seconds()
	}
	return t
}

// topProcess reads nothing that stops the world or grows with the sessions.
func topProcess() TopProcess {
	p := TopProcess{Goroutines: runtime.NumGoroutine()}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		p.CPUSeconds = time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(statm)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64) // 0 shows that it is not known
			p.RSSBytes = pages * int64(os.Getpagesize())
		}
	}
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	p.HeapBytes = s[0].Value.Uint64()
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) == nil {
		p.DescriptorsLimit = lim.Cur
	}
	return p
}

// Count is how many durations there are.
func (t TopTimes) Count() (n uint64) {
	for _, b := range t.Buckets {
		n += b
	}
	return n
}

// Since is those that came after an earlier answer.
func (t TopTimes) Since(was TopTimes) TopTimes {
	d := TopTimes{Seconds: max(0, t.Seconds-was.Seconds), Buckets: make([]uint64, len(t.Buckets)), Bounds: t.Bounds}
	for i, b := range t.Buckets {
		if d.Buckets[i] = b; i < len(was.Buckets) {
			d.Buckets[i] -= min(b, was.Buckets[i])
		}
	}
	return d
}

// Quantile is an upper bound of a quantile, and false when there are no durations. What is beyond the last bound counts as twice that.
func (t TopTimes) Quantile(q float64) (time.Duration, bool) {
	n, sum := t.Count(), uint64(0)
	if n == 0 || len(t.Bounds) == 0 || len(t.Buckets) != len(t.Bounds)+1 {
		return 0, false
	}
	for i, b := range t.Buckets {
		if sum += b; b > 0 && float64(sum) >= q*float64(n) {
			bound := 2 * t.Bounds[len(t.Bounds)-1]
			if i < len(t.Bounds) {
				bound = t.Bounds[i]
			}
			return time.Duration(bound * float64(time.Second)), true
		}
	}
	return 0, false
}
