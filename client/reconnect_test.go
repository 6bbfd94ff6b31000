package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// Full jitter: from nothing to the delay reached, which grows to a bound.
func TestDelays(t *testing.T) {
	r, err := Reconnect{MinDelay: time.Second, MaxDelay: 10 * time.Second, Factor: 2}.withDefaults()
	must(t, err)
	now := time.Now()
	for failures, reached := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second,
		1000: 10 * time.Second, math.MaxInt: 10 * time.Second,
	} {
		for _, random := range []float64{0, 0.5, 1} {
			want := time.Duration(random * float64(reached))
			if got := r.delay(failures, io.EOF, now, random); got != want {
				t.Errorf("failure %d, random %v: %v, want %v", failures, random, got, want)
			}
		}
	}
	r.MaxDelay = time.Minute
	closed := func(code int, reason string) error {
		return &CloseError{Code: code, Reason: reason, Remote: true}
	}
	refused := func(retryAfter string) error {
		return fmt.Errorf("client: %w", &HandshakeError{Status: 503, Header: http.Header{"Retry-After": {retryAfter}}})
	}
	for name, tc := range map[string]struct {
		err       error
		low, high time.Duration
	}{
		"1001":                  {closed(1001, ""), 0, time.Second},
		"1012":                  {closed(1012, "service restart"), 0, time.Second},
		"1013":                  {closed(1013, ""), 30 * time.Second, time.Minute},
		"1013 by this side":     {&CloseError{Code: 1013}, 0, time.Second},
		"1013, asked":           {closed(1013, "retry_after_ms=100"), 100 * time.Millisecond, 1100 * time.Millisecond},
		"asked for a while":     {closed(1012, "retry_after_ms=20000"), 20 * time.Second, 30 * time.Second},
		"1012, asked":           {closed(1012, "restart; retry_after_ms=1500"), 1500 * time.Millisecond, 2500 * time.Millisecond},
		"sent away by a drain":  {closed(1012, "service restart; retry_after_ms=4217"), 4217 * time.Millisecond, 6325500 * time.Microsecond},
		"any code, asked":       {closed(4000, "retry_after_ms=0"), 0, time.Second},
		"asked for much":        {closed(1013, "retry_after_ms=999999999999"), 15 * time.Minute, 16 * time.Minute},
		"asked for too much":    {closed(1001, "retry_after_ms=99999999999999999999999999"), 15 * time.Minute, 16 * time.Minute},
		"asked for less":        {closed(1001, "retry_after_ms=-5"), 0, time.Second},
		"another word":          {closed(1001, "not_retry_after_ms=5000"), 0, time.Second},
		"a number goes on":      {closed(1001, "retry_after_ms=5000x"), 0, time.Second},
		"asked by this side":    {&CloseError{Code: 1001, Reason: "retry_after_ms=5000"}, 0, time.Second},
		"Retry-After":           {refused("7"), 7 * time.Second, 10500 * time.Millisecond},
		"Retry-After date":      {refused(now.Add(20 * time.Second).UTC().Format(http.TimeFormat)), 19 * time.Second, 30 * time.Second},
		"Retry-After past":      {refused("Sun, 06 Nov 1994 08:49:37 GMT"), 0, time.Second},
		"Retry-After forever":   {refused("20000000000000000000000"), 15 * time.Minute, 16 * time.Minute},
		"Retry-After senseless": {refused("soon"), 0, time.Second},
	} {
		low, high := r.delay(1, tc.err, now, 0), r.delay(1, tc.err, now, 1)
		// A date in Retry-After has whole seconds.
		if low < tc.low || low > tc.low+time.Second || high > tc.high || high < tc.high-1500*time.Millisecond {
			t.Errorf("%s: %v to %v, want %v to %v", name, low, high, tc.low, tc.high)
		}
	}
	r.MaxDelay = 2 * time.Second
	if d := r.delay(1, closed(1013, "retry_after_ms=60000"), now, 1); d != time.Minute+r.MaxDelay {
		t.Errorf("asked for a minute: %v", d)
	}
	// A server that goes on closing with retry_after_ms=0 is not asked all the time.
	if d := r.delay(2, closed(1012, "retry_after_ms=0"), now, 1); d != 2*time.Second {
		t.Errorf("the second time: %v", d)
	}
}

