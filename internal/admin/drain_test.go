package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/nvsess/nvsess/internal/session"
)

// leaves answers the daemon's close, when that comes. (wsutil would take 1012 for a violation.)
func (p *peer) leaves() {
	go func() {
		for {
			h, err := gobwas.ReadHeader(p.conn)
			payload := make([]byte, h.Length)
			if err == nil {
				_, err = io.ReadFull(p.conn, payload)
			}
			if err == nil && h.OpCode == gobwas.OpClose {
				err = gobwas.WriteFrame(p.conn, gobwas.MaskFrame(gobwas.NewCloseFrame(payload)))
			}
			if err != nil {
				return
			}
		}
	}()
}

// drains calls drain and returns its lines, one after the other.
func (d *testDaemon) drains(ctx context.Context, args map[string]any) (lines <-chan *Drain, end <-chan error) {
	d.t.Helper()
	got, over, begun := make(chan *Drain, 1000), make(chan error, 1), make(chan struct{})
	go func() {
		a, err := d.client.Stream(ctx, "drain", args, func() { close(begun) }, func(l *Line) error { got <- l.Drain; return nil })
		if err == nil {
			var last Drain
			err = json.Unmarshal(a.Result, &last)
			got <- &last
		}
		close(got)
		over <- err
	}()
	select {
	case <-begun:
	case err := <-over:
		d.t.Fatal("drain does not begin:", err)
	}
	return got, over
}

// Each line says more than the one before, up to the result; sessions are closed
// as the lines have it.
func TestDrainLines(t *testing.T) {
	d := startDaemon(t, nil)
	for range 10 {
		d.connect("/", nil).leaves()
	}
	lines, end := d.drains(t.Context(), map[string]any{"rate": "20/s", "delay": "100ms", "every": "50ms"})
	phases := map[string]int{}
	var last *Drain
	for l := range lines {
		if last != nil && (l.ElapsedMS < last.ElapsedMS || l.Closed < last.Closed || l.Left > last.Left) {
			t.Errorf("%+v after %+v", l, last)
		}
		if l.Phase == session.DrainAnnounced && (l.Closed != 0 || l.Left != 10 || l.ETAMS == 0) || l.UnderWay {
			t.Errorf("%+v", l)
		}
		phases[l.Phase]++
		last = l
	}
	if err := <-end; err != nil {
		t.Fatal(err)
	}
	if last.Phase != session.Drained || last.Total != 10 || last.Closed != 10 || last.Left != 0 || last.Rate != 20 || last.DelayMS != 100 || last.DeadlineMS != 300_100 {
		t.Errorf("%+v", last)
	}
	if phases[session.DrainAnnounced] == 0 || phases[session.DrainClosing] < 3 || phases[session.Drained] != 1 {
		t.Errorf("%v", phases)
	}
}

