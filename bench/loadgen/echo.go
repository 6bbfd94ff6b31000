package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// echo keeps o.inFlight messages under way on every connection and answers each
// echo with the next message. Echoes read together leave together, in one write.
func echo(ctx context.Context, o *options, r *result) error {
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
	if err := s.open(ctx, o.connections, o.parallel, wire.NewKeys(256, o.target.Host, "")); err != nil {
		return err
	}

	var received, sent uint64
	var times histogram
	measuring, stopping := false, false
	send := func(c *conn) error {
		shape.stamp(c.frame, c.sent)
		c.sentAt[c.sent%uint64(len(c.sentAt))] = s.now
		c.out = append(c.out, c.frame...)
		c.sent++
		sent++
		if o.separate {
			return s.flush(c)
		}
		return nil
	}
	s.onMessage = func(c *conn, opcode byte, b []byte) error {
		if err := shape.check(opcode, b, c.id, c.got); err != nil {
			return err
		}
		if measuring {
			times.add(time.Duration(s.now - c.sentAt[c.got%uint64(len(c.sentAt))]))
		}
		c.got++
		received++
		if stopping {
			return nil
		}
		return send(c)
	}
	for i := range s.conns {
		c := &s.conns[i]
		c.frame = shape.frame(c.id)
		c.sentAt = make([]int64, o.inFlight)
		s.tick()
		for range o.inFlight {
			if err := send(c); err != nil {
				return err
			}
		}
		if err := s.flush(c); err != nil {
			return err
		}
	}

	defer func() { r.Lost = sent - received }()
	past := func(d time.Duration) func() bool {
		end := s.now + int64(d)
		return func() bool { return s.now >= end }
	}
	if err := s.stepUntil(ctx, &received, past(o.warmup)); err != nil {
		return err
	}
	w, err := openWindow(o.server)
	if err != nil {
		return err
	}
	before := received
	measuring = true
	if err := s.stepUntil(ctx, &received, past(o.duration)); err != nil {
		return err
	}
	if err := w.close(r); err != nil {
		return err
	}
	r.Messages, r.Latency = received-before, times.report()

	measuring, stopping = false, true
	if err := s.stepUntil(ctx, &received, func() bool { return received == sent }); err != nil {
		return fmt.Errorf("%w: %d of %d echoes never came", err, sent-received, sent)
	}
	return nil
}
