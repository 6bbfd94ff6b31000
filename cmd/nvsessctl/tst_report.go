package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/loadtest"
)

// printTst is the report for a person:
//
//	tst 4,000 clients on ws+unix:///run/nvsess/nvsess.sock
//
//	clients     3,988 opened of 4,000   12 failed   0 ended early
//	opening     20.1s   199 a second
//	holding     30.0s
//	broadcast   3 sent   11,964 of 11,964 copies   0 lost   0 duplicates
//
//	latency         p50     p90     p99     max   count
//	connect       1.2ms   3.4ms    12ms    31ms   3,988
//	delivery       12ms    30ms    45ms    61ms  11,964
//
//	failed to connect
//	  12  refused: 503 Service Unavailable
//
//	used        41 MB   3.1s of processor time
//	FAILED      12 of 4,000 clients did not open
func printTst(p *admin.Printer, r *loadtest.Report, used tstUsed) error {
	c := r.Clients
	p.Printf("%s %s on %s\n\n", p.Styled(admin.Bold, "tst"), tstCount(int64(c.Asked), "client"), admin.Escape(r.URL))
	line := func(label string, fields ...string) {
		p.Printf("%s\n", p.Styled(admin.Dim, fmt.Sprintf("%-11s", label))+" "+strings.Join(fields, "   "))
	}
	line("clients", fmt.Sprintf("%s opened of %s", tstNumber(uint64(c.Opened)), tstNumber(uint64(c.Asked))),
		tstBad(p, int64(c.Failed), "failed"), tstBad(p, int64(c.Early), "ended early"))
	line("opening", tstTime(time.Duration(r.Opening.Took)), fmt.Sprintf("%s a second", tstRate(r.Opening.Rate)))
	line("holding", tstTime(time.Duration(r.Held)), fmt.Sprintf("%s received", tstCount(r.Messages, "message")))
	if r.Broadcast != nil {
		line("broadcast", tstSent(p, r.Broadcast)...)
	}
	if r.Echo != nil {
		line("echo", tstSent(p, r.Echo)...)
	}
	if c.Dropped > 0 {
		line("closing", tstBad(p, int64(c.Dropped), "did not answer the close frame"))
	}
	p.Printf("\n")
	for _, l := range tstLatencies(p, r) {
		p.Printf("%s\n", l)
	}
	tstKinds(p, "failed to connect", r.Errors)
	tstKinds(p, "ended by the server or the network", r.Closed)
	p.Printf("\n")
	line("used", fmt.Sprintf("%d MB", (used.RSS+1<<20-1)>>20), fmt.Sprintf("%.1fs of processor time", used.CPU))
	if r.OK {
		p.Printf("%s every client opened and stayed\n", p.Styled(admin.Green, fmt.Sprintf("%-11s", "OK")))
	}
	for i, problem := range r.Problems {
		word := "FAILED"
		if i > 0 {
			word = ""
		}
		p.Printf("%s %s\n", p.Styled(admin.Red, fmt.Sprintf("%-11s", word)), admin.Escape(problem))
	}
	return p.Err()
}

// tstSent is what became of what was sent.
func tstSent(p *admin.Printer, s *loadtest.SendReport) []string {
	fields := []string{
		tstNumber(uint64(s.Sent)) + " sent",
		fmt.Sprintf("%s of %s copies", tstNumber(uint64(s.Received)), tstNumber(uint64(s.Expected))),
		tstBad(p, s.Lost, "lost"),
	}
	if s.Missed > 0 {
		fields = append(fields, tstBad(p, s.Missed, "missed"))
	}
	fields = append(fields, tstBad(p, s.Duplicates, "duplicates"))
	if s.Skipped > 0 {
		fields = append(fields, tstBad(p, s.Skipped, "skipped"))
	}
	return fields
}

// tstLatencies is a table of those that were measured.
func tstLatencies(p *admin.Printer, r *loadtest.Report) []string {
	row := func(label string, cells ...string) string {
		s := fmt.Sprintf("%-9s", label)
		for _, c := range cells {
			s += strings.Repeat(" ", max(9-utf8.RuneCountInString(c), 1)) + c
		}
		return s
	}
	rows := []string{p.Styled(admin.Dim, row("latency", "p50", "p90", "p99", "max", "count"))}
	add := func(label string, l loadtest.Latency) {
		cells := []string{"-", "-", "-", "-"}
		if l.Count > 0 {
			cells = cells[:0]
			for _, d := range []time.Duration{l.P50, l.P90, l.P99, l.Max} {
				cells = append(cells, tstTime(d))
			}
		}
		rows = append(rows, row(label, append(cells, tstNumber(l.Count))...))
	}
	add("connect", r.Opening.Latency)
	if r.Broadcast != nil {
		add("delivery", r.Broadcast.Latency)
	}
	if r.Echo != nil {
		add("echo", r.Echo.Latency)
	}
	return rows
}

// tstKinds lists counts, the highest first.
func tstKinds(p *admin.Printer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	p.Printf("\n%s\n", p.Styled(admin.Dim, title))
	for _, kind := range tstByCount(counts) {
		p.Printf("%s  %s\n", p.Styled(admin.Red, fmt.Sprintf("%9s", tstNumber(uint64(counts[kind])))), admin.Escape(kind))
	}
}

func tstByCount(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// tstBad is a count that should be 0.
func tstBad(p *admin.Printer, n int64, what string) string {
	text := tstNumber(uint64(n)) + " " + what
	if n == 1 {
		text = strings.TrimSuffix(text, "s")
	}
	if n > 0 {
		return p.Styled(admin.Red, text)
	}
	return text
}

func tstCount(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return tstNumber(uint64(n)) + " " + what
}

// tstRate keeps a digit after the point of small rates.
func tstRate(perSecond float64) string {
	if perSecond > 0 && perSecond < 10 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return tstNumber(uint64(perSecond + 0.5))
}

// tstTime writes a duration with two or three digits, so that columns read well: 412µs, 1.20ms, 31.5ms, 20.1s, 1m05s.
func tstTime(d time.Duration) string {
	if d >= time.Minute {
		d = d.Round(time.Second)
		if d >= time.Hour {
			return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
		}
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		switch v := float64(d) / float64(u.unit); {
		case v >= 99.95:
			return fmt.Sprintf("%.0f%s", v, u.name)
		case v >= 9.995:
			return fmt.Sprintf("%.1f%s", v, u.name)
		case v >= 1:
			return fmt.Sprintf("%.2f%s", v, u.name)
		}
	}
	return fmt.Sprintf("%dns", d)
}
