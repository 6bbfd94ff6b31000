package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// result is what a scenario reports. Figures a scenario does not have stay zero
// and are left out.
type result struct {
	Scenario    string `json:"scenario"`
	OK          bool   `json:"ok"`
	Error       string `json:"error,omitempty"`
	Connections int    `json:"connections,omitempty"`
	InFlight    int    `json:"in_flight,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
	Payload     string `json:"payload,omitempty"`
	Handshakes  int    `json:"handshakes,omitempty"`

	Seconds   float64 `json:"seconds"`
	ServerCPU float64 `json:"server_cpu_seconds"`
	OwnCPU    float64 `json:"own_cpu_seconds"`

	// Messages are echoes for echo, deliveries for fanout and published.
	Messages  uint64 `json:"messages,omitempty"`
	Broadcast uint64 `json:"broadcasts,omitempty"`
	Lost      uint64 `json:"lost"`
	Repeated  uint64 `json:"repeated,omitempty"` // deliveries and answers that came again
	// Unanswered counts keepalive pings, messages and frames, without a pong.
	Unanswered uint64 `json:"unanswered_pings,omitempty"`

	Latency *latency `json:"latency,omitempty"`

	// Answers to messages, where the server gives any (-answered).
	Answers       uint64   `json:"answers,omitempty"`
	AnswersLost   uint64   `json:"answers_lost,omitempty"`
	AnswerLatency *latency `json:"answer_latency,omitempty"`

	RSSBefore    int64   `json:"rss_before_bytes,omitempty"`
	RSSAfter     int64   `json:"rss_after_bytes,omitempty"`
	RSSWatched   int64   `json:"rss_after_keepalive_bytes,omitempty"`
	RSSSteady    int64   `json:"rss_steady_bytes,omitempty"` // the median over time
	RSSPeak      int64   `json:"rss_peak_bytes,omitempty"`
	RSSPerConn   float64 `json:"rss_per_connection_bytes,omitempty"`
	RSSPerConnKA float64 `json:"rss_per_connection_after_keepalive_bytes,omitempty"`

	PerServerCPUSecond float64 `json:"messages_per_server_cpu_second,omitempty"`
	HandshakeMicros    float64 `json:"server_cpu_us_per_handshake,omitempty"`
	OpenMicros         float64 `json:"server_cpu_us_per_open,omitempty"`
	ServerPercent      float64 `json:"server_cpu_percent"`
	OwnPercent         float64 `json:"own_cpu_percent"`
	PerSecond          float64 `json:"messages_per_second,omitempty"`

	Traffic traffic `json:"beside_payload"`
}

// shortest is the least time a percentage makes sense for.
const shortest = 0.01

// derive fills the figures that follow from others.
func (r *result) derive() {
	if r.Seconds >= shortest {
		r.ServerPercent = 100 * r.ServerCPU / r.Seconds
		r.OwnPercent = 100 * r.OwnCPU / r.Seconds
		r.PerSecond = float64(r.Messages) / r.Seconds
	}
	if r.ServerCPU > 0 {
		r.PerServerCPUSecond = float64(r.Messages) / r.ServerCPU
	}
	if r.Connections > 0 && r.RSSAfter > 0 && r.RSSPeak == 0 {
		r.RSSPerConn = float64(r.RSSAfter-r.RSSBefore) / float64(r.Connections)
		if r.RSSWatched > 0 {
			r.RSSPerConnKA = float64(r.RSSWatched-r.RSSBefore) / float64(r.Connections)
		}
	}
	if r.Handshakes > 0 {
		r.HandshakeMicros = 1e6 * r.ServerCPU / float64(r.Handshakes)
	}
}

func (r *result) print(w io.Writer, asJSON bool) error {
	r.derive()
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	line("scenario", "%s", r.Scenario)
	if r.Error != "" {
		line("FAILED", "%s", r.Error)
	}
	r.printLoad(line)
	r.printMemory(line)
	if r.Seconds < shortest {
		return tw.Flush() // no window of time: idle that was not watched
	}
	line("server CPU", "%.3f s in %.2f s (%.1f %% of a core)", r.ServerCPU, r.Seconds, r.ServerPercent)
	line("own CPU", "%.3f s (%.1f %% of a core)", r.OwnCPU, r.OwnPercent)
	if r.Latency != nil {
		line("latency", "p50 %.0f us, p99 %.0f us, max %.0f us", r.Latency.P50, r.Latency.P99, r.Latency.Max)
	}
	if a := r.AnswerLatency; a != nil {
		line("answers", "%d, lost %d, p50 %.0f us, p99 %.0f us, max %.0f us", r.Answers, r.AnswersLost, a.P50, a.P99, a.Max)
	}
	t := r.Traffic
	if t != (traffic{}) {
		line("beside payload", "cfg %d, JSON pings %d, JSON pongs %d, other envelopes %d, ping frames %d, pong frames %d, closed by server %d",
			t.Cfg, t.JSONPings, t.JSONPongs, t.Other, t.PingFrames, t.PongFrames, t.Closes)
	}
	return tw.Flush()
}

func (r *result) printLoad(line func(name, format string, args ...any)) {
	switch {
	case r.Handshakes > 0:
		line("handshakes", "%d (%.0f/s)", r.Handshakes, float64(r.Handshakes)/max(r.Seconds, 1e-9))
		line("server CPU per handshake", "%.1f us", r.HandshakeMicros)
	case r.Payload == "":
		line("connections", "%d", r.Connections)
	default:
		line("load", "%d connections, messages of %d B %s", r.Connections, r.Bytes, r.Payload)
		if r.InFlight > 0 {
			line("in flight", "%d", r.InFlight)
		}
		line("messages", "%d (%.0f/s), lost %d, repeated %d", r.Messages, r.PerSecond, r.Lost, r.Repeated)
		line("per server CPU second", "%.0f", r.PerServerCPUSecond)
	}
	if r.Broadcast > 0 {
		line("messages sent to all", "%d", r.Broadcast)
	}
}

func (r *result) printMemory(line func(name, format string, args ...any)) {
	const mb = 1 << 20
	if r.RSSPeak > 0 {
		line("server RSS", "%.1f MB at the start, steady %.1f MB, peak %.1f MB, %.1f MB at the end",
			float64(r.RSSBefore)/mb, float64(r.RSSSteady)/mb, float64(r.RSSPeak)/mb, float64(r.RSSAfter)/mb)
		return
	}
	if r.RSSAfter > 0 {
		line("server RSS", "%.1f MB before, %.1f MB after", float64(r.RSSBefore)/mb, float64(r.RSSAfter)/mb)
		line("per connection", "%.0f B, %.1f us of CPU to open", r.RSSPerConn, r.OpenMicros)
	}
	if r.RSSWatched > 0 {
		line("after keepalive", "%.1f MB, %.0f B per connection", float64(r.RSSWatched)/mb, r.RSSPerConnKA)
	}
}
