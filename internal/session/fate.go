package session

import (
	"context"
	"errors"
	"sync/atomic"
)

// fate is what became of a must-reply request to one session.
type fate uint8

const (
	answered  fate = iota // by the session, or an operator in its place
	expired               // nobody answered in time
	abandoned             // the session closed
	canceled              // who asked waits no more, or the first answer was enough
	unsent                // it could not be sent: the session is gone, or does not read
	numFates
)

var fateNames = [numFates]string{"answered", "expired", "abandoned", "canceled", "unsent"}

// requests counts must-reply requests. Those that wait are what is pending.
type requests struct {
	pending atomic.Int64 // waiting for an answer
	fates   [numFates]atomic.Uint64
}

func (q *requests) begin() { q.pending.Add(1) }

func (q *requests) end(f fate) {
	q.pending.Add(-1)
	q.fates[f].Add(1)
}

func (q *requests) totals() map[string]uint64 {
	m := make(map[string]uint64, numFates)
	for i := range q.fates {
		m[fateNames[i]] = q.fates[i].Load()
	}
	return m
}

// overdue is the fate of a request that is taken back because ctx is done, or
// is not needed any more.
func overdue(ctx context.Context) fate {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return expired
	}
	return canceled
}
