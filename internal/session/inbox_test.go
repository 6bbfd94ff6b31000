package session

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/ws"
)

// A desk is a backend that hands its calls to the test.
type desk struct {
	name  string
	calls chan *Call
}

func (d *desk) Name() string       { return d.name }
func (d *desk) Handle(c *Call)     { d.calls <- c }
func (d *desk) Report(Kind) Report { return Report{Source: "the test", Errors: 7, Last: "boom"} }

// newDesk makes a desk the handler of kinds.
func newDesk(t *testing.T, h *host, name string, kinds ...Kind) *desk {
	t.Helper()
	d := &desk{name: name, calls: make(chan *Call, 100_000)}
	h.AddBackend(d)
	for _, k := range kinds {
		set(t, h, k, name)
	}
	return d
}

// next waits for a call and describes it.
func (d *desk) next(t *testing.T) (*Call, string) {
	t.Helper()
	select {
	case c := <-d.calls:
		return c, strings.TrimSpace(c.Kind.String() + " " + string(c.Payload))
	case <-time.After(patience):
		t.Fatal("no call comes")
		return nil, ""
	}
}

// want waits for a call, compares it and calls Done.
func (d *desk) want(t *testing.T, what string) *Call {
	t.Helper()
	c, got := d.next(t)
	if got != what {
		t.Fatalf("called with %q, want %q", got, what)
	}
	c.Done()
	return c
}

// idle waits until nothing is with a backend.
func idle(t *testing.T, h *host) {
	t.Helper()
	eventually(t, "all is done", func() bool { return h.inboxes.waiting.Load() == 0 && h.inboxes.bytes.Load() == 0 })
}

// withInbox bounds what waits.
func withInbox(o InboxOptions) func(*Options) { return func(opt *Options) { opt.Inbox = o } }

// A backend gets one event of a session at a time, in the order in which they
// happened, the session's beginning and end among them.
func TestBackendOrder(t *testing.T) {
	h := start(t)
	d := newDesk(t, h, "desk", Kinds...)
	p := h.dial(t)
	p.text("one")
	p.text(`{"two":2}`)
	p.binary("three")
	id := newID().String()
	creq := `{"___type___":"___creq___","___id___":"` + id + `","___data___":{"four":4}}`
	p.text(creq)
	cfg := `{"___type___":"___cfg___","___data___":5}`
	p.text(cfg)
	p.write(gobwas.OpClose, gobwas.NewCloseFrameBody(4005, "six"))
	gone(t, p.sess)
	eventually(t, "all wait", func() bool { return h.Stats().HandlerWaiting == 7 })
	if n := len(d.calls); n != 1 {
		t.Errorf("%d calls at once", n)
	}
	for i, want := range []string{"open", "string one", `json {"two":2}`, "binary three", "creq " + creq, "cfg " + cfg, "close"} {
		c, got := d.next(t)
		if got != want || c.Session != p.sess || len(d.calls) != 0 {
			t.Fatalf("call %d: %q, want %q; %d beside it", i, got, want, len(d.calls))
		}
		switch gotID, data := c.Envelope(); c.Kind {
		case KindCreq:
			if gotID != id || string(data) != `{"four":4}` {
				t.Errorf("a request with %q, %s", gotID, data)
			}
		case KindCfg:
			if gotID != "" || string(data) != "5" {
				t.Errorf("a configuration with %q, %s", gotID, data)
			}
		default:
			if gotID != "" || data != nil {
				t.Errorf("%s: %q, %s", c.Kind, gotID, data)
			}
		}
		if c.Kind == KindClose && (c.Close.Code != 4005 || c.Close.Reason != "six" || !c.Close.Remote) {
			t.Errorf("%+v", c.Close)
		}
		go c.Done() // by whom it pleases
	}
	idle(t, h)
	if n := calls(h, KindString); n != 1 {
		t.Errorf("%d calls counted", n)
	}
	for _, info := range h.Handlers() {
		if info.Name != "desk" || info.Report.Errors != 7 {
			t.Errorf("%+v", info)
		}
	}
	if err := h.SetHandler(KindJSON, "nosuch"); err == nil || !strings.Contains(err.Error(), "desk") {
		t.Errorf("a handler that is none: %v", err)
	}
}

// The payload is the backend's to keep: the loop reads on into its own buffer.
func TestBackendKeepsThePayload(t *testing.T) {
	h := start(t)
	d := newDesk(t, h, "desk", KindString)
	p := h.dial(t)
	var kept []*Call
	for i := range 50 {
		p.text(fmt.Sprint("message ", i))
		c, _ := d.next(t)
		kept = append(kept, c)
		c.Done()
	}
	for i, c := range kept {
		if want := fmt.Sprint("message ", i); string(c.Payload) != want {
			t.Errorf("%q, want %q", c.Payload, want)
		}
	}
}

