package session

import (
	"bytes"
	"testing"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/snapshot"
)

// When what was suspended goes on after all, events go on whose sessions have ended
// meanwhile, or were about to.
func TestResumeLetsEveryEventGo(t *testing.T) {
	h := start(t)
	d := newDesk(t, h, "desk", KindString, KindClose)
	p, q := h.dial(t), h.dial(t)
	for _, x := range []*peer{p, q} {
		x.text("one")
		x.text("two")
	}
	p.write(gobwas.OpClose, gobwas.NewCloseFrameBody(1000, ""))
	gone(t, p.sess)
	eventually(t, "all wait", func() bool { return h.Stats().HandlerWaiting == 5 })
	a, _ := d.next(t)
	b, _ := d.next(t)
	suspended := make(chan error, 1)
	go func() { suspended <- h.Suspend() }()
	eventually(t, "it stands still", func() bool { return h.inboxes.stalls.held.Load() })
	a.Done()
	b.Done()
	if err := <-suspended; err != nil {
		t.Fatal(err)
	}
	if n := h.Stats().HandlerWaiting; n != 3 || len(d.calls) != 0 {
		t.Errorf("%d wait, %d are handled", n, len(d.calls))
	}
	if list := h.inboxes.over.list(); len(list) != 1 || list[0] != p.sess {
		t.Errorf("ended, but not for the backend: %v", list)
	}
	h.Resume()
	got := map[*Session]string{}
	for range 3 {
		c, what := d.next(t)
		got[c.Session] += what + ", "
		c.Done()
	}
	if got[p.sess] != "string two, close, " || got[q.sess] != "string two, " {
		t.Errorf("%q and %q", got[p.sess], got[q.sess])
	}
	idle(t, h)
	if list := h.inboxes.over.list(); len(list) != 0 {
		t.Errorf("over, and still known: %v", list)
	}
	q.text("three")
	d.want(t, "string three")
}

// What comes when the loops run, but the handlers do not yet, waits behind what the
// process before has left.
func TestImportedEventsComeFirst(t *testing.T) {
	h := start(t)
	d := newDesk(t, h, "desk", KindString)
	p := h.dial(t)
	p.text("one")
	p.text("two")
	eventually(t, "both wait", func() bool { return h.Stats().HandlerWaiting == 2 })
	c, _ := d.next(t)
	suspended := make(chan error, 1)
	go func() { suspended <- h.Suspend() }()
	eventually(t, "it stands still", func() bool { return h.inboxes.stalls.held.Load() })
	c.Done()
	if err := <-suspended; err != nil {
		t.Fatal(err)
	}
	again := h.goOn(t, p)
	h.deliver(again, &Call{Session: again, Kind: KindString, Payload: []byte("three"), backend: d})
	if len(d.calls) != 0 {
		c, what := d.next(t)
		c.Done()
		t.Fatalf("%q has overtaken what was there before", what)
	}
	p.sess.conn.SetData(p.sess)
	h.StartHandlers()
	d.want(t, "string two")
	d.want(t, "string three")
	h.ws.Resume()
}

// What a handler is at when its time is over comes once more, first, by the name it
// had; what is behind it is new.
func TestUnfinishedEventComesAgain(t *testing.T) {
	h := start(t)
	d := newDesk(t, h, "desk", KindString)
	p := h.dial(t)
	p.text("one")
	p.text("two")
	eventually(t, "both wait", func() bool { return h.Stats().HandlerWaiting == 2 })
	c, _ := d.next(t)
	id := c.ID()
	if n := c.Attempt(); n != 1 {
		t.Errorf("attempt %d", n)
	}
	for n := 2; n < 4; n++ { // from process to process
		if err := h.Suspend(); err != nil {
			t.Fatal(err)
		}
		again := h.goOn(t, p)
		c.Done() // what becomes of it there is of no interest any more
		h.ws.Resume()
		p.sess = again
		h.StartHandlers()
		var what string
		c, what = d.next(t)
		if what != "string one" || c.ID() != id || c.Attempt() != n {
			t.Errorf("attempt %d is %q, %s, not %s", n, what, c.ID(), id)
		}
	}
	c.Done()
	if c := d.want(t, "string two"); c.ID() == id || c.Attempt() != 1 {
		t.Error("the event behind it is taken for the same")
	}
	idle(t, h)
}

// goOn makes another session of p's, with what waits for it, as the next process
// does.
func (h *host) goOn(t *testing.T, p *peer) *Session {
	t.Helper()
	var buf bytes.Buffer
	w := snapshot.NewWriter(&buf)
	receiver{h.Server}.Save(p.sess.conn, w, false)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.sess.inbox.queue { // it is the other's now
		h.inboxes.forget(c)
	}
	p.sess.inbox.queue = nil
	h.arriving = &arriving{}
	if _, err := (receiver{h.Server}).Restore(p.sess.conn, snapshot.NewReader(buf.Bytes())); err != nil {
		t.Fatal(err)
	}
	h.arriving = nil
	return p.sess.conn.Data().(*Session)
}
