package ws

import (
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/internal/timing"
)

// turns is what a loop's passes tell of it.
type turns struct {
	late  timing.Histogram // how late each pass began
	began atomic.Int64     // the loop's clock when the pass under way began; 0: it waits
	busy  atomic.Int64     // nanoseconds spent in passes; written by the loop
}

// begin notes that a pass begins, late after it was due.
func (t *turns) begin(now, late time.Duration) {
	t.late.Observe(late)
	t.began.Store(int64(now))
}

// work adds the time that a pass took.
func (t *turns) work(d time.Duration) { t.busy.Store(t.busy.Load() + int64(max(d, 0))) }

// LoopStats is what an event loop tells of itself.
type LoopStats struct {
	Conns int64

	// Late is how late passes began: after a timer was due, or, when more was
	// ready, after the pass before had begun. It is what everything that a loop
	// does may have had to wait.
	Late timing.Snapshot

	Busy  time.Duration // spent in passes, with those of earlier processes
	Under time.Duration // how long the pass under way has taken so far; 0: there is none
	Stood time.Duration // left out of its clock, likewise, see stall.go

	Lagging int   // connections that do not read what they are sent
	Queued  int64 // bytes that wait for those
	Longest int64 // the most of them for one
}

// LoopStats returns each loop's. It costs what the connections that lag do.
func (s *Server) LoopStats() []LoopStats {
	list := make([]LoopStats, len(s.loops))
	for i, l := range s.loops {
		n := s.loopCount(i)
		st := LoopStats{Conns: l.conns.Load(), Late: l.turns.late.Snapshot(), Busy: n.Busy, Stood: n.Stood}
		if began := l.turns.began.Load(); began != 0 {
			st.Under = max(0, l.clock()-time.Duration(began))
		}
		for _, c := range l.lagging.list(nil) {
			n := int64(c.queued())
			st.Lagging++
			st.Queued += n
			st.Longest = max(st.Longest, n)
		}
		list[i] = st
	}
	return list
}

// A LoopCount is what only grows of a loop.
type LoopCount struct {
	Busy  time.Duration `json:"busy"`
	Stood time.Duration `json:"stood"`
}

// LoopCounts is what of LoopStats goes on in the next process.
func (s *Server) LoopCounts() []LoopCount {
	list := make([]LoopCount, len(s.loops))
	for i := range list {
		list[i] = s.loopCount(i)
	}
	return list
}

// ContinueLoopCounts takes what LoopCounts was in the process before; it is for
// before Start.
func (s *Server) ContinueLoopCounts(list []LoopCount) { s.loopsBefore = list }

// loopCount adds what earlier processes have counted. That of loops that there are
// no more goes to others, so that the sum does not become less.
func (s *Server) loopCount(i int) LoopCount {
	l := s.loops[i]
	n := LoopCount{Busy: time.Duration(l.turns.busy.Load()), Stood: time.Duration(l.stood.Load())}
	for j := i; j < len(s.loopsBefore); j += len(s.loops) {
		n.Busy += s.loopsBefore[j].Busy
		n.Stood += s.loopsBefore[j].Stood
	}
	return n
}

func (c *Conn) queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.out.size)
}
