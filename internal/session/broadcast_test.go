package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/ws"
)

// check compares a tally and sees that it adds up.
func (t Tally) check(test *testing.T, want Tally) {
	test.Helper()
	if t != want || t.Sent+t.Queued+t.Slow+t.Gone != t.Targets {
		test.Errorf("tally %+v, want %+v", t, want)
	}
}

func TestBroadcastWithoutReply(t *testing.T) {
	h := start(t)
	var peers []*peer
	for range 4 {
		peers = append(peers, h.dial(t))
	}
	for _, b := range []Broadcast{
		{Kind: KindJSON, Data: []byte(`{"all": [1]}`)}, {Kind: KindString, Data: []byte("text")}, {Kind: KindBinary, Data: []byte{0, 255}},
	} {
		r, err := h.Broadcast(t.Context(), b)
		if err != nil || r.Replies != nil {
			t.Errorf("%+v, %v", r, err)
		}
		r.check(t, Tally{Targets: 4, Sent: 4})
		op := gobwas.OpText
		if b.Kind == KindBinary {
			op = gobwas.OpBinary
		}
		for _, p := range peers {
			p.want(op, string(b.Data))
		}
	}
	r, err := h.Broadcast(t.Context(), Broadcast{Kind: KindString, Data: []byte("some"), Targets: []*Session{peers[1].sess, peers[3].sess}})
	if err != nil {
		t.Error(err)
	}
	r.check(t, Tally{Targets: 2, Sent: 2})
	peers[1].want(gobwas.OpText, "some")
	peers[3].want(gobwas.OpText, "some")
	peers[0].quiet()
	peers[2].quiet()
}

func TestBroadcastToNobody(t *testing.T) {
	h := start(t)
	for range 2 { // the second time there is somebody, who is not meant
		for _, await := range []Await{AwaitNone, AwaitAny, AwaitAll} {
			r, err := h.Broadcast(t.Context(), Broadcast{Kind: KindJSON, Data: []byte("{}"), Await: await, Targets: []*Session{}})
			if err != nil || r.Replies != nil || r.Tally != (Tally{}) {
				t.Errorf("%d: %+v, %v", await, r, err)
			}
		}
		h.dial(t)
	}
	for _, k := range []Kind{KindString, KindBinary} {
		if _, err := h.Broadcast(t.Context(), Broadcast{Kind: k, Await: AwaitAll}); err == nil {
			t.Errorf("a %s was asked", k)
		}
	}
}

// broadcast runs one beside the test.
func broadcast(ctx context.Context, h *host, b Broadcast) (wait func() (BroadcastResult, error)) {
	type outcome struct {
		r   BroadcastResult
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := h.Broadcast(ctx, b)
		done <- outcome{r, err}
	}()
	return func() (BroadcastResult, error) { o := <-done; return o.r, o.err }
}

func TestBroadcastUntilAll(t *testing.T) {
	h := start(t)
	var peers []*peer
	for range 4 {
		peers = append(peers, h.dial(t))
	}
	replies := make(chan Reply, 4)
	wait := broadcast(t.Context(), h, Broadcast{
		Kind: KindJSON, Data: []byte(`{"q":1}`), Await: AwaitAll, OnReply: func(r Reply) { replies <- r },
	})
	var id string
	for i, p := range peers {
		w := p.envelope("___sreq___")
		if string(w.Data) != `{"q":1}` || id != "" && id != w.ID {
			t.Errorf("request %+v", w)
		}
		if id = w.ID; i == 3 {
			p.conn.Close() // gives no answer
			continue
		}
		p.text(reply(id, fmt.Sprint(i)))
		if r := <-replies; r.Session != p.sess.ID() || string(r.Envelope) != reply(id, fmt.Sprint(i)) || r.Error != "" {
			t.Errorf("%+v", r)
		}
		p.text(reply(id, `"twice"`))
	}
	r, err := wait()
	if err != nil || len(r.Replies) != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	r.check(t, Tally{Targets: 4, Sent: 4, Answered: 3})
	if last := r.Replies[3]; last.Error != ErrSessionClosed.Error() || last.Session != peers[3].sess.ID() || last.Envelope != nil {
		t.Errorf("%+v", last)
	}
	for _, p := range peers[:3] {
		p.quiet()
		nothingWaits(t, h, p.sess)
	}
	if n := h.Stats().UnknownReplies; n != 3 {
		t.Errorf("%d unknown replies", n)
	}
}

func TestBroadcastUntilAny(t *testing.T) {
	h := start(t)
	var peers []*peer
	for range 3 {
		peers = append(peers, h.dial(t))
	}
	wait := broadcast(t.Context(), h, Broadcast{Kind: KindJSON, Data: []byte(`1`), Await: AwaitAny})
	var id string
	for _, p := range peers {
		id = p.envelope("___sreq___").ID
	}
	peers[0].conn.Close() // no answer: the others may still give one
	gone(t, peers[0].sess)
	peers[2].text(reply(id, "2"))
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	r.check(t, Tally{Targets: 3, Sent: 3, Answered: 1})
	if last := r.Replies[len(r.Replies)-1]; last.Session != peers[2].sess.ID() || string(last.Envelope) != reply(id, "2") {
		t.Errorf("%+v", r.Replies)
	}
	peers[1].text(reply(id, "1"))
	peers[1].quiet()
	nothingWaits(t, h, peers[1].sess)
}

