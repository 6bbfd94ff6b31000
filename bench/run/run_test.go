package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sample is a full set of invented figures, three rounds of each.
func sample() *report {
	data := results{}
	for i, s := range allServers {
		for _, step := range fullPlan {
			if !step.runs(s) {
				continue
			}
			for round := range 3 {
				f := figures{
					Scenario: step.scenario, PerServerCPUSecond: 1e6 / float64(i+1+round), PerSecond: 5e5,
					HandshakeMicros: 10 * float64(i+1+round), RSSPerConn: 900 * float64(i*i+1), RSSPeak: float64((i + 1) << 24),
					ServerPercent: 2 * float64(i+1), OwnPercent: 50,
				}
				f.Latency.P50, f.Latency.P99, f.Latency.Max = 1000, 2000, 3000
				data.add(s.name, step.scenario, f)
			}
		}
	}
	return &report{
		servers: allServers, plan: fullPlan, data: data, skipped: []string{"nbio: not here"},
		took: 10 * time.Minute, when: time.Unix(0, 0), machine: "2 cores",
	}
}

func TestMedian(t *testing.T) {
	value := func(f figures) float64 { return f.PerSecond }
	for _, c := range []struct {
		rounds []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{1, 9}, 5}, {[]float64{9, 1, 2}, 2}} {
		var fs []figures
		for _, v := range c.rounds {
			fs = append(fs, figures{PerSecond: v})
		}
		if got, ok := median(fs, value); !ok || got != c.want {
			t.Errorf("%v: %v, want %v", c.rounds, got, c.want)
		}
	}
	if _, ok := median(nil, value); ok {
		t.Error("a median of nothing")
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999.6: "1,000", 12: "12", 1234567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestGoals(t *testing.T) {
	data := results{}
	add := func(name, scenario string, f figures) { data.add(name, scenario, f) }
	add(subject, "idle", figures{RSSPerConn: 800, RSSPerConnKA: 1025})
	add(subject, "fanout", figures{PerServerCPUSecond: 400})
	add("gws", "fanout", figures{PerServerCPUSecond: 200})
	add("websocket", "fanout", figures{PerServerCPUSecond: 101})
	add(subject, "handshake", figures{HandshakeMicros: 35})
	add("gws", "handshake", figures{HandshakeMicros: 100})
	add(subject, "published", figures{ServerPercent: 1, RSSPeak: 30})
	add("websocket", "published", figures{ServerPercent: 10, RSSPeak: 100})
	want := []string{"NOT met", "met", "NOT met", "unknown", "unknown", "met", "met", "NOT met"}
	for i, g := range goals {
		if v := g.judge(data); v.word() != want[i] {
			t.Errorf("%s: %s (%s), want %s", g.text, v.word(), v.found, want[i])
		}
	}
}

func TestDocument(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	r.document(&b)
	for _, want := range []string{
		"| nvsessd |", "(benchmarks.svg)", "at most 0.35x of gws's CPU", "left out: nbio: not here",
		"echo, p50: gws had", // equal latency is not better, so this must be absent
	} {
		if has := strings.Contains(b.String(), want); has == strings.HasPrefix(want, "echo, p50") {
			t.Errorf("%q present: %v", want, has)
		}
	}
	// A table with a row of another width is not a table.
	width := 0
	for line := range strings.Lines(b.String()) {
		n := strings.Count(line, "|")
		if n > 0 && width > 0 && n != width {
			t.Errorf("%d cells where the row before has %d: %s", n-1, width-1, line)
		}
		width = n
	}
}

func TestWorseNamesEveryLoss(t *testing.T) {
	data := results{}
	data.add(subject, "echo", figures{PerServerCPUSecond: 10, PerSecond: 10})
	data.add("gws", "echo", figures{PerServerCPUSecond: 20, PerSecond: 5})
	data.add("floor", "echo", figures{PerServerCPUSecond: 90, PerSecond: 90})
	r := &report{servers: allServers, data: data}
	got := r.worse()
	if len(got) != 2 || !strings.HasPrefix(got[0], "echo: gws had 20") || !strings.Contains(got[1], "not met: echo: at least 2x gws") {
		t.Errorf("%q", got)
	}
}

func TestChart(t *testing.T) {
	var b bytes.Buffer
	sample().chart(&b)
	d := xml.NewDecoder(&b)
	bars := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" && slices.ContainsFunc(e.Attr, func(a xml.Attr) bool {
			return a.Name.Local == "class" && a.Value == "mine"
		}) {
			bars++
		}
	}
	if bars != 7 {
		t.Errorf("%d bars of nvsessd, want one in each of 7 panels", bars)
	}
}

// TestServersEnd proves that a server ends when asked to, and that one which ends by
// itself or never listens is an error and not a wait.
func TestServersEnd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // stands in for what the child would listen on
	p, err := start(context.Background(), []string{"sleep", "60"}, socket)
	if err != nil {
		t.Fatal(err)
	}
	p.stop()
	gone(t, p)

	nowhere := filepath.Join(t.TempDir(), "none")
	if _, err := start(context.Background(), []string{"sh", "-c", "echo no good >&2; exit 1"}, nowhere); !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "no good") {
		t.Errorf("a server that ends at once: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := start(ctx, []string{"sleep", "60"}, nowhere); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("called off: %v", err)
	}
}

func gone(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("still there: %v", err)
	}
}

func TestPlan(t *testing.T) {
	p := fullPlan.limited("published,echo", 7)
	if len(p) != 2 || p[0].scenario != "echo" || p[1].rounds != 7 || fullPlan[0].rounds != 3 {
		t.Errorf("%+v", p)
	}
	for _, s := range allServers {
		for _, step := range fullPlan {
			if step.scenario == "published" && step.runs(s) != s.nvSession {
				t.Errorf("%s under nv-session-simple's load: %v", s.name, step.runs(s))
			}
		}
	}
	if got := chosen(allServers, "gws,ws"); len(got) != 2 || got[0].name != "gws" {
		t.Errorf("%+v", got)
	}
}
