package script

import (
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
