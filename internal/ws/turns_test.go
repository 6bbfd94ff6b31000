package ws

import (
	"testing"
	"time"
)

// What loops of the process before have counted goes on, whatever became of their
// number.
func TestLoopCountsGoOn(t *testing.T) {
	before := []LoopCount{{Busy: time.Hour, Stood: 1}, {Busy: 2 * time.Hour, Stood: 2}, {Busy: 4 * time.Hour, Stood: 4}}
	for n, want := range map[int][]LoopCount{
		1: {{7 * time.Hour, 7}},
		2: {{5 * time.Hour, 5}, {2 * time.Hour, 2}},
		3: before,
		4: append(before[:3:3], LoopCount{}),
	} {
		s, err := NewServer(Options{Loops: n, Handler: newRecorder(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.makeLoops(); err != nil {
			t.Fatal(err)
		}
		s.ContinueLoopCounts(before)
		for i, l := range s.LoopStats() {
			if l.Busy != want[i].Busy || l.Stood != want[i].Stood {
				t.Errorf("loop %d of %d: %v and %v, not %+v", i, n, l.Busy, l.Stood, want[i])
			}
		}
		s.loops[n-1].turns.work(time.Minute)
		s.loops[n-1].stood.Add(10)
		if got := s.LoopCounts(); got[n-1].Busy != want[n-1].Busy+time.Minute || got[n-1].Stood != want[n-1].Stood+10 {
			t.Errorf("the last of %d: %+v", n, got)
		}
		s.closeLoops()
	}
}
