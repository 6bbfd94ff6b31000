package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// sane is a round without a fault: two senders, an operator who sends to all and
// to one, a member that came late, one that left, one that does not read.
func sane() *history {
	h := &history{sent: map[key]*sending{}}
	at := uint64(10)
	send := func(from int, seq uint64, to map[int]bool, accepted bool) {
		at++
		h.sent[key{from, seq}] = &sending{at: at, to: to, accepted: accepted}
	}
	for seq := range uint64(4) {
		send(1, seq+1, nil, true)
		send(2, seq+1, nil, seq < 3) // of the last it is not known
		send(-1, seq+1, nil, true)
	}
	send(-2, 1, map[int]bool{1: true, 4: true}, true)
	all := func(but int) (got []key) {
		for _, from := range []int{1, 2, -1} {
			for seq := range uint64(4) {
				if from != but {
					got = append(got, key{from, seq + 1})
				}
			}
		}
		return got
	}
	late := slices.DeleteFunc(all(3), func(k key) bool { return k.seq < 3 })
	slow := slices.DeleteFunc(append(all(4), key{-2, 1}), func(k key) bool { return k == key{1, 2} || k == key{-1, 3} })
	gone := slices.DeleteFunc(all(5), func(k key) bool { return k.seq == 4 || k.from == 2 && k.seq == 3 })
	h.members = []*memberHistory{
		{id: 1, opened: 1, got: append(all(1), key{-2, 1})},
		{id: 2, opened: 1, got: all(2)},
		{id: 3, opened: 17, got: late},
		{id: 4, opened: 1, got: slow, dropped: 2},
		{id: 5, opened: 1, got: gone, left: true},
	}
	h.dropped = 2
	return h
}

// Each fault that is put into a sane history is found, and named.
func TestCheckFindsFaults(t *testing.T) {
	if problems := sane().check(); problems != nil {
		t.Fatalf("a sane history: %q", problems)
	}
	faults := map[string]struct {
		want  string
		spoil func(h *history)
	}{
		"loss":             {"member 1, which stayed, lost 1 messages", func(h *history) { h.members[0].got = slices.Delete(h.members[0].got, 2, 3) }},
		"loss of the last": {"lost 1 messages", func(h *history) { h.members[1].got = slices.Delete(h.members[1].got, 7, 8) }},
		"loss of what only others show to be accepted": {"lost 1 messages", func(h *history) {
			h.members[0].got = slices.DeleteFunc(h.members[0].got, func(k key) bool { return k == key{2, 4} })
		}},
		"loss by one that left":     {"those who left lack 1 messages", func(h *history) { h.members[4].got = slices.Delete(h.members[4].got, 1, 2) }},
		"loss by one that was late": {"member 3, which stayed, lost 1", func(h *history) { h.members[2].got = slices.Delete(h.members[2].got, 1, 2) }},
		"duplicate":                 {"twice", func(h *history) { h.members[0].got = slices.Insert(h.members[0].got, 3, h.members[0].got[2]) }},
		"duplicate much later":      {"twice", func(h *history) { h.members[1].got = append(h.members[1].got, key{1, 1}) }},
		"reorder": {"after message", func(h *history) {
			got := h.members[0].got
			got[1], got[2] = got[2], got[1]
		}},
		"wrong receiver":       {"not for it", func(h *history) { h.members[1].got = append(h.members[1].got, key{-2, 1}) }},
		"back to its sender":   {"not for it", func(h *history) { h.members[0].got = append(h.members[0].got, key{1, 4}) }},
		"never sent":           {"which nobody sent", func(h *history) { h.members[0].got = append(h.members[0].got, key{2, 5}) }},
		"of nobody":            {"which nobody sent", func(h *history) { h.members[0].got = append(h.members[0].got, key{77, 1}) }},
		"dropped, not counted": {"lost 2 messages, and 1 are counted", func(h *history) { h.members[3].dropped, h.dropped = 1, 1 }},
		"duplicate of what is told again": {"lost 1 messages", func(h *history) { // no reason to lose another
			h.sent[key{1, 1}].again = true
			h.members[1].got = slices.Delete(h.members[1].got, 1, 2)
		}},
		"more is lost than was cut off": {"lost 2 messages", func(h *history) { h.cut, h.members[1].got = 1, h.members[1].got[2:] }},
		"more comes twice than was cut off": {"twice", func(h *history) {
			h.cut = 1
			h.members[1].got = append(slices.Clone(h.members[1].got[:3]), h.members[1].got[1:]...)
		}},
		"lost, though it is told again": {"lost 1 messages", func(h *history) {
			h.cut, h.retold = 1, true
			h.members[0].got = slices.Delete(h.members[0].got, 2, 3)
		}},
		"counted, not dropped": {"3 are counted as dropped", func(h *history) { h.members[3].dropped, h.dropped = 3, 3 }},
	}
	for name, f := range faults {
		h := sane()
		f.spoil(h)
		if problems := h.check(); !strings.Contains(strings.Join(problems, "\n"), f.want) {
			t.Errorf("%s: %q, want something about %q", name, problems, f.want)
		}
	}
}

