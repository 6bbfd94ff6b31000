package script

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/nvsess/nvsess/internal/session"
)

// BenchmarkJSONHandler is from client to handler and back: 64 clients, each with
// a few messages under way.
func BenchmarkJSONHandler(b *testing.B) {
	st := newStage(b, sessions(func(o *session.Options) { o.Inbox.Messages = 10_000 }))
	st.js("srv.regis_$json_handle$(async (j, conn) => { await conn.ajsend({ ok: true, n: j.n }); })")
	const clients, window = 64, 8
	guests := make([]*guest, clients)
	for i := range guests {
		guests[i] = st.join()
	}
	b.ResetTimer()
	var all sync.WaitGroup
	for i, g := range guests {
		n := b.N / clients
		if i < b.N%clients {
			n++
		}
		all.Go(func() {
			sent := 0
			send := func() {
				if sent < n {
					if err := wsutil.WriteClientText(g.conn, fmt.Appendf(nil, `{"n":%d,"text":"hello"}`, sent)); err != nil {
						b.Error(err)
					}
					sent++
				}
			}
			for range window {
				send()
			}
			for range n {
				if _, _, err := wsutil.ReadServerData(g.conn); err != nil {
					b.Error(err)
					return
				}
				send()
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	if r := st.Report(session.KindJSON); r.Errors+r.Timeouts != 0 {
		b.Errorf("%+v", r)
	}
}

// BenchmarkCall is a handler's call alone, without sockets.
func BenchmarkCall(b *testing.B) {
	st := newStage(b)
	st.js("srv.regis_$json_handle$(async (j, conn) => { await conn.ajsend({ ok: true, n: j.n }); })")
	st.join()
	w, s := st.current(), st.srv.First()
	done := make(chan struct{})
	payload := []byte(`{"n":1,"text":"hello"}`)
	b.ReportAllocs()
	w.post(job{budget: st.now().timerBudget, run: func(w *world) {
		defer close(done)
		c := &session.Call{Session: s, Kind: session.KindJSON, Payload: payload}
		for range b.N {
			w.watch.end()
			w.watch.begin(st.now().timerBudget)
			if _, err := w.invoke(jsonHandle, c); err != nil {
				b.Error(err)
				return
			}
		}
	}})
	<-done
}
