package ws

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A process that is about to be replaced, or to end without its connections
// noticing, must stand still while its state is written down: Suspend parks
// every loop between two passes, so that nothing is read, accepted or timed out.
// Others may still write. Hold then takes every connection's lock, so that nobody
// does: whoever tries waits until the process is another one, or until Resume.

// ErrBusy is Suspend's, when another one is in force or the server does not run.
var ErrBusy = errors.New("ws: the server is not running, or is suspended")

// parking is a loop that stands still: it runs what it is given, until the
// channel is closed.
type parking struct {
	arrived chan struct{}
	run     chan func()
}

// parkPatience bounds the wait for the loops: a handler that blocks one has
// broken its contract.
const parkPatience = 5 * time.Second

// Suspend stops the loops, and what accepts TLS connections. The error is ErrBusy,
// or says that a loop did not stop; then all go on.
func (s *Server) Suspend() error {
	s.mu.Lock()
	if !s.running || s.parked != nil || s.draining.Load() {
		s.mu.Unlock()
		return ErrBusy
	}
	lots := make([]*parking, len(s.loops))
	s.parked = lots
	s.mu.Unlock()
	s.eachTLS((*tlsListener).hold)
	late := time.NewTimer(parkPatience)
	defer late.Stop()
	for i, l := range s.loops {
		p := &parking{arrived: make(chan struct{}), run: make(chan func())}
		lots[i] = p
		if !l.post(func() { l.parking = p }) {
			s.Resume()
			return ErrBusy
		}
	}
	for _, p := range lots {
		select {
		case <-p.arrived:
		case <-late.C:
			s.Resume()
			return errors.New("ws: an event loop did not stop in time")
		}
	}
	s.Settle()
	return nil
}

// Settle has the parked loops carry out what others, and they themselves, have
// left them to do. It is called again after something was written.
func (s *Server) Settle() {
	for range 100 { // each step may post another, but not for ever
		again := false
		for i, l := range s.loops {
			l.mu.Lock()
			work := len(l.queue) > 0 || len(l.batch.dirty) > 0
			l.mu.Unlock()
			if !work {
				continue
			}
			again = true
			done := make(chan struct{})
			s.parked[i].run <- func() {
				defer close(done)
				l.turn()
				l.runPosted()
				l.batch.flush()
			}
			<-done
		}
		if !again {
			return
		}
	}
}

// Resume lets a suspended server go on as if nothing had happened.
func (s *Server) Resume() {
	s.mu.Lock()
	lots := s.parked
	s.parked = nil
	s.mu.Unlock()
	if s.held != nil {
		for _, c := range s.held {
			c.mu.Unlock()
		}
		s.held = nil
	}
	for _, fd := range s.farewells {
		closeFD(fd)
	}
	s.farewells = nil
	for i, p := range lots {
		if p == nil {
			continue
		}
		close(p.run)
		s.loops[i].post(func() {})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.tls {
		t.release()
		if t.from == nil || t.ctx.Err() == nil {
			continue
		}
		if again, err := s.serveTLS(t.from); err == nil {
			s.tls[i] = again
		}
	}
}

// park is where a loop waits.
func (l *loop) park() {
	p := l.parking
	l.parking = nil
	close(p.arrived)
	for f := range p.run {
		f()
	}
	// What it missed is no delay of its own, see stall.go.
	now := l.srv.clock() - time.Duration(l.stood.Load())
	l.stood.Add(int64(now - l.now))
}

// Hold takes the connections' locks, but not those of TLS connections: of these
// nothing is written down that sending changes.
func (s *Server) Hold() {
	s.table.each(func(c *Conn) {
		if c.peer.tls != nil {
			return
		}
		c.mu.Lock()
		s.held = append(s.held, c)
	})
}

// EndTLS closes the TLS connections, which live in this process only, with 1012, and
// their listeners, and waits until they are gone, or for CloseTimeout. It is for a
// process that is about to end, and comes before Suspend.
func (s *Server) EndTLS() {
	s.mu.Lock()
	list := slices.Clone(s.tls)
	s.mu.Unlock()
	if len(list) == 0 {
		return
	}
	for _, t := range list {
		t.stop()
	}
	s.post(func(l *loop) {
		s.table.each(func(c *Conn) {
			if c.loop == l && c.peer.tls != nil {
				_ = l.batch.Close(c, CloseServiceRestart, serviceRestart)
			}
		})
	})
	gone := make(chan struct{})
	go func() {
		for _, t := range list {
			t.wg.Wait()
		}
		close(gone)
	}()
	late := time.NewTimer(s.now().CloseTimeout)
	defer late.Stop()
	select {
	case <-gone:
	case <-late.C:
		for _, t := range list {
			t.cut()
		}
	}
}

// setCloexec sets or clears the close-on-exec flag.
func setCloexec(fd int32, on bool) error {
	flags := 0
	if on {
		flags = unix.FD_CLOEXEC
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	return err
}
