package ws

import (
	"context"
	"sync"
)

// SetClosed makes the server refuse handshakes with 503, or take them again.
// Connections are not touched.
func (s *Server) SetClosed(closed bool) { s.closed.Store(closed) }

// RefuseWith makes the server answer every handshake with resp, also those that are
// being decided about; nil takes them again. Other requests are answered as ever.
func (s *Server) RefuseWith(resp *Response) { s.refusal.Store(resp) }

// CloseAll starts the closing handshake on every open connection and returns
// without waiting for it. Handshakes under way go on.
func (s *Server) CloseAll(code int, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	s.post(func(l *loop) {
		s.table.each(func(c *Conn) {
			if c.loop == l {
				_ = l.batch.Close(c, code, reason)
			}
		})
	})
	return nil
}

// Drain stops accepting but from listeners that are served WhileDraining;
// handshakes under way and later ones are answered 503. Open connections are not
// touched. When it returns no loop looks at the other listeners any more, so that
// they may be closed: a descriptor that is closed while it is watched may be a new
// connection's the next moment. What arrives at a listener that somebody else
// holds as well (systemd) waits in its backlog.
func (s *Server) Drain() {
	s.draining.Store(true)
	var stopped sync.WaitGroup
	for _, l := range s.loops {
		stopped.Add(1)
		if !l.post(func() { l.accept.stop(false); stopped.Done() }) {
			stopped.Done()
		}
	}
	stopped.Wait()
	s.eachTLS(func(t *tlsListener) {
		if !t.whileDraining {
			t.stop()
		}
	})
}

// Shutdown drains, closes every connection with code and reason, waits until
// all are gone or ctx is done, and ends the loops. Connections that have come
// since the server drains are not waited for: they are cut then. No listener is
// looked at any more when it returns ctx's error, if connections from before had
// to be cut, or nil.
func (s *Server) Shutdown(ctx context.Context, code int, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	s.mu.Lock()
	running := s.running
	s.running = false
	s.mu.Unlock()
	if !running {
		return ErrServerShutdown
	}
	s.Drain()
	empty := make(chan struct{})
	s.mu.Lock()
	s.empty = empty
	s.mu.Unlock()
	_ = s.CloseAll(code, reason)
	s.post(func(l *loop) { // handshakes under way have nobody to wait for
		s.table.each(func(c *Conn) {
			switch {
			case c.loop != l, c.late:
			case c.idle():
				l.destroy(c, nil)
			case c.state() == stateHandshake:
				l.refuse(c, refuseDraining)
			default:
				l.decided(c, refuseDraining)
			}
		})
	})
	var err error
	if s.awaited.Load() > 0 {
		select {
		case <-empty:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.eachTLS(func(t *tlsListener) { t.stop(); t.cutLate() })
	s.post(func(l *loop) {
		l.accept.stop(true)
		s.table.each(func(c *Conn) {
			if c.loop == l {
				l.destroy(c, ErrServerShutdown)
			}
		})
		l.stop = true
	})
	stop := context.AfterFunc(ctx, func() { // TLS peers may take their time to end
		s.eachTLS((*tlsListener).cut)
	})
	s.wg.Wait()
	stop()
	s.closeLoops()
	return err
}

func (s *Server) eachTLS(do func(*tlsListener)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tls {
		do(t)
	}
}
