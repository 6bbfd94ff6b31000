package ws

import (
	"sync/atomic"

	"github.com/nvsess/nvsess/internal/deflate"
)

// A compressed message is inflated when it is whole. One that comes in pieces is
// also judged as they come: a text that is not UTF-8, and what becomes too much or
// is no DEFLATE data, fail by the first byte that shows it, as they would without
// compression. What the judge knows follows from the bytes that have come, and so
// it does not outlive the process.

// maxAhead bounds what the scanners of all connections take. Of messages for which
// there is no room, it is known when they are whole what is wrong with them.
const maxAhead = 2 << 20

// aheadInUse is what they take, which is part of inUse.
var aheadInUse atomic.Int64

// ahead is what has been made of a compressed message that is not whole.
type ahead struct {
	scanner *deflate.Scanner // nil: nothing yet, or there is no room
	late    bool             // there is none
	seen    int              // bytes of the message that have been judged
	counted int64
}

// judgeAhead looks at what has come of the connection's message since the last
// time.
func (l *loop) judgeAhead(c *Conn) error {
	p := c.in.p
	a := &p.ahead
	fresh := p.message.b[a.seen:]
	if a.seen += len(fresh); a.late {
		return nil
	}
	if a.scanner == nil {
		a.scanner = deflate.NewScanner(c.codec.in)
	}
	if err := a.scanner.Judge(fresh, c.mount.now().inflatedLimit(), p.messageOp == OpText); err != nil {
		return inflateError(err)
	}
	a.count()
	return nil
}

// count brings what is counted up to date, and ends the judging if it is too much.
func (a *ahead) count() {
	n := int64(a.scanner.Size()) - a.counted
	a.counted += n
	inUse.Add(n)
	if aheadInUse.Add(n) > maxAhead {
		a.stop()
		a.late = true
	}
}

// stop gives back what there is. The next message is judged anew.
func (a *ahead) stop() {
	if a.scanner != nil {
		a.scanner.Free()
		inUse.Add(-a.counted)
		aheadInUse.Add(-a.counted)
	}
	*a = ahead{}
}
