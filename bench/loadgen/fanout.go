package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// fanout has one sender, connection 0, whose messages the server forwards to all
// the others. A message is complete when every receiver has it; o.inFlight may
// be under way at once. Each receiver gets them in the order they were sent, so
// messages complete in that order too.
func fanout(ctx context.Context, o *options, r *result) error {
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
	if err := s.open(ctx, o.connections+1, o.parallel, wire.NewKeys(256, o.target.Host, "")); err != nil {
		return err
	}

	var delivered, sent, completed uint64
	var times histogram
	stopping := false
	left := make([]int, o.inFlight) // receivers that lack a message, a ring
	sender := &s.conns[0]
	sender.frame = shape.frame(sender.id)
	sender.sentAt = make([]int64, o.inFlight)
	send := func() error {
		shape.stamp(sender.frame, sent)
		slot := sent % uint64(o.inFlight)
		left[slot] = o.connections
		s.tick()
		sender.sentAt[slot] = s.now
		sender.out = append(sender.out, sender.frame...)
		sent++
		return s.flush(sender)
	}
	s.onMessage = func(c *conn, opcode byte, b []byte) error {
		if c == sender {
			return fmt.Errorf("%w: the sender got its own", errRepeated)
		}
		if c.got == sent {
			return fmt.Errorf("%w: number %d is yet to be sent", errRepeated, sent)
		}
		if err := shape.check(opcode, b, sender.id, c.got); err != nil {
			return err
		}
		slot := c.got % uint64(o.inFlight)
		c.got++
		delivered++
		if left[slot]--; left[slot] > 0 {
			return nil
		}
		times.add(time.Duration(s.now - sender.sentAt[slot]))
		completed++
		if stopping {
			return nil
		}
		return send()
	}
	for range o.inFlight {
		if err := send(); err != nil {
			return err
		}
	}

	// A measurement begins and ends just after a message is complete: a slow
	// server completes few, and a part of one would be a visible error.
	completion := func(after time.Duration) func() bool {
		end, had := s.now+int64(after), completed
		return func() bool {
			if s.now < end {
				had = completed
				return false
			}
			return completed != had
		}
	}
	defer func() { r.Lost = sent*uint64(o.connections) - delivered }()
	if err := s.stepUntil(ctx, &delivered, completion(o.warmup)); err != nil {
		return err
	}
	w, err := openWindow(o.server)
	if err != nil {
		return err
	}
	before, sentBefore := delivered, completed
	times = histogram{}
	if err := s.stepUntil(ctx, &delivered, completion(o.duration)); err != nil {
		return err
	}
	if err := w.close(r); err != nil {
		return err
	}
	r.Messages, r.Broadcast, r.Latency = delivered-before, completed-sentBefore, times.report()

	stopping = true
	if err := s.stepUntil(ctx, &delivered, func() bool { return completed == sent }); err != nil {
		return fmt.Errorf("%w: %d deliveries never came", err, sent*uint64(o.connections)-delivered)
	}
	return nil
}
