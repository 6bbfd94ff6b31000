package loadtest

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/nvsess/nvsess/client"
)

func TestCleanRun(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: toOthers})
	var seen atomic.Int64
	r, err := runTest(t, Config{URL: s.url, Broadcast: DefaultMessage, Every: 50 * time.Millisecond, Hold: 300 * time.Millisecond, Size: 500,
		FailOnLoss: true, Received: func(int, string) { seen.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	b := r.Broadcast
	if !r.OK || b.Sent < 1 || b.Expected != 10*b.Sent || b.Received != b.Expected || b.Lost+b.Missed+b.Duplicates != 0 ||
		b.Latency.Count != uint64(b.Received) || r.Messages != b.Received || seen.Load() != b.Received {
		t.Errorf("%+v, %+v", r, b)
	}
	c := r.Clients
	if c != (ClientCounts{Asked: 10, Begun: 10, Opened: 10, Open: 10}) || r.Opening.Latency.Count != 10 || len(r.Errors)+len(r.Closed) != 0 {
		t.Errorf("%+v", r)
	}
	if len(s.closes) != 11 || slices.ContainsFunc(s.closes, func(c ws.StatusCode) bool { return c != 1000 }) {
		t.Errorf("the server saw close codes %v", s.closes)
	}
}

// One session gets nothing, another gets each message twice: the counts are exact.
func TestLossesAndDuplicates(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: func(from, to int) int {
		return map[int]int{3: 0, 5: 2, 10: 0}[to] + map[bool]int{true: 1}[to != 3 && to != 5 && to != from]
	}})
	r, err := runTest(t, Config{URL: s.url, Broadcast: `{}`, Every: 30 * time.Millisecond, Hold: 200 * time.Millisecond, FailOnLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	b := r.Broadcast
	if b.Received != 9*b.Sent || b.Lost != b.Sent || b.Duplicates != b.Sent || b.Missed != 0 || r.OK || len(r.Problems) != 2 {
		t.Errorf("%+v, problems %q", b, r.Problems)
	}
}

// What a session misses because it has ended is not lost.
func TestClosedByTheServer(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: toOthers})
	s.got = func(s *faultyServer, _ int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = s.sessions[0].Write(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "\x1b[2J"))))
		s.sessions[1].Close()
	}
	r, err := runTest(t, Config{URL: s.url, Broadcast: DefaultMessage, Every: 50 * time.Millisecond, Hold: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b := r.Broadcast
	if r.Clients.Early != 2 || r.Clients.Open != 8 || r.Closed["4001"] != 1 || r.Closed["1006 (hung up)"]+r.Closed["1006 (reset)"] != 1 {
		t.Errorf("%+v", r)
	}
	if b.Lost != 0 || b.Duplicates != 0 || b.Received+b.Missed != b.Expected || b.Received < 8*b.Sent {
		t.Errorf("%+v", b)
	}
	if want := []string{"2 of 10 clients ended before the test did"}; !slices.Equal(r.Problems, want) {
		t.Errorf("problems %q", r.Problems)
	}
}

func TestAllGone(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: toOthers})
	s.got = func(s *faultyServer, _ int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, nc := range s.sessions {
			nc.Close()
		}
	}
	r, err := runTest(t, Config{URL: s.url, Broadcast: DefaultMessage, Every: time.Second, Hold: time.Hour})
	if err != nil || r.Ended != EndedGone || r.Clients.Early != 10 || r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefusals(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: toOthers, refuse: func(n int) int {
		switch {
		case n < 4:
			return 0
		case n%2 == 0:
			return 503
		}
		return 429
	}})
	r, err := runTest(t, Config{URL: s.url, Count: 1000, Hold: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	e := r.Errors
	if r.Clients.Opened != 4 || e["refused: 503 Service Unavailable"] == 0 || e["refused: 429 Too Many Requests"] == 0 ||
		e["refused: 503 Service Unavailable"]+e["refused: 429 Too Many Requests"] != r.Clients.Failed || r.OK {
		t.Errorf("%+v", r)
	}
	// It does not go on to the thousandth.
	if r.Clients.Failed < enoughFailures || r.Clients.Failed > enoughFailures+20 || s.attempts != r.Clients.Begun {
		t.Errorf("%d failed, %d attempts", r.Clients.Failed, s.attempts)
	}
}

func TestFirstClientFails(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: toOthers, refuse: func(int) int { return 403 }})
	var refused *client.HandshakeError
	if r, err := runTest(t, Config{URL: s.url}); r != nil || !errors.As(err, &refused) || s.attempts != 1 {
		t.Errorf("%v after %d attempts", err, s.attempts)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, err := runTest(t, Config{URL: "ws://" + ln.Addr().String()}); !errors.Is(err, syscall.ECONNREFUSED) || Kind(err) != "connection refused" {
		t.Error(err)
	}
}

