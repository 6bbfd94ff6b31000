package session

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// event waits for the next event.
func event(t *testing.T, w *Watch) Event {
	t.Helper()
	select {
	case e := <-w.Events():
		return e
	case <-time.After(patience):
		t.Fatal("no event comes")
		return Event{}
	}
}

// short says what an event is.
func (e Event) short() string {
	switch e.Type {
	case EventMessage:
		return fmt.Sprintf("%s %s %d %q", e.Direction, e.Kind, e.Size, e.Data)
	case EventClose:
		return fmt.Sprintf("close %d %s", e.Code, e.Reason)
	}
	return e.Type
}

func TestWatch(t *testing.T) {
	h := start(t)
	w := h.Watch(WatchOptions{MaxData: 5, Buffer: 100})
	defer w.Stop()
	p := h.dial(t, withHeader("X-Forwarded-For: 1.2.3.4"))
	p.text("hello, world")
	p.text(`{"a":1}`)
	p.text(`{a`)
	p.binary("\x00")
	p.text(`{"___type___":"___creq___","___id___":"x"}`)
	p.text(`{"___type___":"___cfg___"}`)
	p.quiet() // keepalive is not shown
	p.sess.SendString("out")
	p.sess.SendJSON([]byte(`[1]`))
	p.sess.SendBinary([]byte{1, 2})
	for range 3 {
		p.next()
	}
	done := ask(t.Context(), p.sess, `{"q":1}`)
	id := p.envelope("___sreq___").ID
	want := []string{"open", `in string 12 "hello"`, `in json 7 "{\"a\":"`, `in string 2 "{a"`, `in binary 1 "\x00"`,
		`in creq 42 "{\"___"`, `in cfg 26 "{\"___"`, `out string 3 "out"`, `out json 3 "[1]"`, `out binary 2 "\x01\x02"`, `out json 7 "{\"q\":"`}
	for _, s := range want {
		e := event(t, w)
		if age := time.Since(e.Time); e.short() != s || e.Session != p.sess.ID() || e.Remote != "1.2.3.4" || age < 0 || age > patience {
			t.Errorf("%+v, want %s", e, s)
		}
	}
	answer := reply(id, "1")
	p.text(answer)
	outcome(t, done)
	p.leave()
	if e := event(t, w); e.short() != fmt.Sprintf("in json %d %q", len(answer), answer[:5]) {
		t.Errorf("%+v", e)
	}
	if e := event(t, w); e.short() != "close 1000 bye" || e.Remote != "1.2.3.4" {
		t.Errorf("%+v", e)
	}
	p.sess.SendString("nobody gets it")
	if len(w.Events()) != 0 || w.Dropped() != 0 {
		t.Errorf("%d more, %d dropped", len(w.Events()), w.Dropped())
	}
}

func TestWatchFilters(t *testing.T) {
	h := start(t)
	p, other := h.dial(t), h.dial(t)
	for name, c := range map[string]struct {
		opt  WatchOptions
		want []string
	}{
		"opens":             {WatchOptions{Types: []string{EventOpen}}, []string{"open"}},
		"ends":              {WatchOptions{Types: []string{EventOpen, EventClose}}, []string{"open", "close 1000 bye"}},
		"binary":            {WatchOptions{Kinds: []string{"binary"}, Types: []string{EventMessage}}, []string{`in binary 1 ""`, `in binary 2 ""`}},
		"one":               {WatchOptions{Session: p.sess.ID()}, []string{`in string 3 ""`, `in binary 1 ""`}},
		"one's binary":      {WatchOptions{Session: other.sess.ID(), Kinds: []string{"binary"}}, []string{`in binary 2 ""`}},
		"kinds leave types": {WatchOptions{Kinds: []string{"json"}}, []string{"open", "close 1000 bye"}},
		"negative size":     {WatchOptions{Session: p.sess.ID(), MaxData: -1, Buffer: -1}, []string{`in string 3 ""`}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.opt.Buffer == 0 {
				c.opt.Buffer = 10
			}
			w := h.Watch(c.opt)
			defer w.Stop()
			p.text("one")
			p.quiet()
			p.binary("1")
			p.quiet()
			other.binary("22")
			other.quiet()
			third := h.dial(t)
			third.leave()
			for _, s := range c.want {
				if e := event(t, w); e.short() != s {
					t.Errorf("%+v, want %s", e, s)
				}
			}
			if len(w.Events()) != 0 {
				t.Errorf("%+v too", event(t, w))
			}
		})
	}
}

// A watcher that never reads loses events, which are counted, and nothing else
// happens.
func TestWatcherThatNeverReads(t *testing.T) {
	h := start(t, func(o *Options) { o.Mode = "echo" })
	p := h.dial(t)
	lazy := h.Watch(WatchOptions{Types: []string{EventMessage}, Buffer: 7})
	defer lazy.Stop()
	eager := h.Watch(WatchOptions{Types: []string{EventMessage}, Buffer: 1000})
	defer eager.Stop()
	for i := range 500 {
		p.text(fmt.Sprint(i))
		p.want(gobwas.OpText, fmt.Sprint(i))
	}
	if n := lazy.Dropped(); n != 493 || len(lazy.Events()) != 7 {
		t.Errorf("%d dropped, %d kept", n, len(lazy.Events()))
	}
	if n := eager.Dropped(); n != 0 || len(eager.Events()) != 500 {
		t.Errorf("%d dropped, %d kept", n, len(eager.Events()))
	}
}

// Watches come and go during traffic; what one shows is its own copy.
func TestWatchesComeAndGo(t *testing.T) {
	h := start(t, func(o *Options) { o.Mode = "echo" })
	var talking, watching sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		p := h.dial(t)
		talking.Go(func() {
			s := strings.Repeat(fmt.Sprint(i), 100)
			for range 500 {
				if p.tryWrite(gobwas.OpText, []byte(s)) != nil {
					return
				}
				if _, got, err := p.read(); err != nil || got != s {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	for range 4 {
		watching.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				w := h.Watch(WatchOptions{MaxData: 100, Buffer: 1 + n%10})
				for range n % 20 {
					select {
					case e := <-w.Events():
						if e.Type == EventMessage && strings.Trim(string(e.Data), string(e.Data[:1])) != "" {
							t.Errorf("torn data: %q", e.Data)
						}
					case <-stop:
					}
				}
				w.Stop()
				w.Stop()
			}
		})
	}
	talking.Wait()
	close(stop)
	watching.Wait()
	if h.watchers.any() {
		t.Error("somebody still watches")
	}
}

// TestWatchShowsABroadcastOnce: as one event, however many sessions it goes to.
func TestWatchShowsABroadcastOnce(t *testing.T) {
	h := start(t)
	h.dial(t)
	h.dial(t)
	w := h.Watch(WatchOptions{Types: []string{EventMessage}, MaxData: 64, Buffer: 8})
	defer w.Stop()
	if _, err := h.Broadcast(t.Context(), Broadcast{Kind: KindJSON, Data: []byte(`{"b":1}`)}); err != nil {
		t.Fatal(err)
	}
	e := <-w.Events()
	if e.Session != EverySession || e.Direction != "out" || e.Kind != "json" || string(e.Data) != `{"b":1}` {
		t.Errorf("%+v", e)
	}
	select {
	case e := <-w.Events():
		t.Errorf("another one: %+v", e)
	default:
	}
}
