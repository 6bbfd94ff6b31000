package metrics

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
)

func (h *host) dial(t *testing.T) net.Conn {
	t.Helper()
	d := gobwas.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", h.socket) }}
	c, _, _, err := d.Dial(t.Context(), "ws://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// families scrapes and parses.
func (h *host) families(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	rec := httptest.NewRecorder()
	Handler(New(h.Options), zap.NewNop()).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	m, err := p.TextToMetricFamilies(bytes.NewReader(rec.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// value is that of the metric with those values of its labels, or -1.
func value(m map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	if m[name] == nil {
		return -1
	}
next:
	for _, x := range m[name].GetMetric() {
		for _, want := range labels {
			if !slices.ContainsFunc(x.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == want }) {
				continue next
			}
		}
		if h := x.GetHistogram(); h != nil {
			return float64(h.GetSampleCount())
		}
		return x.GetCounter().GetValue() + x.GetGauge().GetValue()
	}
	return -1
}

// What sessions do is told as it is.
func TestValues(t *testing.T) {
	h := start(t)
	a, b := h.dial(t), h.dial(t)
	for range 3 {
		if err := wsutil.WriteClientText(a, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := wsutil.ReadServerData(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := wsutil.WriteClientBinary(b, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := wsutil.ReadServerData(b); err != nil {
		t.Fatal(err)
	}
	for _, code := range []uint16{4001, 4002, 3000, 1000} {
		c := h.dial(t)
		if err := gobwas.WriteFrame(c, gobwas.MaskFrame(gobwas.NewCloseFrame(gobwas.NewCloseFrameBody(gobwas.StatusCode(code), "")))); err != nil {
			t.Fatal(err)
		}
		if _, err := gobwas.ReadHeader(c); err != nil {
			t.Fatal(err)
		}
	}
	if resp, err := net.Dial("unix", h.socket); err == nil {
		_, _ = resp.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) // no handshake
		defer resp.Close()
	}
	if err := h.Sessions.SetHandler(session.KindString, "webhook"); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientText(a, []byte("told")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the webhook to fail", func() bool { return h.hook.Stats().Failed == 1 })
	if _, err := h.Script.Eval(t.Context(), "1", script.EvalOptions{}); err != nil {
		t.Fatal(err)
	}
	// One that does not read.
	c := h.dial(t)
	var slow *session.Session
	eventually(t, "the session", func() bool { slow = h.Sessions.Last(); return h.Sessions.Len() == 3 })
	for slow.Stats().Dropped == 0 {
		slow.SendBinary(make([]byte, 10_000))
	}
	eventually(t, "the closes", func() bool { return h.Sessions.Stats().Closes["1000"] == 1 && len(h.Sessions.Stats().Refused) == 1 })
	m := h.families(t)
	for _, x := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{3, "nvsess_sessions", nil},
		{7, "nvsess_opens_total", nil},
		{2, "nvsess_closes_total", []string{"4xxx"}},
		{1, "nvsess_closes_total", []string{"3xxx"}},
		{1, "nvsess_closes_total", []string{"1000"}},
		{1, "nvsess_handshakes_refused_total", []string{"426"}},
		{4, "nvsess_messages_total", []string{"in", "text"}},
		{1, "nvsess_messages_total", []string{"in", "binary"}},
		{3, "nvsess_messages_total", []string{"out", "text"}},
		{19, "nvsess_message_bytes_total", []string{"in", "text"}},
		{100, "nvsess_message_bytes_total", []string{"in", "binary"}},
		{21, "nvsess_message_bytes_total", []string{"out", "text"}},
		{4, "nvsess_handler_calls_total", []string{"string"}},
		{3, "nvsess_mount_sessions", []string{"default"}},
		{1, "nvsess_lagging_connections", nil},
		{1, "nvsess_messages_dropped_total", nil},
		{0, "nvsess_slow_consumers_closed_total", nil},
		{0, "nvsess_requests_total", []string{"answered"}},
		{1, "nvsess_webhook_attempt_seconds", nil},
		{1, "nvsess_webhook_events_total", []string{"failed"}},
		{1, "nvsess_webhook_errors_total", []string{"string", "error"}},
		{1, "nvsess_webhook_circuit_open", nil},
		{7, "nvsess_log_lines_lost_total", nil},
		{1 << 20, "nvsess_message_memory_limit_bytes", nil},
		{1, "nvsess_build_info", []string{"1.2.3"}},
	} {
		if got := value(m, x.name, x.labels...); got != x.want {
			t.Errorf("%s%v is %v, not %v", x.name, x.labels, got, x.want)
		}
	}
	if value(m, "nvsess_script_job_seconds") < 1 || value(m, "nvsess_queued_bytes") < 50_000 || value(m, "nvsess_queued_bytes") != value(m, "nvsess_queued_bytes_max") {
		t.Errorf("%v jobs, %v bytes are queued", value(m, "nvsess_script_job_seconds"), value(m, "nvsess_queued_bytes"))
	}
	if value(m, "nvsess_loop_lag_seconds", "0")+value(m, "nvsess_loop_lag_seconds", "1") < 1 || value(m, "nvsess_loop_connections", "0") < 0 || value(m, "nvsess_loop_lag_seconds", "2") != -1 {
		t.Error("the loops are not told apart")
	}
	if value(m, "process_open_fds") < 3 || value(m, "go_goroutines") < 3 {
		t.Error("the process's and the runtime's are not there")
	}
	_ = c
}

// told is what the daemon adds; see cmd/nvsessd.
var told = map[string]bool{
	"nvsess_upgrades_total": true, "nvsess_resumed_sessions": true, "nvsess_resumed_closed": true, "nvsess_resumed_unsent_bytes": true,
	"nvsess_resumed_pause_seconds": true, "nvsess_kept_connections": true, "nvsess_kept_not": true,
}

// What is under way becomes less again, which a counter does not.
func TestRequestsUnderWay(t *testing.T) {
	to := make(chan prometheus.Metric, 1000)
	(&collector{Options{Sessions: start(t).Sessions}}).sessions(put{to}, session.Stats{HTTP: map[string]uint64{"2xx": 3, session.RequestsUnderWay: 2}})
	close(to)
	var ended []string
	for m := range to {
		var x dto.Metric
		if err := m.Write(&x); err != nil {
			t.Fatal(err)
		}
		switch m.Desc() {
		case byName["nvsess_http_requests_total"].desc:
			ended = append(ended, x.GetLabel()[0].GetValue())
		case byName["nvsess_http_requests_underway"].desc:
			if x.GetGauge().GetValue() != 2 {
				t.Errorf("under way: %v", &x)
			}
			ended = append(ended, "under way, as a gauge")
		}
	}
	slices.Sort(ended)
	if !slices.Equal(ended, []string{"2xx", "under way, as a gauge"}) {
		t.Errorf("%q", ended)
	}
}

// Every row of the table is told when there is something to tell, whatever it
// is; and what a linter has to say of names, types and helps is nothing.
func TestAllAreTold(t *testing.T) {
	h := start(t)
	one := map[string]uint64{"x": 1}
	seen := map[string]bool{}
	to := make(chan prometheus.Metric)
	var wg sync.WaitGroup
	wg.Go(func() {
		c := &collector{h.Options}
		c.sessions(put{to}, session.Stats{Closes: one, Violations: one, Refused: one, AuthRefused: one, Limited: one, HTTP: map[string]uint64{"2xx": 1, session.RequestsUnderWay: 1}, Calls: one, Requests: one,
			Mounts: map[string]session.MountStats{"default": {}}})
		c.queues(put{to}, h.Sessions)
		c.backends(put{to})
		close(to)
	})
	for m := range to {
		if err := m.Write(new(dto.Metric)); err != nil {
			t.Error(err)
		}
		for _, row := range table {
			if row.desc == m.Desc() {
				seen[row.name] = true
			}
		}
	}
	wg.Wait()
	for name := range h.families(t) {
		seen[name] = true
	}
	for name := range told { // by the daemon itself, which has a test
		seen[name] = true
	}
	for _, row := range table {
		if !seen[row.name] {
			t.Errorf("%s is never told", row.name)
		}
	}
	problems, err := testutil.GatherAndLint(New(h.Options))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %+v", err, problems)
	}
}

func TestPromtoolFindsNothing(t *testing.T) {
	promtool(t)
	h := start(t)
	h.dial(t)
	rec := httptest.NewRecorder()
	Handler(New(h.Options), zap.NewNop()).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = rec.Body
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// A label has few values, whatever peers choose.
func TestBounded(t *testing.T) {
	many := map[string]uint64{"": 1, "999": 1, "x": 1}
	for n := range 5000 {
		many[itoa(n)] = 1
	}
	codes, statuses := bounded(many, closeCode), bounded(many, httpStatus)
	if len(codes) != 16+3 || codes["4xxx"] != 1000 || codes["3xxx"] != 1000 || codes["1006"] != 1 || codes["other"] != uint64(len(many))-2016 {
		t.Errorf("%v", codes)
	}
	if len(statuses) > 70 || statuses["403"] != 1 || statuses["other"] < 4900 {
		t.Errorf("%v", statuses)
	}
}

// What another part of the daemon tells is in the table, and told; what is not
// in the table is said in the log, and costs nothing else.
func TestMore(t *testing.T) {
	h := start(t)
	var log bytes.Buffer
	h.More = func() []Value {
		return []Value{{Name: "nvsess_addresses_of_nobody", Value: 1}, {Name: "nvsess_closes_total", Value: 5, Labels: []string{"1012"}}, {Name: "nvsess_closes_total", Value: 5}}
	}
	rec := httptest.NewRecorder()
	l := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&log), zap.DebugLevel))
	Handler(New(h.Options), l).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if body := rec.Body.String(); rec.Code != 200 || !strings.Contains(body, `nvsess_closes_total{code="1012"} 5`) || !strings.Contains(body, "nvsess_sessions 0") || strings.Contains(body, "of_nobody") {
		t.Errorf("%d %s", rec.Code, body)
	}
	if !strings.Contains(log.String(), "nvsess_addresses_of_nobody is not in the table") {
		t.Errorf("the log: %s", log.String())
	}
}

// Many scrapes at once, while sessions come and go.
func TestScrapesAtOnce(t *testing.T) {
	h := start(t)
	srv := httptest.NewServer(only(Handler(New(h.Options), zap.NewNop())))
	defer srv.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				resp, err := http.Get(srv.URL + "/metrics")
				if err != nil {
					t.Error(err)
					return
				}
				if resp.StatusCode != 200 && resp.StatusCode != 503 { // more than maxScrapes
					t.Error(resp.Status)
				}
				resp.Body.Close()
			}
		})
	}
	for range 20 {
		h.dial(t).Close()
	}
	wg.Wait()
}