func TestInterruptedWhileOpening(t *testing.T) {
	s := startFaulty(t, &faultyServer{copies: toOthers})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	test := New(Config{URL: s.url, Count: 1000, Wait: time.Hour, Parallel: 1, Timeout: patience, Broadcast: DefaultMessage, Every: time.Hour})
	done := make(chan *Report)
	go func() {
		r, err := test.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	for test.Report().Clients.Opened == 0 && ctx.Err() == nil {
		runtime.Gosched()
	}
	cancel()
	r := <-done
	if r.Ended != EndedInterrupted || r.Clients.Opened != 1 || r.Clients.Failed != 0 || r.Broadcast.Sent != 0 {
		t.Errorf("%+v", r)
	}
}

func TestMarks(t *testing.T) {
	for _, size := range []int{0, 1, 90, 100, 101, 102, 110, 500, 1024} {
		text := marked(` {"a": 1, "b": "}"} `, mark{"r1", 7, 3, 12345}, size)
		m, ok := markOf([]byte(text), "r1", 12345)
		if !ok || m != (mark{"r1", 7, 3, 12345}) {
			t.Errorf("%s has the mark %+v, %v", text, m, ok)
		}
		if !strings.HasPrefix(text, `{"a":1,"b":"}","tst":{`) || len(text) < size-len(`,"pad":""`) || size > 110 && len(text) != size {
			t.Errorf("%d bytes for %d: %s", len(text), size, text)
		}
	}
	// A server may write the JSON anew.
	for _, anew := range []string{
		`{"tst":{"sent":12345, "seq":3,"from":7,"run":"r1"}, "a":1}`,
		`{"a": 1, "tst": {"run": "r1", "from": 7, "seq": 3, "sent": 12345}, "b": {"run":"r2"}}`,
		`{"tst":{"run":"r1","pad":"}","from":7,"seq":3,"sent":12345}}`,
	} {
		if m, ok := markOf([]byte(anew), "r1", 12345); !ok || m != (mark{"r1", 7, 3, 12345}) {
			t.Errorf("%s has the mark %+v, %v", anew, m, ok)
		}
	}
	for _, hostile := range []string{
		`{"tst":{"run":"r1","from":-1,"seq":1,"sent":12346}}`, // in the future
		`{"tst":{"run":"r1","from":-1,"seq":1,"sent":-1}}`,
		`{"tst":{"run":"r1","from":-1,"seq":0,"sent":1}}`,
		`{"tst":{"run":"r2","from":-1,"seq":1,"sent":1},"r1":1}`,
		`{"tst":"r1"}`, `"run":"r1"`, `{"tst":{"run":"r1"`, `{"run":"r1"}`, `["r1"]`, `r1`,
	} {
		if m, ok := markOf([]byte(hostile), "r1", 12345); ok {
			t.Errorf("%s has the mark %+v", hostile, m)
		}
	}
	if text := marked(`{}`, mark{Run: "r"}, 0); !strings.HasPrefix(text, `{"tst":{`) {
		t.Error(text)
	}
}

func TestCheckMessage(t *testing.T) {
	for text, ok := range map[string]bool{`{}`: true, DefaultMessage: true, `[]`: false, `null`: false, `1`: false, `{`: false,
		`{"tst":1}`: false, `{"___type___":"___ping___"}`: false} {
		if err := CheckMessage(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWindow(t *testing.T) {
	var w window
	for _, step := range []struct {
		seq   uint64
		first bool
	}{{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {64, true}, {4, true}, {3, false}, {200, true}, {64, false}, {137, true}, {136, false},
		{1 << 63, true}, {200, false}} {
		if got := w.first(step.seq); got != step.first {
			t.Errorf("%d comes for the first time: %v", step.seq, got)
		}
	}
}

func TestKinds(t *testing.T) {
	for want, err := range map[string]error{
		"out of descriptors": &net.OpError{Op: "dial", Err: syscall.EMFILE},
		"out of local ports": syscall.EADDRNOTAVAIL,
		"DNS":                &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsTimeout: true}},
		"timeout":            context.DeadlineExceeded,
		"reset":              syscall.ECONNRESET,
		"bad handshake":      client.ErrHandshake,
		"TLS":                errors.New("tls: something"),
		"refused: 499":       &client.HandshakeError{Status: 499},
		"other":              errors.New("something"),
	} {
		if got := Kind(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}
