package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

// counters are the daemon's own, as a scrape has them, by name and labels.
func (p *process) counters() map[string]float64 {
	p.t.Helper()
	_, text := fetch(p.t, overSocket(p), "GET", "http://nvsessd/metrics", nil)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		p.t.Fatalf("%v in\n%s", err, text)
	}
	m := map[string]float64{}
	for name, f := range families {
		if f.GetType() != dto.MetricType_COUNTER || !strings.HasPrefix(name, "nvsess_") {
			continue
		}
		for _, x := range f.GetMetric() {
			var labels []string
			for _, l := range x.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			sort.Strings(labels)
			m[strings.TrimSpace(name+" "+strings.Join(labels, " "))] = x.GetCounter().GetValue()
		}
	}
	return m
}

// No counter begins anew in the next process, or the one after it.
func TestUpgradeCountsOn(t *testing.T) {
	t.Parallel()
	handlers := filepath.Join(t.TempDir(), "h.js")
	text := `srv.regis_$bin_handle$(() => { throw new Error('no') });
		srv.regis_$json_handle$(() => { for (;;) ; })`
	if err := os.WriteFile(handlers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, configured(t, fmt.Sprintf(`
mode = "echo"
handlers = %q
webhook = "http+unix:///nowhere/at/all:/"
[webhooks]
events = ["string"]
retries = 1
backoff = "1ms"
[script]
cpu_limit = "50ms"
[limits]
idle = "1s"
[keepalive]
enabled = false
[[route]]
path = "/old"
redirect = "/new"
`, handlers)))
	p.Logged("ready")
	g, err := client.Dial(t.Context(), "ws+unix://"+p.socket("nvsess.sock")) // nobody is greeted without keepalive
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.CloseNow(); <-g.Done() }()
	if err := g.SendString(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	if err := g.SendBinary(t.Context(), []byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := g.SendJSON(t.Context(), map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if resp, _ := fetch(t, overPublic(p), "GET", "http://nvsessd/old", nil); resp.StatusCode != 302 {
		t.Fatal(resp.Status)
	}
	if err := p.upgrade("/bin/true"); err == nil {
		t.Fatal("it is a daemon")
	}
	must := []string{
		"nvsess_http_requests_total 3xx", "nvsess_upgrades_total failed", "nvsess_loop_busy_seconds_total 0",
		"nvsess_script_errors_total bin_handle error", "nvsess_script_errors_total json_handle timeout",
		"nvsess_webhook_events_total failed", "nvsess_webhook_errors_total error string", "nvsess_webhook_retries_total",
		"nvsess_limited_total idle", "nvsess_opens_total", "nvsess_closes_total 1001", "nvsess_handler_calls_total string",
	}
	before := p.counters()
	p.Until("all is counted", func() bool {
		before = p.counters()
		for _, name := range must {
			if before[name] == 0 {
				return false
			}
		}
		return true
	})
	for n := range 2 {
		if err := p.upgrade(successor(t, ":")); err != nil {
			t.Fatal(err)
		}
		now := p.counters()
		for name, v := range before {
			if now[name] < v {
				t.Errorf("after upgrade %d, %s is %v, and was %v", n+1, name, now[name], v)
			}
		}
		before = now
	}
	for _, name := range must {
		if n := before[name]; n != 1 && !strings.Contains(name, "seconds") { // once is once
			t.Errorf("%s is %v in the end", name, n)
		}
	}
	if n := before["nvsess_upgrades_total ok"]; n != 2 {
		t.Errorf("%v upgrades", n)
	}
}

// A state may say more than this daemon knows, and less: of all that is JSON neither
// is another version.
func TestStateOfOtherDaemons(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(own map[string]any)
		want   map[string]float64
	}{
		{"as it is", func(map[string]any) {}, map[string]float64{"log_lines_lost_total": 7, "upgrades_total failed": 3, "script_restarts_total": 2, "script_errors_total error str_handle": 4, "loop_busy_seconds_total 2": 3600, "loop_stood_seconds_total 0": 5}},
		{"an older one", func(own map[string]any) { delete(own, "counts") }, map[string]float64{"log_lines_lost_total": 0, "upgrades_total failed": 0, "script_restarts_total": 0}},
		{"a newer one", func(own map[string]any) {
			own["tomorrow"] = map[string]any{"a": []int{1, 2}}
			c := own["counts"].(map[string]any)
			c["tomorrow"] = map[string]any{"b": 5}
			c["script"].(map[string]any)["errors.tomorrow"] = 5
			c["loops"] = []any{map[string]any{"busy": 1, "tomorrow": "c"}}
		}, map[string]float64{"log_lines_lost_total": 7, "upgrades_total failed": 3, "script_restarts_total": 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(&passedState{
				Version: "0.1", Started: time.Now(), Suspended: time.Now(), LogLevel: "info", Configured: "info", SettingsFD: -1, Upgrades: 4,
				Counts: counts{
					Script: map[string]uint64{"anew": 2, "errors.str_handle": 4}, Loops: []ws.LoopCount{{Stood: 5 * time.Second}, {}, {Busy: time.Hour}}, UpgradesFailed: 3, LogLost: 7,
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			var own map[string]any
			if err := json.Unmarshal(text, &own); err != nil {
				t.Fatal(err)
			}
			tt.change(own)
			f, err := writeState(own, nobody(t))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := launch(t, configured(t, "loops = 3\n"), withEnv(stateEnv+"=3"), func(p *process) { p.Cmd.ExtraFiles = []*os.File{f} })
			p.Logged("ready")
			got := p.counters()
			for name, n := range tt.want {
				goesOn := strings.HasPrefix(name, "loop_")
				if v, there := got["nvsess_"+name]; !there || v != n && !(goesOn && v > n) {
					t.Errorf("%s is %v, %v; want %v", name, v, there, n)
				}
			}
			if n := got["nvsess_upgrades_total ok"]; n != 5 {
				t.Errorf("%v upgrades", n)
			}
		})
	}
}

// nobody writes the sessions' part of a daemon that has none.
func nobody(t *testing.T) func(*snapshot.Writer) {
	t.Helper()
	srv, err := session.NewServer(session.Options{WS: ws.Options{Loops: 1, Mounts: []*ws.Mount{{Limits: ws.Limits{Frame: 1, Message: 1, Fragments: 1}}}}, AskTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	return func(w *snapshot.Writer) { srv.Export(w) }
}

// overPublic asks at the socket for sessions.
func overPublic(p *process) *http.Client {
	return browser(p.t, false, func() (net.Conn, error) { return net.Dial("unix", p.socket("nvsess.sock")) })
}
