package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/loadtest"
)

// tstReport is what scripts read of the report.
type tstReport struct {
	Clients struct {
		Asked, Opened, Failed int
		Early                 int `json:"closed_early"`
		Open                  int `json:"open_at_end"`
		Dropped               int
	}
	Opening struct {
		Latency struct{ Count int }
	}
	Errors, Closed map[string]int
	Messages       int `json:"messages_received"`
	Broadcast      *tstReportSent
	Echo           *tstReportSent
	Ended          string
	OK             bool
	Problems       []string
	Process        struct {
		RSS int64 `json:"max_rss_bytes"`
	}
}

type tstReportSent struct {
	Sent, Expected, Received, Missed, Lost, Duplicates int
	Latency                                            struct {
		Count int
		P50   float64 `json:"p50_ms"`
		Max   float64 `json:"max_ms"`
	}
}

// tstJSON runs tst --json.
func tstJSON(t *testing.T, code int, args ...string) tstReport {
	t.Helper()
	connectLeakCheck(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, notes await.Buffer
	err := run(ctx, append([]string{"--json", "tst"}, args...), strings.NewReader(""), &out, &notes)
	if ctx.Err() != nil {
		t.Fatal("tst did not end by itself")
	}
	if got := exitCode(err); got != code {
		t.Errorf("exit status %d, want %d: %v", got, code, err)
	}
	var r tstReport
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), notes.String())
	}
	return r
}

func TestTstForwardCountsExactly(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "forward")
	r := tstJSON(t, 0, "-n", "300", "-w", "0", "--ctrl", "-e", "100ms", "-d", "1s", "--size", "700", "--fail-on-loss", d.clients)
	b := r.Broadcast
	if r.Clients.Opened != 300 || r.Clients.Open != 300 || r.Clients.Failed+r.Clients.Early+r.Clients.Dropped != 0 || r.Opening.Latency.Count != 300 ||
		!r.OK || r.Ended != loadtest.EndedInTime || r.Process.RSS < 1<<20 {
		t.Errorf("%+v", r)
	}
	if b.Sent < 1 || b.Expected != 300*b.Sent || b.Received != b.Expected || b.Lost+b.Missed+b.Duplicates != 0 || r.Messages != b.Received ||
		b.Latency.Count != b.Received || b.Latency.P50 <= 0 || b.Latency.Max < b.Latency.P50 {
		t.Errorf("%+v", b)
	}
	d.Until("the sessions end", func() bool { return tstStats(d).Sessions == 0 })
	if c := tstStats(d).Closes; len(c) != 1 || c["1000"] != 301 {
		t.Errorf("sessions were closed with %v", c)
	}
}

func TestTstEcho(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "echo")
	r := tstJSON(t, 0, "-n", "50", "-w", "0", "--parallel", "4", "--echo", `{"n":1}`, "-e", "50ms", "-d", "500ms", "--fail-on-loss", d.clients)
	if e := r.Echo; e.Sent < 2 || e.Received != e.Sent || e.Expected != e.Sent || e.Lost+e.Missed+e.Duplicates != 0 || e.Latency.Count != e.Sent {
		t.Errorf("%+v", e)
	}
}

// Each message of each client reaching all would be a flood: tst sends one and stops.
func TestTstEchoAtServerThatForwards(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "forward")
	r := tstJSON(t, 1, "-n", "50", "-w", "0", "--echo", "-e", "1ms", "-d", "1h", d.clients)
	if r.Echo.Sent != 1 || fmt.Sprint(r.Problems) != "[what one client sent reached another: the server forwards instead of echoing]" {
		t.Errorf("%+v %q", r.Echo, r.Problems)
	}
}

func TestTstCtrlAtServerThatDoesNotForward(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "-mode", "echo")
	r := tstJSON(t, 1, "-n", "5", "--ctrl", "-d", "1ms", d.clients)
	if b := r.Broadcast; b.Sent != 1 || b.Expected != 5 || b.Lost != 5 ||
		fmt.Sprint(r.Problems) != "[no client received what the control client sent: the server does not forward]" {
		t.Errorf("%+v %q", b, r.Problems)
	}
}

