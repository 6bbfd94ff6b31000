package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

const healthPath = "/healthz"

func withHealth(o *Options) { o.HealthPath = healthPath }

// healthy checks what health says.
func (h *host) healthy(t *testing.T, want bool) {
	t.Helper()
	status, body := 200, `{"status":"ok"}`+"\n"
	if !want {
		status, body = 503, `{"status":"draining"}`+"\n"
	}
	if r := h.get(t, healthPath); r.StatusCode != status || r.body != body {
		t.Errorf("health: %d %q", r.StatusCode, r.body)
	}
}

// takes checks whether a session is taken; one that is leaves again.
func (h *host) takes(t *testing.T, want bool) {
	t.Helper()
	p, err := h.tryDial()
	if (err == nil) != want {
		t.Errorf("sessions are taken: %v", err)
	}
	if err == nil {
		n := h.Len()
		p.conn.Close()
		eventually(t, "it is gone", func() bool { return h.Len() < n })
	}
}

// reaches waits for a phase.
func (h *host) reaches(t *testing.T, phase string) DrainState {
	t.Helper()
	limit := time.After(patience)
	for {
		changed := h.DrainChanged()
		if st := h.DrainState(); st.Phase == phase {
			return st
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("never %s, but %+v", phase, h.DrainState())
		}
	}
}

func (h *host) drains(t *testing.T, o DrainOptions) {
	t.Helper()
	if began, err := h.StartDrain(o); err != nil || !began {
		t.Fatal(began, err)
	}
}

func (h *host) undrains(t *testing.T, want bool) DrainState {
	t.Helper()
	was, done, err := h.Undrain()
	if err != nil || done != want {
		t.Fatal(done, err)
	}
	if st := h.DrainState(); st.Phase != Serving {
		t.Fatalf("%+v", st)
	}
	return was
}

var sentAway = regexp.MustCompile(`^service restart; retry_after_ms=(\d+)$`)

// isSentAway reads the close frame, answers it, and returns what it asks for.
func (p *peer) isSentAway() time.Duration {
	p.t.Helper()
	e := p.closed()
	m := sentAway.FindStringSubmatch(e.reason)
	if e.code != ws.CloseServiceRestart || m == nil {
		p.t.Errorf("closed with %d %q", e.code, e.reason)
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		p.t.Error(err)
	}
	return ms(int64(n))
}

// Health says so first; then nobody is taken and all go, and undrain brings
// everything back, at any moment and as often as one likes.
func TestDrainPhases(t *testing.T) {
	h := start(t, withHealth)
	h.undrains(t, false)
	p := h.dial(t)
	h.drains(t, DrainOptions{Delay: time.Hour, Deadline: 2 * time.Hour})
	if began, err := h.StartDrain(DrainOptions{Rate: 7}); began || err != nil {
		t.Error("a second drain:", began, err)
	}
	h.healthy(t, false)
	h.takes(t, true)
	if st := h.DrainState(); st.Phase != DrainAnnounced || st.Left != 1 || st.Closed != 0 || st.Rate != 0 || st.ETA() < 59*time.Minute {
		t.Errorf("%+v", st)
	}
	h.undrains(t, true)
	h.healthy(t, true)
	h.takes(t, true)
	p.quiet() // and knows nothing of it

	h.drains(t, DrainOptions{})
	if after := p.isSentAway(); after >= minSpread {
		t.Errorf("it is told to stay away for %v", after)
	}
	if st := h.reaches(t, Drained); st.Total != 1 || st.Closed != 1 || st.Forced != 0 || st.Unanswered != 0 || st.Left != 0 || st.Ending != 0 || st.Rate != DefaultDrainRate {
		t.Errorf("%+v", st)
	}
	h.healthy(t, false)
	h.takes(t, false)
	if r := h.http(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"); r.StatusCode != 503 || r.Header.Get("Retry-After") != "5" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if began, err := h.StartDrain(DrainOptions{}); began || err != nil {
		t.Error("a drain of what is drained:", began, err)
	}
	if was := h.undrains(t, true); was.Closed != 1 {
		t.Errorf("%+v", was)
	}
	h.healthy(t, true)
	h.takes(t, true)
	h.drains(t, DrainOptions{}) // of nobody
	if st := h.reaches(t, Drained); st.Total != 0 || st.Closed != 0 {
		t.Errorf("%+v", st)
	}
	if st := h.Stats(); st.Drained != 1 || st.DrainCut != 0 || st.Drain.Phase != Drained {
		t.Errorf("%+v", st)
	}
}

