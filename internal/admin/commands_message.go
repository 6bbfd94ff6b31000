package admin

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

func messageCommands() []*Command {
	const group = "Messages"
	return []*Command{
		{
			Name: "send_jrr_sreq", Aliases: []string{"ask"}, Group: group, Suspends: true,
			Summary: "send a request that the client must answer, and wait for the answer",
			Help: "The session gets an ___sreq___ envelope with JSON as its ___data___. Printed is the whole answer, the ___cres___ envelope.\n\n" +
				"It fails at once when the session closes; Ctrl-C stops waiting.",
			Args:     []Arg{timeoutArg("the daemon's, see cfg"), sessArg(), jsonArg()},
			Examples: []Example{{`send_jrr_sreq fst {"hi": "you must reply"}`, ""}, {`send_jrr_sreq lst --timeout 2m "still there?"`, ""}},
			Run:      runAsk,
		},
		{
			Name: "send_jrr_sres", Group: group,
			Summary: "answer a client's request, by its id",
			Help: "The session gets an ___sres___ envelope with JSON as its ___data___. That is the manual mode: with handlers creq log, or a handler that " +
				"writes down j.___id___, requests are answered by hand.",
			Args:     []Arg{sessArg(), {Name: "id", Type: TypeString, Required: true, Help: "the ___id___ of the request"}, jsonArg()},
			Examples: []Example{{`send_jrr_sres fst khC6NStjUTNTxzGn1KJp2q-OPvCLPS0UkcE-uBF-eQbZEfpGk8lpSllwWK8RI2r- {"myreply": "I got IT"}`, ""}},
			Run:      runReply,
			Print:    printSent,
		},
		{
			Name: "jsend", Group: group,
			Summary:  "send JSON to one session",
			Args:     []Arg{sessArg(), jsonArg()},
			Examples: []Example{{`jsend fst {"action": "reload"}`, ""}, {`jsend 0 [10, 20, 30]`, ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				data := c.Args.JSON("data")
				return c.sendOne(len(data), func(s *session.Session) session.SendResult { return s.SendJSON(data) })
			},
			Print: printSent,
		},
		{
			Name: "ssend", Group: group,
			Summary:  "send a text to one session",
			Help:     "The text is the rest of the line as it stands, quotes included. From standard input, one line break at its end is left out.",
			Args:     []Arg{sessArg(), {Name: "data", Type: TypeText, Required: true, Help: "the text"}},
			Examples: []Example{{"ssend fst hello there", ""}, {"ssend fst -- --json", "a text that begins with a dash"}},
			Run: func(_ context.Context, c *Call) (any, error) {
				data := c.Args.String("data")
				return c.sendOne(len(data), func(s *session.Session) session.SendResult { return s.SendString(data) })
			},
			Print: printSent,
		},
		{
			Name: "bsend", Group: group,
			Summary: "send bytes to one session",
			Help:    "Give the bytes in one way: --hex, --base64, --file (which nvsessctl reads), or - for standard input.",
			Args: []Arg{
				sessArg(),
				{Name: "hex", Type: TypeString, Option: true, Help: "the bytes in hexadecimal, blanks and colons allowed"},
				{Name: "base64", Type: TypeString, Option: true, Help: "the bytes in base64"},
				{Name: "file", Type: TypeFile, Option: true, Local: true, Help: "a file with the bytes; - is standard input"},
			},
			Examples: []Example{{"bsend fst --hex 0a141e", ""}, {"bsend fst --base64 ChQe", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				data, err := binaryPayload(c.Args)
				if err != nil {
					return nil, err
				}
				return c.sendOne(len(data), func(s *session.Session) session.SendResult { return s.SendBinary(data) })
			},
			Print: printSent,
		},
		{
			Name: "ping", Group: group, Suspends: true,
			Summary:  "measure the round trip of a ping frame",
			Args:     []Arg{timeoutArg("5s"), sessArg()},
			Examples: []Example{{"ping fst", ""}},
			Run:      runPing,
			Print:    printPing,
		},
	}
}

func jsonArg() Arg {
	return Arg{Name: "data", Type: TypeJSON, Required: true, Help: "any JSON value; on a command line, the rest of the line as it stands, or - for standard input"}
}

// sent is the answer of the send commands.
type sent struct {
	Session string `json:"session"`
	Result  string `json:"result"` // sent, or queued behind what the peer has not read yet
	Bytes   int    `json:"bytes"`
}

// sendOne sends to the argument "session". What was not taken is a failure.
func (c *Call) sendOne(size int, send func(*session.Session) session.SendResult) (any, error) {
	s, err := c.find()
	if err != nil {
		return nil, err
	}
	switch r := send(s); r {
	case session.Slow:
		return nil, errorf(CodeSlowConsumer, "the session %s does not read: its outbound queue is full", s.ID())
	case session.Gone:
		return nil, errorf(CodeSessionClosed, "the session %s has closed", s.ID())
	default:
		return sent{s.ID(), r.String(), size}, nil
	}
}

func binaryPayload(args Args) ([]byte, error) {
	switch {
	case args.Has("hex") && args.Has("base64"):
		return nil, badArg("hex", "give the bytes once: hex or base64")
	case args.Has("hex"):
		data, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "\n", "").Replace(args.String("hex")))
		if err != nil {
			return nil, badArg("hex", "%s", strings.TrimPrefix(err.Error(), "encoding/hex: "))
		}
		return data, nil
	case args.Has("base64"):
		data, err := base64.StdEncoding.DecodeString(args.String("base64"))
		if err != nil {
			return nil, badArg("base64", "%s", err)
		}
		return data, nil
	}
	return nil, badArg("hex", "the bytes are missing: give hex or base64")
}