func TestBroadcastTimeoutKeepsWhatItHas(t *testing.T) {
	h := start(t, func(o *Options) { o.AskTimeout = 100 * time.Millisecond })
	p, silent := h.dial(t), h.dial(t)
	wait := broadcast(t.Context(), h, Broadcast{Kind: KindJSON, Data: []byte(`1`), Await: AwaitAll})
	p.text(reply(p.envelope("___sreq___").ID, "1"))
	id := silent.envelope("___sreq___").ID
	r, err := wait()
	if !errors.Is(err, context.DeadlineExceeded) || len(r.Replies) != 1 || r.Replies[0].Session != p.sess.ID() {
		t.Errorf("%+v, %v", r, err)
	}
	r.check(t, Tally{Targets: 2, Sent: 2, Answered: 1})
	silent.text(reply(id, "1"))
	silent.quiet()
	nothingWaits(t, h, silent.sess)

	wait = broadcast(t.Context(), h, Broadcast{Kind: KindJSON, Data: []byte(`1`), Await: AwaitAny})
	if r, err := wait(); !errors.Is(err, context.DeadlineExceeded) || r.Replies != nil || r.Answered != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := h.Broadcast(ctx, Broadcast{Kind: KindJSON, Data: []byte(`1`), Await: AwaitAll}); !errors.Is(err, context.Canceled) || r.Tally != (Tally{}) {
		t.Errorf("%+v, %v", r, err)
	}
	nothingWaits(t, h, p.sess)
}

// Sessions that are gone or do not read are counted as such and delay nobody.
func TestBroadcastCountsSlowAndGone(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.Slow, o.WS.QueueBytes, o.MaxPending = ws.SlowDropNewest, 64<<10, 1 })
	p, left, slow := h.dial(t), h.dial(t), h.dial(t)
	left.leave()
	big := bytes.Repeat([]byte("x"), 32<<10)
	for slow.sess.SendBinary(big) != Slow {
	}
	all := []*Session{p.sess, left.sess, slow.sess}
	r, err := h.Broadcast(t.Context(), Broadcast{Kind: KindBinary, Data: big, Targets: all})
	if err != nil {
		t.Error(err)
	}
	r.check(t, Tally{Targets: 3, Sent: 1, Slow: 1, Gone: 1})
	p.want(gobwas.OpBinary, string(big))

	wait := broadcast(t.Context(), h, Broadcast{Kind: KindJSON, Data: []byte(`"` + strings.Repeat("x", 32<<10) + `"`), Await: AwaitAll, Targets: all})
	id := p.envelope("___sreq___").ID
	full := broadcast(t.Context(), h, Broadcast{Kind: KindJSON, Data: []byte(`1`), Await: AwaitAll, Targets: all[:1]})
	r, err = full() // more than MaxPending
	if err != nil {
		t.Error(err)
	}
	r.check(t, Tally{Targets: 1, Slow: 1})
	p.text(reply(id, "1"))
	if r, err = wait(); err != nil {
		t.Error(err)
	}
	r.check(t, Tally{Targets: 3, Sent: 1, Slow: 1, Gone: 1, Answered: 1})
	for _, s := range all {
		nothingWaits(t, h, s)
	}
	if st := slow.sess.Stats(); st.Dropped < 3 || st.QueuedBytes == 0 || st.QueuedBytes > 64<<10 {
		t.Errorf("%+v", st)
	}
	if n, err := slow.sess.Ask(t.Context(), json.RawMessage(`"`+strings.Repeat("x", 32<<10)+`"`)); err != ErrSlow {
		t.Errorf("%s, %v", n, err)
	}
	nothingWaits(t, h, slow.sess)
}

// Sessions come and go during the broadcast: every answer of those that stay is
// there, and the tally adds up.
func TestBroadcastWhileSessionsComeAndGo(t *testing.T) {
	h := start(t)
	const stayers = 20
	staying := map[string]bool{}
	var wg sync.WaitGroup
	for range stayers {
		p := h.dial(t)
		staying[p.sess.ID()] = true
		wg.Go(p.answer)
		defer p.conn.Close()
	}
	stop := make(chan struct{})
	var churn sync.WaitGroup
	for range 2 {
		churn.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := h.tryDial()
				if err != nil {
					t.Error(err)
					return
				}
				p.conn.Close()
			}
		})
	}
	for range 100 {
		r, err := h.Broadcast(t.Context(), Broadcast{Kind: KindJSON, Data: []byte("1"), Await: AwaitAll})
		if err != nil {
			t.Fatal(err)
		}
		r.check(t, r.Tally)
		found := 0
		for _, reply := range r.Replies {
			if staying[reply.Session] && reply.Error == "" {
				found++
			}
		}
		if found != stayers {
			t.Fatalf("%d of %d answers: %+v", found, stayers, r.Tally)
		}
	}
	close(stop)
	churn.Wait()
	eventually(t, "nothing is pending", func() bool { return h.Stats().Pending == 0 })
	for _, s := range h.Sessions() {
		_ = s.Close(1000, "")
	}
	wg.Wait()
}

// answer answers every request until the connection ends.
func (p *peer) answer() {
	for {
		_, s, err := p.read()
		if err != nil {
			return
		}
		var w wire
		if json.Unmarshal([]byte(s), &w) == nil && w.Type == "___sreq___" && p.tryWrite(gobwas.OpText, []byte(reply(w.ID, string(w.Data)))) != nil {
			return
		}
	}
}