// A close reason says the same to both clients: web/test/drain.test.mjs has the
// other half.
func TestReasonsThatAsk(t *testing.T) {
	data, err := os.ReadFile("testdata/retry_after_ms.json")
	must(t, err)
	var table []struct {
		Reason string
		MS     *int64
	}
	must(t, json.Unmarshal(data, &table))
	if len(table) < 20 {
		t.Fatalf("%d cases", len(table))
	}
	for _, tc := range table {
		got, asked := askedIn(tc.Reason)
		if asked != (tc.MS != nil) || asked && got != time.Duration(*tc.MS)*time.Millisecond {
			t.Errorf("%q: %v, %v", tc.Reason, got, asked)
		}
	}
}

func TestReconnectOptions(t *testing.T) {
	r, err := Reconnect{}.withDefaults()
	if err != nil || r.MinDelay != time.Second || r.MaxDelay != time.Minute || r.Factor != 2 || r.StableAfter != 10*time.Second {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = (Reconnect{MinDelay: time.Hour}).withDefaults(); err != nil || r.MaxDelay != time.Hour {
		t.Errorf("%+v, %v", r, err)
	}
	for name, bad := range map[string]Reconnect{
		"negative":   {MinDelay: -1},
		"attempts":   {MaxAttempts: -1},
		"min > max":  {MinDelay: 2, MaxDelay: 1},
		"factor":     {Factor: 0.5},
		"factor NaN": {Factor: math.NaN()},
		"factor inf": {Factor: math.Inf(1)},
	} {
		if _, err := New("ws://127.0.0.1:1/", WithReconnect(bad)); !errors.Is(err, ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Dial(t.Context(), "ws://127.0.0.1:1/", WithReconnect(Reconnect{})); !errors.Is(err, ErrOption) {
		t.Errorf("Dial took it: %v", err)
	}
}

// A connection that lived long enough makes the next delay small again, and is
// no failure for MaxAttempts.
func TestStableConnection(t *testing.T) {
	for _, stable := range []time.Duration{1, time.Hour} {
		ends := make(chan Disconnect, 100)
		c := started(t, server(t, func(p *peer) {}), soon(Reconnect{
			StableAfter: stable, MaxAttempts: 3, OnDisconnect: func(d Disconnect) { ends <- d },
		}))
		for n := range 5 {
			d := recv(t, ends)
			if stable == 1 && (d.Attempts != 0 || d.Final) {
				t.Errorf("stable: %+v", d)
			}
			if stable == time.Hour {
				if d.Attempts != n+1 || d.Final != (n == 2) {
					t.Errorf("unstable: %+v", d)
				}
				if d.Final {
					break
				}
			}
		}
		c.CloseNow()
	}
}

// What the server will not change by itself ends the Client; the rest does not.
func TestRefusals(t *testing.T) {
	refuser := func(status, header string) string {
		return rawServer(t, func(p *peer) {
			p.Conn.Read(make([]byte, 4096))
			fmt.Fprintf(p, "HTTP/1.1 %s\r\n%sContent-Length: 3\r\n\r\nno\n", status, header)
		})
	}
	for _, status := range []int{400, 401, 403, 404, 405, 414, 426, 501} {
		url := refuser(fmt.Sprint(status, " No"), "")
		c := started(t, url, soon(Reconnect{}))
		queued, err := c.EnqueueString(context.Background(), "x")
		if err == nil { // else it has ended already
			wait(t, queued.Done())
			err = queued.Err()
		}
		var refused *HandshakeError
		if !errors.Is(err, ErrClosed) || !errors.As(err, &refused) || refused.Status != status || refused.Body != "no\n" {
			t.Errorf("%d: queued message: %v", status, err)
		}
		wait(t, c.Done())
		if !errors.As(c.Err(), &refused) || refused.Status != status || c.Stats().Failures != 1 {
			t.Errorf("%d: ended for %v", status, c.Err())
		}
		again := make(chan Disconnect, 100)
		c = started(t, url, soon(Reconnect{RetryRefused: true, MaxAttempts: 3, OnDisconnect: func(d Disconnect) { again <- d }}))
		wait(t, c.Done())
		if len(again) != 3 {
			t.Errorf("%d: %d attempts", status, len(again))
		}
	}
	for _, status := range []int{200, 302, 408, 429, 500, 502, 503} {
		again := make(chan Disconnect, 100)
		c := started(t, refuser(fmt.Sprint(status, " No"), ""), soon(Reconnect{MaxAttempts: 2, OnDisconnect: func(d Disconnect) { again <- d }}))
		wait(t, c.Done())
		if len(again) != 2 || !errors.Is(c.Err(), ErrHandshake) {
			t.Errorf("%d: %d attempts, %v", status, len(again), c.Err())
		}
	}
	ends := make(chan Disconnect, 1)
	c := started(t, refuser("503 Wait", "Retry-After: 100\r\n"), soon(Reconnect{OnDisconnect: func(d Disconnect) { ends <- d }}))
	if d := recv(t, ends); d.Delay < 100*time.Second || d.Delay > 150*time.Second || c.State() != StateWaiting {
		t.Errorf("Retry-After: %+v", d)
	}
	must(t, c.Close(within(t), CloseNormal, "")) // does not wait for it
}

func TestServerAsksForDelay(t *testing.T) {
	ends := make(chan Disconnect, 1)
	started(t, server(t, func(p *peer) {
		p.send(ws.OpClose, ws.NewCloseFrameBody(1013, "busy, retry_after_ms=60000"))
		p.closing()
	}), soon(Reconnect{OnDisconnect: func(d Disconnect) { ends <- d }}))
	if d := recv(t, ends); d.Delay < time.Minute {
		t.Errorf("%+v", d)
	}
}

// While CheckNetwork says no nothing is tried, or counted.
func TestCheckNetwork(t *testing.T) {
	var nth conns
	url := server(t, func(p *peer) {
		if nth.next() > 1 {
			p.echo()
		}
	})
	ends := make(chan Disconnect, 10)
	checks := 0
	offline := errors.New("offline")
	c := started(t, url, soon(Reconnect{
		MaxAttempts:  2,
		OnDisconnect: func(d Disconnect) { ends <- d },
		CheckNetwork: func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the check has no deadline")
			}
			if checks++; checks <= 5 {
				return offline
			}
			return nil
		},
	}))
	if d := recv(t, ends); !errors.Is(d.Err, ErrClosed) || d.Attempts != 1 {
		t.Errorf("first: %+v", d)
	}
	for range 5 {
		if d := recv(t, ends); !errors.Is(d.Err, ErrNetwork) || !errors.Is(d.Err, offline) || d.Attempts != 1 || d.Final {
			t.Errorf("offline: %+v", d)
		}
	}
	must(t, c.SendString(within(t), "x"))
	must(t, c.Close(within(t), CloseNormal, ""))
	if s := c.Stats(); checks != 6 || s.Connects != 2 {
		t.Errorf("%d checks, %+v", checks, s)
	}
}

func TestConnectGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Connect(ctx, "ws+unix:///nowhere/at/all.sock", soon(Reconnect{}))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("connected: %v", err)
	}
	for _, attempts := range []int{1, 3} {
		ends := make(chan Disconnect, 10)
		_, err = Connect(within(t), "ws+unix:///nowhere/at/all.sock", soon(Reconnect{
			MaxAttempts: attempts, OnDisconnect: func(d Disconnect) { ends <- d },
		}))
		if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), fmt.Sprintf("gave up after %d attempts", attempts)) {
			t.Errorf("connected: %v", err)
		}
		for n := range attempts {
			if d := recv(t, ends); d.Attempts != n+1 || d.Final != (n+1 == attempts) {
				t.Errorf("attempt %d: %+v", n, d)
			}
		}
	}
	if _, err := Connect(within(t), "http://h/"); !errors.Is(err, ErrURL) {
		t.Errorf("bad URL: %v", err)
	}
	if _, err := New("ws://h/", WithQueue(0, 1)); !errors.Is(err, ErrOption) {
		t.Errorf("bad option: %v", err)
	}
}
