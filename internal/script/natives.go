package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/buffer"

	"github.com/nvsess/nvsess/internal/session"
)

// natives is what the prelude is made of.
func (w *world) natives() *goja.Object {
	obj := w.rt.NewObject()
	srv := w.e.now().Sessions
	for name, f := range map[string]any{
		"setTimer":   w.setTimer,
		"clearTimer": w.clearTimer,
		"write":      w.e.out.write,
		"depth":      func(s string) int { return depth(s) },
		"infinity":   infinity,
		"readable":   readableValue,
		"nesting":    func(s string) int { return nesting(s) },
		"count":      strings.Count,
		"indent":     indent,
		"unprefixed": unprefixed,
		"identifier": identifier,
		"charge":     w.charge,
		"resume":     w.resume,
		"limits": map[string]any{
			"string": maxString, "bits": maxBits, "elements": maxElements, "buffer": maxBuffer, "nesting": maxNesting, "brackets": maxBrackets,
		},
		"handlers": handlerNames[:],
		"register": func(c goja.FunctionCall) goja.Value {
			id := handlerID(slices.Index(handlerNames[:], c.Argument(0).String()))
			w.register(id, c.Argument(1))
			return goja.Undefined()
		},
		"handler":  w.handlerValue,
		"repeated": w.repeated,

		"config":    func() string { return w.json(w.e.now().Config) },
		"listen":    w.listeners,
		"start":     w.start,
		"close":     w.closeSessions,
		"forwardTo": w.forward,
		"forward":   func(on bool) { map[bool]func(){true: srv.EnableForward, false: srv.DisableForward}[on]() },
		"sessions":  func() goja.Value { return w.sessList(srv.Sessions()) },
		"at":        func(i int) goja.Value { return w.sessOrUndefined(srv.At(i)) },
		"last":      func() goja.Value { return w.sessOrUndefined(srv.Last()) },
		"byPort":    func(p int) goja.Value { return w.sessOrUndefined(srv.ByPort(p)) },
		"matching":  w.matching,
		"broadcast": func(c goja.FunctionCall) goja.Value {
			return w.broadcast(c.Argument(0).String(), c.Argument(1).String(), c.Argument(2))
		},

		"id":       func(h *handle) string { return h.s.ID() },
		"record":   func(h *handle) string { return w.json(h.s.Request()) },
		"peer":     func(h *handle) string { return w.json(peerName(h)) },
		"active":   func(h *handle) bool { return h.s.Active() },
		"protocol": func(h *handle) string { return h.s.Protocol() },
		"stats":    func(h *handle) string { return w.json(h.s.Stats()) },
		"times":    func(h *handle) []int64 { return []int64{h.s.OpenedAt().UnixMilli(), h.s.LastReceivedAt().UnixMilli()} },
		"pending":  func(h *handle) []string { return h.s.Pending() },
		"settle":   func(h *handle, id, envelope string) bool { return h.s.Settle(id, json.RawMessage(envelope)) },
		"alive":    func(h *handle) bool { return h.s.Keepalive() },
		"quiet":    func(h *handle) { h.s.StopKeepalive() },
		"hangUp":   func(h *handle, code int, reason string) { w.check(closeSession(h.s, code, reason)) },
		"sendText": func(c goja.FunctionCall) goja.Value { // without reflection: these are called most
			h, _ := exported[*handle](c.Argument(0))
			return w.sent(h.s.SendString(c.Argument(1).String()))
		},
		"sendJSON": func(c goja.FunctionCall) goja.Value {
			h, _ := exported[*handle](c.Argument(0))
			return w.sent(h.s.SendJSON(json.RawMessage(c.Argument(1).String())))
		},
		"sendBytes": func(c goja.FunctionCall) goja.Value {
			h, _ := exported[*handle](c.Argument(0))
			return w.sent(h.s.SendBinary(w.bytes(c.Argument(1))))
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

// indent is JSON that JSON.stringify has made, with line breaks as it makes them:
// an empty array or object has none. It is "" for what is nested too deeply to be
// so much larger.
func indent(text, gap string) string {
	var b bytes.Buffer
	if depth(text) > 100 || json.Indent(&b, []byte(text), "", gap) != nil {
		return ""
	}
	return b.String()
}

// encode makes JSON that JavaScript reads.
func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// json is encode, for natives.
func (w *world) json(v any) string {
	text, err := encode(v)
	w.check(err)
	return text
}

// identifier reports whether a property can be written after a dot: what goja's
// regular expressions, which know no classes of Unicode, cannot tell.
func identifier(name string) bool {
	for i, r := range name {
		if r != '_' && r != '$' && !unicode.In(r, unicode.L, unicode.Nl) && (i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc)) {
			return false
		}
	}
	return name != ""
}

// unprefixed is the text of a Go error without the name of one of our packages,
// which says nothing to who writes a script.
func unprefixed(text string) string {
	for _, p := range []string{"script: ", "session: ", "ws: "} {
		text = strings.TrimPrefix(text, p)
	}
	return text
}

// check throws an error, as JavaScript's own: goja's would give scripts the Go
// value.
func (w *world) check(err error) {
	if err != nil {
		panic(w.errorValue(err))
	}
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

// handlerValue is a registered function; undefined when there is none, or the
// name of a built-in handler that has its place.
func (w *world) handlerValue(c goja.FunctionCall) goja.Value {
	id := handlerID(slices.Index(handlerNames[:], c.Argument(0).String()))
	if w.staged != nil && w.staged.handlers[id] != nil && w.staged.handlers[id].fn != nil {
		return w.staged.handlers[id].value
	}
	if kind, ok := id.kindOf(); ok {
		for _, h := range w.e.now().Sessions.Handlers() {
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
