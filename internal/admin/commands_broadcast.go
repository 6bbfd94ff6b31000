package admin

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

const broadcastTimeout = 15 * time.Second // nv-session-simple's

func broadcastCommands() []*Command {
	const group = "Broadcast"
	return []*Command{
		{
			Name: "jbroadcast_ignore_reply", Aliases: []string{"jbroadcast"}, Group: group,
			Summary: "send JSON to every session",
			Help:    "It is encoded once. The answer is the tally: how many sessions it was for, sent at once, queued behind unread data, slow (the queue was full), gone.",
			Args:    append(selectionArgs(), jsonArg()),
			Examples: []Example{
				{`jbroadcast {"action": "reload"}`, ""},
				{`jbroadcast --filter "idle>10m" {"still": "there?"}`, "only some"},
				{`jbroadcast --to fst,lst [1, 2, 3]`, "two of them"},
			},
			Run: func(ctx context.Context, c *Call) (any, error) {
				targets, none, err := c.targets(ctx)
				if err != nil || none {
					return Outcome{}, err
				}
				r, err := c.Sessions.Broadcast(ctx, session.Broadcast{Kind: session.KindJSON, Data: c.Args.JSON("data"), Targets: targets})
				if err != nil {
					return nil, err
				}
				return outcome(r.Tally), nil
			},
			Print: printOutcome,
		},
		{
			Name: "jbroadcast_until_any_client_reply", Group: group, Stream: true, Suspends: true,
			Summary: "ask every session, and stop at the first answer",
			Help: "Each session gets a request it must answer, as with send_jrr_sreq. What each answers is shown as it comes (with --json its whole envelope), the tally last. " +
				"Nobody having answered within the timeout is a failure (no_reply).",
			Args:      append(append(selectionArgs(), timeoutArg("15s")), jsonArg()),
			Examples:  []Example{{`jbroadcast_until_any_client_reply {"who": "is there"}`, ""}},
			Run:       func(ctx context.Context, c *Call) (any, error) { return c.askMany(ctx, session.AwaitAny) },
			Print:     printOutcome,
			PrintLine: printReply,
			Verdict:   anyAnswered,
		},
		{
			Name: "jbroadcast_until_all_client_reply", Group: group, Stream: true, Suspends: true,
			Summary: "ask every session, and wait for all the answers",
			Help: "Each session gets a request it must answer, as with send_jrr_sreq. What each answers is shown as it comes (with --json its whole envelope), the tally last. " +
				"One of them missing at the timeout is a failure (no_reply); the answers that came are shown all the same.",
			Args:      append(append(selectionArgs(), timeoutArg("15s")), jsonArg()),
			Examples:  []Example{{`jbroadcast_until_all_client_reply --timeout 3s {"version": "?"}`, ""}},
			Run:       func(ctx context.Context, c *Call) (any, error) { return c.askMany(ctx, session.AwaitAll) },
			Print:     printOutcome,
			PrintLine: printReply,
			Verdict:   allAnswered,
		},
	}
}

func selectionArgs() []Arg {
	return []Arg{
		{Name: "to", Type: TypeSessions, Option: true, Help: "only these sessions"},
		{Name: "filter", Type: TypeString, Option: true, Help: "only the sessions that sess_filter would list; in quotes when it has several terms"},
	}
}

// Outcome is the tally of a broadcast.
type Outcome struct {
	Targets  int  `json:"targets"`
	Sent     int  `json:"sent"`
	Queued   int  `json:"queued"`
	Slow     int  `json:"slow"`
	Gone     int  `json:"gone"`
	Answered int  `json:"answered"`
	Awaited  bool `json:"awaited"`   // answers were asked for
	TimedOut bool `json:"timed_out"` // before all that were waited for had come
}

func outcome(t session.Tally) Outcome {
	return Outcome{Targets: t.Targets, Sent: t.Sent, Queued: t.Queued, Slow: t.Slow, Gone: t.Gone, Answered: t.Answered}
}

