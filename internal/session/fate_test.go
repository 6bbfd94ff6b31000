package session

import (
	"context"
	"maps"
	"testing"
	"time"
)

// What became of each request is counted once, whatever that was.
func TestRequestFates(t *testing.T) {
	h := start(t)
	check := func(what string, want map[string]uint64) {
		t.Helper()
		st := h.Stats()
		full := map[string]uint64{"answered": 0, "expired": 0, "abandoned": 0, "canceled": 0, "unsent": 0}
		maps.Copy(full, want)
		if !maps.Equal(st.Requests, full) || st.Pending != 0 {
			t.Fatalf("%s: %v, %d pending", what, st.Requests, st.Pending)
		}
	}
	p, q := h.dial(t), h.dial(t)
	done := ask(context.Background(), p.sess, `1`)
	p.text(reply(p.envelope("___sreq___").ID, `2`))
	outcome(t, done)
	check("answered", map[string]uint64{"answered": 1})

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	outcome(t, ask(ctx, p.sess, `1`))
	p.envelope("___sreq___")
	check("expired", map[string]uint64{"answered": 1, "expired": 1})

	ctx, cancel = context.WithCancel(context.Background())
	done = ask(ctx, p.sess, `1`)
	p.envelope("___sreq___")
	cancel()
	outcome(t, done)
	check("canceled", map[string]uint64{"answered": 1, "expired": 1, "canceled": 1})

	got := make(chan BroadcastResult)
	go func() {
		res, err := h.Broadcast(context.Background(), Broadcast{Kind: KindJSON, Data: []byte(`1`), Await: AwaitAny})
		if err != nil {
			t.Error(err)
		}
		got <- res
	}()
	q.envelope("___sreq___")
	p.text(reply(p.envelope("___sreq___").ID, `2`))
	<-got
	check("the first of two", map[string]uint64{"answered": 2, "expired": 1, "canceled": 2})

	done = ask(context.Background(), p.sess, `1`)
	p.envelope("___sreq___")
	p.leave()
	outcome(t, done)
	check("abandoned", map[string]uint64{"answered": 2, "expired": 1, "canceled": 2, "abandoned": 1})
	outcome(t, ask(context.Background(), p.sess, `1`)) // it was never pending
	check("gone", map[string]uint64{"answered": 2, "expired": 1, "canceled": 2, "abandoned": 1})
}
