package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// asked is the outcome of an Ask that runs beside the test.
type asked struct {
	answer json.RawMessage
	err    error
}

// ask asks and gives where the outcome will be.
func ask(ctx context.Context, s *Session, data string) <-chan asked {
	done := make(chan asked, 1)
	go func() {
		answer, err := s.Ask(ctx, json.RawMessage(data))
		done <- asked{answer, err}
	}()
	return done
}

// outcome waits for it.
func outcome(t *testing.T, done <-chan asked) asked {
	t.Helper()
	select {
	case a := <-done:
		return a
	case <-time.After(patience):
		t.Fatal("the request is never settled")
		return asked{}
	}
}

// reply encodes a client's answer.
func reply(id, data string) string {
	return `{"___type___":"___cres___","___id___":"` + id + `","___data___":` + data + `}`
}

// nothingWaits checks that nothing of any request is left.
func nothingWaits(t *testing.T, h *host, s *Session) {
	t.Helper()
	s.mu.Lock()
	left := s.waits
	s.mu.Unlock()
	if n := h.Stats().Pending; n != 0 || left != nil || s.Stats().Pending != 0 {
		t.Errorf("%d pending, waits %+v", n, left)
	}
}

func TestAsk(t *testing.T) {
	h := start(t)
	p := h.dial(t)
	done := ask(t.Context(), p.sess, `{"q": [1, 2]}`)
	req := p.envelope("___sreq___")
	if !idPattern.MatchString(req.ID) || string(req.Data) != `{"q": [1, 2]}` {
		t.Errorf("request: %+v", req)
	}
	if n := h.Stats().Pending; n != 1 || p.sess.Stats().Pending != 1 {
		t.Errorf("%d pending, of the session %d", n, p.sess.Stats().Pending)
	}
	whole := ` {"extra": true, "___data___": {"a" : "é"}, "___id___":"` + req.ID + `", "___type___":"___cres___"} `
	p.text(whole)
	if a := outcome(t, done); a.err != nil || string(a.answer) != whole {
		t.Errorf("%s, %v; want the whole envelope", a.answer, a.err)
	}
	nothingWaits(t, h, p.sess)

	p.text(whole) // twice
	p.quiet()
	if n := h.Stats().UnknownReplies; n != 1 {
		t.Errorf("%d unknown replies, want 1", n)
	}
}

func TestAskIgnoresWhatAnswersNothing(t *testing.T) {
	h := start(t)
	p, other := h.dial(t), h.dial(t)
	done := ask(t.Context(), p.sess, `1`)
	id := p.envelope("___sreq___").ID
	other.text(reply(id, `"another session's"`))
	other.quiet()
	wrong := []string{
		reply(newID().String(), "1"), reply("", "1"), reply(id[1:], "1"), reply(id+"a", "1"),
		`{"___type___":"___cres___","___data___":1}`, `{"___type___":"___cres___","___id___":5}`,
	}
	for _, s := range wrong {
		p.text(s)
	}
	p.text(`{"___type___":"___sres___","___id___":"` + id + `","___data___":1}`)
	p.text(`{"___type___":"___creq___","___id___":"` + id + `","___data___":1}`)
	p.text(`{"___id___":"` + id + `","___data___":1}`)
	p.quiet()
	select {
	case a := <-done:
		t.Fatalf("answered with %s, %v", a.answer, a.err)
	default:
	}
	if n := h.Stats().UnknownReplies; n != uint64(len(wrong)+1) {
		t.Errorf("%d unknown replies, want %d", n, len(wrong)+1)
	}
	p.text(reply(id, "2"))
	if a := outcome(t, done); a.err != nil || string(a.answer) != reply(id, "2") {
		t.Errorf("%s, %v", a.answer, a.err)
	}
	nothingWaits(t, h, p.sess)
}

