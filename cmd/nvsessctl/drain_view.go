package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"golang.org/x/term"
)

// watchesDrain reports whether a command is one whose progress is drawn in place.
func watchesDrain(inv *admin.Invocation, out any) bool {
	return inv.Command.Name == "drain" && !inv.JSON && !inv.Help && !inv.Args.Bool("detach") && isTerminal(out) && os.Getenv("TERM") != "dumb"
}

// drainRedraw is how often the view is renewed.
const drainRedraw = 200 * time.Millisecond

// runDrain drains and draws the progress on out, a terminal: a block that is drawn in its place again and again, and the result at the end.
func runDrain(ctx context.Context, c *admin.Client, inv *admin.Invocation, out *os.File) (admin.Answer, error) {
	p := newPrinter(out)
	v := drainView{tstView: tstView{notes: out, fancy: tstUTF8()}}
	call := map[string]any{}
	for _, a := range inv.Command.Args {
		switch {
		case !inv.Args.Has(a.Name):
		case a.Type == admin.TypeDuration:
			call[a.Name] = inv.Args.Duration(a.Name, 0).String()
		case a.Type == admin.TypeString:
			call[a.Name] = inv.Args.String(a.Name)
		}
	}
	call["every"] = drainRedraw.String()
	answer, err := c.Stream(ctx, inv.Command.Name, call, nil, func(l *admin.Line) error {
		if l.Drain == nil {
			return nil
		}
		if l.Drain.UnderWay && !v.noted {
			v.noted = true
			p.Printf("%s\n", p.Styled(admin.Yellow, l.Drain.UnderWayNote()))
		}
		return v.draw(p, l.Drain)
	})
	v.eraseLocked() // nobody else writes
	if err != nil {
		if v.last != nil && ctx.Err() != nil {
			p.Printf("drain: %s\n", v.last.Progress())
			p.Printf("%s\n", p.Styled(admin.Dim, drainGoesOn))
		}
		return answer, err
	}
	return answer, admin.PrintResult(p, inv, answer.Result)
}

const drainGoesOn = "the drain goes on: drain shows it again, undrain takes it back"

// drainView is what is on the screen. It is used by one goroutine.
type drainView struct {
	tstView
	noted bool
	last  *admin.Drain
}

func (v *drainView) draw(p *admin.Printer, d *admin.Drain) error {
	v.last = d
	columns, rows, err := term.GetSize(int(v.notes.(*os.File).Fd()))
	if err != nil || columns < 1 || rows < 3 {
		columns, rows = 80, 24
	}
	v.drawLocked(v.lines(p, d, columns), columns)
	return p.Err()
}

// lines are the block: how far it is, and what else there is to know.
func (v *drainView) lines(p *admin.Printer, d *admin.Drain, columns int) []string {
	eta := tstClock(time.Duration(d.ETAMS) * time.Millisecond)
	head, done, after := "draining", 0.0, ""
	counts := []string{tstNumber(uint64(d.Left)) + " left"}
	switch {
	case d.Phase == "announced":
		head = "announced"
		if d.DelayMS > 0 {
			done = float64(d.ElapsedMS) / float64(d.DelayMS)
		}
		after = "closing in " + tstClock(time.Duration(max(d.DelayMS-d.ElapsedMS, 0))*time.Millisecond)
		counts = append(counts, "health says 503")
	case d.Left == 0 && d.Ending > 0:
		done, after = 1, "waiting for the last answers"
	default:
		if gone := d.Total - d.Left; d.Total > 0 {
			done = float64(gone) / float64(d.Total)
		}
		after = fmt.Sprintf("%s of %s   %s left", tstNumber(uint64(d.Closed)), tstNumber(uint64(d.Total)), eta)
		counts = append(counts, admin.Rate(d.Rate))
	}
	if d.Ending > 0 {
		counts = append(counts, tstNumber(uint64(d.Ending))+" closing")
	}
	if d.Unanswered > 0 {
		counts = append(counts, tstBad(p, int64(d.Unanswered), "did not answer"))
	}
	if d.Forced > 0 {
		counts = append(counts, tstBad(p, int64(d.Forced), "at the deadline"))
	}
	counts = append(counts, p.Styled(admin.Dim, "Ctrl-C leaves it running"))
	first := p.Styled(admin.Bold, head) + "  " + after
	if bar := min(columns-len(head)-len(after)-6, 40); bar >= 5 {
		first = p.Styled(admin.Bold, head) + "  " + v.bar(p, done, bar) + "  " + after
	}
	return []string{first, strings.Join(counts, "   ")}
}
