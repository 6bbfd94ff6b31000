package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/session"
)

func rawJSON(m message) json.RawMessage { return m.encode() }

// sizes draws the sizes of messages: most are small, a few are more than a frame.
func (p *phase) sizes(seed uint64) func() int {
	r := p.derive(seed)
	return func() int {
		switch n := r.IntN(100); {
		case n < 80:
			return 60 + r.IntN(140)
		case n < 98:
			return 200 + r.IntN(1500)
		}
		return 17_000
	}
}

// round is one round: see the package's comment.
func (p *phase) round(ctx context.Context) {
	p.mu.Lock()
	p.sent = map[key]*sending{}
	p.mu.Unlock()
	p.fill(ctx)
	var all together
	present := slices.Clone(p.members)
	p.rng.Shuffle(len(present), func(i, j int) { present[i], present[j] = present[j], present[i] })
	deal := func(n int) []*member { // each member gets one part
		n = min(n, len(present)/2)
		hand := present[:n]
		present = present[n:]
		return hand
	}
	var slow []*member
	if p.count.rounds.Load()%4 == 1 {
		for _, m := range p.members {
			if m.slow {
				slow = append(slow, m)
			}
		}
		present = slices.DeleteFunc(present, func(m *member) bool { return m.slow })
	}
	begun := time.Now()
	churn := max(1, int(p.pace*float64(p.o.sessions)/25))
	leavers, vanishing, condemned := deal(churn), deal(churn), deal(churn)
	talkers := deal(8)
	targets := deal(8)
	asked := deal(4)

	all.spread(len(leavers), 16, func(i int) { leavers[i].leave(ctx, 4000+i%100) })
	for i, m := range vanishing {
		seed, n := p.rng.Uint64(), 0
		if i < 8 { // within what they say
			n = p.rng.IntN(3)
		}
		all.Go(func() { m.say(ctx, n, p.sizes(seed), true) })
	}
	all.spread(len(condemned), 4, func(i int) { p.condemn(ctx, condemned[i], 4200+i%100) })
	for _, m := range talkers {
		seed, n := p.rng.Uint64(), 1+int(p.pace*float64(4+p.rng.IntN(8)))
		all.Go(func() { m.say(ctx, n, p.sizes(seed), false) })
	}
	size := p.sizes(p.rng.Uint64())
	all.Go(func() {
		for range 5 {
			p.cry(ctx, size())
		}
	})
	postSize := p.sizes(p.rng.Uint64())
	all.Go(func() { p.post(ctx, targets, slow, postSize) })
	for _, m := range asked {
		all.Go(func() { p.question(ctx, m) })
	}
	if slow == nil { // a question to one that does not read may be dropped
		all.Go(func() { p.poll(ctx) })
	}
	joining := p.enlist(len(leavers)+len(vanishing)+len(condemned), false)
	all.spread(len(joining), 16, func(i int) { joining[i].m = p.admit(ctx, joining[i]) })
	moments := [2]time.Duration{time.Duration(p.rng.IntN(300)) * time.Millisecond, time.Duration(p.rng.IntN(300)) * time.Millisecond}
	signal := p.rng.IntN(2) == 0
	all.Go(func() { p.disturb(ctx, moments, signal) })
	what := p.rng.IntN(1000)
	all.spread(max(3, churn/2), 4, func(i int) { p.misbehave(ctx, what+i, i%2 == 0) })
	all.Wait()
	for _, j := range joining {
		if j.m != nil {
			p.members = append(p.members, j.m)
		}
	}
	p.settle(ctx)
	p.count.rounds.Add(1)
	switch d := time.Since(begun); { // as much as the machine can do in a few seconds
	case d > 5*time.Second:
		p.pace = max(0.1, p.pace*0.7)
	case d < 2*time.Second:
		p.pace = min(1, p.pace*1.3)
	}
}

// A seat is a member to come.
type seat struct {
	id   int
	slow bool
	m    *member
}

func (p *phase) enlist(n int, slow bool) []*seat {
	seats := make([]*seat, n)
	for i := range seats {
		p.nextID++
		seats[i] = &seat{id: p.nextID, slow: slow}
	}
	return seats
}

func (p *phase) admit(ctx context.Context, s *seat) *member {
	m, err := p.join(ctx, s.id, s.slow)
	if err != nil {
		p.fault("member %d cannot join: %v", s.id, err)
		return nil
	}
	return m
}

// fill brings the sessions to their number, and those that will not read to
// theirs.
func (p *phase) fill(ctx context.Context) {
	lazy := 0
	for _, m := range p.members {
		if m.slow {
			lazy++
		}
	}
	seats := append(p.enlist(max(0, p.o.slow-lazy), true), p.enlist(max(0, p.o.sessions-len(p.members)), false)...)
	var all together
	all.spread(len(seats), 32, func(i int) { seats[i].m = p.admit(ctx, seats[i]) })
	all.Wait()
	for _, s := range seats {
		if s.m != nil {
			p.members = append(p.members, s.m)
		}
	}
}

