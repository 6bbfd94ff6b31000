package main

import "fmt"

// goal is one figure the project set itself. It compares the subject with a fixed
// limit, or with another server.
type goal struct {
	text    string
	metric  string // its title
	against string // a server, or empty for a limit
	atLeast float64
	atMost  float64
}

var goals = []goal{
	{"idle: at most 1,024 bytes RSS per session", "idle", "", 0, 1024},
	{"fan-out: at least 2x gws", "fan-out", "gws", 2, 0},
	{"fan-out: at least 4x npm websocket", "fan-out", "websocket", 4, 0},
	{"echo: at least 2x gws", "echo", "gws", 2, 0},
	{"handshake (15,000 opened and kept): at most 0.35x of gws's CPU", "open and keep", "gws", 0, 0.35},
	{"handshake (opened and closed again): at most 0.35x of gws's CPU", "handshake", "gws", 0, 0.35},
	{"nv-session-simple's load: at most a tenth of npm websocket's CPU", "nv-session-simple's load: CPU", "websocket", 0, 0.1},
	{"nv-session-simple's load: at most a tenth of npm websocket's memory", "nv-session-simple's load: memory", "websocket", 0, 0.1},
}

// verdict on a goal.
type verdict struct {
	goal
	known bool
	met   bool
	found string
}

func (g goal) judge(r results) verdict {
	v := verdict{goal: g, found: "not measured"}
	m := metricOf(g.metric)
	mine, ok := r.median(subject, m)
	if !ok {
		return v
	}
	value := mine
	v.found = m.format(mine)
	if g.against != "" {
		theirs, ok := r.median(g.against, m)
		if !ok || theirs <= 0 {
			v.found = g.against + " not measured"
			return v
		}
		value = mine / theirs
		v.found = fmt.Sprintf("%.2fx (%s to %s)", value, m.format(mine), m.format(theirs))
	}
	v.known = true
	v.met = value >= g.atLeast && (g.atMost == 0 || value <= g.atMost)
	return v
}

func metricOf(title string) metric {
	for _, m := range metrics {
		if m.title == title {
			return m
		}
	}
	panic("no metric " + title)
}

func (v verdict) word() string {
	switch {
	case !v.known:
		return "unknown"
	case v.met:
		return "met"
	}
	return "NOT met"
}
