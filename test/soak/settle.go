package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/session"
)

// until waits for something to become true, and asks again now and then.
func (p *phase) until(what string, holds func() bool) bool {
	for limit := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.o.stopped:
			return false
		case <-p.d.ended:
			p.fault("the daemon has ended, waiting for: %s", what)
			return false
		default:
		}
		if time.Now().After(limit) {
			p.fault("waited %v in vain: %s", patience, what)
			return false
		}
	}
	return true
}

// untilStats waits for the daemon's figures to become so.
func (p *phase) untilStats(ctx context.Context, what string, holds func(*session.Stats) bool) (s session.Stats) {
	p.until(what, func() bool {
		var err error
		if s, err = p.d.stats(ctx); err != nil {
			p.fault("stats: %v", err)
		}
		return err != nil || holds(&s)
	})
	return s
}

// settle ends a round: all have fallen silent. It checks what happened.
func (p *phase) settle(ctx context.Context) {
	var stayed []*member
	open := func(s *session.Stats) bool {
		stayed = slices.DeleteFunc(slices.Clone(p.members), func(m *member) bool { return !m.here() })
		return s.Sessions == len(stayed) && s.HandlerWaiting == 0
	}
	// What those that vanished have sent is dealt with when their sessions are gone.
	s := p.untilStats(ctx, "as many sessions as members, and nothing for handlers to do", open)
	if s.Sessions != len(stayed) {
		p.fault("%d sessions, %d members", s.Sessions, len(stayed))
	}
	over := p.cry(ctx, 100)
	again := time.Now().Add(5 * time.Second)
	p.until("everybody hears that the round is over", func() bool {
		if time.Now().After(again) { // it may be dropped for those that have not caught up
			p.cry(ctx, 100)
			again = time.Now().Add(5 * time.Second)
		}
		return !slices.ContainsFunc(stayed, func(m *member) bool { return !m.hears(over) })
	})
	last := p.cry(ctx, 100) // after which nothing comes
	p.until("everybody hears the round's last message", func() bool {
		return !slices.ContainsFunc(stayed, func(m *member) bool { return !m.hears(last) })
	})
	s = p.untilStats(ctx, "as many sessions as members, nothing pending", func(s *session.Stats) bool { return open(s) && s.Pending == 0 })
	if p.d.handlers != nil {
		p.d.handlers.check(ctx)
	}
	p.checkHistory(ctx, &s, stayed)
	p.checkStats(&s)
	p.before = s
	p.members = stayed
}

func (p *phase) checkHistory(ctx context.Context, s *session.Stats, stayed []*member) {
	var bySession map[string]int
	if s.Dropped != p.before.Dropped {
		var err error
		if bySession, err = p.d.droppedBySession(ctx); err != nil {
			p.fault("sesses: %v", err)
			return
		}
	}
	p.mu.Lock()
	h := &history{sent: p.sent, dropped: int(s.Dropped - p.before.Dropped)}
	p.mu.Unlock()
	cut, _ := p.d.sum(cutOff)
	h.cut, p.cut = cut-p.cut, cut
	h.retold = p.d.handlers != nil && p.d.handlers.toldAgain()
	for _, m := range p.members {
		m.mu.Lock()
		v := &memberHistory{id: m.id, opened: m.opened, left: !slices.Contains(stayed, m), got: m.got, envelopes: m.envelopes}
		m.got, m.envelopes = nil, 0
		m.mu.Unlock()
		if bySession != nil && !v.left {
			v.dropped = bySession[m.sess] - m.loss
			m.loss = bySession[m.sess]
		}
		h.members = append(h.members, v)
	}
	for _, problem := range h.check() {
		p.fault("round %d: %s", p.count.rounds.Load(), problem)
	}
}

// checkStats compares the daemon's counters with what was done to it.
func (p *phase) checkStats(s *session.Stats) {
	var closes uint64
	for _, n := range s.Closes {
		closes += n
	}
	if joined := p.count.joined.Load(); s.Opens != joined || closes+uint64(s.Sessions) != joined {
		p.fault("%d sessions were opened, and the daemon counts %d opened, %d closed and %d open", joined, s.Opens, closes, s.Sessions)
	}
	p.mu.Lock()
	broken := maps.Clone(p.broken)
	p.mu.Unlock()
	if want := byCode(broken); !maps.Equal(s.Violations, want) && !maps.Equal(without(s.Violations, "1013"), want) {
		p.fault("rules were broken %v times, and the daemon counts %v", want, s.Violations)
	}
	if forged := p.count.forged.Load(); s.UnknownReplies < forged || s.UnknownReplies > forged+p.unasked.Load() {
		p.fault("%d answers were forged, and the daemon counts %d", forged, s.UnknownReplies)
	}
	if seen := p.count.seenSlow.Load(); s.SlowClosed != seen {
		p.fault("%d members were closed for not reading, and the daemon counts %d", seen, s.SlowClosed)
	}
	if s.Dropped != 0 && p.policy == "close" && s.SlowClosed == 0 || s.KeepaliveLost != 0 || s.WrongDirection != 0 || s.HandlerDropped != 0 || s.AcceptFailed != 0 {
		p.fault("the daemon counts what nobody did: %+v", *s)
	}
}

func without(m map[string]uint64, name string) map[string]uint64 {
	out := maps.Clone(m)
	delete(out, name)
	return out
}

// depart ends a lap: everybody leaves, or is sent away.
func (p *phase) depart(ctx context.Context, sent bool) {
	members := p.members
	p.members = nil
	if sent {
		for _, m := range members {
			m.ending.Store(true)
			p.expectEnd(m.sess, client.CloseRestart)
		}
		for range 10 {
			if p.operate(ctx, "restart", map[string]any{}) {
				break
			}
		}
	}
	var all together
	all.spread(len(members), 32, func(i int) {
		switch m := members[i]; {
		case sent:
		case i%3 == 0:
			m.vanish()
		default:
			m.leave(ctx, 1000)
		}
	})
	all.Wait()
	p.until("every member's connection has ended", func() bool {
		return !slices.ContainsFunc(members, func(m *member) bool {
			select {
			case <-m.conn.Done():
				return false
			default:
				return true
			}
		})
	})
	for _, m := range members {
		if m.mu.Lock(); sent && m.closed.Code != client.CloseRestart {
			p.fault("member %d was sent away with %d, and saw %v", m.id, client.CloseRestart, m.closed)
		}
		m.mu.Unlock()
	}
	s := p.untilStats(ctx, "no session, no connection, nothing pending", func(s *session.Stats) bool {
		return s.Sessions == 0 && s.Connections == 0 && s.Pending == 0 && s.HandlerWaiting == 0
	})
	p.checkStats(&s)
	if p.d.handlers != nil {
		p.d.handlers.check(ctx)
		p.d.handlers.over()
	}
	p.before = s
	p.until("watch has told all", func() bool { return p.watch.lost.Load() > 0 || p.watch.told.closings() >= int(s.Opens) })
}
