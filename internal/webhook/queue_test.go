package webhook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/session"
)

// Each session's events arrive one at a time and in their order, the first and
// the last of them included, however slow the server is and whatever fails.
func TestOrder(t *testing.T) {
	const sessions, messages = 8, 40
	var mu sync.Mutex
	inside, attempts := map[string]bool{}, map[string]int{}
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		mu.Lock()
		if inside[e.Session.ID] {
			t.Errorf("two events of %s at once", e.Session.ID)
		}
		inside[e.Session.ID] = true
		attempts[e.ID]++
		again := attempts[e.ID] == 1 && rand.N(4) == 0
		mu.Unlock()
		if d := rand.N(3 * time.Millisecond); d > time.Millisecond {
			<-time.After(d) // the server is slow
		}
		mu.Lock()
		inside[e.Session.ID] = false
		mu.Unlock()
		switch {
		case again:
			w.WriteHeader(500)
		case e.Text != nil:
			say(200, fmt.Sprintf(`{"reply_text":%q}`, *e.Text))(w, e)
		}
	})
	h := start(t, a.url, []string{"open", "string", "close"}, func(o *Options) { o.Retries = 3 })
	var wg sync.WaitGroup
	for range sessions {
		p := h.dial(t)
		wg.Go(func() {
			for i := range messages {
				p.text(fmt.Sprint(i))
			}
			for i := range messages {
				p.want(gobwas.OpText, fmt.Sprint(i))
			}
			for i := range messages {
				p.text(fmt.Sprint("late ", i))
			}
			p.conn.Close()
		})
	}
	wg.Wait()
	eventually(t, "all is done", func() bool {
		return h.hook.Stats().Handled >= sessions*(messages+2) && h.Server.Stats().HandlerWaiting == 0 && h.Len() == 0
	})
	last := map[string]string{}
	count := map[string]int{}
	for range len(a.events) {
		e := <-a.events
		if e.Attempt > 1 {
			continue
		}
		id := e.Session.ID
		switch count[id]++; {
		case last[id] == "close" || (e.Event == "open") != (count[id] == 1):
			t.Fatalf("%s after %q", e.raw, last[id])
		case e.Event == "string":
			want := fmt.Sprint(count[id] - 2)
			if count[id]-2 >= messages {
				want = fmt.Sprint("late ", count[id]-2-messages)
			}
			if *e.Text != want {
				t.Fatalf("%q, want %q", *e.Text, want)
			}
		}
		last[id] = e.Event
	}
	for id, event := range last {
		if event != "close" {
			t.Errorf("%s ends with %s", id, event)
		}
	}
	if len(last) != sessions {
		t.Errorf("%d sessions", len(last))
	}
}

// No more requests are under way than allowed, on no more connections, and what
// waits costs no goroutine.
func TestConcurrency(t *testing.T) {
	const sessions, most = 60, 5
	var now, peak atomic.Int32
	release := make(chan struct{})
	a := onTCP(t, func(w http.ResponseWriter, e told) {
		peak.Store(max(peak.Load(), now.Add(1)))
		<-release
		now.Add(-1)
	})
	h := start(t, a.url, []string{"string"}, func(o *Options) { o.Concurrency = most })
	peers := make([]*peer, sessions)
	for i := range peers {
		peers[i] = h.dial(t)
	}
	before := runtime.NumGoroutine()
	for _, p := range peers {
		p.text("1")
		p.text("2")
	}
	eventually(t, "they wait", func() bool {
		st := h.hook.Stats()
		return now.Load() == most && st.Waiting == sessions-most && st.UnderWay == most
	})
	// A worker, two goroutines of its connection, and one of the server's.
	if n := runtime.NumGoroutine() - before; n > 6*most {
		t.Errorf("%d goroutines for %d events", n, sessions)
	}
	close(release)
	eventually(t, "all is done", func() bool { return h.hook.Stats().Handled == 2*sessions })
	if peak.Load() != most || a.connections() > most {
		t.Errorf("%d at once, on %d connections", peak.Load(), a.connections())
	}
	eventually(t, "nobody works", func() bool { return h.hook.Stats().UnderWay == 0 })
}

// Who sends much waits behind who sends little.
func TestFairness(t *testing.T) {
	first, release := make(chan struct{}, 1), make(chan struct{})
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		select {
		case first <- struct{}{}:
			<-release
		default:
		}
	})
	h := start(t, a.url, []string{"string"}, func(o *Options) { o.Concurrency = 1 })
	p, q := h.dial(t), h.dial(t)
	for i := range 5 {
		p.text(fmt.Sprint("much ", i))
	}
	eventually(t, "it waits", func() bool { return len(first) == 1 && h.Server.Stats().HandlerWaiting == 5 })
	q.text("little")
	eventually(t, "it waits", func() bool { return h.Server.Stats().HandlerWaiting == 6 })
	close(release)
	var got []string
	for range 6 {
		got = append(got, *a.next(t).Text)
	}
	if i := slices.Index(got, "little"); i != 1 {
		t.Errorf("%q", got)
	}
}

