package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/loadtest"
	"golang.org/x/term"
)

// How often the view is renewed.
const (
	tstRedraw = 250 * time.Millisecond
	tstLine   = 5 * time.Second // where nothing can be drawn anew
)

// tstView shows a test while it runs: on a terminal as a block that is drawn in its place again and again, elsewhere as a line now and then.
// It also prints messages for -v.
type tstView struct {
	notes io.Writer
	live  bool // notes is a terminal
	quiet bool
	fancy bool // the terminal has more than ASCII

	mu       sync.Mutex // guards what follows, and writing
	messages *bufio.Writer
	drawn    int // lines of the block on the screen
}

func newTstView(stdout, stderr io.Writer, o *tstOptions) *tstView {
	return &tstView{
		notes: stderr, live: !o.quiet && tstTerminal(stderr), quiet: o.quiet, fancy: tstUTF8(),
		messages: bufio.NewWriterSize(stdout, 64<<10),
	}
}

// tstUTF8 is what the locale says of the terminal.
func tstUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// received prints a message of a client, named as in nv-session-simple's own test: c0, c1...
func (v *tstView) received(client int, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.eraseLocked()
	fmt.Fprintf(v.messages, "c%d %s\n", client, admin.Escape(connectClip(text, 2000)))
}

// follow shows the test until the returned function is called.
func (v *tstView) follow(test *loadtest.Test, hold time.Duration) (stop func()) {
	every := tstLine
	if v.live {
		every = tstRedraw
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		renew := time.NewTicker(every)
		defer renew.Stop()
		flush := time.NewTicker(tstRedraw)
		defer flush.Stop()
		var rate tstRateMeter
		for {
			select {
			case <-renew.C:
				r := test.Report()
				v.show(r, hold, rate.of(r))
			case <-flush.C:
				v.flush()
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
		v.mu.Lock()
		defer v.mu.Unlock()
		v.eraseLocked()
		_ = v.messages.Flush() // nobody is left to hear that it failed
	}
}

func (v *tstView) flush() {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.messages.Flush()
}

// tstRateMeter gives messages per second over the last times it was asked.
type tstRateMeter struct {
	at [8]time.Time
	n  [8]int64
	i  int
}

func (m *tstRateMeter) of(r *loadtest.Report) float64 {
	now := time.Now()
	if m.at[m.i].IsZero() { // the first round: since the beginning
		m.at[m.i], m.n[m.i] = m.at[0], m.n[0]
	}
	rate := 0.0
	if took := now.Sub(m.at[m.i]).Seconds(); took > 0 && !m.at[m.i].IsZero() {
		rate = float64(r.Messages-m.n[m.i]) / took
	}
	m.at[m.i], m.n[m.i] = now, r.Messages
	m.i = (m.i + 1) % len(m.at)
	return rate
}

// eraseLocked clears the block, so that something else can be printed in its place.
func (v *tstView) eraseLocked() {
	if v.drawn > 0 {
		fmt.Fprintf(v.notes, "\r\x1b[%dA\x1b[J", v.drawn)
		v.drawn = 0
	}
}

func (v *tstView) show(r *loadtest.Report, hold time.Duration, rate float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.messages.Flush()
	switch {
	case v.quiet:
	case v.live:
		columns, rows, err := term.GetSize(int(v.notes.(*os.File).Fd()))
		if err != nil || columns < 1 || rows < 2 {
			columns, rows = 80, 24
		}
		p := newPrinter(v.notes)
		lines := v.block(p, r, hold, rate, columns)
		if len(lines) > rows-1 {
			lines = lines[:rows-1]
		}
		v.drawLocked(lines, columns)
	default:
		fmt.Fprintln(v.notes, "tst: "+tstProgress(r, rate))
	}
}

// drawLocked draws over the block that is there.
func (v *tstView) drawLocked(lines []string, columns int) {
	var b bytes.Buffer
	b.WriteString("\r")
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	for _, l := range lines {
		b.WriteString(tstFit(l, columns-1) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	v.drawn = len(lines)
	_, _ = v.notes.Write(b.Bytes())
}

// tstFit cuts a line to so many columns; styles take none.
func tstFit(line string, columns int) string {
	styled := false
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			styled = true
			i += strings.IndexByte(line[i:], 'm') + 1
			continue
		}
		if columns--; columns < 0 {
			if styled {
				return line[:i] + "\x1b[0m"
			}
			return line[:i]
		}
		_, n := utf8.DecodeRuneInString(line[i:])
		i += n
	}
	return line
}

// block is what is drawn.
func (v *tstView) block(p *admin.Printer, r *loadtest.Report, hold time.Duration, rate float64, columns int) []string {
	c := r.Clients
	lines := []string{v.headline(p, r, hold, columns)}
	lines = append(lines, strings.Join([]string{
		fmt.Sprintf("%s open", tstNumber(uint64(c.Now))),
		tstBad(p, int64(c.Failed), "failed"),
		tstBad(p, int64(c.Early), "ended early"),
		tstRate(rate) + " messages/s",
	}, "   "))
	for _, s := range []*loadtest.SendReport{r.Broadcast, r.Echo} {
		if s == nil || s.Sent == 0 {
			continue
		}
		fields := []string{
			tstNumber(uint64(s.Sent)) + " sent",
			fmt.Sprintf("%s of %s copies", tstNumber(uint64(s.Received)), tstNumber(uint64(s.Expected))),
		}
		if s.Missed > 0 {
			fields = append(fields, tstBad(p, s.Missed, "missed"))
		}
		lines = append(lines, strings.Join(append(fields, tstBad(p, s.Duplicates, "duplicates")), "   "))
	}
	lines = append(append(lines, ""), tstLatencies(p, r)...)
	for _, counts := range []map[string]int{r.Errors, r.Closed} {
		for _, kind := range tstByCount(counts) {
			lines = append(lines, p.Styled(admin.Red, fmt.Sprintf("%9s", tstNumber(uint64(counts[kind]))))+"  "+admin.Escape(kind))
		}
	}
	return lines
}

// headline is the phase and how far it is.
func (v *tstView) headline(p *admin.Printer, r *loadtest.Report, hold time.Duration, columns int) string {
	c, done, after := r.Clients, 0.0, ""
	word := "opening"
	switch r.Phase {
	case loadtest.Opening:
		done = float64(c.Opened+c.Failed) / float64(c.Asked)
		after = fmt.Sprintf("%s of %s   %s/s", tstNumber(uint64(c.Opened)), tstNumber(uint64(c.Asked)), tstRate(r.Opening.Rate))
		if left := c.Asked - c.Opened - c.Failed; left > 0 && r.Opening.Rate > 0 {
			seconds := float64(left) * time.Duration(r.Opening.Took).Seconds() / float64(c.Opened+c.Failed)
			after += "   " + tstClock(time.Duration(seconds*float64(time.Second))) + " left"
		}
	case loadtest.Holding:
		word = "holding"
		after = tstClock(r.PhaseElapsed) + "   Ctrl-C ends and reports"
		if hold > 0 {
			done = r.PhaseElapsed.Seconds() / hold.Seconds()
			after = tstClock(r.PhaseElapsed) + " of " + tstClock(hold)
		} else {
			return fmt.Sprintf("%s  %s", p.Styled(admin.Bold, word), after)
		}
	case loadtest.Settling:
		return p.Styled(admin.Bold, "waiting") + "  for the last copies"
	default:
		word = "closing"
		if c.Open > 0 {
			done = 1 - float64(c.Now)/float64(c.Open)
		}
		after = fmt.Sprintf("%s of %s", tstNumber(uint64(c.Open-c.Now)), tstNumber(uint64(c.Open)))
	}
	bar := min(columns-len(word)-len(after)-6, 40)
	if bar < 5 {
		return p.Styled(admin.Bold, word) + "  " + after
	}
	return p.Styled(admin.Bold, word) + "  " + v.bar(p, done, bar) + "  " + after
}

func (v *tstView) bar(p *admin.Printer, done float64, columns int) string {
	full, rest := "#", "."
	if v.fancy {
		full, rest = "█", "░"
	}
	n := int(min(max(done, 0), 1) * float64(columns))
	return p.Styled(admin.Green, strings.Repeat(full, n)) + p.Styled(admin.Dim, strings.Repeat(rest, columns-n))
}

// tstClock writes 1:05 for a minute and five seconds.
func tstClock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s%3600/60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// tstProgress is the view in a line.
func tstProgress(r *loadtest.Report, rate float64) string {
	c := r.Clients
	switch r.Phase {
	case loadtest.Opening:
		return fmt.Sprintf("opening, %s of %s open, %s failed, %s/s", tstNumber(uint64(c.Now)), tstNumber(uint64(c.Asked)),
			tstNumber(uint64(c.Failed)), tstRate(r.Opening.Rate))
	case loadtest.Settling:
		return "waiting for the last copies"
	case loadtest.Closing, loadtest.Done:
		return fmt.Sprintf("closing, %s of %s left", tstNumber(uint64(c.Now)), tstNumber(uint64(c.Open)))
	}
	text := fmt.Sprintf("holding for %s, %s open, %s messages/s", tstClock(r.PhaseElapsed), tstNumber(uint64(c.Now)), tstRate(rate))
	if b := r.Broadcast; b != nil {
		text += fmt.Sprintf(", %s of %s copies, p99 %s", tstNumber(uint64(b.Received)), tstNumber(uint64(b.Expected)), tstTime(b.Latency.P99))
	}
	if e := r.Echo; e != nil {
		text += fmt.Sprintf(", %s of %s echoes, p99 %s", tstNumber(uint64(e.Received)), tstNumber(uint64(e.Expected)), tstTime(e.Latency.P99))
	}
	return text
}