func TestAskDeadlineAndCancel(t *testing.T) {
	h := start(t, func(o *Options) { o.AskTimeout = 50 * time.Millisecond })
	p := h.dial(t)
	cancelled, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		ctx   context.Context
		limit time.Duration
		want  error
	}{
		{t.Context(), 0, context.DeadlineExceeded}, {t.Context(), 10 * time.Millisecond, context.DeadlineExceeded},
		{cancelled, time.Hour, context.Canceled},
	} {
		ctx, stop := c.ctx, func() {}
		if c.limit > 0 {
			ctx, stop = context.WithTimeout(ctx, c.limit)
		}
		done := ask(ctx, p.sess, `{}`)
		id := p.envelope("___sreq___").ID
		if c.ctx == cancelled {
			cancel()
		}
		if a := outcome(t, done); !errors.Is(a.err, c.want) || a.answer != nil {
			t.Errorf("%s, %v; want %v", a.answer, a.err, c.want)
		}
		stop()
		nothingWaits(t, h, p.sess)
		p.text(reply(id, "1")) // too late
		p.quiet()
	}
	if n := h.Stats().UnknownReplies; n != 3 {
		t.Errorf("%d unknown replies, want 3", n)
	}
	if a := outcome(t, ask(cancelled, p.sess, `{}`)); !errors.Is(a.err, context.Canceled) {
		t.Errorf("%v", a.err)
	}
	p.quiet() // nobody waits, so nothing was asked
}

// A session that ends, however, fails its requests at once, and so do later
// ones.
func TestAskFailsWhenTheSessionCloses(t *testing.T) {
	for name, end := range map[string]func(p *peer){
		"the peer closes":        func(p *peer) { p.write(gobwas.OpClose, nil) },
		"the socket ends":        func(p *peer) { p.conn.Close() },
		"the peer breaks a rule": func(p *peer) { p.write(gobwas.OpCode(5), nil); p.conn.Close() },
		"we close, the peer is silent": func(p *peer) {
			if err := p.sess.Close(1000, "enough"); err != nil {
				p.t.Error(err)
			}
		},
		"restart, the peer is silent": func(p *peer) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := p.sess.mount.srv.RestartSessions(ctx); !errors.Is(err, context.Canceled) {
				p.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(o *Options) { o.WS.CloseTimeout = time.Hour })
			p := h.dial(t)
			var all []<-chan asked
			for i := range 5 {
				all = append(all, ask(t.Context(), p.sess, fmt.Sprint(i)))
				p.envelope("___sreq___")
			}
			ping := make(chan error, 1)
			go func() {
				_, err := p.sess.Ping(t.Context())
				ping <- err
			}()
			if f, err := p.frame(); err != nil || f.Header.OpCode != gobwas.OpPing {
				t.Fatalf("%v %v", f.Header, err)
			}
			end(p)
			for _, done := range all {
				if a := outcome(t, done); a.err != ErrSessionClosed {
					t.Errorf("%s, %v", a.answer, a.err)
				}
			}
			if err := <-ping; err != ErrSessionClosed {
				t.Errorf("ping: %v", err)
			}
			if a := outcome(t, ask(t.Context(), p.sess, "1")); a.err != ErrSessionClosed {
				t.Errorf("%v", a.err)
			}
			if _, err := p.sess.Ping(t.Context()); err != ErrSessionClosed {
				t.Errorf("ping: %v", err)
			}
			nothingWaits(t, h, p.sess)
			p.conn.Close()
			gone(t, p.sess)
			if err := p.sess.Close(1000, ""); err != ErrSessionClosed {
				t.Errorf("closing again: %v", err)
			}
			if r := p.sess.SendString("x"); r != Gone || p.sess.Active() {
				t.Errorf("sending: %v, active: %v", r, p.sess.Active())
			}
		})
	}
}

