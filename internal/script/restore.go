package script

import (
	"slices"
	"sync"

	"github.com/dop251/goja"
)

// sources is the text of the functions that the console has registered. Safe for
// concurrent use: it outlives its world.
type sources struct {
	mu sync.Mutex // guards of
	of [numHandlers]source
}

// source is a function's text, "" if there is none, and where it was registered.
type source struct{ text, at string }

func (s *sources) set(id handlerID, src source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[id] = src
}

func (s *sources) all() map[handlerID]source {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[handlerID]source)
	for id, src := range s.of {
		if src.text != "" {
			m[handlerID(id)] = src
		}
	}
	return m
}

// restore registers functions from their source: what the console had registered
// in the world before.
func (w *world) restore(list map[handlerID]source) {
	done := make(chan struct{})
	if !w.post(job{budget: &budget{loadCPU, "the console's handlers"}, run: func(*world) {
		defer close(done)
		for id, src := range list {
			if err := w.revive(id, src); err != nil {
				w.e.logError(handlerNames[id], err)
				w.bereft.Store(true)
			}
		}
	}}) {
		return
	}
	select {
	case <-done:
	case <-w.ctx.Done():
	}
}

func (w *world) revive(id handlerID, src source) *Error {
	p, err := compile(inputName+"0", "("+src.text+"\n)")
	if err != nil {
		return w.e.compileError(err)
	}
	v, err := w.rt.RunProgram(p)
	if err != nil {
		return w.explain(err)
	}
	fn, ok := goja.AssertFunction(v)
	if !ok {
		return &Error{Text: "its source gives no function"}
	}
	w.install(id, &registered{fn: fn, value: v, source: src.at})
	return nil
}

// A Source is a function that was registered at the console: its text, and where
// that was.
type Source struct {
	Text string `json:"text"`
	At   string `json:"at"`
}

// Sources are the functions that the console has registered, by their handlers'
// names, for Restore in another process.
func (e *Engine) Sources() map[string]Source {
	e.mu.Lock()
	w := e.world
	e.mu.Unlock()
	if w == nil {
		return nil
	}
	list := map[string]Source{}
	for id, src := range w.sources.all() {
		list[handlerNames[id]] = Source{src.text, src.at}
	}
	return list
}

// Restore registers them again. What fails is logged and left out.
func (e *Engine) Restore(list map[string]Source) {
	if len(list) == 0 {
		return
	}
	w := e.current()
	if w == nil {
		return
	}
	console := map[handlerID]source{}
	for name, src := range list {
		if id := slices.Index(handlerNames[:], name); id >= 0 {
			console[handlerID(id)] = source{src.Text, src.At}
		}
	}
	e.loading.Lock()
	defer e.loading.Unlock()
	w.restore(console)
}
