package script

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// However long handlers take, a session's messages are handled in order, and its
// end comes last.
func TestOrderOfEvents(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	must(t, st.load(`
const sleep = (ms) => new Promise((f) => setTimeout(f, ms));
const running = new Set();
globalThis.seen = {};
globalThis.overlaps = 0;
async function handle(what, sess) {
  if (running.has(sess)) overlaps++;
  running.add(sess);
  for (let i = Math.floor(Math.random() * 4); i > 0; i--) await sleep(Math.random() * 3);
  (seen[sess.id_] = seen[sess.id_] || []).push(what);
  running.delete(sess);
}
srv.regis_$on_open$((conn, sess) => handle('open', sess));
srv.regis_$str_handle$(async (s, conn, sess) => { await handle(s, sess); conn.ssend(s); });
srv.regis_$json_handle$(async (j, conn, sess) => { await handle(String(j.n), sess); if (j.n % 7 === 0) throw new Error('seven'); });
srv.regis_$on_close$((code, reason, conn, sess) => handle('close ' + code + ' ' + sess.is_active(), sess));
`))
	const guests, messages = 30, 40
	var all sync.WaitGroup
	for range guests {
		g := st.join()
		all.Go(func() {
			for i := range messages {
				if i%2 == 0 {
					g.text(fmt.Sprint(i))
				} else {
					g.text(fmt.Sprintf(`{"n":%d}`, i))
				}
			}
			for i := 0; i < messages; i += 2 {
				g.hears(fmt.Sprint(i))
			}
			g.conn.Close()
		})
	}
	all.Wait()
	st.eventually("all events are done", func() bool { return st.srv.Len() == 0 && st.srv.Stats().HandlerWaiting == 0 })
	var seen map[string][]string
	res, err := st.try("seen")
	must(t, err)
	must(t, json.Unmarshal(res.JSON, &seen))
	want := "open"
	for i := range messages {
		want += fmt.Sprint(" ", i)
	}
	want += " close 1006 false"
	if len(seen) != guests {
		t.Errorf("%d sessions", len(seen))
	}
	for id, got := range seen {
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s", id, s)
		}
	}
	st.is("overlaps", "0")
	if r := st.Report(session.KindJSON); r.Errors != guests*3 {
		t.Errorf("%+v", r)
	}
}

// A handler that waits keeps up nobody else; one whose promise never settles is
// given up, also when it is replaced meanwhile.
func TestHandlersThatNeverSettle(t *testing.T) {
	t.Parallel()
	st := newStage(t, script(func(o *Options) { o.Timeout = 300 * time.Millisecond }))
	st.js("srv.regis_$str_handle$((s, conn) => s === 'wait' ? new Promise(() => {}) : conn.ssend(s))")
	slow, quick := st.join(), st.join()
	slow.text("wait")
	slow.text("one")
	slow.text("two")
	for range 50 {
		quick.text("ping")
		quick.hears("ping")
	}
	st.js("srv.regis_$str_handle$((s, conn) => conn.ssend('new ' + s))")
	slow.hears("new one")
	slow.hears("new two")
	if r := st.Report(session.KindString); r.Timeouts != 1 || !strings.Contains(r.Last, "300ms") {
		t.Errorf("%+v", r)
	}
}

// Done comes once for each event, also when the engine ends first.
func TestCloseWhileEventsWait(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]string{
		"a handler waits": "() => new Promise(() => {})",
		"a handler runs":  "() => { for (;;) ; }",
		"a handler asks":  "(s, conn) => conn.send_jrr_sreq({})",
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, script(func(o *Options) { o.CPULimit = 10 * time.Second }))
			st.js("srv.regis_$str_handle$(" + handler + ")")
			for range 20 {
				g := st.join()
				g.text("one")
				g.text("two")
			}
			st.eventually("events wait", func() bool { return st.srv.Stats().HandlerWaiting == 40 })
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			must(t, st.Close(ctx))
			st.eventually("all done", func() bool { return st.srv.Stats().HandlerWaiting == 0 })
			if _, err := st.try("1"); err != ErrClosed {
				t.Error(err)
			}
			if err := st.load("1"); err != ErrClosed {
				t.Error(err)
			}
		})
	}
}

// What is built in never comes near JavaScript.
func TestBuiltInHandlersPayNothing(t *testing.T) {
	t.Parallel()
	st := newStage(t, sessions(func(o *session.Options) { o.Mode = "echo" }))
	g, other := st.join(), st.join()
	ctx, cancel := context.WithCancel(t.Context())
	looping := make(chan error)
	go func() {
		_, err := st.Eval(ctx, "console.log('begun'); for (;;) ;", EvalOptions{})
		looping <- err
	}()
	st.logged("script", "begun")
	for i := range 100 {
		g.text(fmt.Sprint(i))
		g.hears(fmt.Sprint(i))
	}
	st.srv.EnableForward()
	for i := range 100 {
		g.text(fmt.Sprint(i))
		other.hears(fmt.Sprint(i))
	}
	cancel()
	if err := <-looping; err != context.Canceled {
		t.Error(err)
	}
	st.is("1 + 1", "2")
}