// The oldest go first, and never more than the schedule has.
func TestDrainPace(t *testing.T) {
	h := start(t)
	const n, rate = 30, 20.0
	var peers []*peer
	for range n {
		peers = append(peers, h.dial(t))
	}
	all := h.Sessions()
	var gone sync.WaitGroup
	for _, p := range peers {
		gone.Go(func() { p.isSentAway() })
	}
	h.drains(t, DrainOptions{Rate: rate})
	var seen []int
	for drained := false; !drained; {
		changed := h.DrainChanged()
		st := h.DrainState()
		drained = st.Phase == Drained
		if most := rate*ms(st.ElapsedMS).Seconds() + rate*drainTick.Seconds() + 1; float64(st.Closed) > most {
			t.Fatalf("%d are closed after %v: more than %v", st.Closed, ms(st.ElapsedMS), most)
		}
		if !slices.Contains(seen, st.Closed) {
			seen = append(seen, st.Closed)
		}
		closed := false // one that came later is
		for _, s := range slices.Backward(all) {
			if closed && s.Active() {
				t.Fatal("a session is open that came before a closed one")
			}
			closed = closed || !s.Active()
		}
		select {
		case <-changed:
		case <-time.After(drainTick / 4):
		}
	}
	gone.Wait()
	st := h.DrainState()
	if least := time.Duration((n - rate*drainTick.Seconds() - 1) / rate * float64(time.Second)); st.Closed != n || st.Total != n || ms(st.ElapsedMS) < least {
		t.Errorf("%+v; at least %v", st, least)
	}
	if !slices.IsSorted(seen) || len(seen) < 3 {
		t.Errorf("closed so far: %v", seen)
	}
}

// Who never answers the close is cut; who does not read what was sent before is, too.
func TestDrainUnanswered(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.CloseTimeout = 200 * time.Millisecond })
	h.dial(t) // and reads nothing
	deaf := h.dial(t)
	for deaf.sess.SendBinary(make([]byte, 64<<10)) == Sent {
	}
	good := h.dial(t)
	h.drains(t, DrainOptions{})
	good.isSentAway()
	if st := h.reaches(t, Drained); st.Closed != 3 || st.Unanswered != 2 {
		t.Errorf("%+v", st)
	}
	if st := h.Stats(); st.Drained != 3 || st.DrainCut != 2 || st.Closes["1012"] != 3 {
		t.Errorf("%+v", st)
	}
}

// At the deadline all that are left are closed at once, and spread as the rate
// would have spread them.
func TestDrainDeadline(t *testing.T) {
	h := start(t)
	var peers []*peer
	for range 20 {
		peers = append(peers, h.dial(t))
	}
	h.drains(t, DrainOptions{Rate: 1, Deadline: 400 * time.Millisecond})
	var longest time.Duration
	for _, p := range peers {
		longest = max(longest, p.isSentAway())
	}
	st := h.reaches(t, Drained)
	if st.Closed != 20 || st.Forced < 10 || st.Forced > 19 || ms(st.ElapsedMS) < 400*time.Millisecond {
		t.Errorf("%+v", st)
	}
	if longest < time.Second || longest > 20*time.Second { // of ten or more, not one drew over a second of ten?
		t.Errorf("the longest is %v", longest)
	}
}

