package metrics

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// seats is a listener for an http.Server that has few connections at a time, and
// whose connections make way: who comes when all seats are taken gets that of the
// one that has asked for nothing for the longest time. One that is being answered
// keeps its seat; if all are, who comes waits.
type seats struct {
	net.Listener
	most int

	mu     sync.Mutex             // guards what follows
	moved  *sync.Cond             // one was given up, or may be taken away, or none is given any more
	taken  map[net.Conn]time.Time // when it began to wait for a request; zero: it is being answered
	closed bool
}

func newSeats(ln net.Listener, most int) *seats {
	s := &seats{Listener: ln, most: most, taken: map[net.Conn]time.Time{}}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// Accept gives the next connection when there is a seat for it.
func (s *seats) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !s.seat(c) {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// seat waits for a seat. It fails when none is given any more.
func (s *seats) seat(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && len(s.taken) >= s.most && !s.clearLocked() {
		s.moved.Wait()
	}
	if s.closed {
		return false
	}
	s.taken[c] = time.Now()
	return true
}

// clearLocked takes a seat away, if one can be.
func (s *seats) clearLocked() bool {
	var idle net.Conn
	for c, since := range s.taken {
		if !since.IsZero() && (idle == nil || since.Before(s.taken[idle])) {
			idle = c
		}
	}
	if idle == nil {
		return false
	}
	delete(s.taken, idle)
	_ = idle.Close() // its goroutine notices
	return true
}

// follow is the server's ConnState. A connection whose request's head is not whole
// is new or idle still.
func (s *seats) follow(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, seated := s.taken[c]; !seated {
		return // it had to go
	}
	switch state {
	case http.StateActive:
		s.taken[c] = time.Time{}
	case http.StateIdle:
		s.taken[c] = time.Now()
	case http.StateClosed, http.StateHijacked:
		delete(s.taken, c)
	}
	s.moved.Signal()
}

// Close ends the listening, also for who waits for a seat.
func (s *seats) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.moved.Signal()
	return s.Listener.Close()
}
