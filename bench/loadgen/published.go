package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// published is the load nv-session-simple was published with: all clients keep
// themselves alive as its stock Node client does, at a quarter of the interval
// and spread evenly in time, and now and then one sends a message to all.
func published(ctx context.Context, o *options, r *result) error {
	shape, err := newPayload(o.payload, o.bytes)
	if err != nil {
		return err
	}
	s, err := newSwarm(o, shape)
	if err != nil {
		return err
	}
	defer s.close()
	defer func() { r.Traffic = s.traffic }()
	if r.RSSBefore, err = o.server.rss(); err != nil {
		return err
	}
	if err := s.open(ctx, o.connections, o.parallel, wire.NewKeys(256, o.target.Host, "")); err != nil {
		return err
	}
	s.tolerateClose = true // counted, and judged at the end
	if o.gate {
		if err := s.waitAtGate(ctx, o.begin, o.log); err != nil {
			return err
		}
	}

	l := &publishedLoad{swarm: s, every: int64(o.keepalive / 4), sendEvery: int64(o.sendEvery)}
	l.sender = &s.conns[0]
	l.sender.frame = shape.frame(l.sender.id)
	defer l.book(r) // also of a load that ends early
	s.onMessage = l.receive
	if o.answered {
		s.onAnswer = l.receiveAnswer
	}
	s.tick()
	l.from = s.now
	// No message while memory and CPU of the warm-up are settling, none so late
	// that its deliveries would fall out of the measurement.
	first := min(o.sendEvery/2, o.duration/2)
	if o.firstSend > 0 {
		first = o.firstSend
	}
	l.nextSend = s.now + int64(o.warmup+first)
	l.lastSend = s.now + int64(o.warmup+o.duration-min(2*time.Second, o.duration/4))

	if err := l.run(ctx, o.warmup); err != nil {
		return err
	}
	w, err := openWindow(o.server)
	if err != nil {
		return err
	}
	var samples []int64
	for end := s.now + int64(o.duration); s.now < end; {
		if err := l.run(ctx, min(time.Second, time.Duration(end-s.now))); err != nil {
			return err
		}
		rss, err := o.server.roughRSS()
		if err != nil {
			return err
		}
		samples = append(samples, rss)
	}
	if err := w.close(r); err != nil {
		return err
	}
	if r.RSSAfter, err = o.server.rss(); err != nil {
		return err
	}
	slices.Sort(samples)
	r.RSSSteady, r.RSSPeak = samples[len(samples)/2], max(samples[len(samples)-1], r.RSSAfter)
	if err := l.drain(ctx); err != nil {
		return err
	}
	l.book(r)
	return r.publishedFault()
}

// book reports what the books say.
func (l *publishedLoad) book(r *result) {
	r.Messages, r.Broadcast, r.Latency = l.delivered, uint64(len(l.sentAt)), l.times.report()
	r.Lost, r.Repeated = l.expected-l.delivered, l.repeated
	r.Unanswered = l.unanswered()
	if l.onAnswer != nil {
		r.Answers, r.AnswersLost, r.AnswerLatency = l.answers, uint64(len(l.sentAt))-l.answers, l.answerTimes.report()
	}
	r.Traffic = l.traffic
}

// publishedFault is what the server did wrong, if anything.
func (r *result) publishedFault() error {
	if r.Repeated > 0 {
		return fmt.Errorf("%w: %d times", errRepeated, r.Repeated)
	}
	if r.Lost > 0 || r.Traffic.Closes > 0 || r.Unanswered > 0 || r.AnswersLost > 0 {
		return fmt.Errorf("%w: %d deliveries, %d answers to messages, %d answers to pings; the server closed %d connections",
			errLost, r.Lost, r.AnswersLost, r.Unanswered, r.Traffic.Closes)
	}
	return nil
}

