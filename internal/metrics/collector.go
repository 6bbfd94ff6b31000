package metrics

import (
	"fmt"
	"maps"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/timing"
	"github.com/nvsess/nvsess/internal/webhook"
)

// Options is what there is to tell of. Only Sessions is required.
type Options struct {
	Sessions *session.Server
	Script   *script.Engine
	Webhook  func() *webhook.Hook // nil, or it returns nil: there is none; a reload may bring one
	Version  string

	LogLost     func() uint64 // lines of the log that could not be written
	MemoryLimit func() int64  // limits.memory_bytes

	// More tells of what other parts of the daemon count. Its metrics are in the
	// table as all others are; it is called for each scrape.
	More func() []Value
}

// A Value is a counter's or a gauge's, for More.
type Value struct {
	Name   string
	Value  float64
	Labels []string // the labels' values, in the order of the table
}

// New makes a registry of all there is to tell.
func New(o Options) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{o})
	r.MustRegister(libraries()...)
	return r
}

// libraries tell of Go's runtime and of the process.
func libraries() []prometheus.Collector {
	return []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
}

// collector reads the values when it is asked.
type collector struct{ o Options }

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range table {
		to <- m.desc
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	p := put{to}
	p.value("nvsess_build_info", 1, c.o.Version, runtime.Version())
	c.sessions(p, c.o.Sessions.Stats())
	c.queues(p, c.o.Sessions)
	c.drain(p, c.o.Sessions)
	c.backends(p)
	if c.o.LogLost != nil {
		p.value("nvsess_log_lines_lost_total", float64(c.o.LogLost()))
	}
	if c.o.MemoryLimit != nil {
		p.value("nvsess_message_memory_limit_bytes", float64(c.o.MemoryLimit()))
	}
	if c.o.More != nil {
		for _, v := range c.o.More() {
			p.value(v.Name, v.Value, v.Labels...)
		}
	}
}

func (c *collector) drain(p put, srv *session.Server) {
	draining := 0.0
	if srv.DrainState().Phase != session.Serving {
		draining = 1
	}
	p.value("nvsess_draining", draining)
	p.value("nvsess_drained_sessions_total", float64(srv.Stats().Drained))
}

// put hands values over.
type put struct{ to chan<- prometheus.Metric }

func (p put) value(name string, v float64, labels ...string) {
	m := byName[name]
	if m == nil {
		p.to <- prometheus.NewInvalidMetric(prometheus.NewDesc(name, "unknown", nil, nil), fmt.Errorf("metrics: %s is not in the table", name))
		return
	}
	t := prometheus.CounterValue
	if m.kind == gauge {
		t = prometheus.GaugeValue
	}
	x, err := prometheus.NewConstMetric(m.desc, t, v, labels...)
	p.hand(m, x, err)
}

func (p put) histogram(name string, s timing.Snapshot, labels ...string) {
	m := byName[name]
	buckets, sum := make(map[float64]uint64, len(timing.Bounds)), uint64(0)
	for i, bound := range timing.Bounds {
		sum += s.Buckets[i]
		buckets[bound.Seconds()] = sum
	}
	x, err := prometheus.NewConstHistogram(m.desc, s.Count(), s.Sum.Seconds(), buckets, labels...)
	p.hand(m, x, err)
}

func (p put) hand(m *metric, x prometheus.Metric, err error) {
	if err != nil {
		x = prometheus.NewInvalidMetric(m.desc, err)
	}
	p.to <- x
}

// by gives a value for each of a map's keys.
func (p put) by(name string, m map[string]uint64) {
	for k, v := range m {
		p.value(name, float64(v), k)
	}
}