// A second drain shows the first; who leaves it, or all of them, ends nothing;
// undrain ends it for all.
func TestDrainIsShared(t *testing.T) {
	d := startDaemon(t, func(o *Options) { o.DrainDelay = func() time.Duration { return time.Minute } })
	d.connect("/", nil).leaves()
	ctx, leave := context.WithCancel(t.Context())
	first, left := d.drains(ctx, map[string]any{})
	if l := <-first; l.UnderWay || l.DelayMS != 60_000 {
		t.Errorf("%+v", l)
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	second, end := d.drains(t.Context(), map[string]any{"rate": "7", "delay": "0s"})
	if l := <-second; !l.UnderWay || l.DelayMS != 60_000 || l.Rate != 0 {
		t.Errorf("%+v", l)
	}
	if got := d.must("drain --detach"); !strings.Contains(got, "a drain is under way since ") || !strings.Contains(got, "drain: health says 503; sessions are closed in ") {
		t.Error(got)
	}
	if got := d.must("undrain"); got != "drain taken back: 0 closed by it, 1 open; health says 200, sessions are taken\n" {
		t.Error(got)
	}
	var e *Error
	if err := <-end; !errors.As(err, &e) || e.Code != CodeUndrained {
		t.Error(err)
	}
	if got := d.must("undrain"); got != "there is no drain\n" {
		t.Error(got)
	}
	d.connect("/", nil)
}

func TestDrainShows(t *testing.T) {
	d := startDaemon(t, nil)
	for range 3 {
		d.connect("/", nil).leaves()
	}
	got := d.must("drain --rate 1000")
	if !strings.HasPrefix(got, "drain: ") || !strings.Contains(got, "drained: 3 sessions closed in ") || !strings.HasSuffix(got, "; new ones are refused until undrain\n") {
		t.Error(got)
	}
	if got := d.must("drain --json"); !strings.HasPrefix(got, `{"result":{"phase":"drained","rate":1000,`) || strings.Count(got, "\n") != 1 {
		t.Error(got)
	}
	if got := d.must("stats"); !strings.Contains(got, "\ndrained                          3\ndrained_cut                      0\n") || !strings.Contains(got, "\ndrain.phase                      drained\n") {
		t.Error(got)
	}
	if got := d.must("undrain --json"); !strings.HasPrefix(got, `{"undrained":true,"was":{"phase":"drained"`) {
		t.Error(got)
	}
	for _, l := range []struct {
		d    Drain
		want string
	}{
		{Drain{DrainState: session.DrainState{Phase: "closing", Rate: 100, Total: 5000, Closed: 1200, Left: 3800}, ETAMS: 38_000}, "1200 of 5000 closed, 3800 left, 100/s, 38s to go"},
		{Drain{DrainState: session.DrainState{Phase: "closing", Rate: 0.5, Total: 5, Closed: 5, Ending: 2, Unanswered: 1, Forced: 3}}, "5 of 5 closed, 0 left, waiting for the answers of 2, 3 at the deadline, 1 did not answer"},
		{Drain{DrainState: session.DrainState{Phase: "closing", Rate: 0.5, Total: 5, Left: 5}, ETAMS: 10_000}, "0 of 5 closed, 5 left, 30/min, 10s to go"},
	} {
		if got := l.d.Progress(); got != l.want {
			t.Errorf("%q, want %q", got, l.want)
		}
	}
}

func TestDrainArguments(t *testing.T) {
	d := startDaemon(t, nil)
	for _, line := range []string{
		"--rate 0", "--rate -1", "--rate x", "--rate 1/h", "--rate 1/", "--rate 2000000", "--rate 99999999999999999999", "--rate 1.5/s",
		"--deadline 0s", "--deadline -1s", "--deadline 25h", "--delay 24h", "--delay 5m --deadline 5m", "--delay -1s", "--delay 2s --deadline 1s",
		"--back-in 2h", "--back-in -1s", "--every 1ms", "--every 0s", "now",
	} {
		var e *Error
		if _, err := d.call("drain " + line); err == nil || errors.As(err, &e) && e.Code != CodeBadArgument {
			t.Errorf("%s: %v", line, err)
		}
	}
	if st := d.sessions.DrainState(); st.Phase != session.Serving {
		t.Errorf("%+v", st)
	}
	if status, _ := d.request("GET", "/v1/drain", nil); status != 405 {
		t.Errorf("GET begins a drain: %d", status)
	}
	if status, body := d.request("POST", "/v1/drain", strings.NewReader(`{"detach": true, "rate": "30/min", "back-in": "3s"}`)); status != 200 || !strings.Contains(body, `"back_in_ms":3000`) {
		t.Errorf("%d %s", status, body)
	}
	d.must("undrain")
}

// A caller that does not read holds up nothing.
func TestDrainUnread(t *testing.T) {
	d := startDaemon(t, nil)
	d.connect("/", nil).leaves()
	r, w := io.Pipe() // nobody reads r
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	inv, err := ParseLine("drain --every 50ms --rate 1/min --deadline 1s --json")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { _, err := d.client.Do(ctx, inv, NewPrinter(w), nil); over <- err }()
	eventually(t, "the drain to be done", func() bool { return d.sessions.DrainState().Phase == session.Drained })
	cancel()
	r.Close()
	if err := <-over; err == nil {
		t.Error("a drain that nobody read ended well")
	}
}
