package loadtest

import (
	"fmt"
	"strconv"
)

// problemsLocked says in sentences what makes a test fail.
func (t *Test) problemsLocked(r *Report) []string {
	problems := []string{}
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	c := r.Clients
	if c.Opened < c.Asked {
		add("%s of %s clients did not open", Number(c.Asked-c.Opened), Number(c.Asked))
	}
	if t.gaveUp {
		add("opening was given up after %s failures in a row", Number(t.failuresInARow))
	}
	if r.Ended == EndedGone {
		add("the server closed all clients that were open")
	} else if c.Early > 0 {
		add("%s of %s clients ended before the test did", Number(c.Early), Number(c.Opened))
	}
	if t.control != nil {
		add("the control client stopped: %v", t.control)
	}
	if t.stray != nil {
		add("%v", t.stray)
	}
	if b := r.Broadcast; b != nil && b.Received == 0 && b.Expected > b.Missed {
		add("no client received what the control client sent: the server does not forward")
	}
	for _, s := range []*SendReport{r.Broadcast, r.Echo} {
		if s == nil || !t.cfg.FailOnLoss {
			continue
		}
		if lost := s.Lost + s.Missed; lost > 0 {
			add("%s of %s copies were lost", Number(lost), Number(s.Expected))
		}
		if s.Duplicates > 0 {
			add("%s copies came twice", Number(s.Duplicates))
		}
	}
	if r.Ended == EndedInterrupted {
		add("it was interrupted")
	}
	return problems
}

// Number writes 12345 as 12,345.
func Number[T int | int64 | uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
