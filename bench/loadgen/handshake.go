package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// handshake opens connections, and closes each once it is upgraded. The server's
// part in closing is counted with it. A tenth more is done first, uncounted, to
// let the server grow to its working size.
func handshake(ctx context.Context, o *options, r *result) error {
	s, err := newSwarm(o, nil)
	if err != nil {
		return err
	}
	defer s.close()
	defer func() { r.Traffic = s.traffic }()
	ks := wire.NewKeys(1024, o.target.Host, "")
	goodbye := wire.AppendFrame(nil, wire.OpClose, []byte{0x03, 0xe8}) // 1000, normal closure
	s.onOpen = func(c *conn) error {
		if !o.closing {
			s.drop(c)
			return nil
		}
		c.out = append(c.out, goodbye...)
		return nil
	}
	s.tolerateClose = o.closing
	if err := s.handshakes(ctx, o.total/10, o.parallel, ks); err != nil {
		return err
	}
	if err := o.server.quiet(2 * time.Second); err != nil {
		return err
	}
	w, err := openWindow(o.server)
	if err != nil {
		return err
	}
	if err := s.handshakes(ctx, o.total, o.parallel, ks); err != nil {
		return err
	}
	took := time.Since(w.start)
	if err := o.server.quiet(2 * time.Second); err != nil {
		return err
	}
	err = w.close(r)
	r.Seconds = took.Seconds()
	return err
}

// handshakes makes total of them, up to parallel at once, and returns when the
// last connection is closed.
func (s *swarm) handshakes(ctx context.Context, total, parallel int, ks wire.Keys) error {
	if s.conns == nil {
		s.conns = make([]conn, parallel)
		for i := range s.conns {
			s.conns[i] = conn{fd: -1, id: uint32(i)}
		}
	}
	started, last, progress := 0, -1, time.Now()
	for {
		busy, full := 0, false
		for i := range s.conns {
			c := &s.conns[i]
			if c.state == stateClosed && started < total && !full {
				ok, err := s.connect(c, ks, uint32(started))
				if err != nil {
					return err
				}
				if full = !ok; ok {
					started++
				}
			}
			if c.state != stateClosed {
				busy++
			}
		}
		if started-busy != last {
			last, progress = started-busy, time.Now()
		} else if time.Since(progress) > s.stall {
			return fmt.Errorf("%d of %d handshakes done: %w", last, total, errStalled)
		}
		if started == total && busy == 0 {
			return nil
		}
		if err := s.step(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}
