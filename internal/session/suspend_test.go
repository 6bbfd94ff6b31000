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
	if a.Session != p.sess {
		a, b = b, a
	}
	suspended := make(chan error, 1)
	go func() { suspended <- h.Suspend() }()
	eventually(t, "it stands still", func() bool { return h.inboxes.stalls.held.Load() })
	// The rest of who is gone is written down by nobody, so it is not held.
	a.Done()
	d.want(t, "string two")
	d.want(t, "close")
	b.Done()
	if err := <-suspended; err != nil {
		t.Fatal(err)
	}
	if n := h.Stats().HandlerWaiting; n != 1 || len(d.calls) != 0 {
		t.Errorf("%d wait, %d are handled", n, len(d.calls))
	}
	h.Resume()
	d.want(t, "string two")
	idle(t, h)
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
	var buf bytes.Buffer
	w := snapshot.NewWriter(&buf)
	receiver{h.Server}.Save(p.sess.conn, w, false)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	h.arriving = &arriving{}
	if _, err := (receiver{h.Server}).Restore(p.sess.conn, snapshot.NewReader(buf.Bytes())); err != nil {
		t.Fatal(err)
	}
	again := h.arriving.list[0]
	h.arriving = nil
	h.deliver(again, &Call{Session: again, Kind: KindString, Payload: []byte("three"), backend: d})
	if len(d.calls) != 0 {
		c, what := d.next(t)
		c.Done()
		t.Fatalf("%q has overtaken what was there before", what)
	}
	p.sess.conn.SetData(p.sess)
	p.sess.inbox.queue = nil // it is the other's now
	h.inboxes.waiting.Add(-1)
	h.inboxes.bytes.Add(-int64(len("two")))
	h.StartHandlers()
	d.want(t, "string two")
	d.want(t, "string three")
	h.ws.Resume()
}
