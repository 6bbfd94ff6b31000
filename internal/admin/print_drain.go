package admin

import (
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// printDrain shows a line of a drain's progress.
func printDrain(p *Printer, _ *Invocation, l *Line) error {
	d := l.Drain
	if d == nil {
		return p.Err()
	}
	if d.UnderWay && !p.told {
		p.told = true
		p.Printf("%s\n", p.style(Yellow, d.UnderWayNote()))
	}
	p.Printf("drain: %s\n", d.Progress())
	return p.Err()
}

// UnderWayNote tells whoever asks for a drain that it is not his that he sees.
func (d *Drain) UnderWayNote() string {
	return sprintf("a drain is under way since %s, with its own options; undrain takes it back", age(time.Duration(d.ElapsedMS)*time.Millisecond))
}

// Progress is how far it is, in a line.
func (d *Drain) Progress() string {
	parts := []string{sprintf("%d of %d closed", d.Closed, d.Total), sprintf("%d left", d.Left)}
	switch {
	case d.Phase == session.DrainAnnounced:
		wait := time.Duration(max(d.DelayMS-d.ElapsedMS, 0)) * time.Millisecond
		return sprintf("health says 503; sessions are closed in %s, %d are open", wait.Round(time.Second/10), d.Left)
	case d.Left > 0:
		parts = append(parts, Rate(d.Rate), sprintf("%s to go", (time.Duration(d.ETAMS)*time.Millisecond).Round(time.Second)))
	case d.Ending > 0:
		parts = append(parts, sprintf("waiting for the answers of %d", d.Ending))
	}
	return strings.Join(append(parts, d.losses()...), ", ")
}

func (d *Drain) losses() (parts []string) {
	if d.Forced > 0 {
		parts = append(parts, sprintf("%d at the deadline", d.Forced))
	}
	if d.Unanswered > 0 {
		parts = append(parts, sprintf("%d did not answer", d.Unanswered))
	}
	return parts
}

// Rate writes a number per second, per minute when it is small.
func Rate(perSecond float64) string {
	if perSecond < 1 {
		return sprintf("%.3g/min", perSecond*60)
	}
	return sprintf("%.4g/s", perSecond)
}

var printDrained = shows(func(p *Printer, d *Drain) {
	if d.Phase != session.Drained { // --detach
		if d.UnderWay {
			p.Printf("%s\n", p.style(Yellow, d.UnderWayNote()))
		}
		p.Printf("drain: %s\n", d.Progress())
		return
	}
	took := time.Duration(d.ElapsedMS) * time.Millisecond
	parts := append([]string{sprintf("%s closed in %s", plural(d.Closed, "session", "sessions"), took.Round(time.Second/10))}, d.losses()...)
	p.Printf("%s: %s; new ones are refused until undrain\n", p.style(Green, "drained"), strings.Join(parts, ", "))
})

var printUndrained = shows(func(p *Printer, u *Undrained) {
	if !u.Undrained {
		p.Printf("there is no drain\n")
		return
	}
	p.Printf("drain taken back: %d closed by it, %d open; health says 200, sessions are taken\n", u.Was.Closed, u.Sessions)
})