func TestAskFailsAtShutdown(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.CloseTimeout = time.Hour })
	p := h.dial(t)
	done := ask(t.Context(), p.sess, "1")
	p.envelope("___sreq___")
	ended := make(chan error, 1)
	go func() { ended <- h.Shutdown(t.Context(), 1001, "over") }()
	if a := outcome(t, done); a.err != ErrSessionClosed {
		t.Errorf("%v", a.err)
	}
	if e := p.closed(); e.code != 1001 || e.reason != "over" {
		t.Errorf("%v", e)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAskTooMany(t *testing.T) {
	h := start(t, func(o *Options) { o.MaxPending = 3 })
	p, other := h.dial(t), h.dial(t)
	var all []<-chan asked
	var ids []string
	for range 3 {
		all = append(all, ask(t.Context(), p.sess, "1"))
		ids = append(ids, p.envelope("___sreq___").ID)
	}
	if a := outcome(t, ask(t.Context(), p.sess, "1")); a.err != ErrTooManyPending {
		t.Errorf("%v", a.err)
	}
	more := ask(t.Context(), other.sess, "1") // another session has its own
	other.text(reply(other.envelope("___sreq___").ID, "1"))
	if a := outcome(t, more); a.err != nil {
		t.Error(a.err)
	}
	p.text(reply(ids[1], "1"))
	if a := outcome(t, all[1]); a.err != nil {
		t.Error(a.err)
	}
	again := ask(t.Context(), p.sess, "1")
	p.text(reply(p.envelope("___sreq___").ID, "1"))
	p.text(reply(ids[2], "1"))
	p.text(reply(ids[0], "1"))
	for _, done := range []<-chan asked{again, all[0], all[2]} {
		if a := outcome(t, done); a.err != nil {
			t.Error(a.err)
		}
	}
	nothingWaits(t, h, p.sess)
}

// Answers, deadlines, cancelling and the end of the session meet; each request
// has one outcome, which is its own.
func TestAskManyAtOnce(t *testing.T) {
	h := start(t, func(o *Options) { o.MaxPending = 0 })
	for round := range 10 {
		p := h.dial(t)
		go func() { // answers with what it was asked
			for {
				_, s, err := p.read()
				if err != nil {
					return
				}
				var w wire
				if json.Unmarshal([]byte(s), &w) != nil || string(w.Data) == `"silence"` {
					continue
				}
				if string(w.Data) == `"end"` {
					p.conn.Close()
					return
				}
				if p.tryWrite(gobwas.OpText, []byte(reply(w.ID, string(w.Data)))) != nil {
					return
				}
			}
		}()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx, data := t.Context(), fmt.Sprintf(`{"n":%d}`, i)
				if i%5 == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*100*time.Microsecond)
					defer cancel()
				}
				if i%10 == 0 {
					data = `"silence"`
				}
				if i == 99 && round%2 == 1 {
					data = `"end"`
				}
				answer, err := p.sess.Ask(ctx, json.RawMessage(data))
				switch {
				case err == nil:
					var w wire
					if json.Unmarshal(answer, &w) != nil || string(w.Data) != data {
						t.Errorf("asked %s, answered %s", data, answer)
					}
				case errors.Is(err, context.DeadlineExceeded) && i%5 == 0:
				case err == ErrSessionClosed && round%2 == 1:
				default:
					t.Errorf("%s: %v", data, err)
				}
			})
		}
		wg.Wait()
		nothingWaits(t, h, p.sess)
		p.conn.Close()
		gone(t, p.sess)
	}
}

func TestPing(t *testing.T) {
	h := start(t, func(o *Options) { o.AskTimeout = 50 * time.Millisecond })
	p := h.dial(t)
	type result struct {
		rtt time.Duration
		err error
	}
	ping := func(ctx context.Context) <-chan result {
		done := make(chan result, 1)
		go func() {
			rtt, err := p.sess.Ping(ctx)
			done <- result{rtt, err}
		}()
		return done
	}
	long, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	first, second := ping(long), ping(long)
	var tokens [][]byte
	for range 2 {
		f, err := p.frame()
		if err != nil || f.Header.OpCode != gobwas.OpPing || len(f.Payload) != 8 {
			t.Fatalf("%v %q %v", f.Header, f.Payload, err)
		}
		tokens = append(tokens, f.Payload)
	}
	p.write(gobwas.OpPong, []byte("nobody's"))
	p.write(gobwas.OpPong, nil)
	p.quiet()
	select {
	case r := <-first:
		t.Fatalf("answered: %v", r)
	case r := <-second:
		t.Fatalf("answered: %v", r)
	default:
	}
	for _, token := range tokens {
		p.write(gobwas.OpPong, token)
		p.write(gobwas.OpPong, token) // twice
	}
	for _, done := range []<-chan result{first, second} {
		if r := <-done; r.err != nil || r.rtt <= 0 || r.rtt > patience {
			t.Errorf("%+v", r)
		}
	}
	if r := <-ping(t.Context()); !errors.Is(r.err, context.DeadlineExceeded) {
		t.Errorf("without an answer: %+v", r)
	}
	nothingWaits(t, h, p.sess)
}

// TestAskOfAFailedSession: the answer cannot come any more, however long the
// peer keeps its socket open.
func TestAskOfAFailedSession(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.CloseTimeout = time.Hour })
	p := h.dial(t)
	done := ask(t.Context(), p.sess, `{}`)
	p.envelope("___sreq___")
	if _, err := p.conn.Write([]byte{0x81, 0x01, 'x'}); err != nil { // not masked
		t.Fatal(err)
	}
	if a := outcome(t, done); !errors.Is(a.err, ErrSessionClosed) {
		t.Errorf("%s, %v", a.answer, a.err)
	}
	if n := h.Len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