// asked is where a must-reply request goes on.
type asked struct {
	Session string `json:"session"`
	Request string `json:"request"`
}

// runAsk is the must-reply request.
func runAsk(ctx context.Context, c *Call) (any, error) {
	var again asked
	resumed, err := c.resumeInto(&again)
	if err != nil {
		return nil, err
	}
	var s *session.Session
	if resumed {
		s, err = c.findRef(again.Session)
	} else {
		s, err = c.find()
	}
	if err != nil {
		return nil, err
	}
	timeout, err := c.timeout(c.Sessions.DefaultAskTimeout())
	if err != nil {
		return nil, err
	}
	left := timeout
	if resumed {
		left = c.resumed.Left
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	var envelope json.RawMessage
	if resumed {
		envelope, err = s.AskAgain(ctx, again.Request)
	} else {
		envelope, err = s.Ask(ctx, c.Args.JSON("data"))
	}
	err = c.suspended(ctx, err, func(left *session.Suspended) any { return asked{s.ID(), left.Request} })
	switch {
	case errors.Is(err, session.ErrSessionClosed):
		return nil, errorf(CodeSessionClosed, "the session %s closed before it answered", s.ID())
	case errors.Is(err, session.ErrSlow):
		return nil, errorf(CodeSlowConsumer, "the session %s does not read: its outbound queue is full", s.ID())
	case errors.Is(err, session.ErrTooManyPending):
		return nil, errorf(CodeTooManyPending, "the session %s has too many unanswered requests already", s.ID())
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errorf(CodeNoReply, "no answer from %s within %s", s.ID(), timeout)
	case err != nil:
		return nil, err
	}
	return envelope, nil
}

// runReply answers a client's request.
func runReply(_ context.Context, c *Call) (any, error) {
	s, err := c.find()
	if err != nil {
		return nil, err
	}
	data := c.Args.JSON("data")
	switch err := s.Reply(c.Args.String("id"), data); {
	case errors.Is(err, session.ErrBadID):
		return nil, badArg("id", "%s", plainly(err))
	case errors.Is(err, session.ErrSlow):
		return nil, errorf(CodeSlowConsumer, "the session %s does not read: its outbound queue is full", s.ID())
	case errors.Is(err, session.ErrSessionClosed):
		return nil, errorf(CodeSessionClosed, "the session %s has closed", s.ID())
	case err != nil:
		return nil, err
	}
	return sent{s.ID(), "sent", len(data)}, nil
}

// pong is the answer of ping.
type pong struct {
	Session string  `json:"session"`
	Millis  float64 `json:"round_trip_ms"`
}

func runPing(ctx context.Context, c *Call) (any, error) {
	s, err := c.find()
	if err != nil {
		return nil, err
	}
	timeout, err := c.timeout(5 * time.Second)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := s.Ping(ctx)
	switch {
	case errors.Is(err, session.ErrSessionClosed):
		return nil, errorf(CodeSessionClosed, "the session %s closed before the pong came", s.ID())
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errorf(CodeNoReply, "no pong from %s within %s", s.ID(), timeout)
	case err != nil:
		return nil, err
	}
	return pong{s.ID(), float64(d.Microseconds()) / 1000}, nil
}
