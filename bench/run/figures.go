package main

import (
	"fmt"
	"slices"
)

// figures is the part of the load generator's report that is compared.
type figures struct {
	Scenario           string  `json:"scenario"`
	PerServerCPUSecond float64 `json:"messages_per_server_cpu_second"`
	PerSecond          float64 `json:"messages_per_second"`
	HandshakeMicros    float64 `json:"server_cpu_us_per_handshake"`
	OpenMicros         float64 `json:"server_cpu_us_per_open"`
	RSSPerConn         float64 `json:"rss_per_connection_bytes"`
	RSSPerConnKA       float64 `json:"rss_per_connection_after_keepalive_bytes"`
	RSSPeak            float64 `json:"rss_peak_bytes"`
	ServerPercent      float64 `json:"server_cpu_percent"`
	OwnPercent         float64 `json:"own_cpu_percent"`
	Latency            struct {
		P50 float64 `json:"p50_us"`
		P99 float64 `json:"p99_us"`
		Max float64 `json:"max_us"`
	} `json:"latency"`
}

// brief is one line while measuring.
func (f figures) brief() string {
	for _, m := range metrics {
		if m.headline && m.scenario == f.Scenario {
			return fmt.Sprintf("%s %s (loadgen %.0f %% of a core, server %.0f %%)", m.format(m.value(f)), m.unit, f.OwnPercent, f.ServerPercent)
		}
	}
	return ""
}

// results holds the figures of each round, by server and scenario.
type results map[string]map[string][]figures

func (r results) add(server, scenario string, f figures) {
	if r[server] == nil {
		r[server] = map[string][]figures{}
	}
	r[server][scenario] = append(r[server][scenario], f)
}

// median of a metric over the rounds, and whether there were any.
func (r results) median(server string, m metric) (float64, bool) {
	return median(r[server][m.scenario], m.value)
}

func median(rounds []figures, value func(figures) float64) (float64, bool) {
	if len(rounds) == 0 {
		return 0, false
	}
	v := make([]float64, len(rounds))
	for i, f := range rounds {
		v[i] = value(f)
	}
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2, true
}

// metric is one column.
type metric struct {
	scenario string
	title    string
	unit     string
	headline bool // in the first table and the chart
	more     bool // more is better
	value    func(figures) float64
	format   func(float64) string
}

var metrics = []metric{
	{"echo", "echo", "messages per server CPU second", true, true, func(f figures) float64 { return f.PerServerCPUSecond }, thousands},
	{"fanout", "fan-out", "deliveries per server CPU second", true, true, func(f figures) float64 { return f.PerServerCPUSecond }, thousands},
	{"handshake", "handshake", "us of server CPU, closing included", true, false, func(f figures) float64 { return f.HandshakeMicros }, oneDigit},
	{"idle", "idle", "bytes RSS per connection", true, false, func(f figures) float64 { return max(f.RSSPerConn, f.RSSPerConnKA) }, thousands},
	{"published", "nv-session-simple's load: CPU", "% of a core", true, false, func(f figures) float64 { return f.ServerPercent }, oneDigit},
	{"published", "nv-session-simple's load: memory", "MB RSS, peak", true, false, func(f figures) float64 { return f.RSSPeak / (1 << 20) }, oneDigit},

	{"echo", "echo, rate", "messages/s", false, true, func(f figures) float64 { return f.PerSecond }, thousands},
	{"echo", "echo, p50", "ms", false, false, func(f figures) float64 { return f.Latency.P50 / 1e3 }, oneDigit},
	{"echo", "echo, p99", "ms", false, false, func(f figures) float64 { return f.Latency.P99 / 1e3 }, oneDigit},
	{"fanout", "fan-out to all, p50", "ms", false, false, func(f figures) float64 { return f.Latency.P50 / 1e3 }, oneDigit},
	{"fanout", "fan-out to all, p99", "ms", false, false, func(f figures) float64 { return f.Latency.P99 / 1e3 }, oneDigit},
	{"idle", "open and keep", "us of server CPU per handshake", true, false, func(f figures) float64 { return f.OpenMicros }, oneDigit},
	{"published", "nv-session-simple's load, p50", "ms", false, false, func(f figures) float64 { return f.Latency.P50 / 1e3 }, oneDigit},
	{"published", "nv-session-simple's load, p99", "ms", false, false, func(f figures) float64 { return f.Latency.P99 / 1e3 }, oneDigit},
}

// better says how many times better a is than b.
func (m metric) better(a, b float64) float64 {
	if m.more {
		a, b = b, a
	}
	switch {
	case a == b:
		return 1
	case a <= 0:
		return 0
	}
	return b / a
}

func oneDigit(v float64) string { return fmt.Sprintf("%.1f", v) }

func thousands(v float64) string {
	n := int64(v + 0.5)
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
