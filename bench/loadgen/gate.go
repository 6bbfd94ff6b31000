package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readyLine is what a load at the gate says.
const readyLine = "ready"

// gateLimit is how long the gate may stay shut.
const gateLimit = 5 * time.Minute

var errGate = errors.New("nobody opened the gate")

// waitAtGate says that all connections are open, and answers what comes until
// standard input ends: several loads, on several servers, begin together when
// whoever started them closes the one pipe that all have.
func (s *swarm) waitAtGate(ctx context.Context, gate *os.File, log io.Writer) error {
	fmt.Fprintln(log, readyLine)
	fd := []unix.PollFd{{Fd: int32(gate.Fd()), Events: unix.POLLIN}}
	s.tick()
	for end := s.now + int64(gateLimit); s.now < end; {
		switch n, err := unix.Poll(fd, 0); {
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("poll: %w", err)
		case n > 0:
			return nil
		}
		if err := s.step(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return errGate
}
