package loadtest

import (
	"context"
	"sync"

	"github.com/nvsess/nvsess/client"
)

// closers is how many sessions are closed at a time.
const closers = 128

// closeAll closes every session with 1000, and drops those that have not answered when the time for it is over.
func (t *Test) closeAll(control *client.Conn) {
	t.enter(Closing)
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	conns := make(chan *client.Conn)
	var wg sync.WaitGroup
	for range closers {
		wg.Go(func() {
			for c := range conns {
				t.closeOne(ctx, c)
			}
		})
	}
	t.mu.Lock()
	members := t.members
	t.mu.Unlock()
	if control != nil {
		conns <- control
	}
	for _, m := range members {
		conns <- m.conn
	}
	close(conns)
	wg.Wait()
}

func (t *Test) closeOne(ctx context.Context, c *client.Conn) {
	if c.Err() == nil && c.Close(ctx, client.CloseNormal, "") != nil {
		t.mu.Lock()
		t.dropped++
		t.mu.Unlock()
	}
	select {
	case <-c.Done():
	case <-ctx.Done(): // a handler is stuck, as when nobody takes what -v prints
	}
}