// Sessions do not wait for one another, and calls of one never overlap, whoever
// says when they are done.
func TestBackendManySessions(t *testing.T) {
	const sessions, messages = 6, 200
	h := start(t)
	d := newDesk(t, h, "desk", KindString)
	var mu sync.Mutex // guards the rest
	next, open := map[*Session]int{}, map[*Session]bool{}
	var workers, peers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for c := range d.calls {
				mu.Lock()
				if open[c.Session] || string(c.Payload) != fmt.Sprint(next[c.Session]) {
					t.Errorf("%s, want %d, beside another: %v", c.Payload, next[c.Session], open[c.Session])
				}
				open[c.Session] = true
				next[c.Session]++
				mu.Unlock()
				mu.Lock()
				open[c.Session] = false
				mu.Unlock()
				c.Done()
			}
		})
	}
	for range sessions {
		p := h.dial(t)
		peers.Go(func() {
			for i := range messages {
				if err := p.tryWrite(gobwas.OpText, []byte(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
				if i%100 == 99 { // the inbox has room for 256
					p.quiet()
				}
			}
		})
	}
	peers.Wait()
	eventually(t, "all is done", func() bool { return calls(h, KindString) == sessions*messages && h.Stats().HandlerWaiting == 0 })
	close(d.calls)
	workers.Wait()
	if st := h.Stats(); st.HandlerDropped != 0 || st.HandlerClosed != 0 || len(next) != sessions {
		t.Errorf("%+v", st)
	}
}

// A session that sends faster than it is handled is closed; what waits, and its
// end, is still handled.
func TestInboxFullCloses(t *testing.T) {
	for name, c := range map[string]struct {
		opt  InboxOptions
		sent []string // the last does not fit
	}{
		"messages": {InboxOptions{Messages: 3}, []string{"0", "1", "2", "3", "4"}},
		"bytes":    {InboxOptions{Bytes: 10}, []string{"0123456789 and more", "12345", "12345", "1"}},
		"total":    {InboxOptions{TotalBytes: 30}, []string{"0123456789", "0123456789", "012345678", "12"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, withInbox(c.opt))
			d := newDesk(t, h, "desk", KindOpen, KindString, KindClose)
			p := h.dial(t)
			d.want(t, "open")
			for _, s := range c.sent {
				p.text(s)
			}
			if e := p.closed(); e.code != ws.ClosePolicy || e.reason == "" {
				t.Errorf("%v", e)
			}
			gone(t, p.sess)
			for _, s := range c.sent[:len(c.sent)-1] {
				d.want(t, "string "+s)
			}
			d.want(t, "close")
			idle(t, h)
			if st := h.Stats(); st.HandlerDropped != 1 || st.HandlerClosed != 1 {
				t.Errorf("%d dropped, %d closed", st.HandlerDropped, st.HandlerClosed)
			}
		})
	}
}

func TestInboxFullDrops(t *testing.T) {
	for name, c := range map[string]struct {
		opt        InboxOptions
		sent, kept []string
	}{
		"newest, messages": {InboxOptions{Messages: 2, Policy: InboxDropNewest}, []string{"0", "1", "2", "3", "4"}, []string{"0", "1", "2"}},
		"newest, bytes":    {InboxOptions{Bytes: 5, Policy: InboxDropNewest}, []string{"0", "11", "2222", "333", "4"}, []string{"0", "11", "333"}},
		"oldest, messages": {InboxOptions{Messages: 2, Policy: InboxDropOldest}, []string{"0", "1", "2", "3", "4"}, []string{"0", "3", "4"}},
		"oldest, bytes":    {InboxOptions{Bytes: 5, Policy: InboxDropOldest}, []string{"0", "11", "22", "3333", "4"}, []string{"0", "3333", "4"}},
		"oldest, a giant":  {InboxOptions{Bytes: 5, Policy: InboxDropOldest}, []string{"0", "11", "22", "333333333"}, []string{"0", "333333333"}},
		"oldest, total":    {InboxOptions{TotalBytes: 6, Policy: InboxDropOldest}, []string{"000", "11", "2", "33"}, []string{"000", "2", "33"}},
		// Dropping what waits would not make room for it.
		"oldest, too large": {InboxOptions{TotalBytes: 6, Policy: InboxDropOldest}, []string{"000", "11", "2222"}, []string{"000", "11"}},
		"alone, any size":   {InboxOptions{Bytes: 5, TotalBytes: 6}, []string{"0123456789"}, []string{"0123456789"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, withInbox(c.opt))
			d := newDesk(t, h, "desk", KindOpen, KindString, KindClose)
			p := h.dial(t)
			d.want(t, "open")
			for _, s := range c.sent {
				p.text(s)
			}
			p.leave()
			eventually(t, "they wait", func() bool { return int(h.Stats().HandlerWaiting) == len(c.kept)+1 })
			for _, s := range c.kept {
				d.want(t, "string "+s)
			}
			d.want(t, "close")
			idle(t, h)
			if st := h.Stats(); int(st.HandlerDropped) != len(c.sent)-len(c.kept) || st.HandlerClosed != 0 {
				t.Errorf("%d dropped, %d closed", st.HandlerDropped, st.HandlerClosed)
			}
		})
	}
}

