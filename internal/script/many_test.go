package script

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// Thousands of sessions are listed at once, and what JavaScript has seen of them
// goes with them.
func TestManySessions(t *testing.T) {
	const n = 4_000
	st := newStage(t)
	st.js("srv.regis_$on_open$((conn, sess) => { sess.mark = { conn }; }); srv.regis_$on_close$((code, reason, conn, sess) => { sess.gone = true; })")
	base := live()
	guests := make([]*guest, n)
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			for i := k; i < n; i += 8 {
				g, err := st.tryJoin("/")
				if err != nil {
					t.Error(err)
					return
				}
				guests[i] = g
			}
		})
	}
	all.Wait()
	st.eventually("all are known", func() bool { return st.srv.Stats().HandlerWaiting == 0 && st.srv.Len() == n })
	begun := time.Now()
	st.is("srv.sesses_.size", "4000")
	took := time.Since(begun)
	with := live()
	st.is("srv.sess_filter((req, conn, id) => id.length === 64 && conn.sess_.mark.conn === conn).length", "4000")
	t.Logf("%d sessions listed in %v; %d bytes of heap each with their objects, clients included", n, took, (with-base)/n)
	if took > patience/4 {
		t.Errorf("listing took %v", took)
	}
	st.is("await srv.jbroadcast_ignore_reply({ hello: 1 }).then((r) => r.sent)", "4000")
	for _, g := range guests {
		g.hears(`{"hello":1}`)
		g.conn.Close()
	}
	clear(guests)
	st.eventually("all are gone", func() bool { return st.srv.Len() == 0 && st.srv.Stats().HandlerWaiting == 0 })
	w := st.current()
	w.mu.Lock()
	calls := len(w.calls)
	w.mu.Unlock()
	if calls != 0 {
		t.Errorf("%d calls are kept", calls)
	}
	st.js("0")
	if after := live(); after > base+(with-base)/4 {
		t.Errorf("%d bytes of heap before, %d with sessions, %d after", base, with, after)
	}
}

// live is the heap that is in use.
func live() uint64 {
	runtime.GC()
	return liveBytes()
}
