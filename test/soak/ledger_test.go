package main

import (
	"io"
	"strings"
	"testing"
)

// idle is a phase without a daemon.
func idle() *phase {
	return &phase{o: &options{out: io.Discard}, ends: map[string]int{}, sent: map[key]*sending{}}
}

func (p *phase) found() string { return strings.Join(p.o.problems, "\n") }

func TestLedgerFindsFaults(t *testing.T) {
	for name, c := range map[string]struct {
		want  string // "": no fault
		cut   int
		spoil func(l *ledger)
	}{
		"nothing":                   {"", 0, func(*ledger) {}},
		"by a slow reader's end":    {"", 0, func(l *ledger) { l.closes["a"] = []int{1013} }},
		"opened twice":              {"opened 2 times", 0, func(l *ledger) { l.opened("a") }},
		"closed twice":              {"closed with [4000 1006]", 0, func(l *ledger) { l.closed("a", 1006) }},
		"not closed":                {"opened 1 times and closed with []", 0, func(l *ledger) { delete(l.closes, "b") }},
		"not closed, cut off":       {"", 1, func(l *ledger) { delete(l.closes, "b") }},
		"more not closed than cut":  {"closed with []", 1, func(l *ledger) { clear(l.closes) }},
		"closed twice, one cut off": {"closed with [4000 1006]", 1, func(l *ledger) { l.closed("a", 1006) }},
		"another code":              {"to end with 4000", 0, func(l *ledger) { l.closes["a"] = []int{1006} }},
		"never opened":              {"closed and never opened", 0, func(l *ledger) { l.closed("c", 1006) }},
		"nothing told":              {"never opened", 0, func(l *ledger) { delete(l.opens, "a"); delete(l.closes, "a") }},
		"nothing told, cut off":     {"", 1, func(l *ledger) { delete(l.opens, "a"); delete(l.closes, "a") }},
	} {
		p, l := idle(), newLedger("who")
		for id, code := range map[string]int{"a": 4000, "b": 1006} {
			l.opened(id)
			l.closed(id, code)
		}
		p.ends["a"] = 4000
		c.spoil(&l)
		l.check(p, c.cut)
		if got := p.found(); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want something about %q", name, got, c.want)
		}
	}
}
