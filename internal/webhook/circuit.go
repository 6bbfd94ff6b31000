package webhook

import "time"

// A circuit leaves a server alone that fails. Closed, it lets everything
// through; after so many failures in a row it opens and lets nothing through for
// a while, then one attempt at a time, until one succeeds.
type circuit struct {
	after int           // failures in a row that open it
	pause time.Duration // how long it stays open

	failures int // in a row
	open     bool
	why      string    // the last of them
	until    time.Time // when open: nothing goes through before
	probing  bool      // one attempt is under way though it is open
}

// enter asks whether an attempt may begin, and whether it is the one that an
// open circuit lets through. Each that may is followed by leave.
func (c *circuit) enter(now time.Time) (may, probe bool) {
	if !c.open {
		return true, false
	}
	if c.probing || now.Before(c.until) {
		return false, false
	}
	c.probing = true
	return true, true
}

// leave tells how an attempt ended, and reports whether that opened or closed
// the circuit. An attempt that will be made again does not count as failed.
func (c *circuit) leave(o outcome, probe bool, now time.Time) (changed bool) {
	if probe {
		c.probing = false
	}
	switch o {
	case reached:
		changed = c.open
		c.open, c.failures = false, 0
	case failed:
		switch {
		case probe && c.open:
			c.until = now.Add(c.pause)
		case !c.open:
			c.failures++
			if c.failures >= c.after {
				c.open, c.until, changed = true, now.Add(c.pause), true
			}
		}
	}
	return changed
}

// outcome is what an attempt says about the server.
type outcome uint8

const (
	unknown outcome = iota // nothing
	reached                // it answers
	failed                 // it does not
)
