package restart

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/test/continuity/swarm"
)

// hammer has operators call again and again, some over connections they keep and
// some over new ones, until the function is called that it returns. None of their
// calls may fail.
func hammer(t *testing.T, enter func() error, socket string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var calls [8]int
	for i := range calls {
		all.Go(func() {
			if enter != nil {
				if err := enter(); err != nil {
					t.Error(err)
					return
				}
			}
			c := admin.NewClient(socket)
			for ctx.Err() == nil {
				if i%2 == 0 {
					c = admin.NewClient(socket)
				}
				one, end := context.WithTimeout(context.Background(), patience)
				_, err := c.Call(one, "stats", nil)
				end()
				if err != nil {
					t.Errorf("caller %d, after %d calls: %v", i, calls[i], err)
					return
				}
				calls[i]++
			}
		})
	}
	return func() {
		t.Helper()
		cancel()
		all.Wait()
		t.Logf("operators' calls: %d", calls)
	}
}

// Whoever calls while the daemon is replaced is answered, by the one or the other.
func TestOperatorsDuringUpgrades(t *testing.T) {
	d := start(t, "v1")
	o := d.load(swarm.None)
	o.Sessions, o.Odd, o.Compressed, o.Rate = 50, 1, 0, 100
	o.Times, o.EveryMin, o.EveryMax, o.After = 12, time.Millisecond, 100*time.Millisecond, time.Millisecond
	stop := hammer(t, nil, d.admin())
	o.Do = func(context.Context, int) error {
		if out, err := d.ctl("upgrade"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	check(t, o)
	stop()
}
