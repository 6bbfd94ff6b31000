package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestRequest(t *testing.T) {
	c := dialed(t, server(t, func(p *peer) {
		var ids []Envelope
		for len(ids) < 50 { // answered in the opposite order, each twice
			env, ok := p.until(TypeCreq)
			if !ok {
				return
			}
			ids = append(ids, env)
		}
		for i := len(ids) - 1; i >= 0; i-- {
			p.envelope(TypeSres, "nobody", `1`)
			p.envelope(TypeSres, ids[i].ID, string(ids[i].Data))
			p.envelope(TypeSres, ids[i].ID, `"late"`)
		}
		p.shut()
	}))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			env, err := c.Request(within(t), map[string]int{"n": i})
			if want := fmt.Sprintf(`{"n":%d}`, i); err != nil || env.Type != TypeSres || string(env.Data) != want {
				t.Errorf("%d: %+v, %v", i, env, err)
			}
		})
	}
	wg.Wait()
	must(t, c.Close(within(t), CloseNormal, ""))
	if n := len(c.pending); n != 0 {
		t.Errorf("%d requests left", n)
	}
}

func TestRequestEnds(t *testing.T) {
	creqs := make(chan Envelope, 10)
	c := dialed(t, server(t, func(p *peer) {
		for {
			_, b, err := p.data()
			if err != nil {
				return
			}
			if env, ok := ParseEnvelope(b); ok {
				creqs <- env
			}
		}
	}), WithMaxPending(2), WithRequestTimeout(30*time.Millisecond))
	if _, err := c.Request(context.Background(), 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a deadline: %v", err)
	}
	recv(t, creqs)
	ctx, cancel := context.WithCancel(within(t))
	results := make(chan error, 2)
	go func() { _, err := c.Request(ctx, 2); results <- err }()
	go func() { _, err := c.Request(within(t), 3); results <- err }()
	recv(t, creqs)
	recv(t, creqs)
	if _, err := c.Request(within(t), 4); !errors.Is(err, ErrTooManyPending) {
		t.Errorf("third request: %v", err)
	}
	cancel()
	if err := recv(t, results); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	c.CloseNow()
	if err := recv(t, results); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := c.Request(within(t), 5); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if n := len(c.pending); n != 0 {
		t.Errorf("%d requests left", n)
	}
}

func TestReply(t *testing.T) {
	in, handlers := recorder()
	answers := make(chan Envelope, 1)
	c := dialed(t, server(t, func(p *peer) {
		p.envelope(TypeSreq, "the-id", `{"hi":"you must reply"}`)
		if env, ok := p.until(TypeCres); ok {
			answers <- env
		}
		p.shut()
	}), handlers)
	req := recv(t, in.reqs)
	if req.ID != "the-id" || string(req.Data) != `{"hi":"you must reply"}` {
		t.Errorf("request %+v", req)
	}
	must(t, c.Reply(within(t), req.ID, map[string]bool{"ok": true}))
	if a := recv(t, answers); a.ID != "the-id" || string(a.Data) != `{"ok":true}` {
		t.Errorf("answer %+v", a)
	}
	if err := c.Reply(within(t), "", 1); err == nil {
		t.Error("replied without an id")
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}

// A type in the wrong direction is ignored, an unknown one is ordinary JSON.
func TestWrongDirection(t *testing.T) {
	in, handlers := recorder()
	notes := make(chan Trace, 10)
	c := dialed(t, server(t, func(p *peer) {
		p.envelope(TypeCreq, "a", `1`)
		p.envelope(TypeCres, "a", `1`)
		p.envelope(TypeSres, "a", `1`)
		p.text(`{"___type___":"___new___"}`)
		p.shut()
	}), handlers, WithTrace(func(_ *Conn, e Trace) {
		if e.Note != "" {
			notes <- e
		}
	}))
	if got := recv(t, in.json); got != `{"___type___":"___new___"}` {
		t.Errorf("JSON %s", got)
	}
	for _, want := range []string{TypeCreq, TypeCres, TypeSres} {
		if e := recv(t, notes); e.What != want || e.Sent {
			t.Errorf("trace %+v, want %s", e, want)
		}
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}

func TestPing(t *testing.T) {
	c := dialed(t, server(t, func(p *peer) {
		for {
			op, b, err := p.message()
			switch {
			case err != nil:
				return
			case op == ws.OpPing:
				p.send(ws.OpPong, []byte("unasked"))
				p.send(ws.OpPong, b)
			case op == ws.OpClose:
				p.send(ws.OpClose, b)
				return
			}
		}
	}))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if d, err := c.Ping(within(t)); err != nil || d <= 0 {
				t.Errorf("ping took %v, %v", d, err)
			}
		})
	}
	wg.Wait()
	must(t, c.Close(within(t), CloseNormal, ""))
	if _, err := c.Ping(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
