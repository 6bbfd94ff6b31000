package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a configuration.
type Problem struct {
	File    string // empty: not from a file
	Line    int    // 0: unknown, such as a default that does not fit another key
	Key     string // dotted; empty: the file does not parse
	What    string
	Allowed string // empty: goes without saying
}

// String is "FILE:LINE: KEY: WHAT; allowed: ALLOWED", less what is unknown.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			b.WriteString(strconv.Itoa(p.Line) + ":")
		}
		b.WriteByte(' ')
	}
	if p.Key != "" {
		b.WriteString(visible(p.Key) + ": ")
	}
	b.WriteString(p.What)
	if p.Allowed != "" {
		b.WriteString("; allowed: " + p.Allowed)
	}
	return b.String()
}

// Problems is the error of Parse, Load and Validate: everything wrong, in the order of the file.
type Problems []Problem

// Error has a line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// has says whether key is among the problems.
func (ps Problems) has(key string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Key == key })
}

// in says whether a key of the lists of tables is among the problems.
func (ps Problems) in(lists []tableList) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool {
		name, _, _ := strings.Cut(p.Key, "[")
		return slices.ContainsFunc(lists, func(l tableList) bool { return l.name == name })
	})
}

// err is ps as an error, nil when there is none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return ps
}
