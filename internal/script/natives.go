package script

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// handle is what a Sess keeps of its session. JavaScript can pass it on, and do
// nothing else with it.
type handle struct{ s *session.Session }

// attachment is what a session keeps: its Sess, and of which world.
type attachment struct {
	w    *world
	sess *goja.Object
}

// sess is the Sess of a session, always the same.
func (w *world) sess(s *session.Session) *goja.Object {
	if a, ok := s.Attached().(*attachment); ok && a.w == w {
		return a.sess
	}
	h := w.rt.ToValue(&handle{s})
	v, err := w.makeSess(goja.Undefined(), h)
	if err != nil {
		panic(err)
	}
	obj := v.(*goja.Object)
	s.Attach(&attachment{w, obj})
	return obj
}

// natives is what the prelude is made of.
func (w *world) natives() *goja.Object {
	obj := w.rt.NewObject()
	srv := w.e.opt.Sessions
	for name, f := range map[string]any{
		"setTimer":   w.setTimer,
		"clearTimer": w.clearTimer,
		"write":      w.e.out.write,
		"depth":      func(s string) int { return depth(s) },
		"limits":     map[string]any{"string": maxString, "buffer": maxBuffer, "nesting": maxNesting, "depth": maxDepth},
		"handlers":   handlerNames[:],
		"register": func(c goja.FunctionCall) goja.Value {
			id := handlerID(slices.Index(handlerNames[:], c.Argument(0).String()))
			w.register(id, c.Argument(1))
			return goja.Undefined()
		},
		"handler": w.handlerValue,

		"config":   func() map[string]any { return w.e.opt.Config },
		"listen":   w.listeners,
		"start":    w.start,
		"close":    w.closeSessions,
		"forward":  func(on bool) { map[bool]func(){true: srv.EnableForward, false: srv.DisableForward}[on]() },
		"sessions": func() []goja.Value { return w.sessList(srv.Sessions()) },
		"at":       func(i int) goja.Value { return w.sessOrUndefined(srv.At(i)) },
		"last":     func() goja.Value { return w.sessOrUndefined(srv.Last()) },
		"byPort":   func(p int) goja.Value { return w.sessOrUndefined(srv.ByPort(p)) },
		"matching": w.matching,
		"broadcast": func(c goja.FunctionCall) goja.Value {
			return w.broadcast(c.Argument(0).String(), c.Argument(1).String(), c.Argument(2))
		},

		"id":       func(h *handle) string { return h.s.ID() },
		"record":   func(h *handle) (string, error) { return encode(h.s.Request()) },
		"peer":     peerName,
		"active":   func(h *handle) bool { return h.s.Active() },
		"protocol": func(h *handle) string { return h.s.Protocol() },
		"stats":    func(h *handle) (string, error) { return encode(h.s.Stats()) },
		"times":    func(h *handle) []int64 { return []int64{h.s.OpenedAt().UnixMilli(), h.s.LastReceivedAt().UnixMilli()} },
		"pending":  func(h *handle) []string { return h.s.Pending() },
		"settle":   func(h *handle, id, envelope string) bool { return h.s.Settle(id, json.RawMessage(envelope)) },
		"alive":    func(h *handle) bool { return h.s.Keepalive() },
		"quiet":    func(h *handle) { h.s.StopKeepalive() },
		"hangUp":   func(h *handle, code int, reason string) error { return closeSession(h.s, code, reason) },
		"sendText": func(h *handle, s string) string { return sendError(h.s.SendString(s)) },
		"sendJSON": func(h *handle, s string) string { return sendError(h.s.SendJSON(json.RawMessage(s))) },
		"sendBytes": func(c goja.FunctionCall) goja.Value {
			h, _ := exported[*handle](c.Argument(0))
			return w.rt.ToValue(sendError(h.s.SendBinary(w.bytes(c.Argument(1)))))
		},
		"reply": func(h *handle, j, id string) string {
			if err := h.s.Reply(id, json.RawMessage(j)); err != nil {
				return err.Error()
			}
			return ""
		},
		"ask":   w.ask,
		"ping":  w.ping,
		"fetch": w.fetch,
		"bytes": func(c goja.FunctionCall) goja.Value { return buffer.WrapBytes(w.rt, w.bytes(c.Argument(0))) },
		"utf8": func(c goja.FunctionCall) goja.Value {
			return w.rt.ToValue(strings.ToValidUTF8(string(w.bytes(c.Argument(0))), "\ufffd"))
		},
		"now": func() float64 { return float64(time.Since(started).Microseconds()) / 1000 },
		"random": func(n int) goja.Value {
			return w.rt.ToValue(w.rt.NewArrayBuffer(randomBytes(min(n, 65536))))
		},
	} {
		if err := obj.Set(name, f); err != nil {
			panic(err) // it is a new object
		}
	}
	return obj
}

