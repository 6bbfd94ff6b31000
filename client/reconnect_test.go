package client

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"time"
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
		"1012":                  {closed(1012, ""), 5 * time.Second, 30 * time.Second},
		"1013":                  {closed(1013, ""), 30 * time.Second, time.Minute},
		"1012 by this side":     {&CloseError{Code: 1012}, 0, time.Second},
		"1012, asked":           {closed(1012, "restart; retry_after_ms=1500"), 1500 * time.Millisecond, 2500 * time.Millisecond},
		"any code, asked":       {closed(4000, "retry_after_ms=0"), 0, time.Second},
		"asked for much":        {closed(1013, "retry_after_ms=999999999999"), 15 * time.Minute, 15*time.Minute + time.Second},
		"asked for too much":    {closed(1001, "retry_after_ms=99999999999999999999999999"), 15 * time.Minute, 15*time.Minute + time.Second},
		"asked for less":        {closed(1001, "retry_after_ms=-5"), 0, time.Second},
		"another word":          {closed(1001, "not_retry_after_ms=5000"), 0, time.Second},
		"a number goes on":      {closed(1001, "retry_after_ms=5000x"), 0, time.Second},
		"asked by this side":    {&CloseError{Code: 1001, Reason: "retry_after_ms=5000"}, 0, time.Second},
		"Retry-After":           {refused("7"), 7 * time.Second, 8 * time.Second},
		"Retry-After date":      {refused(now.Add(20 * time.Second).UTC().Format(http.TimeFormat)), 19 * time.Second, 21 * time.Second},
		"Retry-After past":      {refused("Sun, 06 Nov 1994 08:49:37 GMT"), 0, time.Second},
		"Retry-After forever":   {refused("20000000000000000000000"), 15 * time.Minute, 15*time.Minute + time.Second},
		"Retry-After senseless": {refused("soon"), 0, time.Second},
	} {
		low, high := r.delay(1, tc.err, now, 0), r.delay(1, tc.err, now, 1)
		if low < tc.low || low > tc.low+time.Second || high > tc.high || high < tc.high-time.Second {
			t.Errorf("%s: %v to %v, want %v to %v", name, low, high, tc.low, tc.high)
		}
	}
	r.MaxDelay = 2 * time.Second
	if low, high := r.delay(1, closed(1012, ""), now, 0), r.delay(1, closed(1012, ""), now, 1); low != r.MaxDelay || high != r.MaxDelay {
		t.Errorf("1012 waits %v to %v, over the bound", low, high)
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
