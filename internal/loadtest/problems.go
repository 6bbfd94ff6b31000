package loadtest

import "fmt"

// problemsLocked says in sentences what makes a test fail.
func (t *Test) problemsLocked(r *Report) []string {
	problems := []string{}
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	c := r.Clients
	if c.Opened < c.Asked {
		add("%s of %s clients did not open", number(c.Asked-c.Opened), number(c.Asked))
	}
	if t.gaveUp {
		add("opening was given up after %s failures in a row", number(t.failuresInARow))
	}
	if r.Ended == EndedGone {
		add("the server closed all clients that were open")
	} else if c.Early > 0 {
		add("%s of %s clients ended before the test did", number(c.Early), number(c.Opened))
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
			add("%s of %s copies were lost", number(lost), number(s.Expected))
		}
		if s.Duplicates > 0 {
			add("%s copies came twice", number(s.Duplicates))
		}
	}
	if r.Ended == EndedInterrupted {
		add("it was interrupted")
	}
	return problems
}