// Reply is one session's answer to a broadcast.
type Reply struct {
	Session  string          `json:"session"`
	Envelope json.RawMessage `json:"envelope,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// targets resolves --to and --filter. none tells that they select nobody: nil targets are everybody.
func (c *Call) targets(ctx context.Context) (targets []*session.Session, none bool, err error) {
	if !c.Args.Has("to") && !c.Args.Has("filter") {
		return nil, false, nil
	}
	candidates := c.Sessions.Sessions()
	if c.Args.Has("to") {
		candidates = nil
		seen := map[*session.Session]bool{}
		for _, ref := range c.Args.List("to") {
			s, err := c.findRef(ref)
			if err != nil {
				return nil, false, err
			}
			if !seen[s] {
				seen[s] = true
				candidates = append(candidates, s)
			}
		}
	}
	if c.Args.Has("filter") {
		match, err := c.filter(ctx, "filter", c.Args.String("filter"))
		if err != nil {
			return nil, false, err
		}
		for _, s := range candidates {
			if match(s) {
				targets = append(targets, s)
			}
		}
		return targets, len(targets) == 0, ctx.Err()
	}
	return candidates, false, nil
}

// askMany broadcasts a must-reply request and streams the answers.
func (c *Call) askMany(ctx context.Context, await session.Await) (any, error) {
	timeout, err := c.timeout(broadcastTimeout)
	if err != nil {
		return nil, err
	}
	var again session.Suspended
	resumed, err := c.resumeInto(&again)
	if err != nil {
		return nil, err
	}
	b := session.Broadcast{Kind: session.KindJSON, Data: c.Args.JSON("data"), Await: await}
	if resumed {
		timeout = c.resumed.Left
	} else {
		var none bool
		if b.Targets, none, err = c.targets(ctx); err != nil {
			return nil, err
		}
		if none {
			return Outcome{Awaited: true}, nil
		}
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var unread error
	b.OnReply = func(r session.Reply) {
		if unread == nil {
			unread = c.sendReply(&Reply{Session: r.Session, Envelope: r.Envelope, Error: r.Error})
		}
		if unread != nil {
			cancel() // nobody is there to be told
		}
	}
	var r session.BroadcastResult
	if resumed {
		r, err = c.Sessions.BroadcastAgain(ctx, b, &again)
	} else {
		r, err = c.Sessions.Broadcast(ctx, b)
	}
	err = c.suspended(ctx, err, func(left *session.Suspended) any { return left })
	if unread != nil {
		return nil, unread
	}
	late := errors.Is(err, context.DeadlineExceeded)
	if err != nil && !late {
		return nil, err
	}
	out := outcome(r.Tally)
	out.Awaited, out.TimedOut = true, late
	return out, nil
}

// replyTimeout is how long a caller may leave answers unread: while one waits to be written, requests to many sessions stay open.
const replyTimeout = 10 * time.Second

func (c *Call) sendReply(r *Reply) error {
	if err := c.stream.deadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	if err := c.send(&Line{Reply: r}); err != nil {
		return err
	}
	return c.flush()
}

func anyAnswered(result json.RawMessage) error {
	var o Outcome
	if err := json.Unmarshal(result, &o); err != nil {
		return err
	}
	if o.Answered == 0 {
		return errorf(CodeNoReply, "nobody answered%s", o.why())
	}
	return nil
}

func allAnswered(result json.RawMessage) error {
	var o Outcome
	if err := json.Unmarshal(result, &o); err != nil {
		return err
	}
	if o.Answered < o.Targets {
		return errorf(CodeNoReply, "%d of %d did not answer%s", o.Targets-o.Answered, o.Targets, o.why())
	}
	return nil
}

func (o *Outcome) why() string {
	switch {
	case o.Targets == 0:
		return ": there was no session to ask"
	case o.TimedOut:
		return " in time"
	case o.Gone > 0:
		return sprintf(" (%d closed)", o.Gone)
	}
	return ""
}