// Undrain in the middle: who was closed is, the rest stays.
func TestUndrainInTheMiddle(t *testing.T) {
	h := start(t)
	var peers []*peer
	for range 5 {
		peers = append(peers, h.dial(t))
	}
	h.drains(t, DrainOptions{Rate: MinDrainRate, BackIn: 30 * time.Second})
	// Five minutes of closing, thirty seconds, and up to a minute between two of them: a client is not asked for more than five.
	if after := peers[0].isSentAway(); after < maxRetryAfter-time.Minute || after > maxRetryAfter {
		t.Errorf("it is told to stay away for %v", after)
	}
	h.takes(t, false)
	r := h.http(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if after, err := strconv.Atoi(r.Header.Get("Retry-After")); r.StatusCode != 503 || err != nil || after < 330-int(patience.Seconds()) || after > 330 {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	was := h.undrains(t, true)
	if was.Closed != 1 || h.Len() != 4 {
		t.Errorf("%+v, %d open", was, h.Len())
	}
	for _, p := range peers[1:] {
		p.quiet()
	}
	h.takes(t, true)
}

// The server's end during a drain is the end: the rest is told 1001.
func TestShutdownDuringDrain(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Hour} {
		h := start(t)
		first, second := h.dial(t), h.dial(t)
		h.drains(t, DrainOptions{Rate: MinDrainRate, Delay: delay, Deadline: 2 * time.Hour})
		if delay == 0 {
			first.isSentAway()
		}
		h.Drain()
		for range 2 {
			if _, _, err := h.Undrain(); !errors.Is(err, ErrStopping) {
				t.Error("undrain of a stopping server:", err)
			}
		}
		down := make(chan error, 1)
		go func() { down <- h.Shutdown(t.Context(), ws.CloseGoingAway, "bye") }()
		for _, p := range []*peer{first, second} {
			if p == first && delay == 0 {
				continue
			}
			if e := p.closed(); e.code != ws.CloseGoingAway || e.reason != "bye" {
				t.Errorf("%+v", e)
			}
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
		if _, err := h.StartDrain(DrainOptions{}); !errors.Is(err, ErrStopping) {
			t.Error("a drain after the end:", err)
		}
		if _, _, err := h.Undrain(); !errors.Is(err, ErrStopping) {
			t.Error("undrain after the end:", err)
		}
	}
}

func TestDrainOptions(t *testing.T) {
	h := start(t)
	for _, o := range []DrainOptions{
		{Rate: -1}, {Rate: MinDrainRate / 2}, {Rate: MaxDrainRate + 1}, {Rate: math.NaN()}, {Rate: math.Inf(1)},
		{Deadline: -1}, {Deadline: MaxDrainDeadline + 1}, {Delay: -1}, {Delay: MaxDrainDeadline}, {Delay: 2, Deadline: 1},
		{Deadline: time.Millisecond - 1}, {Delay: 1200 * time.Microsecond, Deadline: 1900 * time.Microsecond}, // which DrainState cannot tell
		{BackIn: -1}, {BackIn: MaxDrainBackIn + 1},
	} {
		if began, err := h.StartDrain(o); began || !errors.Is(err, ErrDrainOptions) {
			t.Errorf("%+v: %v, %v", o, began, err)
		}
	}
	for _, st := range []DrainState{
		{Phase: "gone"}, {Phase: DrainClosing, DeadlineMS: 1000}, {Phase: Drained, DeadlineMS: 1000, Closed: -1}, {Phase: Drained, DelayMS: 5, DeadlineMS: 5},
		{Phase: Drained, DeadlineMS: math.MaxInt64},
	} {
		if err := h.RestoreDrain(st); !errors.Is(err, ErrDrainOptions) {
			t.Errorf("%+v: %v", st, err)
		}
	}
	h.takes(t, true)
}

// What one process says of its drain, the next goes on with.
func TestRestoreDrain(t *testing.T) {
	through := func(st DrainState) (out DrainState) {
		b, err := json.Marshal(st)
		if err == nil {
			err = json.Unmarshal(b, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b := start(t, withHealth), start(t, withHealth)
	if err := b.RestoreDrain(through(a.DrainState())); err != nil {
		t.Fatal(err)
	}
	b.takes(t, true)
	first := a.dial(t)
	a.dial(t)
	a.drains(t, DrainOptions{Rate: MinDrainRate, Deadline: time.Hour, BackIn: time.Minute})
	first.isSentAway()
	eventually(t, "it is counted", func() bool { return a.DrainState().Closed == 1 })
	st := a.DrainState()
	if st.Phase != DrainClosing || st.Total != 2 {
		t.Fatalf("%+v", st)
	}
	moved := b.dial(t)
	st.Rate = 1 // else it would take a minute
	if err := b.RestoreDrain(through(st)); err != nil {
		t.Fatal(err)
	}
	b.healthy(t, false)
	if after := moved.isSentAway(); after < time.Minute {
		t.Errorf("%v", after)
	}
	if got := b.reaches(t, Drained); got.Total != 2 || got.Closed != 2 || got.BackInMS != 60_000 || got.ElapsedMS < st.ElapsedMS {
		t.Errorf("%+v", got)
	}
	c := start(t, withHealth)
	if err := c.RestoreDrain(through(b.DrainState())); err != nil {
		t.Fatal(err)
	}
	c.healthy(t, false)
	c.reaches(t, Drained)
	c.takes(t, false)
	c.undrains(t, true)
	c.healthy(t, true)
}

// What drains have closed is counted on, like all else.
func TestDrainedSessionsAreCountedOn(t *testing.T) {
	a, b := start(t), start(t)
	p := a.dial(t)
	a.drains(t, DrainOptions{})
	p.isSentAway()
	a.reaches(t, Drained)
	var state bytes.Buffer
	w := snapshot.NewWriter(&state)
	a.exportServer(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r := snapshot.NewReader(state.Bytes())
	b.importServer(r)
	if was, is := a.Stats(), b.Stats(); r.Err() != nil || was.Drained != 1 || is.Drained != 1 || is.DrainCut != was.DrainCut {
		t.Errorf("%d, %d cut; then %d, %d; %v", was.Drained, was.DrainCut, is.Drained, is.DrainCut, r.Err())
	}
}

// Who has been sent away by the process before, and has not gone yet, is waited for,
// and counted if he never answers.
func TestDrainWaitsForThoseOfTheProcessBefore(t *testing.T) {
	a := start(t, func(o *Options) { o.WS.CloseTimeout = patience })
	defer a.Resume() // its descriptors are of the same connections
	answers, leaves, other := a.dial(t), a.dial(t), a.dial(t)
	if err := other.sess.Close(4000, "not by a drain"); err != nil {
		t.Fatal(err)
	}
	a.drains(t, DrainOptions{})
	for _, p := range []*peer{answers, leaves} {
		var e closeError
		if _, _, err := p.read(); !errors.As(err, &e) || e.code != ws.CloseServiceRestart {
			t.Fatal(err)
		}
	}
	eventually(t, "both are ending", func() bool { return a.DrainState().Ending == 2 })
	if err := a.Suspend(); err != nil {
		t.Fatal(err)
	}
	var state bytes.Buffer
	w := snapshot.NewWriter(&state)
	a.Export(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	b := next(t, &state)
	for range 5 { // it looks each time
		time.Sleep(drainTick)
		if st := b.DrainState(); st.Phase != DrainClosing || st.Ending != 2 || st.Closed != 2 || st.Left != 0 {
			t.Fatalf("%+v", st)
		}
	}
	if err := answers.tryWrite(gobwas.OpClose, gobwas.NewCloseFrameBody(ws.CloseServiceRestart, "")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one has gone", func() bool { return b.DrainState().Ending == 1 })
	leaves.conn.Close()
	if st := b.reaches(t, Drained); st.Closed != 2 || st.Unanswered != 1 || st.Ending != 0 {
		t.Errorf("%+v", st)
	}
	if st := b.Stats(); st.Drained != 2 || st.DrainCut != 1 {
		t.Errorf("%d drained, %d cut", st.Drained, st.DrainCut)
	}
	other.conn.Close()
}

// next is the process after, of which only the server is another.
func next(t *testing.T, state *bytes.Buffer) *host {
	t.Helper()
	b := &host{}
	var err error
	b.Server, err = NewServer(Options{
		WS:         ws.Options{Loops: 1, Mounts: []*ws.Mount{{Limits: ws.Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 1024}}}, CloseTimeout: patience},
		AskTimeout: patience, TrustedProxies: []string{"unix"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Import(snapshot.NewReader(state.Bytes()), func(fd int, _ uint64) int {
		again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Error(err)
		}
		return again
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(nil); err != nil {
		t.Fatal(err)
	}
	b.StartHandlers()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Shutdown(ctx, ws.CloseGoingAway, "test is over"); err != nil {
			t.Error(err)
		}
	})
	return b
}

// Whoever calls what, and when: afterwards the server serves, or is drained.
func TestDrainFromEverywhere(t *testing.T) {
	h := start(t, withHealth)
	for round := range 20 {
		p := h.dial(t)
		go func() { _, _, _ = p.read() }() // the session's end is all that is looked for
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if i%2 == 0 {
					_, err := h.StartDrain(DrainOptions{Rate: 1000})
					if err != nil {
						t.Error(err)
					}
				} else if _, _, err := h.Undrain(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if round%2 == 0 {
			_, _, _ = h.Undrain()
			if st := h.DrainState(); st.Phase != Serving {
				t.Fatalf("%+v", st)
			}
		} else {
			_, _ = h.StartDrain(DrainOptions{})
			p.conn.Close()
			h.reaches(t, Drained)
			h.undrains(t, true)
		}
		h.healthy(t, true)
		h.takes(t, true)
	}
}
