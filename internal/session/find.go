package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNoSession is returned when a reference names nobody who is connected.
var ErrNoSession = errors.New("no such session")

// AmbiguousError is returned for a prefix of several IDs.
type AmbiguousError struct {
	Ref string
	IDs []string // some of them
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is the beginning of several session ids", e.Ref)
}

// Len is the number of sessions.
func (s *Server) Len() int { return s.registry.size() }

// Sessions returns all sessions in the order of arrival: a snapshot, which must
// not be changed.
func (s *Server) Sessions() []*Session { return s.registry.snapshot() }

// First is the session connected longest, or nil.
func (s *Server) First() *Session { return s.At(0) }

// Last is the newest session, or nil.
func (s *Server) Last() *Session {
	all := s.Sessions()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// At is the i-th session in the order of arrival, from 0, or nil.
func (s *Server) At(i int) *Session {
	all := s.Sessions()
	if i < 0 || i >= len(all) {
		return nil
	}
	return all[i]
}

// ByPort is the first session whose peer has that TCP port, or nil. Sessions on
// unix sockets have none.
func (s *Server) ByPort(port int) *Session {
	for _, x := range s.Sessions() {
		if p := x.Port(); p != 0 && p == port {
			return x
		}
	}
	return nil
}

// Find resolves a reference to a session: its id, a unique prefix of it, its
// index in the order of arrival, "fst" or "lst". It returns ErrNoSession or an
// *AmbiguousError.
func (s *Server) Find(ref string) (*Session, error) {
	found := func(x *Session) (*Session, error) {
		if x == nil {
			return nil, fmt.Errorf("%w: %q", ErrNoSession, ref)
		}
		return x, nil
	}
	if id, ok := parseID([]byte(ref)); ok {
		return found(s.registry.get(id))
	}
	switch ref {
	case "fst":
		return found(s.First())
	case "lst":
		return found(s.Last())
	case "":
		return found(nil)
	}
	if i, err := strconv.Atoi(ref); err == nil && len(ref) < 8 {
		return found(s.At(i))
	}
	ids := s.CompleteID(ref, 3)
	switch len(ids) {
	case 0:
		return found(nil)
	case 1:
		return s.Find(ids[0])
	}
	return nil, &AmbiguousError{Ref: ref, IDs: ids}
}

// CompleteID returns up to most IDs that begin with prefix.
func (s *Server) CompleteID(prefix string, most int) (ids []string) {
	for _, x := range s.Sessions() {
		if len(ids) == most {
			break
		}
		if id := x.ID(); strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	return ids
}
