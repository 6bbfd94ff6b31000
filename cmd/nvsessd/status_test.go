package main

import (
	"context"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// What systemctl status shows of a drain.
func TestStatusOfDrain(t *testing.T) {
	s, err := session.NewServer(session.Options{Mode: "echo"})
	if err == nil {
		err = s.Start(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Shutdown(context.Background(), 1001, ""); err != nil {
			t.Error(err)
		}
	}()
	says := func(want string) {
		t.Helper()
		if got := status(s); got != "STATUS="+want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	says("0 sessions, mode echo")
	if _, err := s.StartDrain(session.DrainOptions{Delay: time.Hour, Deadline: 2 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	says("draining, 0 sessions left")
	if _, _, err := s.Undrain(); err != nil {
		t.Fatal(err)
	}
	says("0 sessions, mode echo")
	if _, err := s.StartDrain(session.DrainOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is drained", func() bool { return s.DrainState().Phase == session.Drained })
	says("drained, 0 sessions closed")
}
