package admin

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// The kernel takes connections for a daemon that is stopped.
func TestSilentDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln := listen(t, path)
	defer ln.Close()
	c := NewClient(path)
	c.patience = 20 * time.Millisecond
	for _, name := range []string{"version", "send_jrr_sreq", "watch"} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := c.Call(ctx, name, nil)
		cancel()
		var silent *NotReachableError
		if !errors.As(err, &silent) || err.Error() != "nvsessd at "+path+" does not answer" {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	c.patience = patience
	if _, err := c.Call(ctx, "version", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own end: %v", err)
	}
}

// What the daemon has taken may last as long as the command does.
func TestPatienceWithATakenCall(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	d.client.patience = 500 * time.Millisecond
	go func() {
		id, err := p.nextRequest()
		for err == nil && id == "" {
			id, err = p.nextRequest()
		}
		time.Sleep(2 * d.client.patience) // longer than the client would wait for a daemon
		p.write(`{"___type___":"___cres___","___id___":"` + id + `","___data___":1}`)
	}()
	d.must("send_jrr_sreq fst 1")

	for name, want := range map[string]time.Duration{"version": workTimeout, "watch": workTimeout, "ping": 0, "send_jrr_sreq": 0} {
		if got := workTime(name, nil); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := workTime("ping", Args{map[string]any{"timeout": time.Second}}); got != time.Second+waitMargin {
		t.Errorf("ping with a timeout: %s", got)
	}
}
