package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// What waits for a connection is bounded, can be taken back, and leaves in
// order when there is one.
func TestQueue(t *testing.T) {
	path := socketPath(t)
	c := started(t, "ws+unix://"+path, soon(Reconnect{}), WithQueue(5, 20))
	forever := context.Background()
	enqueue := func(ctx context.Context, s string) *QueuedMessage {
		t.Helper()
		m, err := c.EnqueueString(ctx, s)
		must(t, err)
		return m
	}
	mine := []byte{1, 2, 3}
	a := enqueue(forever, "a")
	b := enqueue(forever, "b")
	bin, err := c.EnqueueBinary(forever, mine)
	must(t, err)
	mine[0] = 9 // it was copied
	ctx, cancel := context.WithCancel(t.Context())
	expires := enqueue(ctx, "expires")
	if _, err := c.EnqueueString(forever, strings.Repeat("x", 20)); !errors.Is(err, ErrQueueFull) {
		t.Errorf("bytes: %v", err)
	}
	last := enqueue(forever, "last")
	if _, err := c.EnqueueString(forever, ""); !errors.Is(err, ErrQueueFull) {
		t.Errorf("messages: %v", err)
	}
	if err := c.SendString(within(t), ""); !errors.Is(err, ErrQueueFull) {
		t.Errorf("sending: %v", err)
	}
	if s := c.Stats(); s.Queued != 5 || s.QueuedBytes != 1+1+3+7+4 || s.QueueFull != 3 {
		t.Errorf("stats %+v", s)
	}
	cancel()
	wait(t, expires.Done())
	if !errors.Is(expires.Err(), context.Canceled) || expires.TakeBack() {
		t.Errorf("expired: %v", expires.Err())
	}
	if !b.TakeBack() || b.TakeBack() || !errors.Is(b.Err(), ErrTakenBack) || a.Err() != nil {
		t.Errorf("taken back: %v", b.Err())
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := c.SendJSON(short, []int{1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sending with a deadline: %v", err)
	}
	if err := c.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flushing: %v", err)
	}
	if _, err := c.EnqueueJSON(short, []int{1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("queueing what has expired: %v", err)
	}
	for name, err := range map[string]error{
		"string": c.SendString(forever, "\xff"), "JSON": c.SendJSON(forever, 5), "request": second(c.Request(forever, func() {})),
		"queued string": second(c.EnqueueString(forever, "\xff")), "queued JSON": second(c.EnqueueJSON(forever, 5)),
	} {
		if !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := c.Stats(); s.Queued != 3 || s.QueuedBytes != 1+3+4 || s.TakenBack != 3 {
		t.Errorf("stats %+v", s)
	}

	ln, err := net.Listen("unix", path)
	must(t, err)
	in, handlers := recorder()
	c.SetHandlers(applied(handlers))
	serve(t, ln, func(p *peer) {
		if p.upgrade() {
			p.echo()
		}
	})
	must(t, c.Flush(within(t)))
	for _, m := range []*QueuedMessage{a, bin, last} {
		wait(t, m.Done())
		must(t, m.Err())
	}
	if x, y, z := recv(t, in.text), recv(t, in.binary), recv(t, in.text); x != "a" || !bytes.Equal(y, []byte{1, 2, 3}) || z != "last" {
		t.Errorf("%q, %v, %q", x, y, z)
	}
	must(t, c.SendString(within(t), strings.Repeat("x", 1000))) // fits an empty queue
	if got := recv(t, in.text); len(got) != 1000 {
		t.Errorf("%d bytes", len(got))
	}
	must(t, c.Close(within(t), CloseNormal, ""))
	if s := c.Stats(); s.Sent != 4 || s.Queued != 0 || s.QueuedBytes != 0 || s.Broken != 0 || len(in.text)+len(in.json)+len(in.binary) != 0 {
		t.Errorf("stats %+v", s)
	}
}

func second[T any](_ T, err error) error { return err }

func applied(opt Option) Handlers {
	var o options
	opt(&o)
	return o.handlers
}

// Closing fails what is queued, at once.
func TestQueueOfClosed(t *testing.T) {
	c := started(t, "ws+unix:///nowhere/at/all.sock")
	m, err := c.EnqueueString(within(t), "x")
	must(t, err)
	results := make(chan error, 2)
	go func() { results <- c.SendString(context.Background(), "y") }()
	go func() { _, err := c.Request(context.Background(), "z"); results <- err }()
	for c.Stats().Queued < 3 {
		runtime.Gosched()
	}
	must(t, c.Close(within(t), CloseNormal, "bye"))
	for _, err := range []error{m.Err(), recv(t, results), recv(t, results), c.Flush(within(t))} {
		var why *CloseError
		if !errors.As(err, &why) || why.Reason != "bye" {
			t.Errorf("queued: %v", err)
		}
	}
}

// A message that had begun to leave when the connection broke fails and is not
// tried again: it may be what broke it. The one behind it is not lost.
func TestBrokenMessage(t *testing.T) {
	var nth conns
	next := make(chan string, 10)
	url := server(t, func(p *peer) {
		if nth.next() == 1 {
			p.until(TypeCfg)
			p.br.Discard(100_000) // some of it
			return
		}
		for {
			op, b, err := p.data()
			if err != nil || op == ws.OpClose {
				p.send(op, b)
				return
			}
			next <- string(b)
		}
	})
	c := started(t, url, soon(Reconnect{}), WithQueue(10, 100<<20))
	big, err := c.EnqueueBinary(context.Background(), make([]byte, 24<<20))
	must(t, err)
	small, err := c.EnqueueString(context.Background(), "small")
	must(t, err)
	wait(t, big.Done())
	if !errors.Is(big.Err(), ErrClosed) {
		t.Errorf("big: %v", big.Err())
	}
	wait(t, small.Done())
	must(t, small.Err())
	if got := recv(t, next); got != "small" {
		t.Errorf("got %d bytes", len(got))
	}
	must(t, c.Close(within(t), CloseNormal, ""))
	if s := c.Stats(); s.Broken != 1 || s.Sent != 1 || len(next) != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Many senders over connections that end all the time: nothing arrives twice,
// nothing out of its sender's order, and nothing that was said to have failed.
func TestGuarantees(t *testing.T) {
	const senders, each = 8, 300
	var mu sync.Mutex
	arrived := make([][]int, senders)
	over := make(chan struct{})
	url := server(t, func(p *peer) {
		for left := rand.N(40); ; left-- {
			op, b, err := p.data()
			if err != nil {
				return
			}
			if op == ws.OpClose {
				p.send(op, b)
				return
			}
			var i, j int
			fmt.Sscanf(string(b), "%d.%d ", &i, &j)
			mu.Lock()
			arrived[i] = append(arrived[i], j)
			mu.Unlock()
			select {
			case <-over:
				continue
			default:
			}
			if left <= 0 {
				if rand.N(2) == 0 {
					p.send(ws.OpClose, ws.NewCloseFrameBody(1001, ""))
				}
				return
			}
		}
	})
	c := started(t, url, WithReconnect(Reconnect{MinDelay: time.Microsecond, MaxDelay: time.Millisecond}))
	failed := make([][]int, senders)
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := 0; j < each || c.Stats().Connects < 20; j++ {
				text := fmt.Sprintf("%d.%d %s", i, j, strings.Repeat("x", rand.N(2000)))
				var err error
				switch rand.N(3) {
				case 0:
					err = c.SendString(context.Background(), text)
				case 1:
					ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*time.Millisecond))
					err = c.SendString(ctx, text)
					cancel()
				case 2:
					var m *QueuedMessage
					if m, err = c.EnqueueString(context.Background(), text); err == nil {
						if rand.N(2) == 0 {
							m.TakeBack()
						}
						<-m.Done()
						err = m.Err()
					}
				}
				if err != nil {
					failed[i] = append(failed[i], j)
				}
			}
		})
	}
	wg.Wait()
	close(over)
	must(t, c.SendString(within(t), "0.1000000 last")) // may be lost once more
	must(t, c.Close(within(t), CloseNormal, ""))
	mu.Lock()
	defer mu.Unlock()
	total := 0
	for i := range senders {
		total += len(arrived[i])
		if !slices.IsSorted(arrived[i]) {
			t.Errorf("sender %d: out of order: %v", i, arrived[i])
		}
		if n := len(slices.Compact(slices.Clone(arrived[i]))); n != len(arrived[i]) {
			t.Errorf("sender %d: %d messages came twice", i, len(arrived[i])-n)
		}
		for _, j := range failed[i] {
			if slices.Contains(arrived[i], j) {
				t.Errorf("sender %d: %d failed, and came", i, j)
			}
		}
	}
	s := c.Stats()
	if s.Connects < 20 || total < 100 {
		t.Errorf("%d connections, %d messages: too few for a test", s.Connects, total)
	}
	if total > int(s.Sent) {
		t.Errorf("%d messages came, %d were sent", total, s.Sent)
	}
	t.Logf("%d messages came; %+v", total, s)
}
