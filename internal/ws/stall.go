package ws

import "time"

// A process can stand still: stopped by a signal or a debugger, frozen with its
// container, or short of processor time. What its peers sent meanwhile waits in
// the kernel, and what they were to answer they may not have been asked. So a
// loop's clock leaves such a time out, and deadlines that seem to have passed
// wait until all that had come is read: nobody is closed for our own absence.

// maxLate is the longest delay of a pass that counts as time.
const maxLate = 500 * time.Millisecond

// clock is the server's clock less the time that the loop stood still. Safe for
// concurrent use.
func (l *loop) clock() time.Duration {
	return l.srv.clock() - time.Duration(l.stood.Load())
}

// turn begins a pass: it sets the loop's clock, and returns how late it is.
func (l *loop) turn() (late time.Duration) {
	l.now = l.clock()
	if late = l.now - l.due; late > maxLate {
		l.stood.Add(int64(late - maxLate))
		l.now -= late - maxLate
		l.behind = int(l.conns.Load())/maxEvents + 2
	}
	return max(late, 0)
}

// caughtUp reports whether deadlines can be judged after a pass with n events:
// not while more may wait to be read since before the loop stood still.
func (l *loop) caughtUp(n int) bool {
	if l.behind > 0 && n == maxEvents {
		l.behind--
	} else {
		l.behind = 0
	}
	return l.behind == 0
}
