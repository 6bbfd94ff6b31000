package loadtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nvsess/nvsess/client"
)

// Opening is given up after so many failures in a row: the server has had enough, or this machine has. When no client is open, fewer do.
const (
	enoughFailures     = 100
	enoughWhenNoneOpen = 10
)

// dial connects within the timeout, so that a timeout is told from other errors.
func (t *Test) dial(ctx context.Context, h client.Handlers) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	opts := append(slices.Clone(t.cfg.Options), client.WithHandlers(h), client.WithHandshakeTimeout(t.cfg.Timeout+time.Second))
	return client.Dial(ctx, t.cfg.URL, opts...)
}

// openOne opens a client and counts what comes of it; being interrupted is no failure.
func (t *Test) openOne(ctx context.Context, index int) error {
	m := &member{index: index}
	t.mu.Lock()
	t.begun++
	t.mu.Unlock()
	start := time.Now()
	conn, err := t.dial(ctx, t.handlers(m))
	took := time.Since(start)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil && ctx.Err() != nil:
		t.begun--
	case err != nil:
		t.failed++
		t.failuresInARow++
		t.errors[Kind(err)]++
	default:
		t.connect.Record(took)
		t.failuresInARow = 0
		m.conn, m.open, m.joined = conn, true, t.broadcasts.Load()
		t.open++
		t.members = append(t.members, m)
		if m.gone { // it ended before it could be noted
			t.goneLocked(m)
		}
	}
	return err
}

// lingering is a context that ends a while after ctx, so that a server need not see handshakes dropped because a test is interrupted.
func lingering(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(while):
			cancel()
		case <-later.Done():
		}
	})
	return later, func() { stop(); cancel() }
}

// openRest opens the others, each within dials, at the pace that is asked for. A pace that cannot be kept is not made up for in a burst.
func (t *Test) openRest(ctx, dials context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, t.cfg.Parallel)
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	for i := 1; i < t.cfg.Count; i++ {
		if next = next.Add(t.cfg.Wait); time.Since(next) > max(20*t.cfg.Wait, 100*time.Millisecond) {
			next = time.Now()
		}
		if d := time.Until(next); d > 0 {
			timer.Reset(d)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil || t.hopeless() {
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			_ = t.openOne(dials, i) // it is counted
		})
	}
}

// hopeless tells whether to give up opening.
func (t *Test) hopeless() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gaveUp = t.failuresInARow >= enoughFailures || t.open == 0 && t.failuresInARow >= enoughWhenNoneOpen
	return t.gaveUp
}
