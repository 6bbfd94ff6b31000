package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// report is all that was found, ready to be told.
type report struct {
	servers   []server
	skipped   []string
	plan      plan
	data      results
	failures  []string
	quick     bool
	took      time.Duration
	when      time.Time
	machine   string
	published string // the section that make bench-published wrote, kept as it is
}

// text is the report for the terminal.
func (r *report) text(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", r.machine)
	short := r.comparison(true)
	short[0] = []string{"server"}
	for _, m := range metrics {
		if m.headline && r.measured(m) {
			short[0] = append(short[0], m.title)
			if m.more {
				short[0][len(short[0])-1] += " /CPU s"
			}
		}
	}
	short.plain(w)
	fmt.Fprintf(w, "(in brackets: how many times better %s is; medians)\n\n", subject)
	r.comparison(false).plain(w)
	fmt.Fprintln(w)
	r.generator().plain(w)
	fmt.Fprintln(w)
	for _, g := range goals {
		v := g.judge(r.data)
		fmt.Fprintf(w, "%-8s %s: %s\n", v.word(), g.text, v.found)
	}
	for _, s := range r.skipped {
		fmt.Fprintln(w, "left out:", s)
	}
	for _, f := range r.failures {
		fmt.Fprintln(w, "FAILED:", f)
	}
	if r.quick {
		fmt.Fprintln(w, "\nquick: small counts and one round; the goals are for the full run")
	}
	fmt.Fprintf(w, "took %s\n", r.took.Round(time.Second))
}

// write puts the document and its chart into dir.
func (r *report) write(dir string) error {
	var doc, chart bytes.Buffer
	r.document(&doc)
	r.chart(&chart)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "benchmarks.svg"), chart.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), doc.Bytes(), 0o644)
}

// document is the report as docs/benchmarks.md.
func (r *report) document(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("# Benchmarks\n")
	p("Written by `make bench`; do not edit, run it again. The peers are small honest servers in [bench/peers](../bench/peers),")
	p("each on the fast path its library recommends; the load generator is [bench/loadgen](../bench/loadgen).\n")
	p("%s. Measured on %s in %s.\n", r.machine, r.when.UTC().Format("2006-01-02"), r.took.Round(time.Second))
	if r.quick {
		p("**From a quick run with small counts: not to be quoted.**\n")
	}
	p("![How nvsessd and its peers compare](benchmarks.svg)\n")
	p("## Figures\n")
	p("Medians over the rounds. In brackets: how many times better nvsessd is (below 1: the peer is better).\n")
	r.comparison(true).markdown(w)
	p("\nCPU time is the kernel's own account of user and system time of all the server's threads, exact to the nanosecond. How much")
	p("a second of it achieves moves with what else the machine does, so the figures compare as ratios. RSS is counted from the page tables.\n")
	p("## Goals\n")
	p("| goal | found | |\n|---|---|---|")
	for _, g := range goals {
		v := g.judge(r.data)
		p("| %s | %s | %s |", g.text, v.found, v.word())
	}
	p("\n## What was not better\n")
	worse := r.worse()
	for _, line := range worse {
		p("- %s", line)
	}
	if len(worse) == 0 {
		p("In nothing that was measured was a peer better, and every goal is met.")
	}
	if r.published != "" {
		p("\n%s", r.published)
	}
	p("\n%s\n", sectionAfterPublished)
	p("Both depend on what else ran on the machine's cores, the load generator first of all. Fan-out latency is from the sender's")
	p("write to the last receiver's read. \"Open and keep\" is what a connection costs that is not closed again, memory it grows by included.\n")
	r.comparison(false).markdown(w)
	p("\n## Is the load generator the bottleneck?\n")
	p("It is one thread, so it would be near 100 with the server below. Then the rate is its own and not the server's; CPU time for each")
	p("message, which is what is compared, is the server's all the same. Medians:\n")
	r.generator().markdown(w)
	p("\n## What was measured\n")
	for _, s := range r.plan {
		p("- **%s**, %d rounds: %s", s.scenario, s.rounds, s.load)
	}
	p("\nMessages are JSON objects, each with its sender and number; every byte of every delivery is checked, and a server that loses,")
	p("repeats, reorders or alters one, or closes a connection, has no figure. All over a unix socket. One server runs at a time; they")
	p("take turns within each round.\n")
	for _, s := range r.servers {
		p("- **%s**: %s", s.name, s.about)
	}
	for _, s := range r.skipped {
		p("- left out: %s", s)
	}
	for _, s := range r.failures {
		p("- **failed**: %s", strings.Join(strings.Fields(s), " "))
	}
	p("\nVersions: %s.\n", strings.Join(versions(), ", "))
	p("## Commands\n")
	p("    make bench            # all of it, writes this page")
	p("    make bench-quick      # small counts, one round, writes nothing")
	p("    make bench-published  # nv-session-simple's own load for ten minutes; DOCS=docs writes its section of this page")
	p("    go run ./bench/run -scenarios echo -servers nvsessd,gws -rounds 5")
	p("    go run ./bench/loadgen -addr unix:/run/nvsess/nvsess.sock -pid \"$(pidof nvsessd)\" echo\n")
	p("## Every round\n")
	r.rounds().markdown(w)
}

// worse names every metric in which a peer beats the subject, and every goal not met. The floor is left
// out: it does no more than cause the kernel's part of the work.
func (r *report) worse() []string {
	var lines []string
	for _, m := range metrics {
		mine, ok := r.data.median(subject, m)
		if !ok {
			continue
		}
		for _, s := range r.servers {
			theirs, ok := r.data.median(s.name, m)
			if !ok || s.name == subject || s.kind == kindC || m.better(mine, theirs) >= 1 {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s: %s had %s %s, nvsessd %s", m.title, s.name, m.format(theirs), m.unit, m.format(mine)))
		}
	}
	for _, g := range goals {
		if v := g.judge(r.data); v.known && !v.met {
			lines = append(lines, "a goal not met: "+g.text+"; found "+v.found)
		}
	}
	return lines
}
