package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is rows of cells; the first row is the head.
type table [][]string

// comparison has a row for each server and a column for each metric of the kind
// asked for. In the headline table a peer's cell also says how many times better
// the subject is.
func (r *report) comparison(headline bool) table {
	var columns []metric
	for _, m := range metrics {
		if m.headline == headline && r.measured(m) {
			columns = append(columns, m)
		}
	}
	head := []string{"server"}
	for _, m := range columns {
		head = append(head, m.title+", "+m.unit)
	}
	t := table{head}
	for _, s := range r.servers {
		row := []string{s.name}
		for _, m := range columns {
			row = append(row, r.cell(s.name, m, headline))
		}
		t = append(t, row)
	}
	return t
}

func (r *report) cell(name string, m metric, ratio bool) string {
	v, ok := r.data.median(name, m)
	if !ok {
		return "-"
	}
	text := m.format(v)
	if mine, ok := r.data.median(subject, m); ok && ratio && name != subject {
		text += fmt.Sprintf(" (%.2fx)", m.better(mine, v))
	}
	return text
}

func (r *report) measured(m metric) bool {
	for _, s := range r.servers {
		if _, ok := r.data.median(s.name, m); ok {
			return true
		}
	}
	return false
}

// generator shows what the load generator itself used, beside the server: if it
// were the bottleneck, it would use a whole core.
func (r *report) generator() table {
	head := []string{"% of a core: loadgen / server"}
	for _, s := range r.plan {
		head = append(head, s.scenario)
	}
	t := table{head}
	for _, srv := range r.servers {
		row := []string{srv.name}
		for _, s := range r.plan {
			rounds := r.data[srv.name][s.scenario]
			own, ok := median(rounds, func(f figures) float64 { return f.OwnPercent })
			theirs, _ := median(rounds, func(f figures) float64 { return f.ServerPercent })
			cell := "-"
			if ok && own+theirs > 0.5 {
				cell = fmt.Sprintf("%.0f / %.0f", own, theirs)
			}
			row = append(row, cell)
		}
		t = append(t, row)
	}
	return t
}

// rounds lists every single figure of the headline metrics, so that a reader sees
// how much they vary.
func (r *report) rounds() table {
	t := table{{"server", "metric", "each round"}}
	for _, m := range metrics {
		if !m.headline {
			continue
		}
		for _, s := range r.servers {
			var each []string
			for _, f := range r.data[s.name][m.scenario] {
				each = append(each, m.format(m.value(f)))
			}
			if len(each) > 0 {
				t = append(t, []string{s.name, m.title, strings.Join(each, "; ")})
			}
		}
	}
	return t
}

// plain prints with aligned columns, breaking no lines.
func (t table) plain(w io.Writer) {
	width := make([]int, len(t[0]))
	for _, row := range t {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range t {
		line := ""
		for i, c := range row {
			line += c + strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+2)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

func (t table) markdown(w io.Writer) {
	for i, row := range t {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintln(w, "|---"+strings.Repeat("|---:", len(row)-1)+"|")
		}
	}
}