// What waits when Close is called still goes out, and then what that lets go.
func TestCloseWaits(t *testing.T) {
	release := make(chan struct{})
	a := onUnix(t, func(http.ResponseWriter, told) { <-release })
	h := start(t, a.url, []string{"string", "close"}, func(o *Options) { o.Concurrency = 2 })
	for range 4 {
		p := h.dial(t)
		for range 5 {
			p.text("x")
		}
	}
	eventually(t, "they wait", func() bool { return h.Server.Stats().HandlerWaiting == 20 })
	h.shutdownNow(t)
	done := make(chan error, 2)
	go func() { done <- h.hook.Close(t.Context()) }()
	go func() { done <- h.hook.Close(t.Context()) }()
	eventually(t, "it is closing", func() bool { h.hook.mu.Lock(); defer h.hook.mu.Unlock(); return h.hook.ending })
	select {
	case err := <-done:
		t.Fatal("closed with events waiting:", err)
	default:
	}
	close(release)
	for range 2 {
		if err := receive(t, "Close", done); err != nil {
			t.Error(err)
		}
	}
	if st := h.hook.Stats(); st.Handled != 24 || st.Failed != 0 || len(a.events) != 24 {
		t.Errorf("%+v, %d requests", st, len(a.events))
	}
}

// shutdownNow ends all sessions without waiting for their peers.
func (h *host) shutdownNow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = h.Shutdown(ctx, 1001, "over")
	if n := h.Len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// At the deadline whatever is under way, sleeps or waits is dropped; the
// sessions' queues run empty, and what comes later fails at once.
func TestCloseAtItsDeadline(t *testing.T) {
	const backlog = 10_000
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		if *e.Text == "sleep" {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(503)
			return
		}
		<-e.http.Context().Done() // hangs until the hook gives up
	})
	h := start(t, a.url, []string{"string"}, func(o *Options) { o.Retries, o.MaxBackoff, o.Concurrency = 5, time.Hour, 1 })
	sleeper, hanger, waiter := h.dial(t), h.dial(t), h.dial(t)
	sleeper.text("sleep")
	eventually(t, "it sleeps", func() bool { return h.hook.Stats().Retries == 1 })
	hanger.text("hang")
	a.next(t)
	a.next(t)
	for range backlog {
		waiter.text("x")
	}
	hanger.text("behind")
	eventually(t, "they wait", func() bool { return h.Server.Stats().HandlerWaiting == backlog+3 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := h.hook.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(backlog+3, " events were dropped")) {
		t.Error(err)
	}
	if st := h.hook.Stats(); st.Dropped != backlog+3 || st.Waiting != 0 || st.UnderWay != 0 || st.Open {
		t.Errorf("%+v", st)
	}
	if n := h.Server.Stats().HandlerWaiting; n != 0 {
		t.Errorf("%d events are not done", n)
	}
	waiter.text("later")
	eventually(t, "it fails", func() bool { return h.hook.Stats().Dropped == backlog+4 && h.Server.Stats().HandlerWaiting == 0 })
	if n := h.Server.Stats().HandlerDropped; n != 0 || strings.Contains(h.log.String(), "the webhook failed") {
		t.Errorf("%d dropped by the inbox; log: %.500s", n, h.log)
	}
	if h.hook.Close(t.Context()) != nil {
		t.Error("closing again")
	}
}

// A handshake that is being decided about when the hook ends is refused.
func TestCloseWhileVerifying(t *testing.T) {
	a := onUnix(t, func(w http.ResponseWriter, e told) { <-e.http.Context().Done() })
	h := start(t, a.url, []string{"verify"})
	status := make(chan int, 1)
	go func() { status <- h.refused(t, "/") }()
	a.next(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if h.hook.Close(ctx) == nil {
		t.Error("nothing was dropped")
	}
	if n := receive(t, "the refusal", status); n != 503 {
		t.Error(n)
	}
}

// What the process before has counted goes on; of what it has dropped Close does not
// speak.
func TestCountsGoOn(t *testing.T) {
	h := start(t, "http+unix:///nowhere/at/all:/", []string{"string"})
	before := map[string]uint64{
		"handled": 10, "failed": 5, "retries": 4, "dropped": 3, "gone": 2, "slow": 1, "errors.string": 5, "timeouts.string": 1, "errors.none": 7,
	}
	h.hook.AddCounts(before)
	h.dial(t).text("x")
	eventually(t, "it fails", func() bool { return h.hook.Stats().Failed == 6 })
	now := h.hook.Counts()
	for name, n := range before {
		want := n
		switch name {
		case "handled", "failed", "errors.string":
			want++
		case "errors.none":
			want = 0
		}
		if now[name] != want {
			t.Errorf("%s is %d, not %d", name, now[name], want)
		}
	}
	if st := h.hook.Stats(); st.Retries != 4 || st.Dropped != 3 || st.Gone != 2 || st.Slow != 1 {
		t.Errorf("%+v", st)
	}
	if r := h.hook.Report(session.KindString); r.Errors != 6 || r.Timeouts != 1 {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.hook.Close(ctx); err != nil {
		t.Error(err)
	}
}
