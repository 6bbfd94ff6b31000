package admin

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// Drain is how far a drain is.
type Drain struct {
	session.DrainState
	ETAMS    int64 `json:"eta_ms"`    // until the last session is closed
	UnderWay bool  `json:"under_way"` // it had begun before this command, whose options do not count
}

const (
	drainEvery    = 5 * time.Second // between two lines
	minDrainEvery = 50 * time.Millisecond
)

func drainCommand(group string) *Command {
	return &Command{
		Name: "drain", Group: group, Stream: true, Suspends: true,
		Summary: "send all sessions away, in paced batches, and take no new ones",
		Help: "First health says 503. Then, after --delay, handshakes are answered 503 with Retry-After, and sessions are closed, the oldest first, " +
			"with code 1012 and a reason that says when to come back (retry_after_ms=N), which our clients heed. What is left at the deadline is closed at once. " +
			"The daemon goes on running, refuses sessions until undrain takes it back, and can be stopped when this command is done.\n\n" +
			"Progress is shown until the last session is gone. Ctrl-C, or a lost connection, ends the showing and not the drain. " +
			"If a drain is under way, or done, this shows it; its options stay as they are. Undrain ends this command with a failure (undrained).\n\n" +
			"--back-in is for a restart at the same address: nobody is told to come back before the last session is closed and that time has passed. " +
			"Without it others are there to take the sessions, and each is told to come back within a second or so.",
		Args: []Arg{
			{Name: "rate", Type: TypeString, Option: true, Default: "100/s, or what the deadline demands", Help: "sessions closed per second (200, 200/s) or minute (30/min)"},
			{Name: "deadline", Type: TypeDuration, Option: true, Default: "5m after the delay", Help: "from now; what is left then is closed at once"},
			{Name: "delay", Type: TypeDuration, Zero: true, Option: true, Default: "shutdown.delay", Help: "how long health says 503 before anything else, so that load balancers notice"},
			{Name: "back-in", Type: TypeDuration, Option: true, Default: "others take the sessions", Help: "how long this daemon will be away after the last session"},
			{Name: "every", Type: TypeDuration, Option: true, Default: "5s", Help: "show progress so often; each change of phase is shown anyway"},
			{Name: "detach", Short: "d", Type: TypeBool, Option: true, Help: "begin, and do not wait"},
		},
		Examples: []Example{
			{"drain", ""},
			{"drain --delay 10s --rate 200/s --deadline 10m", "behind a load balancer that looks every few seconds"},
			{"drain --back-in 3s", "then systemctl restart nvsessd"},
			{"drain --json --every 1s", "an object a line: {\"drain\": ...}, at the end {\"result\": ...}"},
		},
		Run:       runDrain,
		Print:     printDrained,
		PrintLine: printDrain,
	}
}

func undrainCommand(group string) *Command {
	return &Command{
		Name: "undrain", Group: group,
		Summary:  "take a drain back: health says 200, sessions are taken again",
		Help:     "Sessions that were not closed yet stay. Without a drain it does nothing, and succeeds.",
		Examples: []Example{{"undrain", ""}},
		Run: func(_ context.Context, c *Call) (any, error) {
			was, done, err := c.Sessions.Undrain()
			if err != nil {
				return nil, err
			}
			return Undrained{Undrained: done, Was: was, Sessions: c.Sessions.Len()}, nil
		},
		Print: printUndrained,
	}
}

// Undrained is the answer of undrain.
type Undrained struct {
	Undrained bool               `json:"undrained"` // false: there was no drain
	Was       session.DrainState `json:"was"`
	Sessions  int                `json:"sessions"`
}

func runDrain(ctx context.Context, c *Call) (any, error) {
	o := session.DrainOptions{Deadline: c.Args.Duration("deadline", 0), BackIn: c.Args.Duration("back-in", 0)}
	if c.Daemon.DrainDelay != nil {
		o.Delay = c.Daemon.DrainDelay()
	}
	o.Delay = c.Args.Duration("delay", o.Delay)
	every := c.Args.Duration("every", drainEvery)
	if every < minDrainEvery {
		return nil, badArg("every", "every is %s; at least %s", every, minDrainEvery)
	}
	if c.Args.Has("rate") {
		var err error
		if o.Rate, err = parseRate(c.Args.String("rate")); err != nil {
			return nil, err
		}
	}
	began, err := c.Sessions.StartDrain(o)
	if errors.Is(err, session.ErrDrainOptions) {
		return nil, errorf(CodeBadArgument, "%s", strings.TrimPrefix(err.Error(), session.ErrDrainOptions.Error()+": "))
	}
	if err != nil {
		return nil, err
	}
	if c.Args.Bool("detach") {
		return c.drain(!began), nil
	}
	return c.followDrain(ctx, !began, every)
}

// followDrain tells of a drain until it is done.
func (c *Call) followDrain(ctx context.Context, underWay bool, every time.Duration) (any, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last int64
	for {
		changed := c.Sessions.DrainChanged()
		d := c.drain(underWay)
		switch {
		case d.Phase == session.Drained:
			return d, nil
		case d.Phase == session.Serving, d.ElapsedMS < last: // the latter: another has begun meanwhile
			return nil, errorf(CodeUndrained, "the drain was taken back")
		}
		last = d.ElapsedMS
		if c.send(&Line{Drain: d}) != nil || c.flush() != nil {
			return nil, errorf(CodeCanceled, "the caller has gone; the drain goes on")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-tick.C:
		}
	}
}

func (c *Call) drain(underWay bool) *Drain {
	st := c.Sessions.DrainState()
	return &Drain{DrainState: st, ETAMS: st.ETA().Milliseconds(), UnderWay: underWay}
}

// parseRate reads "100", "100/s" or "30/min", as a number per second.
func parseRate(s string) (float64, error) {
	number, unit, has := strings.Cut(s, "/")
	n, err := strconv.ParseUint(number, 10, 32)
	switch {
	case err != nil || n == 0:
	case !has || unit == "s":
		return float64(n), nil
	case unit == "m" || unit == "min":
		return float64(n) / 60, nil
	}
	return 0, badArg("rate", "rate is a number of sessions such as 100, 100/s or 30/min, not %s", Quote(clip(s, 40)))
}
