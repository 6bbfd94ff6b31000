package main

import (
	"fmt"
	"maps"
	"slices"
)

// A key names a message of a round.
type key struct {
	from int
	seq  uint64
}

// A sending is what a sender knows of a message.
type sending struct {
	at       uint64       // the moment before it was handed over
	to       map[int]bool // the members it is for; nil: all but the sender
	accepted bool         // the daemon has dealt with it, for certain
	again    bool         // what brings it was told by two processes: it may come twice
	torn     bool         // what brings it was cut off: it may be lost, too
}

// A memberHistory is what a member has seen of a round.
type memberHistory struct {
	id     int
	opened uint64 // the moment its session was there for certain
	left   bool   // it did not stay to the end: what it was sent last may be lost
	got    []key  // in the order of arrival

	// Of one that stayed.
	dropped   int // what the daemon says it has dropped for this session
	envelopes int // other things sent to it, that may be among them
}

// A history is all that happened in a round. Moments are of one clock.
type history struct {
	sent    map[key]*sending
	members []*memberHistory
	dropped int // by the daemon, for all sessions
	// cut are the events that handlers had not done with when the process was
	// replaced; retold, whether they are told of them again, if the session is open.
	cut    int
	retold bool
}

// check returns what is wrong, the worst first as far as it can be told.
func (h *history) check() (problems []string) {
	for _, m := range h.members {
		for _, k := range m.got {
			if s := h.sent[k]; s != nil {
				s.accepted = true // one has it, so it was taken for all
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(h.sent), func(a, b key) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return int(a.seq) - int(b.seq)
	})
	h.forgive(order)
	left := h.dropped
	var gaps []string
	for _, m := range h.members {
		problems = append(problems, h.checkGot(m)...)
		lost, optional := h.missing(m, order)
		missing := make([]string, len(lost))
		for i, k := range lost {
			missing[i] = fmt.Sprintf("message %d of %d to member %d", k.seq, k.from, m.id)
		}
		if m.left {
			gaps = append(gaps, missing...)
			continue
		}
		left -= m.dropped
		switch n := len(missing); {
		case n > m.dropped:
			problems = append(problems, fmt.Sprintf("member %d, which stayed, lost %d messages, and %d are counted as dropped: %s", m.id, n, m.dropped, first(missing)))
		case m.dropped > n+optional+m.envelopes:
			problems = append(problems, fmt.Sprintf("member %d lacks %d messages, %d might not have been for it, and %d are counted as dropped", m.id, n, optional+m.envelopes, m.dropped))
		}
	}
	if len(gaps) > max(left, 0) {
		problems = append(problems, fmt.Sprintf("those who left lack %d messages from before others that they got; of %d dropped by the daemon %d can be theirs: %s",
			len(gaps), h.dropped, max(left, 0), first(gaps)))
	}
	return problems
}

// checkGot: what arrived was sent to this member, and came once and in order.
func (h *history) checkGot(m *memberHistory) (problems []string) {
	last := map[int]uint64{}
	seen := make(map[key]bool, len(m.got))
	for _, k := range m.got {
		s := h.sent[k]
		switch {
		case s == nil:
			problems = append(problems, fmt.Sprintf("member %d got message %d of %d, which nobody sent in this round", m.id, k.seq, k.from))
		case s.to == nil && k.from == m.id, s.to != nil && !s.to[m.id]:
			problems = append(problems, fmt.Sprintf("member %d got message %d of %d, which is not for it", m.id, k.seq, k.from))
		case seen[k] && (s.again || s.torn):
		case seen[k]:
			problems = append(problems, fmt.Sprintf("member %d got message %d of %d twice", m.id, k.seq, k.from))
		case k.seq < last[k.from]:
			problems = append(problems, fmt.Sprintf("member %d got message %d of %d after message %d", m.id, k.seq, k.from, last[k.from]))
		}
		seen[k] = true
		last[k.from] = max(last[k.from], k.seq)
	}
	return problems
}

// missing is what a member should have and has not: of one that left, only what
// came before something of the same sender that it has. optional counts what it
// does not have and need not.
func (h *history) missing(m *memberHistory, order []key) (missing []key, optional int) {
	got := make(map[key]bool, len(m.got))
	until := map[int]uint64{}
	for _, k := range m.got {
		got[k] = true
		until[k.from] = max(until[k.from], k.seq)
	}
	for _, k := range order {
		s := h.sent[k]
		switch {
		case got[k], s.to == nil && k.from == m.id, s.to != nil && !s.to[m.id]:
		case !s.accepted || s.torn || s.at < m.opened:
			optional++
		case m.left && k.seq > until[k.from]:
		default:
			missing = append(missing, k)
		}
	}
	return missing, optional
}

// forgive finds the messages that are lost, or came twice, because handlers were
// cut off: not more of them than of those.
func (h *history) forgive(order []key) {
	if h.cut == 0 {
		return
	}
	left := map[int]bool{}
	for _, m := range h.members {
		left[m.id] = m.left
	}
	torn := map[key]bool{}
	for _, m := range h.members {
		seen := make(map[key]bool, len(m.got))
		for _, k := range m.got {
			if s := h.sent[k]; s != nil && seen[k] && !s.again {
				torn[k] = true
			}
			seen[k] = true
		}
		if m.left || m.dropped > 0 {
			continue
		}
		missing, _ := h.missing(m, order)
		for _, k := range missing {
			torn[k] = !h.retold || left[k.from]
		}
	}
	if len(torn) > h.cut {
		return
	}
	for k, may := range torn {
		h.sent[k].torn = may
	}
}

// first is the beginning of a list, for people.
func first(list []string) string {
	const most = 5
	if len(list) <= most {
		return fmt.Sprintf("%q", list)
	}
	return fmt.Sprintf("%q and %d more", list[:most], len(list)-most)
}