// condemn has an operator close a session.
func (p *phase) condemn(ctx context.Context, m *member, code int) {
	m.ending.Store(true)
	p.expectEnd(m.sess, code)
	reason := fmt.Sprintf("condemned %d", m.id)
	var err error
	for range 10 { // when a call was lost, the next one may find nobody
		if _, err = p.d.call(ctx, "close", map[string]any{"session": m.sess, "code": code, "reason": reason}); !wasLost(err) {
			break
		}
	}
	if e := (*admin.Error)(nil); err != nil && !errors.As(err, &e) {
		p.fault("close: %v", err)
		return
	}
	select {
	case <-m.conn.Done():
	case <-time.After(patience):
		p.fault("member %d was closed by an operator and does not notice", m.id)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.closed; c == nil || c.Code != client.CloseTryLater && (c.Code != code || c.Reason != reason || !c.Remote) {
		p.fault("member %d was closed by an operator with %d, and saw %v", m.id, code, c)
	}
	p.count.killed.Add(1)
}

// post sends to single members, then floods those that do not read.
func (p *phase) post(ctx context.Context, targets, slow []*member, size func() int) {
	for _, m := range targets {
		msg, k := p.next(postie, size())
		p.sending(k, map[int]bool{m.id: true})
		_, err := p.d.call(ctx, "jsend", map[string]any{"session": m.sess, "data": rawJSON(msg)})
		switch {
		case err == nil:
			p.accepted(k)
		case m.here() && !wasLost(err):
			p.fault("jsend to member %d: %v", m.id, err)
		}
	}
	if len(slow) > 0 {
		p.flood(ctx, slow)
	}
}

// flood sends to members that have stopped reading until several messages did
// not fit, or what may wait in the kernel besides is spent.
func (p *phase) flood(ctx context.Context, slow []*member) {
	to := map[int]bool{}
	for _, m := range slow {
		to[m.id] = true
		defer m.stall()()
		p.count.stalled.Add(1)
	}
	ids, err := p.open(ctx, slow)
	const size, most = 60 << 10, 5 << 20
	before := p.before.Dropped + p.before.SlowClosed
	for spent := 0; err == nil && len(ids) > 0 && spent < most; spent += size {
		msg, k := p.next(postie, size)
		p.sending(k, to)
		_, err = p.d.call(ctx, "jbroadcast_ignore_reply", map[string]any{"to": ids, "data": rawJSON(msg)})
		if e := (*admin.Error)(nil); errors.As(err, &e) && p.policy == "close" {
			ids, err = p.open(ctx, slow) // one was closed since it was listed
			continue
		}
		if err == nil {
			p.accepted(k)
		}
		if spent/size%4 > 0 || err != nil {
			continue
		}
		var s session.Stats
		if s, err = p.d.stats(ctx); s.Dropped+s.SlowClosed >= before+2*uint64(len(slow)) && p.policy != "close" {
			break
		}
	}
	if err != nil && !wasLost(err) {
		p.fault("flooding those that do not read: %v", err)
	}
}

// open lists the sessions of those members that have one.
func (p *phase) open(ctx context.Context, members []*member) (ids []string, err error) {
	all, err := p.d.droppedBySession(ctx)
	for _, m := range members {
		if _, is := all[m.sess]; is {
			ids = append(ids, m.sess)
		}
	}
	return ids, err
}

// question asks a member, and wants its own answer.
func (p *phase) question(ctx context.Context, m *member) {
	q := fmt.Sprintf(`{"question":%d}`, p.tick())
	raw, err := p.d.call(ctx, "send_jrr_sreq", map[string]any{"session": m.sess, "data": json.RawMessage(q), "timeout": patience.String()})
	if wasLost(err) {
		p.unasked.Add(1)
		return
	}
	if err != nil {
		p.fault("member %d was asked: %v", m.id, err)
		return
	}
	p.checkAnswer(m.sess, q, raw)
}

// checkAnswer wants the answer of one session to one question.
func (p *phase) checkAnswer(sess, question string, envelope json.RawMessage) {
	var env struct {
		Data struct {
			Me    string
			Asked json.RawMessage
		} `json:"___data___"`
		Envelope json.RawMessage `json:"envelope"`
	}
	err := json.Unmarshal(envelope, &env)
	if err == nil && env.Envelope != nil {
		err = json.Unmarshal(env.Envelope, &env)
	}
	if err != nil || env.Data.Me != sess || string(env.Data.Asked) != question {
		p.fault("session %s was asked %s, and the answer is %s, %v", sess, question, envelope, err)
	}
	p.count.answered.Add(1)
}

// poll asks all, while some come and go.
func (p *phase) poll(ctx context.Context) {
	q := fmt.Sprintf(`{"question":%d}`, p.tick())
	seen := map[string]bool{}
	raw, err := p.d.stream(ctx, "jbroadcast_until_all_client_reply", map[string]any{"data": json.RawMessage(q), "timeout": patience.String()}, func(l *admin.Line) error {
		if r := l.Reply; r != nil {
			if seen[r.Session] {
				p.fault("session %s answered twice", r.Session)
			}
			seen[r.Session] = true
			if r.Error == "" {
				p.checkAnswer(r.Session, q, r.Envelope)
			}
		}
		return nil
	})
	var out admin.Outcome
	if wasLost(err) {
		p.unasked.Add(2 * uint64(p.o.sessions))
		return
	}
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		p.fault("asking all: %v", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members { // only the director changes it, and waits now
		if !m.slow && m.here() && !seen[m.sess] {
			p.fault("member %d, which stayed, did not answer; all: %+v", m.id, out)
			return
		}
	}
}
