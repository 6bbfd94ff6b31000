package main

import "sync"

// A ledger is what somebody was told of sessions that open and close.
type ledger struct {
	who string

	mu     sync.Mutex // guards what follows
	opens  map[string]int
	closes map[string][]int // codes
}

func newLedger(who string) ledger {
	return ledger{who: who, opens: map[string]int{}, closes: map[string][]int{}}
}

func (l *ledger) opened(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opens[id]++
}

func (l *ledger) closed(id string, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closes[id] = append(l.closes[id], code)
}

// closings is how many there were.
func (l *ledger) closings() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, codes := range l.closes {
		n += len(codes)
	}
	return n
}

// check compares what was told with how sessions were made to end, when all have
// ended. Of so many sessions it may not have been told all.
func (l *ledger) check(p *phase, cut int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, n := range l.opens {
		if closes := l.closes[id]; n == 1 && len(closes) == 0 && cut > 0 {
			cut--
		} else if n != 1 || len(closes) != 1 {
			p.fault("session %s was, for %s, opened %d times and closed with %v", id, l.who, n, closes)
		}
	}
	for id, codes := range l.closes {
		if l.opens[id] == 0 {
			p.fault("session %s was, for %s, closed and never opened", id, l.who)
		}
		if want, told := p.ends[id]; told && codes[0] != want && codes[0] != 1013 {
			p.fault("session %s was made to end with %d and, for %s, closed with %d", id, want, l.who, codes[0])
		}
	}
	for id := range p.ends {
		switch {
		case l.opens[id] > 0:
		case cut > 0:
			cut--
		default:
			p.fault("session %s was, for %s, never opened", id, l.who)
		}
	}
}
