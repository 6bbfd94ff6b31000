package script

import "github.com/nvsess/nvsess/internal/timing"

// Stats are an engine's totals: of what ran since it was made, of the rest with
// those of earlier processes.
type Stats struct {
	Jobs     timing.Snapshot   // what ran: calls of handlers, timers, promises that went on, lines typed
	Errors   map[string]uint64 // calls of handlers that threw, by the handler's name
	Timeouts map[string]uint64 // calls that were ended for taking too long
	Anew     uint64            // times that JavaScript was begun anew
}

// Stats returns the totals.
func (e *Engine) Stats() Stats {
	s := Stats{Jobs: e.jobs.Snapshot(), Errors: make(map[string]uint64, numHandlers), Timeouts: make(map[string]uint64, numHandlers), Anew: e.anew.Load()}
	for id := range e.reports {
		r := &e.reports[id]
		r.mu.Lock()
		s.Errors[handlerNames[id]], s.Timeouts[handlerNames[id]] = r.errors, r.timeouts
		r.mu.Unlock()
	}
	return s
}

// Counts is what of Stats goes on in the next process, by name.
func (e *Engine) Counts() map[string]uint64 {
	s := e.Stats()
	m := map[string]uint64{"anew": s.Anew}
	for handler, n := range s.Errors {
		m["errors."+handler], m["timeouts."+handler] = n, s.Timeouts[handler]
	}
	return m
}

// AddCounts adds that of an earlier process.
func (e *Engine) AddCounts(m map[string]uint64) {
	e.anew.Add(m["anew"])
	for id := range e.reports {
		r := &e.reports[id]
		r.mu.Lock()
		r.errors += m["errors."+handlerNames[id]]
		r.timeouts += m["timeouts."+handlerNames[id]]
		r.mu.Unlock()
	}
}
