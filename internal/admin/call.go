package admin

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// Call is what a command's Run gets.
type Call struct {
	Sessions *session.Server
	Daemon   *Options
	Args     Args
	Peer     Peer

	stream    *streamWriter  // nil unless the command streams
	since     time.Time      // when it began, maybe in another process
	resumed   *SuspendedCall // that it goes on with; nil: it is new
	noConsole bool           // see Options
}

// Line is one line of a stream: one of its members is set.
type Line struct {
	Event   *Event          `json:"event,omitempty"`
	Reply   *Reply          `json:"reply,omitempty"`
	Drain   *Drain          `json:"drain,omitempty"`
	Output  *OutputLine     `json:"output,omitempty"`
	Seq     uint64          `json:"seq,omitempty"`     // of js --quiet: the last line that was written so far
	Dropped uint64          `json:"dropped,omitempty"` // so many events or lines were lost here because they were not read in time
	Result  json.RawMessage `json:"result,omitempty"`  // the last line of a command that ends
	Error   *Error          `json:"error,omitempty"`   // the last line of one that failed
}

// send writes a line of the stream. It waits for a slow reader.
func (c *Call) send(l *Line) error { return c.stream.write(l) }

// flush makes what was sent so far visible; the first one also says that the command has begun.
func (c *Call) flush() error { return c.stream.flush() }

// find resolves the argument "session".
func (c *Call) find() (*session.Session, error) { return c.findRef(c.Args.String("session")) }

func (c *Call) findRef(ref string) (*session.Session, error) {
	s, err := c.Sessions.Find(ref)
	if errors.Is(err, session.ErrNoSession) {
		if c.Sessions.Len() == 0 {
			return nil, errorf(CodeNoSuchSession, "no session is connected")
		}
		return nil, errorf(CodeNoSuchSession, "there is no session %s; %s connected", Quote(clip(ref, 64)), plural(c.Sessions.Len(), "is", "are"))
	}
	return s, err
}

// indexOf is the position of a session in the order of arrival, -1 when it has left.
func (c *Call) indexOf(s *session.Session) int { return slices.Index(c.Sessions.Sessions(), s) }

// one answers with a single session, or with its request.
func (c *Call) one(s *session.Session) (any, error) {
	if s == nil {
		return nil, errorf(CodeNoSuchSession, "no session is connected")
	}
	if c.Args.Bool("request") {
		return s.Request(), nil
	}
	return describe(s, c.indexOf(s))
}

// timeout is how long to wait for an answer.
func (c *Call) timeout(def time.Duration) (time.Duration, error) {
	d := c.Args.Duration("timeout", def)
	if d > maxTimeout {
		return 0, badArg("timeout", "timeout is %s; at most %s", d, maxTimeout)
	}
	return d, nil
}

const maxTimeout = time.Hour

func timeoutArg(def string) Arg {
	return Arg{Name: "timeout", Short: "t", Type: TypeDuration, Option: true, Default: def, Help: "how long to wait for the answer, such as 500ms, 15s or 2m"}
}

func sessArg() Arg {
	return Arg{Name: "session", Type: TypeSession, Required: true, Help: "an id, the beginning of one, an index, fst or lst"}
}

// plural writes "1 is", "3 are".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return sprintf("%d %s", n, many)
}