func (c *collector) sessions(p put, s session.Stats) {
	for _, x := range []struct {
		name  string
		value float64
	}{
		{"nvsess_sessions", float64(s.Sessions)},
		{"nvsess_connections", float64(s.Connections)},
		{"nvsess_opens_total", float64(s.Opens)},
		{"nvsess_keepalive_timeouts_total", float64(s.KeepaliveLost)},
		{"nvsess_addresses", float64(s.Addresses)},
		{"nvsess_accept_failures_total", float64(s.AcceptFailed)},
		{"nvsess_messages_dropped_total", float64(s.Dropped)},
		{"nvsess_slow_consumers_closed_total", float64(s.SlowClosed)},
		{"nvsess_requests_pending", float64(s.Pending)},
		{"nvsess_unknown_replies_total", float64(s.UnknownReplies)},
		{"nvsess_wrong_direction_total", float64(s.WrongDirection)},
		{"nvsess_inbox_waiting", float64(s.HandlerWaiting)},
		{"nvsess_inbox_dropped_total", float64(s.HandlerDropped)},
		{"nvsess_inbox_closed_total", float64(s.HandlerClosed)},
		{"nvsess_message_memory_bytes", float64(s.Memory)},
		{"nvsess_memory_closed_total", float64(s.MemoryClosed)},
		{"nvsess_kernel_memory_shortages_total", float64(s.Starved)},
		{"nvsess_debugged_sessions", float64(len(c.o.Sessions.Debugged()))},
	} {
		p.value(x.name, x.value)
	}
	p.by("nvsess_closes_total", bounded(s.Closes, closeCode))
	p.by("nvsess_violations_total", bounded(s.Violations, closeCode))
	p.by("nvsess_handshakes_refused_total", bounded(s.Refused, httpStatus))
	p.by("nvsess_auth_refused_total", s.AuthRefused)
	p.by("nvsess_limited_total", s.Limited)
	ended := maps.Clone(s.HTTP)
	if n, routed := ended[session.RequestsUnderWay]; routed {
		delete(ended, session.RequestsUnderWay) // they become fewer, too
		p.value("nvsess_http_requests_underway", float64(n))
	}
	p.by("nvsess_http_requests_total", ended)
	p.by("nvsess_handler_calls_total", s.Calls)
	p.by("nvsess_requests_total", s.Requests)
	for name, m := range s.Mounts {
		p.value("nvsess_mount_sessions", float64(m.Sessions), name)
		p.value("nvsess_mount_sessions_limit", float64(m.Limit), name)
	}
	for _, x := range []struct {
		direction, kind string
		messages, bytes uint64
	}{
		{"in", "text", s.TextIn, s.BytesIn - s.BinaryBytesIn},
		{"in", "binary", s.BinaryIn, s.BinaryBytesIn},
		{"out", "text", s.TextOut, s.BytesOut - s.BinaryBytesOut},
		{"out", "binary", s.BinaryOut, s.BinaryBytesOut},
	} {
		p.value("nvsess_messages_total", float64(x.messages), x.direction, x.kind)
		p.value("nvsess_message_bytes_total", float64(x.bytes), x.direction, x.kind)
	}
	p.value("nvsess_compressed_messages_total", float64(s.Inflated), "in")
	p.value("nvsess_compressed_messages_total", float64(s.Deflated), "out")
}

func (c *collector) queues(p put, s *session.Server) {
	var bytes, longest int64
	lagging := 0
	for i, l := range s.LoopStats() {
		loop := strconv.Itoa(i)
		p.histogram("nvsess_loop_lag_seconds", l.Late, loop)
		p.value("nvsess_loop_busy_seconds_total", l.Busy.Seconds(), loop)
		p.value("nvsess_loop_pass_seconds", l.Under.Seconds(), loop)
		p.value("nvsess_loop_stood_seconds_total", l.Stood.Seconds(), loop)
		p.value("nvsess_loop_connections", float64(l.Conns), loop)
		bytes, longest, lagging = bytes+l.Queued, max(longest, l.Longest), lagging+l.Lagging
	}
	p.value("nvsess_queued_bytes", float64(bytes))
	p.value("nvsess_queued_bytes_max", float64(longest))
	p.value("nvsess_lagging_connections", float64(lagging))
	p.histogram("nvsess_delivery_seconds", s.Delivery())
}

func (c *collector) backends(p put) {
	if e := c.o.Script; e != nil {
		s := e.Stats()
		p.histogram("nvsess_script_job_seconds", s.Jobs)
		for name, n := range s.Errors {
			p.value("nvsess_script_errors_total", float64(n), name, "error")
		}
		for name, n := range s.Timeouts {
			p.value("nvsess_script_errors_total", float64(n), name, "timeout")
		}
		p.value("nvsess_script_restarts_total", float64(s.Anew))
	}
	if c.o.Webhook == nil {
		return
	}
	h := c.o.Webhook()
	if h == nil {
		return
	}
	s := h.Stats()
	p.histogram("nvsess_webhook_attempt_seconds", h.Attempts())
	p.value("nvsess_webhook_events_total", float64(s.Handled-s.Failed), "handled")
	p.value("nvsess_webhook_events_total", float64(s.Failed-s.Dropped), "failed")
	p.value("nvsess_webhook_events_total", float64(s.Dropped), "dropped")
	p.value("nvsess_webhook_retries_total", float64(s.Retries))
	p.value("nvsess_webhook_waiting", float64(s.Waiting))
	p.value("nvsess_webhook_underway", float64(s.UnderWay))
	p.value("nvsess_webhook_undelivered_total", float64(s.Gone), "gone")
	p.value("nvsess_webhook_undelivered_total", float64(s.Slow), "slow")
	open := 0.0
	if s.Open {
		open = 1
	}
	p.value("nvsess_webhook_circuit_open", open)
	report := func(event string, r session.Report) {
		p.value("nvsess_webhook_errors_total", float64(r.Errors-r.Timeouts), event, "error")
		p.value("nvsess_webhook_errors_total", float64(r.Timeouts), event, "timeout")
	}
	for _, k := range session.Kinds {
		report(k.String(), h.Report(k))
	}
	report("verify", h.VerifyReport())
}

// scrapeTimeout is how long one scrape may take.
const scrapeTimeout = 10 * time.Second