var started = time.Now()

// encode makes JSON that JavaScript reads.
func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.String(), err
}

// sendError says why a message was not sent, or "".
func sendError(r session.SendResult) string {
	switch r {
	case session.Gone:
		return session.ErrSessionClosed.Error()
	case session.Slow:
		return session.ErrSlow.Error()
	}
	return ""
}

func closeSession(s *session.Session, code int, reason string) error {
	if err := s.Close(code, reason); err != nil && !errors.Is(err, session.ErrSessionClosed) {
		return err
	}
	return nil
}

// bytes are those of a Buffer, a typed array, a DataView or an ArrayBuffer: not
// a copy.
func (w *world) bytes(v goja.Value) []byte {
	if b, ok := exported[goja.ArrayBuffer](v); ok {
		return b.Bytes()
	}
	o, ok := v.(*goja.Object)
	if ok {
		if b, ok := exported[goja.ArrayBuffer](o.Get("buffer")); ok {
			from, n := int(o.Get("byteOffset").ToInteger()), int(o.Get("byteLength").ToInteger())
			if all := b.Bytes(); from >= 0 && n >= 0 && from+n <= len(all) {
				return all[from : from+n]
			}
		}
	}
	panic(w.rt.NewTypeError("not binary data (a Buffer, a typed array, a DataView or an ArrayBuffer): " + w.show(v)))
}

func (w *world) sessList(list []*session.Session) []goja.Value {
	out := make([]goja.Value, len(list))
	for i, s := range list {
		out[i] = w.sess(s)
	}
	return out
}

func (w *world) sessOrUndefined(s *session.Session) goja.Value {
	if s == nil {
		return goja.Undefined()
	}
	return w.sess(s)
}

// matching are the sessions whose request record, as JSON, has a substring, or
// matches an expression if that is one that RE2 knows; the prelude matches the
// others.
func (w *world) matching(text string, isRegexp bool) (goja.Value, error) {
	match := func(record string) bool { return strings.Contains(record, text) }
	if isRegexp {
		re, err := regexp.Compile(text)
		if err != nil {
			return goja.Null(), nil
		}
		match = re.MatchString
	}
	var found []goja.Value
	for _, s := range w.e.opt.Sessions.Sessions() {
		record, err := encode(s.Request())
		if err != nil {
			return nil, err
		}
		if match(strings.TrimSuffix(record, "\n")) {
			found = append(found, w.sess(s))
		}
	}
	return w.rt.ToValue(found), nil
}

// peerName is what Node.js calls the address of a socket's peer; nil on a unix
// socket.
func peerName(h *handle) map[string]any {
	port := h.s.Port()
	if port == 0 {
		return nil
	}
	address := h.s.Request().HTTPRequest.RemoteAddress
	family := "IPv4"
	if strings.Contains(address, ":") {
		family = "IPv6"
	}
	return map[string]any{"address": address, "family": family, "port": port}
}