// The total counts what all sessions have waiting or being handled, so that many
// who each send one message do not exceed it, either.
func TestInboxTotal(t *testing.T) {
	h := start(t, withInbox(InboxOptions{TotalBytes: 100, Policy: InboxDropNewest}))
	d := newDesk(t, h, "desk", KindString)
	var peers []*peer
	for i := range 4 {
		p := h.dial(t)
		p.text(strings.Repeat(fmt.Sprint(i), 40))
		p.quiet()
		peers = append(peers, p)
	}
	st := h.Stats()
	if st.HandlerWaiting != 2 || st.HandlerDropped != 2 || h.inboxes.bytes.Load() != 80 {
		t.Errorf("%d waiting, %d dropped, %d bytes", st.HandlerWaiting, st.HandlerDropped, h.inboxes.bytes.Load())
	}
	peers[3].text(strings.Repeat("x", 20))
	eventually(t, "it fits", func() bool { return h.inboxes.bytes.Load() == 100 })
	var got []string
	for range 3 {
		c, s := d.next(t)
		got = append(got, s[7:9])
		c.Done()
	}
	if slices.Sort(got); !slices.Equal(got, []string{"00", "11", "xx"}) {
		t.Errorf("%q", got)
	}
	idle(t, h)
	peers[2].text(strings.Repeat("2", 100))
	d.want(t, "string "+strings.Repeat("2", 100))
}

// The beginning and the end of a session are never dropped, however full it is.
func TestInboxNeverDropsTheEnds(t *testing.T) {
	for _, policy := range []InboxPolicy{InboxDropNewest, InboxDropOldest} {
		h := start(t, withInbox(InboxOptions{Messages: 1, TotalBytes: 4, Policy: policy}))
		// One desk holds everything up, so the other session begins when all is full.
		d := newDesk(t, h, "desk", KindOpen, KindString, KindClose)
		full := h.dial(t)
		d.want(t, "open")
		full.text("1234")
		full.text("5")
		full.quiet()
		p := h.dial(t)
		for range 5 {
			p.text("x")
		}
		p.leave()
		full.leave()
		var kinds []Kind
		for range 5 {
			c, _ := d.next(t)
			if c.Session == p.sess && c.Kind != KindString || c.Session == full.sess && c.Kind == KindClose {
				kinds = append(kinds, c.Kind)
			}
			c.Done()
			if len(kinds) == 3 {
				break
			}
		}
		if slices.Sort(kinds); !slices.Equal(kinds, []Kind{KindOpen, KindClose, KindClose}) {
			t.Errorf("policy %d: %v", policy, kinds)
		}
		idle(t, h)
	}
}

// What waits when the handler is changed still goes to the one that it came for.
func TestHandlerChangedWhileEventsWait(t *testing.T) {
	h := start(t)
	first, second := newDesk(t, h, "first", KindString), newDesk(t, h, "second")
	p := h.dial(t)
	p.text("a")
	p.text("b")
	p.quiet()
	set(t, h, KindString, "second")
	p.text("c")
	p.quiet()
	set(t, h, KindString, HandlerEcho)
	p.text("d")
	p.want(gobwas.OpText, "d") // a built-in handler waits for nobody
	if len(second.calls) != 0 {
		t.Fatal("the second is called before its turn")
	}
	first.want(t, "string a")
	first.want(t, "string b")
	second.want(t, "string c")
	idle(t, h)
}

// A backend may be done before Handle returns.
type prompt struct {
	desk
	hold chan struct{} // the first call waits for it
	once sync.Once
}

func (p *prompt) Handle(c *Call) {
	p.calls <- c
	held := false
	p.once.Do(func() { held = true })
	if held {
		go func() { <-p.hold; c.Done() }()
		return
	}
	c.Done()
}

func TestBackendDoneAtOnce(t *testing.T) {
	const messages = 1000
	h := start(t, withInbox(InboxOptions{Messages: messages}))
	b := &prompt{desk: desk{name: "prompt", calls: make(chan *Call, messages)}, hold: make(chan struct{})}
	h.AddBackend(b)
	set(t, h, KindString, "prompt")
	p := h.dial(t)
	for i := range messages {
		p.text(fmt.Sprint(i))
	}
	p.quiet()
	close(b.hold)
	for i := range messages {
		if _, s := b.next(t); s != fmt.Sprint("string ", i) {
			t.Fatalf("%q, want %d", s, i)
		}
	}
	idle(t, h)
}
