package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Top tells of what sessions, loops and the process do, in an answer that can be
// compared with the one before.
func TestTopCommand(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	d.connect("/", nil)
	read := func() (top Top) {
		t.Helper()
		a, err := d.client.Call(t.Context(), "top", map[string]any{"limit": 5})
		if err == nil {
			err = json.Unmarshal(a.Result, &top)
		}
		if err != nil {
			t.Fatal(err)
		}
		return top
	}
	was := read()
	for i := range 10 {
		p.write(fmt.Sprint(i))
	}
	eventually(t, "the messages", func() bool { return read().Stats.TextIn == 10 })
	var now Top
	eventually(t, "a look with rates", func() bool {
		now = read()
		return len(now.Busiest) > 0 || now.RatesSeconds > 0
	})
	if len(now.Loops) == 0 || now.Loops[0].Lag.Count()+now.Loops[len(now.Loops)-1].Lag.Count() == 0 || now.Process.RSSBytes == 0 || now.Process.HeapBytes == 0 || now.Process.DescriptorsLimit == 0 || now.PID == 0 {
		t.Errorf("%+v", now)
	}
	conns := int64(0)
	for _, l := range now.Loops {
		conns += l.Connections
	}
	if conns != 2 || now.Slowest == nil || now.Busiest == nil {
		t.Errorf("%d connections, %+v", conns, now)
	}
	if !now.Started.Equal(was.Started) || !now.Time.After(was.Time) {
		t.Error("the two are not one after the other")
	}
	if out := d.must("top"); !strings.Contains(out, "2 sessions") || strings.Contains(out, "\x1b") || !strings.Contains(out, "lag p99") {
		t.Error(out)
	}
}