// handlerValue is a registered function; undefined when there is none, or the
// name of a built-in handler that has its place.
func (w *world) handlerValue(c goja.FunctionCall) goja.Value {
	id := handlerID(slices.Index(handlerNames[:], c.Argument(0).String()))
	if w.staged != nil && w.staged.handlers[id] != nil && w.staged.handlers[id].fn != nil {
		return w.staged.handlers[id].value
	}
	if kind, ok := id.kindOf(); ok {
		for _, h := range w.e.opt.Sessions.Handlers() {
			if h.Kind == kind && h.Name != name && h.Name != session.HandlerNone {
				return w.rt.ToValue(h.Name)
			}
		}
	}
	if w.handlers[id].fn == nil {
		return goja.Undefined()
	}
	return w.handlers[id].value
}

// timeout reads a deadline in milliseconds; undefined is the server's.
func (w *world) timeout(v goja.Value) time.Duration {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return w.e.opt.Sessions.DefaultAskTimeout()
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

// broadcast sends JSON to all: "none" waits for no answers and gives the tally
// at once, "any" and "all" promise the answers' envelopes in the order of the
// sessions, as JSON, or undefined at the timeout.
func (w *world) broadcast(j, await string, timeout goja.Value) goja.Value {
	srv := w.e.opt.Sessions
	b := session.Broadcast{Kind: session.KindJSON, Data: json.RawMessage(j), Targets: srv.Sessions()}
	if await == "none" {
		res, err := srv.Broadcast(w.ctx, b)
		if err != nil {
			panic(w.errorValue(err))
		}
		text, err := encode(res.Tally)
		if err != nil {
			panic(w.errorValue(err))
		}
		return w.rt.ToValue(text)
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

// listeners tells where the daemon listens.
func (w *world) listeners() []map[string]any {
	list := []map[string]any{}
	for _, l := range w.e.opt.Listeners() {
		list = append(list, map[string]any{"network": l.Network, "address": l.Address, "tls": l.TLS})
	}
	return list
}

// start takes sessions again and, given an address that nobody listens on yet,
// listens there: the address, a certificate and its key in PEM or "".
func (w *world) start(address, cert, key string) goja.Value {
	srv := w.e.opt.Sessions
	return w.await("start", func(context.Context) (func() goja.Value, error) {
		open := func(l Listener) bool { return l.Address == address }
		if address == "" || slices.ContainsFunc(w.e.opt.Listeners(), open) {
			srv.SetClosed(false)
			return nil, nil
		}
		if w.e.opt.Listen == nil {
			return nil, errors.New("scripts may not open listeners: set script.listen in the configuration, or call start() without an address")
		}
		var conf *tls.Config
		if cert != "" {
			pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
			if err != nil {
				return nil, err
			}
			conf = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		}
		if err := w.e.opt.Listen(address, conf); err != nil {
			return nil, err
		}
		srv.SetClosed(false)
		return nil, nil
	})
}

// closeSessions takes no sessions any more, and closes those that are there. The
// promise is for their number.
func (w *world) closeSessions(restart bool) goja.Value {
	srv := w.e.opt.Sessions
	return w.await("close", func(ctx context.Context) (func() goja.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		code, reason := ws.CloseGoingAway, "server is closing"
		if restart {
			code, reason = ws.CloseServiceRestart, "service restart"
		}
		srv.SetClosed(!restart)
		n, err := srv.CloseSessions(ctx, code, reason)
		return func() goja.Value { return w.rt.ToValue(n) }, err
	})
}

// depth is how many brackets stand inside each other in a text, those in strings
// included.
func depth(s string) (most int) {
	n := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '[', '{':
			n++
			most = max(most, n)
		case ')', ']', '}':
			n = max(0, n-1)
		}
	}
	return most
}

// caller is where in a script the running native was called from.
func (w *world) caller() string {
	for _, f := range w.rt.CaptureCallStack(0, nil) {
		p := f.Position()
		switch p.Filename {
		case "", "prelude.js", "limits.js", "buffer.js":
			continue
		}
		line, column := w.e.mapPosition(p.Filename, p.Line, p.Column)
		return fmt.Sprintf("%s:%d:%d", p.Filename, line, column)
	}
	return ""
}
