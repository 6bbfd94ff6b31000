package script

import (
	"cmp"
	"time"
)

// settings are an engine's Options as they hold at the moment, and what is made
// of them. They are immutable.
type settings struct {
	Options
	budgets     [numHandlers]*budget
	timerBudget *budget
}

// now is the settings that hold.
func (e *Engine) now() *settings { return e.set.Load() }

func (opt Options) settings() *settings {
	opt.CPULimit = cmp.Or(opt.CPULimit, 2*time.Second)
	opt.Timeout = cmp.Or(opt.Timeout, 30*time.Second)
	opt.MaxHeap = cmp.Or(opt.MaxHeap, 256<<20)
	opt.hangGrace = cmp.Or(opt.hangGrace, hangGrace)
	if opt.Listeners == nil {
		opt.Listeners = func() []Listener { return nil }
	}
	s := &settings{Options: opt}
	for id := range numHandlers {
		s.budgets[id] = &budget{opt.CPULimit, handlerNames[id]}
	}
	s.timerBudget = &budget{opt.CPULimit, "a timer"}
	return s
}

// Reload puts other options in place of those from before, for what begins from
// now on. Sessions and Log are those of the beginning. It returns what puts the
// former ones back.
func (e *Engine) Reload(opt Options) (undo func()) {
	old := e.now()
	opt.Sessions, opt.Log, opt.hangGrace = old.Sessions, old.Log, old.hangGrace
	e.set.Store(opt.settings())
	return func() { e.set.Store(old) }
}
