package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// publishedFigures is the load generator's report of nv-session-simple's own load.
type publishedFigures struct {
	figures
	OK          bool    `json:"ok"`
	Error       string  `json:"error"`
	Seconds     float64 `json:"seconds"`
	ServerCPU   float64 `json:"server_cpu_seconds"`
	Messages    uint64  `json:"messages"` // deliveries
	Broadcast   uint64  `json:"broadcasts"`
	Lost        uint64  `json:"lost"`
	Repeated    uint64  `json:"repeated"`
	Unanswered  uint64  `json:"unanswered_pings"`
	Answers     uint64  `json:"answers"`
	AnswersLost uint64  `json:"answers_lost"`
	AnswerTimes struct {
		P50 float64 `json:"p50_us"`
		P99 float64 `json:"p99_us"`
		Max float64 `json:"max_us"`
	} `json:"answer_latency"`
	RSSSteady float64 `json:"rss_steady_bytes"`
	Beside    struct {
		JSONPongs uint64 `json:"json_pongs"`
		Closes    uint64 `json:"closed_by_server"`
	} `json:"beside_payload"`
}

// complete tells whether the load went on for its whole time.
func (f publishedFigures) complete() bool { return f.Seconds > 0 }

var errLost = errors.New("something was lost, see above")

// publishedReport is all that was found, ready to be told.
type publishedReport struct {
	o       publishedOptions
	results [len(variants)]publishedFigures
	when    time.Time
	machine string
}

// fault is an error if anything was lost, or a load has no figures.
func (r *publishedReport) fault() error {
	for _, f := range r.results {
		if !f.OK || !f.complete() {
			return errLost
		}
	}
	return nil
}

// publishedRow is a line of the table.
type publishedRow struct {
	title    string
	answered bool // has a figure only where messages are answered
	cell     func(f publishedFigures) string
}

func megabytes(v float64) string { return fmt.Sprintf("%.1f", v/(1<<20)) }
func millis(us float64) string   { return fmt.Sprintf("%.1f", us/1e3) }
func count(n uint64) string      { return thousands(float64(n)) }

var publishedRows = []publishedRow{
	{"CPU, % of a core", false, func(f publishedFigures) string { return oneDigit(f.ServerPercent) }},
	{"CPU, seconds in all", false, func(f publishedFigures) string { return oneDigit(f.ServerCPU) }},
	{"memory, MB RSS, steady", false, func(f publishedFigures) string { return megabytes(f.RSSSteady) }},
	{"memory, MB RSS, peak", false, func(f publishedFigures) string { return megabytes(f.RSSPeak) }},
	{"messages sent to all", false, func(f publishedFigures) string { return count(f.Broadcast) }},
	{"deliveries", false, func(f publishedFigures) string { return count(f.Messages) }},
	{"delivery, p50, ms", false, func(f publishedFigures) string { return millis(f.Latency.P50) }},
	{"delivery, p99, ms", false, func(f publishedFigures) string { return millis(f.Latency.P99) }},
	{"delivery, max, ms", false, func(f publishedFigures) string { return millis(f.Latency.Max) }},
	{"answers to messages", true, func(f publishedFigures) string { return count(f.Answers) }},
	{"answer, p50, ms", true, func(f publishedFigures) string { return millis(f.AnswerTimes.P50) }},
	{"answer, p99, ms", true, func(f publishedFigures) string { return millis(f.AnswerTimes.P99) }},
	{"answer, max, ms", true, func(f publishedFigures) string { return millis(f.AnswerTimes.Max) }},
	{"pings answered, messages", false, func(f publishedFigures) string { return count(f.Beside.JSONPongs) }},
	{"lost: deliveries", false, func(f publishedFigures) string { return count(f.Lost) }},
	{"lost: answers to messages", true, func(f publishedFigures) string { return count(f.AnswersLost) }},
	{"lost: answers to pings", false, func(f publishedFigures) string { return count(f.Unanswered) }},
	{"lost: sessions", false, func(f publishedFigures) string { return count(f.Beside.Closes) }},
	{"deliveries and answers repeated", false, func(f publishedFigures) string { return count(f.Repeated) }},
	{"its load generator's CPU, % of a core", false, func(f publishedFigures) string { return oneDigit(f.OwnPercent) }},
}

func (r *publishedReport) table() table {
	head := []string{fmt.Sprintf("%s sessions each, %v", thousands(float64(r.o.connections)), r.o.duration)}
	for _, v := range variants {
		head = append(head, v.title)
	}
	t := table{head}
	for _, row := range publishedRows {
		line := []string{row.title}
		for i, f := range r.results {
			cell := "-"
			if f.complete() && (variants[i].answered || !row.answered) {
				cell = row.cell(f)
			}
			line = append(line, cell)
		}
		t = append(t, line)
	}
	return t
}

// publishedGoal compares one of ours with the peer that only forwards; the one that
// answers as well is told beside it.
type publishedGoal struct {
	text   string
	mine   int
	atMost float64
	value  func(publishedFigures) float64
	format func(float64) string
}

