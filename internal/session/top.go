package session

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/nvsess/nvsess/internal/timing"
	"github.com/nvsess/nvsess/internal/ws"
)

// Top is what a screen shows that is drawn again and again: who is slow, who is
// busy, how the loops are.
type Top struct {
	Seconds float64         // that the rates are of; 0: they are not known yet
	Slowest []TopSession    // those that lag, the longest queue first, then those that lost most
	Busiest []TopSession    // by messages per second in both directions
	Loops   []ws.LoopStats  // now
	Deliver timing.Snapshot // see ws.Server.Delivery
}

// TopSession is a session on that screen.
type TopSession struct {
	Session *Session
	Stats   ws.ConnStats
	In, Out float64 // messages per second
	Bytes   float64 // per second, in both directions
}

const (
	// topEvery is how often the sessions are looked through at most, however many
	// operators watch.
	topEvery = 400 * time.Millisecond
	// topKeep is how long what was seen is kept to be compared with.
	topKeep = 30 * time.Second
	maxTop  = 100
)

// tops keeps what the last look has seen.
type tops struct {
	mu   sync.Mutex // guards what follows
	at   time.Time
	seen []sighting // in the registry's order
	last Top
	stop *time.Timer // forgets it all
}

// sighting is what a session had carried when it was looked at.
type sighting struct {
	s          *Session
	in, out, b uint64
}

// Top looks through the sessions: all of them once, with a lock of each. Asked
// again too soon it returns what it has. Of the lists at most 100 are kept.
func (srv *Server) Top() Top {
	t := &srv.tops
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if took := now.Sub(t.at); t.seen != nil && took < topEvery {
		top := t.last
		top.Loops, top.Deliver = srv.ws.LoopStats(), srv.ws.Delivery()
		return top
	}
	all := srv.registry.snapshot()
	seen := make([]sighting, 0, len(all))
	seconds := 0.0
	if t.seen != nil {
		seconds = now.Sub(t.at).Seconds()
	}
	busy := best{less: func(a, b *TopSession) bool { return a.In+a.Out < b.In+b.Out }}
	slow := best{less: func(a, b *TopSession) bool {
		return cmp.Or(cmp.Compare(a.Stats.Queued, b.Stats.Queued), cmp.Compare(a.Stats.Dropped, b.Stats.Dropped)) < 0
	}}
	before := t.seen
	for _, s := range all {
		st := s.conn.Stats()
		x := TopSession{Session: s, Stats: st}
		is := sighting{s, st.MessagesIn, st.MessagesOut, st.BytesIn + st.BytesOut}
		seen = append(seen, is)
		was := sighting{}
		// Both lists are in the registry's order: who is passed has left, and who is
		// not found has come since, as have all after it.
		i := slices.IndexFunc(before, func(x sighting) bool { return x.s == s })
		if i >= 0 {
			was, before = before[i], before[i+1:]
		} else {
			before = nil
		}
		if seconds > 0 {
			x.In, x.Out, x.Bytes = float64(is.in-was.in)/seconds, float64(is.out-was.out)/seconds, float64(is.b-was.b)/seconds
			if x.In+x.Out > 0 {
				busy.offer(x)
			}
		}
		if st.Queued > 0 || st.Dropped > 0 {
			slow.offer(x)
		}
	}
	t.at, t.seen = now, seen
	t.last = Top{Seconds: seconds, Slowest: slow.list(), Busiest: busy.list()}
	if t.stop != nil {
		t.stop.Stop()
	}
	t.stop = time.AfterFunc(topKeep, t.forget)
	top := t.last
	top.Loops, top.Deliver = srv.ws.LoopStats(), srv.ws.Delivery()
	return top
}

// forget lets go of the sessions when nobody has looked for a while.
func (t *tops) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) >= topKeep {
		t.seen, t.last = nil, Top{}
	}
}

// best keeps the maxTop largest of many.
type best struct {
	less func(a, b *TopSession) bool
	kept []TopSession
}

func (b *best) offer(x TopSession) {
	b.kept = append(b.kept, x)
	if len(b.kept) >= 8*maxTop {
		b.trim()
	}
}

func (b *best) trim() {
	slices.SortStableFunc(b.kept, func(x, y TopSession) int {
		switch {
		case b.less(&y, &x):
			return -1
		case b.less(&x, &y):
			return 1
		}
		return 0
	})
	b.kept = b.kept[:min(len(b.kept), maxTop)]
}

func (b *best) list() []TopSession {
	b.trim()
	return slices.Clip(b.kept)
}

// LoopStats returns each event loop's; see ws.Server.LoopStats.
func (srv *Server) LoopStats() []ws.LoopStats { return srv.ws.LoopStats() }

// LoopCounts is ws.Server.LoopCounts.
func (srv *Server) LoopCounts() []ws.LoopCount { return srv.ws.LoopCounts() }

// ContinueLoopCounts is ws.Server.ContinueLoopCounts.
func (srv *Server) ContinueLoopCounts(list []ws.LoopCount) { srv.ws.ContinueLoopCounts(list) }

// Delivery is how long messages waited that had to; see ws.Server.Delivery.
func (srv *Server) Delivery() timing.Snapshot { return srv.ws.Delivery() }
