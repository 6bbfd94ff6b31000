package script

import (
	"slices"
	"sync"

	"github.com/dop251/goja"

	"github.com/nvsess/nvsess/internal/session"
)

// handlerID is one of nv-session-simple's hooks.
type handlerID uint8

const (
	strHandle handlerID = iota
	jsonHandle
	binHandle
	creqHandle
	cfgHandle
	onOpen
	onClose
	onError
	verifyHook
	afterExtract // verify, with a promise
	hsrvHandle
	numHandlers
)

// handlerNames are what JavaScript calls them: regis_$NAME$, and NAME_.
var handlerNames = [numHandlers]string{
	"str_handle", "json_handle", "bin_handle", "creq_handle", "cfg_handle", "on_open", "on_close", "on_error",
	"verify", "after_extract_async_verify", "hsrv_handle",
}

// kindOf is the kind of event that a handler is for, if it is for one.
func (id handlerID) kindOf() (session.Kind, bool) {
	switch id {
	case strHandle:
		return session.KindString, true
	case jsonHandle:
		return session.KindJSON, true
	case binHandle:
		return session.KindBinary, true
	case creqHandle:
		return session.KindCreq, true
	case cfgHandle:
		return session.KindCfg, true
	case onOpen:
		return session.KindOpen, true
	case onClose, onError:
		return session.KindClose, true
	}
	return 0, false
}

// registered is a handler that was registered.
type registered struct {
	fn     goja.Callable // nil: none
	value  goja.Value
	owner  owner
	source string // where: "handlers.js:3:1"
}

// staging is what a file registers until it has been loaded whole.
type staging struct {
	owner    owner
	handlers [numHandlers]*registered
}

// report counts what a handler did. Safe for concurrent use.
type report struct {
	mu       sync.Mutex // guards what follows
	source   string
	errors   uint64
	timeouts uint64
	last     string
}

func (r *report) failed(p problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.timeout {
		r.timeouts++
	} else {
		r.errors++
	}
	r.last = p.oneLine()
}

// Name is what the handlers are called: "js".
func (e *Engine) Name() string { return name }

// Report tells of the handler for a kind.
func (e *Engine) Report(k session.Kind) (sum session.Report) {
	for id := range numHandlers {
		if kind, ok := id.kindOf(); !ok || kind != k {
			continue
		}
		r := &e.reports[id]
		r.mu.Lock()
		if r.source != "" {
			sum.Source = r.source
		}
		if r.last != "" {
			sum.Last = r.last
		}
		sum.Errors += r.errors
		sum.Timeouts += r.timeouts
		r.mu.Unlock()
	}
	return sum
}

// Hooks are the reports of what handles no kind of event, by name.
func (e *Engine) Hooks() map[string]session.Report {
	hooks := make(map[string]session.Report)
	for _, id := range []handlerID{verifyHook, hsrvHandle} {
		r := &e.reports[id]
		r.mu.Lock()
		if r.source != "" || r.errors+r.timeouts > 0 {
			hooks[handlerNames[id]] = session.Report{Source: r.source, Errors: r.errors, Timeouts: r.timeouts, Last: r.last}
		}
		r.mu.Unlock()
	}
	return hooks
}

// Handle takes an event of a session.
func (e *Engine) Handle(c *session.Call) {
	for {
		w := e.current()
		if w == nil {
			c.Done()
			return
		}
		if w.post(job{call: c, event: true}) {
			return
		}
		if w == e.current() {
			c.Done() // it was stopped, and none comes after it
			return
		}
	}
}

// register sets a handler; a nil value takes it away. It takes effect at once,
// or with the rest of the file that registers it.
func (w *world) register(id handlerID, value goja.Value) {
	if w.superseded() {
		panic(w.rt.NewTypeError("this file of handlers is not in force any more"))
	}
	r := &registered{owner: w.origin.owner, source: w.caller()}
	if value != nil && !goja.IsUndefined(value) {
		fn, ok := goja.AssertFunction(value)
		if !ok {
			panic(w.rt.NewTypeError("a handler is a function, not " + w.show(value)))
		}
		r.fn, r.value = fn, value
	}
	if w.staged != nil && w.staged.owner == r.owner {
		w.staged.handlers[id] = r
		return
	}
	w.install(id, r)
}

// install puts a handler in force.
func (w *world) install(id handlerID, r *registered) {
	if id == afterExtract {
		id = verifyHook // there is one, whichever way it was registered
	}
	w.handlers[id] = *r
	src := source{at: r.source}
	if r.fn != nil && r.owner == 0 {
		src.text = r.value.String()
	}
	w.sources.set(id, src)
	if changed := w.e.now().Changed; changed != nil {
		changed()
	}
	rep := &w.e.reports[id]
	rep.mu.Lock()
	rep.source = ""
	if r.fn != nil {
		rep.source = r.source
	}
	rep.mu.Unlock()
	srv := w.e.now().Sessions
	switch id {
	case verifyHook:
		if r.fn == nil {
			srv.SetVerifier(name, nil)
		} else {
			srv.SetVerifier(name, w.e)
		}
		return
	case hsrvHandle:
		if r.fn == nil {
			srv.SetPlainHandler(nil)
		} else {
			srv.SetPlainHandler(w.e.plain)
		}
		return
	}
	kind, _ := id.kindOf()
	to := session.HandlerNone
	if r.fn != nil || kind == session.KindClose && (w.handlers[onClose].fn != nil || w.handlers[onError].fn != nil) {
		to = name
	}
	if to == session.HandlerNone && !w.inForce(kind) {
		return // forwarding, say, is not the script's to end
	}
	if err := srv.SetHandler(kind, to); err != nil {
		panic(w.errorValue(err))
	}
}

// inForce reports whether events of a kind come here.
func (w *world) inForce(k session.Kind) bool {
	return slices.ContainsFunc(w.e.now().Sessions.Handlers(), func(h session.HandlerInfo) bool { return h.Kind == k && h.Name == name })
}
