package admin

import (
	"context"
	"errors"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

func observeCommands() []*Command {
	const group = "Daemon"
	return []*Command{
		{
			Name: "top", Group: group, ReadOnly: true,
			Summary: "show who is busy and who is slow, and how the event loops are",
			Help: "As nvsessctl top on a terminal it is a screen that is drawn again and again; q leaves it, h lists its keys. Elsewhere, and in the console, " +
				"it is shown once. Rates are since the last time that anybody asked, so the first answer has none for sessions.\n\n" +
				"Slow sessions are those that do not read what they are sent, and those that lost messages for that. The lag of a loop is how late its " +
				"passes begin: what everything that it does has to wait.",
			Args: []Arg{
				{Name: "limit", Type: TypeInt, Option: true, Max: maxTopRows, Default: "20", Help: "so many sessions at most in each list"},
				{Name: "count", Short: "n", Type: TypeInt, Option: true, Local: true, Max: 1 << 30, Help: "nvsessctl top: show it so many times, one after the other, and end"},
				{Name: "interval", Short: "i", Type: TypeDuration, Option: true, Local: true, Default: "1s", Help: "nvsessctl top: how often"},
			},
			Examples: []Example{{"top", ""}},
			Run:      runTop,
			Print:    printTop,
		},
		{
			Name: "debug", Group: group, ReadOnly: true,
			Summary: "log all that comes and goes on one session, for a while",
			Help: "Messages in both directions, with their kind, their size and their beginning, pings, timers and the end are logged at level debug, " +
				"whatever the log's level is. It ends when its time is over, with the session, or with off. At most 16 sessions are debugged at a time, and " +
				"500 lines a second are logged of each: what is left out is counted.\n\n" +
				"Without a session it lists those that are being debugged.",
			Args: []Arg{
				{Name: "session", Type: TypeSession, Changes: true, Help: sessArg().Help},
				{Name: "state", Type: TypeString, Choices: []string{"on", "off"}, Default: "on", Help: "on or off"},
				{Name: "for", Type: TypeDuration, Option: true, Default: "10m", Help: "for how long, at most 24h"},
			},
			Examples: []Example{{"debug", ""}, {"debug lst --for 30s", ""}, {"debug INvQ9Xzz off", ""}},
			Run:      runDebug,
			Print:    printDebug,
		},
	}
}

const (
	defaultDebug = 10 * time.Minute
	maxTopRows   = 100
	topRows      = 20
)

// debugList is the answer of debug: who is being debugged after it.
type debugList struct {
	Session  string          `json:"session,omitempty"` // the one that was named
	State    string          `json:"state,omitempty"`   // on or off, now
	Sessions []debuggedEntry `json:"sessions"`
}

type debuggedEntry struct {
	Session string    `json:"session"`
	Until   time.Time `json:"until"`
	Lines   uint64    `json:"lines"`
	LeftOut uint64    `json:"left_out"` // for coming too fast
}

func runDebug(_ context.Context, c *Call) (any, error) {
	answer := debugList{Sessions: []debuggedEntry{}}
	if !c.Args.Has("session") {
		for _, name := range []string{"state", "for"} {
			if c.Args.Has(name) {
				return nil, badArg("session", "name the session")
			}
		}
	} else {
		s, err := c.find()
		if err != nil {
			return nil, err
		}
		answer.Session, answer.State = s.ID(), "on"
		if c.Args.String("state") == "off" {
			answer.State = "off"
			if !c.Sessions.StopDebug(s) {
				return nil, badArg("session", "it is not being debugged")
			}
		} else if _, err := c.Sessions.Debug(s, c.Args.Duration("for", defaultDebug)); err != nil {
			switch {
			case errors.Is(err, session.ErrDebugTime):
				return nil, badArg("for", "%s", plainly(err))
			case errors.Is(err, session.ErrTooManyDebugged):
				return nil, badArg("session", "%s", plainly(err))
			}
			return nil, asError(err)
		}
	}
	for _, x := range c.Sessions.Debugged() {
		answer.Sessions = append(answer.Sessions, debuggedEntry{x.Session.ID(), x.Until, x.Lines, x.LeftOut})
	}
	return answer, nil
}

var printDebug = shows(func(p *Printer, d *debugList) {
	switch {
	case d.State == "off":
		p.Printf("%s is not being debugged any more\n", ShortID(d.Session))
		return
	case d.Session == "" && len(d.Sessions) == 0:
		p.Printf("no session is being debugged\n")
	}
	for _, x := range d.Sessions {
		if d.Session != "" && x.Session != d.Session {
			continue
		}
		more := ""
		if x.LeftOut > 0 {
			more = sprintf(", %d left out", x.LeftOut)
		}
		p.Printf("%s is being debugged for another %s, %s so far%s: see the daemon's log\n", p.style(Cyan, ShortID(x.Session)), uptime(x.Until.Sub(p.Now())),
			plural(int(x.Lines), "line", "lines"), more)
	}
})
