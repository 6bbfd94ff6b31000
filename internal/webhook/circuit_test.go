package webhook

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/session"
)

func TestCircuit(t *testing.T) {
	now := time.Now()
	c := circuit{after: 3, pause: time.Minute}
	step := func(what string, o outcome, wantMay, wantProbe, wantChanged bool) {
		t.Helper()
		may, probe := c.enter(now)
		if may != wantMay || probe != wantProbe {
			t.Fatalf("%s: may %v, probe %v", what, may, probe)
		}
		if may {
			if changed := c.leave(o, probe, now); changed != wantChanged {
				t.Fatalf("%s: changed %v", what, changed)
			}
		}
	}
	step("one", failed, true, false, false)
	step("two", failed, true, false, false)
	step("an answer", reached, true, false, false)
	step("one", failed, true, false, false)
	step("nothing known", unknown, true, false, false)
	step("two", failed, true, false, false)
	step("three", failed, true, false, true)
	step("open", reached, false, false, false)
	now = now.Add(time.Minute - 1)
	step("open", reached, false, false, false)
	now = now.Add(1)
	step("the probe fails", failed, true, true, false)
	step("open again", reached, false, false, false)
	now = now.Add(time.Minute)
	step("the probe says nothing", unknown, true, true, false)
	if may, probe := c.enter(now); !may || !probe {
		t.Fatal("no probe")
	}
	step("another beside the probe", reached, false, false, false)
	if !c.leave(reached, true, now) {
		t.Fatal("not closed")
	}
	step("closed", reached, true, false, false)

	// An attempt from before the opening answers: that is an answer.
	for range 3 {
		c.enter(now)
	}
	for range 3 {
		c.leave(failed, false, now)
	}
	if !c.open || c.leave(failed, false, now) || !c.leave(reached, false, now) || c.open {
		t.Error("an answer does not close it")
	}
}

// A server that fails is left alone, asked by one event after a while, and used
// again as soon as it answers.
func TestFailingServerIsLeftAlone(t *testing.T) {
	var well atomic.Bool
	hold := make(chan chan struct{}, 1)
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		select {
		case h := <-hold:
			<-h
		default:
		}
		switch {
		case !well.Load():
			w.WriteHeader(502)
		case e.Event == "verify":
			say(200, `{"accept":true}`)(w, e)
		default:
			say(200, `{"reply_text":"well"}`)(w, e)
		}
	})
	const pause = 300 * time.Millisecond
	h := start(t, a.url, []string{"string"}, func(o *Options) { o.OpenAfter, o.OpenFor, o.Retries = 3, pause, 1 })
	p, q := h.dial(t), h.dial(t)
	send := func(n uint64) {
		t.Helper()
		p.text("x")
		eventually(t, "it has failed", func() bool { return h.hook.Stats().Failed == n })
	}
	for i := range 3 {
		send(uint64(i + 1))
	}
	if st := h.hook.Stats(); !st.Open || len(a.events) != 6 {
		t.Fatalf("%+v, %d requests", st, len(a.events))
	}
	opened := time.Now()
	h.SetVerifier("webhook", h.hook)
	for i := range 20 {
		send(uint64(4 + i))
	}
	if n := h.refused(t, "/"); n != 503 {
		t.Error(n)
	}
	if time.Since(opened) < pause && len(a.events) != 6 {
		t.Errorf("%d requests", len(a.events))
	}
	if last := h.hook.Report(session.KindString).Last; !strings.HasPrefix(last, "left alone until 20") || !strings.HasSuffix(last, ": it answered 502 Bad Gateway") {
		t.Errorf("last: %q", last)
	}

	// One event is let through; the others fail meanwhile.
	held := make(chan struct{})
	hold <- held
	eventually(t, "an event is let through", func() bool {
		if len(hold) == 1 {
			p.text("probe")
		}
		return len(hold) == 0
	})
	if d := time.Since(opened); d < pause/2 {
		t.Errorf("let through after %s", d)
	}
	before := h.hook.Stats().Failed // what p has sent since waits behind its probe
	q.text("beside")
	eventually(t, "it fails at once", func() bool { return h.hook.Stats().Failed == before+1 && h.Server.Stats().HandlerWaiting >= 1 })
	close(held)
	eventually(t, "all is done", func() bool { return h.Server.Stats().HandlerWaiting == 0 })
	if !h.hook.Stats().Open {
		t.Error("closed by a failure")
	}

	well.Store(true)
	eventually(t, "it is used again", func() bool {
		q.text("again")
		eventually(t, "it is done", func() bool { return h.Server.Stats().HandlerWaiting == 0 })
		return !h.hook.Stats().Open
	})
	q.want(gobwas.OpText, "well")
	if n, m := strings.Count(h.log.String(), "left alone for a while"), strings.Count(h.log.String(), "answers again"); n != 1 || m != 1 {
		t.Errorf("logged %d and %d times", n, m)
	}
	if last := h.hook.Report(session.KindString).Last; strings.HasPrefix(last, "left alone until") {
		t.Errorf("last: %q", last)
	}
	h.dial(t)
}
