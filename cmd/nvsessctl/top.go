package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// The bounds of --interval, and what + and - step through.
const (
	topFastest = 500 * time.Millisecond
	topSlowest = time.Hour
)

var topIntervals = []time.Duration{topFastest, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// runTop is the top command: a screen that is drawn again and again where there is one, else snapshots.
func runTop(ctx context.Context, c *admin.Client, inv *admin.Invocation, std streams) error {
	interval := inv.Args.Duration("interval", time.Second)
	if interval < topFastest || interval > topSlowest {
		return &admin.UsageError{Reason: fmt.Sprintf("--interval is %s to %s", topFastest, topSlowest)}
	}
	args := map[string]any{}
	if inv.Args.Has("limit") {
		args["limit"] = inv.Args.Int("limit")
	}
	out, _ := std.out.(*os.File)
	in, _ := std.in.(*os.File)
	if !inv.JSON && !inv.Args.Has("count") && isTerminal(std.in) && isTerminal(std.out) && os.Getenv("TERM") != "dumb" {
		args["limit"] = 100 // as many as a screen may have room for
		v := &topView{client: c, args: args, in: in, out: out, interval: interval}
		return v.run(ctx)
	}
	count := 1
	if inv.Args.Has("count") {
		count = inv.Args.Int("count")
	}
	return topSnapshots(ctx, c, args, inv.JSON, count, interval, std)
}

// topSnapshots shows top so many times. What people read has rates, so it takes one more look before.
func topSnapshots(ctx context.Context, c *admin.Client, args map[string]any, asJSON bool, count int, interval time.Duration, std streams) error {
	var was *admin.Top
	for i := 0; count > 0; i++ {
		if i > 0 {
			select {
			case <-time.After(interval):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		a, err := c.Call(ctx, "top", args)
		if err != nil {
			return err
		}
		if asJSON {
			if err := std.print(append(admin.EscapeJSON(a.Result), '\n')); err != nil {
				return err
			}
			count--
			continue
		}
		now := new(admin.Top)
		if err := json.Unmarshal(a.Result, now); err != nil {
			return err
		}
		if was != nil && now.Started.Equal(was.Started) {
			p := newPrinter(std.out)
			for _, line := range (&admin.TopScreen{Now: now, Was: was, Fancy: tstUTF8()}).Lines(p) {
				p.Printf("%s\n", line)
			}
			if count--; count > 0 {
				p.Printf("\n")
			}
			if p.Err() != nil {
				return p.Err()
			}
		}
		was = now
	}
	return nil
}

// errLeft is Ctrl-C.
var errLeft = context.Canceled

// topAnswer is what a look at the daemon has brought.
type topAnswer struct {
	top *admin.Top
	err error
}

// look asks the daemon, without anybody waiting for it.
func (v *topView) look(ctx context.Context, to chan<- topAnswer) {
	a, err := v.client.Call(ctx, "top", v.args)
	if err != nil {
		to <- topAnswer{err: err}
		return
	}
	top := new(admin.Top)
	if err := json.Unmarshal(a.Result, top); err != nil {
		to <- topAnswer{err: err}
		return
	}
	to <- topAnswer{top: top}
}

// take keeps an answer. It reports whether there is no use in asking again.
func (v *topView) take(a topAnswer) (hopeless bool) {
	if a.err != nil {
		var refused *admin.Error
		hopeless = errors.As(a.err, &refused) && (refused.Code == admin.CodeNotPermitted || refused.Code == admin.CodeNoSuchCommand)
		if v.err == nil {
			v.lost = time.Now()
		}
		v.err, v.was = a.err, nil // rates over a gap say nothing
		return hopeless
	}
	switch {
	case v.now != nil && !a.top.Started.Equal(v.now.Started):
		v.say("the daemon was restarted")
		v.was = nil
	case v.err != nil:
		v.say("the daemon answers again")
		v.was = nil
	default:
		v.was = v.now
	}
	v.now, v.err = a.top, nil
	return false
}

func (v *topView) say(note string) { v.note, v.noted = note, time.Now() }