func TestTstServerGoes(t *testing.T) {
	// The kernel resets a killed server's sockets that have something unread.
	for how, want := range map[string][]string{"terminated": {"1001 (going away)"}, "killed": {"1006 (hung up)", "1006 (reset)"}} {
		d := startDaemon(t, t.TempDir(), "-mode", "forward")
		var killing sync.WaitGroup
		killing.Go(func() {
			// The control client connects when the others have.
			for deadline := time.Now().Add(patience); tstStats(d).Sessions < 21 && time.Now().Before(deadline); runtime.Gosched() {
			}
			if how == "killed" {
				d.Kill()
			} else {
				d.Terminate()
			}
		})
		r := tstJSON(t, 1, "-n", "20", "-w", "0", "-d", "1h", "--ctrl", "-e", "1h", d.clients)
		killing.Wait()
		closed := 0
		for _, kind := range want {
			closed += r.Closed[kind]
		}
		if r.Ended != loadtest.EndedGone || r.Clients.Early != 20 || closed != 20 {
			t.Errorf("%s: %+v", how, r)
		}
	}
}

// tstDaemonStats is what the daemon has counted.
type tstDaemonStats struct {
	Sessions int
	Closes   map[string]int
}

func tstStats(d *daemon) (stats tstDaemonStats) {
	var out, notes await.Buffer
	if run(context.Background(), []string{"-s", d.Admin, "--json", "stats"}, strings.NewReader(""), &out, &notes) == nil {
		_ = json.Unmarshal([]byte(out.String()), &stats) // else nothing is counted
	}
	return stats
}

// A server that cannot be reached, or does not take the first client, is not asked 4,000 times.
func TestTstFirstClientFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var asked atomic.Int64
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			nc.Close()
		}
	}()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, tc := range []struct {
		url  string
		code int
		want string
	}{
		{"ws://" + gone.Addr().String(), exitNotReachable, ": connect: connection refused\n"},
		{"ws+unix:///nowhere/at.all", exitNotReachable, ": connect: no such file or directory\n"},
		{"ws://" + silent.Addr().String(), exitNoReply, ": no answer in time\n"},
		{"ws://" + ln.Addr().String(), exitFailed, "\n"}, // hung up or reset
	} {
		var out, notes await.Buffer
		err := run(context.Background(), []string{"tst", "--timeout", "300ms", tc.url}, strings.NewReader(""), &out, &notes)
		if exitCode(err) != tc.code || out.String() != "" || !strings.HasPrefix(notes.String(), "tst: "+tc.url) ||
			!strings.HasSuffix(notes.String(), tc.want) || strings.Count(notes.String(), "\n") != 1 {
			t.Errorf("%s: %d %v\n%s", tc.url, exitCode(err), err, notes.String())
		}
	}
	if n := asked.Load(); n > 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestTstTooManyForTheLimit(t *testing.T) {
	limit, clients, err := loadtest.RaiseDescriptors()
	if err != nil || clients >= tstMaxClients {
		t.Skip("no limit to go over")
	}
	var out, notes await.Buffer
	err = run(context.Background(), []string{"tst", "-n", "1000000", "ws+unix:///nowhere"}, strings.NewReader(""), &out, &notes)
	if want := fmt.Sprintf("tst: the limit of %s descriptors allows ", tstNumber(limit)); exitCode(err) != exitFailed || !strings.HasPrefix(notes.String(), want) {
		t.Errorf("%v: %s", err, notes.String())
	}
}

func TestTstNumbers(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ns", 999: "999ns", 1500: "1.50µs", 412 * time.Microsecond: "412µs", 9996 * time.Microsecond: "10.0ms", 999600 * time.Microsecond: "1000ms",
		20100 * time.Millisecond: "20.1s", 65 * time.Second: "1m05s", 59990 * time.Millisecond: "60.0s", 90 * time.Minute: "1h30m",
	} {
		if got := tstTime(d); got != want {
			t.Errorf("%d is %s, want %s", d, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := tstNumber(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for _, tc := range []struct {
		line, want string
		columns    int
	}{
		{"abc", "abc", 3}, {"abcd", "abc", 3}, {"\x1b[31mabcd\x1b[0m", "\x1b[31mabc\x1b[0m", 3}, {"█░█", "█░", 2}, {"", "", 0},
		{"\x1b[2mab\x1b[0mcd", "\x1b[2mab\x1b[0mcd", 4},
	} {
		if got := tstFit(tc.line, tc.columns); got != tc.want {
			t.Errorf("%q in %d columns is %q", tc.line, tc.columns, got)
		}
	}
}
