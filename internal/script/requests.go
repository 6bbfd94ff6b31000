package script

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dop251/goja"
	"github.com/nvsess/nvsess/internal/session"
)

// timeout reads a deadline in milliseconds; undefined is the server's.
func (w *world) timeout(v goja.Value) time.Duration {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return w.e.now().Sessions.DefaultAskTimeout()
	}
	ms := v.ToFloat()
	if !(ms > 0 && ms <= 24*3600*1000) {
		panic(w.rt.NewTypeError("a timeout is a number of milliseconds, up to a day, not " + w.show(v)))
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// reason is an error of a request as JavaScript sees it.
func reason(err error, d time.Duration) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return jsError{"TimeoutError", fmt.Sprintf("no answer within %v", d)}
	case errors.Is(err, session.ErrSessionClosed):
		return jsError{"ClosedError", err.Error()}
	}
	return err
}

// ask sends a must-reply request: to a session, JSON, the timeout. The promise
// is for the answer's envelope, as text.
func (w *world) ask(c goja.FunctionCall) goja.Value {
	h, _ := exported[*handle](c.Argument(0))
	j, d := c.Argument(1).String(), w.timeout(c.Argument(2))
	return w.await("send_jrr_sreq", func(ctx context.Context) (func() goja.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		envelope, err := h.s.Ask(ctx, json.RawMessage(j))
		if err != nil {
			return nil, reason(err, d)
		}
		return func() goja.Value { return w.rt.ToValue(string(envelope)) }, nil
	})
}

// ping sends a ping frame. The promise is for the milliseconds to its pong.
func (w *world) ping(c goja.FunctionCall) goja.Value {
	h, _ := exported[*handle](c.Argument(0))
	d := w.timeout(c.Argument(1))
	return w.await("send_ping_frame", func(ctx context.Context) (func() goja.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		took, err := h.s.Ping(ctx)
		if err != nil {
			return nil, reason(err, d)
		}
		return func() goja.Value { return w.rt.ToValue(float64(took.Microseconds()) / 1000) }, nil
	})
}

// forward sends a message to every session but one, or to all, as enable_forward
// does: it is encoded once. It is given the kind, the message, and the id of the
// one or "", and returns the tally as JSON.
func (w *world) forward(c goja.FunctionCall) goja.Value {
	srv := w.e.now().Sessions
	kind, err := session.ParseKind(c.Argument(0).String())
	w.check(err)
	b := session.Broadcast{Kind: kind}
	if kind == session.KindBinary {
		b.Data = bytes.Clone(w.bytes(c.Argument(1)))
	} else {
		b.Data = []byte(c.Argument(1).String())
	}
	all := srv.Sessions()
	b.Targets = all
	if id := c.Argument(2).String(); id != "" {
		if but, err := srv.Find(id); err == nil { // else it has left
			i := slices.Index(all, but)
			b.Targets = slices.Concat(all[:max(i, 0)], all[i+1:])
		}
	}
	res, err := srv.Broadcast(w.ctx, b)
	w.check(err)
	return w.rt.ToValue(w.json(res.Tally))
}

// broadcast sends JSON to all: "none" waits for no answers and gives the tally
// at once, "any" and "all" promise the answers' envelopes in the order of the
// sessions, as JSON, or undefined at the timeout.
func (w *world) broadcast(j, await string, timeout goja.Value) goja.Value {
	srv := w.e.now().Sessions
	b := session.Broadcast{Kind: session.KindJSON, Data: json.RawMessage(j), Targets: srv.Sessions()}
	if await == "none" {
		res, err := srv.Broadcast(w.ctx, b)
		w.check(err)
		return w.rt.ToValue(w.json(res.Tally))
	}
	d := w.timeout(timeout)
	b.Await = map[string]session.Await{"any": session.AwaitAny, "all": session.AwaitAll}[await]
	return w.await("jbroadcast", func(ctx context.Context) (func() goja.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		res, err := srv.Broadcast(ctx, b)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, nil
		}
		if err != nil {
			return nil, reason(err, d)
		}
		place := make(map[string]int, len(b.Targets))
		for i, s := range b.Targets {
			place[s.ID()] = i
		}
		slices.SortFunc(res.Replies, func(x, y session.Reply) int { return place[x.Session] - place[y.Session] })
		answers := []json.RawMessage{}
		for _, r := range res.Replies {
			if r.Error == "" {
				answers = append(answers, r.Envelope)
			}
		}
		text, err := encode(answers)
		return func() goja.Value { return w.rt.ToValue(text) }, err
	})
}