func TestDebugCommand(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	if out := d.must("debug"); out != "no session is being debugged\n" {
		t.Error(out)
	}
	if out := d.must("debug lst --for 1h"); !strings.Contains(out, ShortID(p.id)+" is being debugged for another 1h0m0s, 0 lines so far") {
		t.Error(out)
	}
	p.write("hello")
	eventually(t, "the message in the log", func() bool { return strings.Contains(d.log.String(), `"data":"hello"`) })
	if out := d.must("debug"); !strings.Contains(out, "1 line so far") {
		t.Error(out)
	}
	if out := d.must("debug fst off"); !strings.Contains(out, "is not being debugged any more") || len(d.sessions.Debugged()) != 0 {
		t.Error(out)
	}
	for line, want := range map[string]string{
		"debug fst off": "not being debugged", "debug 7": `no session "7"`, "debug fst maybe": "on, off", "debug fst --for 25h": "at most 24h", "debug fst --for 0s": "0s",
		"debug --for 1m": "name the session",
	} {
		if out, err := d.call(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %s", line, err, out)
		}
	}
	if !strings.Contains(d.log.String(), `"command":"debug"`) {
		t.Error("nobody is told who debugs")
	}
	for range 20 {
		d.connect("/", nil)
	}
	refused := 0
	for _, s := range d.sessions.Sessions() {
		if _, err := d.call("debug " + s.ID()); err != nil {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d of 21 were refused", refused)
	}
}

// screenOf makes two answers a second apart, with so many loops and sessions.
func screenOf(loops, slow, busy int) *TopScreen {
	was := &Top{Version: "1", PID: 7, Started: time.Unix(0, 0), Time: time.Unix(100, 0)}
	now := &Top{Version: "1", PID: 7, Started: time.Unix(0, 0), Time: time.Unix(101, 0), RatesSeconds: 1}
	was.Stats.Opens, now.Stats.Opens = 10, 15
	was.Stats.TextIn, now.Stats.TextIn = 1000, 2_001_000
	now.Stats.BytesIn = 1 << 30
	now.Stats.Sessions, now.Stats.Dropped, was.Stats.Dropped = 1_234_567, 9, 4
	now.Stats.Refused = map[string]uint64{"403": 3}
	was.Stats.Refused = map[string]uint64{"403": 3}
	now.Process.CPUSeconds = 1.5
	for i := range loops {
		l := TopLoop{Connections: int64(i), Lag: TopTimes{Buckets: []uint64{100, 0, 0}, Bounds: []float64{0.001, 0.1}}}
		was.Loops = append(was.Loops, l)
		l.Lag.Buckets = []uint64{300, 0, 1}
		l.BusySeconds = float64(i) / float64(loops)
		now.Loops = append(now.Loops, l)
	}
	for i := range slow {
		now.Slowest = append(now.Slowest, TopSess{ID: fmt.Sprintf("slow%08d", i), QueuedBytes: 1 << 20, Remote: "\x1b[31mevil\u202e", Active: i != 1, Mount: "default"})
	}
	for i := range busy {
		now.Busiest = append(now.Busiest, TopSess{ID: fmt.Sprintf("busy%08d", i), InPerSecond: float64(100 - i), OutPerSecond: float64(i), Remote: "10.0.0.1", Auth: "ann", Mount: "/x"})
	}
	return &TopScreen{Now: now, Was: was, Fancy: true}
}

// The screen says what there is, in order, within its rows, and nothing that a
// peer chose gets through to the terminal.
func TestTopScreen(t *testing.T) {
	page := func(s *TopScreen, color bool) string {
		var b strings.Builder
		p := NewPrinter(&b)
		p.Color, p.Width = color, 80
		for _, l := range s.Lines(p) {
			p.Printf("%s\n", l)
		}
		return b.String()
	}
	s := screenOf(2, 2, 3)
	text := page(s, false)
	for _, want := range []string{
		"1,234,567 sessions", "5.0 opened/s", "2,000,000", "1.1 GB", "cpu 150%", "<200ms", "<1ms", " 50%", "messages dropped 9 (+5)   refused 403 3",
		`\x1b[31mevil\u202e`, "closing", "10.0.0.1 ann /x",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, "\u202e") {
		t.Errorf("%q", text)
	}
	if colored := page(s, true); !strings.Contains(colored, "\x1b[31mmessages dropped 9 (+5)") || strings.Contains(colored, "\x1b[31mevil") || !strings.Contains(colored, "█") {
		t.Errorf("%q", colored)
	}
	s.Sort = "out"
	if text := page(s, false); strings.Index(text, "busy00000002") > strings.Index(text, "busy00000000") {
		t.Error(text)
	}
	many := screenOf(40, 100, 100)
	for rows := 1; rows < 120; rows++ {
		many.Rows = rows
		if lines := many.Lines(NewPrinter(new(strings.Builder))); rows > 22 && len(lines) > rows {
			t.Fatalf("%d lines on %d rows", len(lines), rows)
		}
	}
	many.Rows = 60
	if text := page(many, false); !strings.Contains(text, "and 32 loops that are less busy") || !strings.Contains(text, "slow00000005") || !strings.Contains(text, "busy00000005") || !strings.Contains(text, "\n39 ") {
		t.Error(text)
	}
	// Another daemon's answer: smaller counters are no rates below 0.
	s.Now, s.Was = s.Was, s.Now
	if text := page(s, false); strings.Contains(text, "-1") || strings.Contains(text, "18446744073") || strings.Contains(text, "NaN") {
		t.Error(text)
	}
	s.Was = nil
	if text := page(s, false); !strings.Contains(text, "- opened/s") || strings.Contains(text, "(+") {
		t.Error(text)
	}
	if text := page(&TopScreen{Now: &Top{}}, false); !strings.Contains(text, "0 sessions") { // half an answer
		t.Error(text)
	}
}

func TestTopTimes(t *testing.T) {
	a := TopTimes{Buckets: []uint64{98, 1, 1}, Bounds: []float64{0.001, 0.1}, Seconds: 3}
	for q, want := range map[float64]time.Duration{0.5: time.Millisecond, 0.98: time.Millisecond, 0.99: 100 * time.Millisecond, 1: 200 * time.Millisecond} {
		if d, ok := a.Quantile(q); !ok || d != want {
			t.Errorf("%v: %v", q, d)
		}
	}
	if d := a.Since(a); d.Count() != 0 || d.Seconds != 0 {
		t.Errorf("%+v", d)
	}
	if _, ok := (TopTimes{}).Quantile(0.5); ok {
		t.Error("a quantile of nothing")
	}
	if _, ok := (TopTimes{Buckets: []uint64{1}, Bounds: []float64{1}}).Quantile(0.5); ok {
		t.Error("a quantile of what is broken")
	}
	for n, want := range map[float64]string{0: "0 B", 999: "999 B", 1000: "1.0 KB", 15_000: "15 KB", 3.2e12: "3.2 TB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%v is %s", n, got)
		}
	}
	for n, want := range map[float64]string{5: "5s", 500: "8m", 100_000: "27h", 1e6: "11d"} {
		if got := short(n); got != want {
			t.Errorf("%v is %s", n, got)
		}
	}
	for n, want := range map[float64]string{0.00025: "0.25ms", 0.0025: "2.5ms", 0.1: "100ms", 2.5: "2.5s", 60: "60s", 200: "3m"} {
		if got := tenths(n); got != want {
			t.Errorf("%v is %s", n, got)
		}
	}
}