// publishedLoad is the load's clock and its books.
type publishedLoad struct {
	*swarm
	sender              *conn
	from                int64 // when keepalives began
	every, sendEvery    int64
	nextSend, lastSend  int64
	pinged              uint64  // keepalive turns taken, the n-th by client n modulo all
	pings               uint64  // of these, by clients still connected
	sentAt              []int64 // when each message to all was sent
	expected, delivered uint64
	times               histogram
	answers             uint64
	nextAnswer          uint64 // the number it is to, unless that one is lost
	answerTimes         histogram
	repeated            uint64
}

// run keeps the load up for d.
func (l *publishedLoad) run(ctx context.Context, d time.Duration) error {
	for end := l.now + int64(d); l.now < end; {
		if err := l.keepalives(); err != nil {
			return err
		}
		if l.now >= l.nextSend && l.now < l.lastSend {
			if err := l.sendToAll(); err != nil {
				return err
			}
			l.nextSend += l.sendEvery
		}
		if err := l.step(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// keepalives sends those that are due. The message and the ping frame are two
// writes, as they are in the stock client.
func (l *publishedLoad) keepalives() error {
	n := int64(len(l.conns))
	for due := uint64((l.now - l.from) * n / l.every); l.pinged < due; l.pinged++ {
		c := &l.conns[l.pinged%uint64(n)]
		if c.state != stateOpen {
			continue
		}
		l.pings++
		for _, frame := range [][]byte{l.keepalive.jsonPing, l.keepalive.ping} {
			c.out = append(c.out, frame...)
			if err := l.flush(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *publishedLoad) sendToAll() error {
	if l.sender.state != stateOpen {
		return fmt.Errorf("sender: %w", errDropped)
	}
	l.shape.stamp(l.sender.frame, uint64(len(l.sentAt)))
	l.tick()
	l.sentAt = append(l.sentAt, l.now)
	l.expected += uint64(len(l.conns) - 1)
	l.sender.out = append(l.sender.out, l.sender.frame...)
	return l.flush(l.sender)
}

// receive takes a delivery. One that is missing is not the end of the load: it
// shows in the books.
func (l *publishedLoad) receive(c *conn, opcode byte, b []byte) error {
	if c == l.sender {
		return fmt.Errorf("%w: the sender got its own", errRepeated)
	}
	seq, err := l.shape.number(b)
	if err != nil {
		return err
	}
	if seq >= uint64(len(l.sentAt)) {
		return fmt.Errorf("%w: number %d is yet to be sent", errUnknown, seq)
	}
	if err := l.shape.check(opcode, b, l.sender.id, seq); err != nil {
		return err
	}
	if seq < c.got {
		l.repeated++ // or late; then it is among the lost as well
		return nil
	}
	l.times.add(time.Duration(l.now - l.sentAt[seq]))
	c.got = seq + 1
	l.delivered++
	return nil
}

// receiveAnswer takes an answer to a message.
func (l *publishedLoad) receiveAnswer(c *conn, b []byte) error {
	seq, err := answerTo(b, l.sender.id)
	switch {
	case err != nil:
		return err
	case c != l.sender, seq >= uint64(len(l.sentAt)):
		return fmt.Errorf("%w: an answer to number %d of connection %d, to connection %d", errUnknown, seq, l.sender.id, c.id)
	case seq < l.nextAnswer:
		l.repeated++
		return nil
	}
	l.answerTimes.add(time.Duration(l.now - l.sentAt[seq]))
	l.nextAnswer = seq + 1
	l.answers++
	return nil
}

func (l *publishedLoad) unanswered() uint64 {
	missing := func(answers uint64) uint64 { return l.pings - min(answers, l.pings) }
	return missing(l.traffic.JSONPongs) + missing(l.traffic.PongFrames)
}

// drain waits for what is under way, for a while: what has not come then is lost.
func (l *publishedLoad) drain(ctx context.Context) error {
	for end := l.now + int64(l.stall); l.now < end; {
		answered := l.onAnswer == nil || l.answers == uint64(len(l.sentAt))
		if l.delivered == l.expected && l.unanswered() == 0 && answered {
			return nil
		}
		if err := l.step(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
