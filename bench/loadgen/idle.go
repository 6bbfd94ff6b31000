package main

import (
	"context"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// idle opens connections and leaves them alone, only answering what the server's
// keepalive asks. Memory is read once all is quiet, and again after the
// keepalive has had time to touch every connection.
func idle(ctx context.Context, o *options, r *result) error {
	s, err := newSwarm(o, nil)
	if err != nil {
		return err
	}
	defer s.close()
	defer func() { r.Traffic = s.traffic }()
	if r.RSSBefore, err = o.server.rss(); err != nil {
		return err
	}
	opening, err := openWindow(o.server)
	if err != nil {
		return err
	}
	if err := s.open(ctx, o.connections, o.parallel, wire.NewKeys(256, o.target.Host, "")); err != nil {
		return err
	}
	if err := s.linger(ctx, o.settle); err != nil {
		return err
	}
	// The wait is part of it: a collector that sorts out what opening left behind
	// works for the opening.
	var opened result
	if err := opening.close(&opened); err != nil {
		return err
	}
	r.OpenMicros = 1e6 * opened.ServerCPU / float64(o.connections)
	if r.RSSAfter, err = o.server.rss(); err != nil {
		return err
	}
	w, err := openWindow(o.server)
	if err != nil {
		return err
	}
	if err := s.linger(ctx, o.watch); err != nil {
		return err
	}
	if err := w.close(r); err != nil || o.watch <= 0 {
		return err
	}
	r.RSSWatched, err = o.server.rss()
	return err
}

// linger answers what comes for a while.
func (s *swarm) linger(ctx context.Context, d time.Duration) error {
	s.tick()
	for end := s.now + int64(d); s.now < end; {
		if err := s.step(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
