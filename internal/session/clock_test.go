package session

import (
	"testing"
	"time"
)

// Setting the wall clock does not make a session older or younger.
func TestAgeIgnoresTheWallClock(t *testing.T) {
	srv := &Server{started: time.Now()}
	m := &mount{srv: srv}
	for _, set := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		s := &Session{mount: m, openedAt: time.Now().Add(set).UnixNano(), opened: time.Since(srv.started)}
		if age := s.Age(); age < 0 || age > time.Hour {
			t.Errorf("the clock was set by %v: the age is %v", -set, age)
		}
		if shown := time.Until(s.OpenedAt()); (shown > 0) != (set > 0) {
			t.Errorf("shown as opened in %v", shown)
		}
	}
}