// What is allowed is not found fault with.
func TestCheckAllows(t *testing.T) {
	for name, change := range map[string]func(h *history){
		"a message nobody has, of a sender that vanished": func(h *history) { h.sent[key{2, 5}] = &sending{at: 40} },
		"a late member has earlier ones":                  func(h *history) { h.members[2].got = append([]key{{-1, 2}}, h.members[2].got...) },
		"one that left has nothing":                       func(h *history) { h.members[4].got = nil },
		"a gap of one that left, by the policy": func(h *history) {
			h.members[4].got = slices.Delete(h.members[4].got, 1, 2)
			h.dropped++
		},
		"a message twice, of what is told again": func(h *history) {
			h.sent[key{1, 1}].again = true
			h.members[1].got = slices.Insert(h.members[1].got, 0, key{1, 1})
		},
		"a message of what was cut off is lost": func(h *history) {
			h.cut = 1
			for _, m := range h.members {
				m.got = slices.DeleteFunc(m.got, func(k key) bool { return k == key{2, 1} })
			}
		},
		"a message of what was cut off is lost, of one that left": func(h *history) {
			h.cut, h.retold = 1, true
			h.sent[key{5, 1}] = &sending{at: 30}
			h.members[0].got = append(h.members[0].got, key{5, 1})
		},
		"a message of what was cut off comes twice": func(h *history) {
			h.cut = 1
			h.members[1].got = slices.Insert(h.members[1].got, 0, key{1, 1})
		},
		"an envelope was dropped": func(h *history) {
			h.members[3].envelopes = 1
			h.members[3].dropped, h.dropped = 3, 3
		},
	} {
		h := sane()
		change(h)
		if problems := h.check(); problems != nil {
			t.Errorf("%s: %q", name, problems)
		}
	}
}

func TestMessageIsReadBitForBit(t *testing.T) {
	for seq := range uint64(6) {
		m := message{from: -2, seq: seq + 1, sent: 12345, size: int(seq) * 100}
		b := m.encode()
		if got, err := decode(m.kind(), b); err != nil || got != m {
			t.Errorf("%q: %+v, %v", b, got, err)
		}
		if _, err := decode((m.kind()+1)%3, b); err == nil {
			t.Errorf("%q was read as another kind", b)
		}
		for at := range b {
			changed := bytes.Clone(b)
			changed[at] ^= 1
			if got, err := decode(m.kind(), changed); err == nil && got == m {
				t.Errorf("%q was read as %q", changed, b)
			}
		}
		if _, err := decode(m.kind(), b[:len(b)-1]); err == nil {
			t.Errorf("%q was read without its end", b)
		}
	}
}