func cpuPercent(f publishedFigures) float64 { return f.ServerPercent }
func rssPeak(f publishedFigures) float64    { return f.RSSPeak }

var publishedGoals = []publishedGoal{
	{"forwarding: at most a tenth of npm websocket's CPU", ourForward, 0.1, cpuPercent, oneDigit},
	{"forwarding: at most a tenth of npm websocket's memory", ourForward, 0.1, rssPeak, megabytes},
	{"JavaScript, each message answered: at most half of npm websocket's CPU", ourScript, 0.5, cpuPercent, oneDigit},
	{"JavaScript, each message answered: at most half of npm websocket's memory", ourScript, 0.5, rssPeak, megabytes},
}

// judge says whether a goal is met, and what was found.
func (g publishedGoal) judge(r *publishedReport) (word, found string) {
	mine, forwards, answers := r.results[g.mine], r.results[peerForward], r.results[peerAnswer]
	if !mine.complete() || !forwards.complete() || g.value(forwards) <= 0 {
		return "unknown", "not measured"
	}
	value := g.value(mine) / g.value(forwards)
	found = fmt.Sprintf("%.2fx (%s to %s)", value, g.format(g.value(mine)), g.format(g.value(forwards)))
	if answers.complete() && g.value(answers) > 0 {
		found += fmt.Sprintf("; of the one that answers %.2fx", g.value(mine)/g.value(answers))
	}
	word = "NOT met"
	if value <= g.atMost {
		word = "met"
	}
	return word, found
}

// nothingLost is the goal that comes before the others.
func (r *publishedReport) nothingLost() (word, found string) {
	ok := "nothing was lost, repeated or closed"
	for i, f := range r.results {
		switch {
		case !f.complete():
			return "unknown", variants[i].title + ": not measured to the end"
		case !f.OK && (i == ourForward || i == ourScript):
			return "NOT met", variants[i].title + ": " + f.Error
		case !f.OK:
			ok = "of nvsessd's nothing; but " + variants[i].title + ": " + f.Error
		}
	}
	return "met", ok
}

// text is the report for the terminal.
func (r *publishedReport) text(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", r.machine)
	r.table().plain(w)
	fmt.Fprintln(w)
	word, found := r.nothingLost()
	fmt.Fprintf(w, "%-8s nothing lost: %s\n", word, found)
	for _, g := range publishedGoals {
		word, found := g.judge(r)
		fmt.Fprintf(w, "%-8s %s: %s\n", word, g.text, found)
	}
	for i, f := range r.results {
		if f.Error != "" {
			fmt.Fprintf(w, "FAILED: %s: %s\n", variants[i].title, f.Error)
		}
	}
	if !r.o.full() {
		fmt.Fprintf(w, "\na try: the goals are for %s sessions and %v\n", thousands(float64(publishedFull.connections)), publishedFull.duration)
	}
}

// section is the report as a part of docs/benchmarks.md.
func (r *publishedReport) section(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	length := "ten minutes"
	if r.o.duration != publishedFull.duration {
		length = r.o.duration.String()
	}
	p("%s", publishedBegin)
	p("## nv-session-simple's own load, %s\n", length)
	p("Written by `make bench-published DOCS=docs`. The load nv-session-simple was published with, on four servers at the same time, so that all")
	p("have the same minutes of the same machine: each has %s sessions and a load generator of its own. Every session is kept alive as", thousands(float64(r.o.connections)))
	p("the stock clients do it (keepalive interval %d s; a ping message and a ping frame from the client at every quarter, a ping message", publishedInterval)
	p("from the server at every half), and every %v a JSON message of %d B goes to all; the four take turns.\n", r.o.sendEvery(), publishedBytes)
	p("%s. Measured on %s for %v.\n", r.machine, r.when.UTC().Format("2006-01-02"), r.o.duration)
	if !r.o.full() {
		p("**From a try with fewer sessions or less time than the goals are for: not to be quoted.**\n")
	}
	r.table().markdown(w)
	p("")
	for _, v := range variants {
		p("- **%s**: %s", v.title, v.about)
	}
	p("\nDelivery and answer are timed from the sender's write to the read of each receiver. Every byte of both is checked.")
	p("CPU is the server's own user and system time; memory is looked at each second: steady is the median.\n")
	p("| goal | found | |\n|---|---|---|")
	word, found := r.nothingLost()
	p("| nothing lost | %s | %s |", strings.ReplaceAll(found, "|", "/"), word)
	for _, g := range publishedGoals {
		word, found := g.judge(r)
		p("| %s | %s | %s |", g.text, found, word)
	}
	if word, _ := publishedGoals[0].judge(r); word == "NOT met" {
		p("\nWhy a tenth of the CPU cannot be had: [decisions/0002](decisions/0002-goals-below-the-floor.md).")
	}
	p("%s", publishedEnd)
}
