package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

// load runs the program against a server in this process. The report is checked
// for what holds of every run.
func load(t *testing.T, addr string, args ...string) (result, error) {
	t.Helper()
	before := descriptors(t)
	args = append([]string{"-addr", addr, "-pid", strconv.Itoa(os.Getpid()), "-json", "-warmup", "50ms", "-stall", "300ms"}, args...)
	var out, log bytes.Buffer
	err := run(context.Background(), args, nil, &out, &log)
	var r result
	if e := json.Unmarshal(out.Bytes(), &r); e != nil {
		t.Fatalf("%v: report %q: %v", args, &out, e)
	}
	if r.OK != (err == nil) || r.OK == (r.Error != "") {
		t.Errorf("%v: ok %v, error %q, returned %v", args, r.OK, r.Error, err)
	}
	// The server's ends, in the same process, close when it notices.
	ends, _ := servers.Load(addr)
	patience := time.After(10 * time.Second)
	for n, changed := ends.(*openEnds).now(); n > 0; n, changed = ends.(*openEnds).now() {
		select {
		case <-changed:
		case <-patience:
			t.Fatalf("%v: the server still has %d connections", args, n)
		}
	}
	if after := descriptors(t); after > before {
		t.Fatalf("%v: %d descriptors, %d before", args, after, before)
	}
	return r, err
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

func TestEcho(t *testing.T) {
	for name, s := range map[string]*testServer{
		"whole":      {},
		"pieces":     {piece: 7},
		"fragmented": {split: 50},
		"pinging":    {pings: 10 * time.Millisecond},
	} {
		for _, kind := range []string{"json", "text", "binary"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				addr := s.start(t, "unix")
				r, err := load(t, addr, "-c", "10", "-payload", kind, "-duration", "300ms", "echo")
				if err != nil {
					t.Fatal(err)
				}
				if r.Messages == 0 || r.Lost != 0 || r.ServerCPU <= 0 || r.OwnCPU <= 0 || r.Latency.P50 <= 0 || r.Latency.P99 < r.Latency.P50 || r.Latency.Max <= 0 {
					t.Errorf("report %+v", r)
				}
				if r.Traffic.Cfg != 10 {
					t.Errorf("%d cfg envelopes, not 10", r.Traffic.Cfg)
				}
				if s.pings > 0 && (r.Traffic.JSONPings == 0 || r.Traffic.PingFrames == 0) {
					t.Errorf("pings went unseen: %+v", r.Traffic)
				}
			})
		}
	}
}

func TestEchoLargeOverTCP(t *testing.T) {
	addr := (&testServer{split: 80000, piece: 30000}).start(t, "tcp")
	r, err := load(t, addr, "-c", "3", "-bytes", "200000", "-duration", "100ms", "echo")
	if err != nil || r.Messages == 0 {
		t.Fatalf("%d messages, %v", r.Messages, err)
	}
}

func TestFanout(t *testing.T) {
	for _, inFlight := range []string{"1", "5"} {
		s := &testServer{forward: true, pings: 20 * time.Millisecond}
		r, err := load(t, s.start(t, "unix"), "-c", "30", "-inflight", inFlight, "-duration", "150ms", "fanout")
		if err != nil {
			t.Fatal(err)
		}
		if r.Broadcast == 0 || r.Lost != 0 || r.Latency.P50 <= 0 {
			t.Errorf("report %+v", r)
		}
		if inFlight == "1" && r.Messages != 30*r.Broadcast {
			t.Errorf("%d deliveries of %d messages to 30", r.Messages, r.Broadcast)
		}
	}
}

func TestPublished(t *testing.T) {
	s := &testServer{forward: true, pings: 100 * time.Millisecond}
	r, err := load(t, s.start(t, "unix"), "-c", "40", "-keepalive", "400ms", "-duration", "600ms", "-send-every", "150ms", "published")
	if err != nil {
		t.Fatal(err)
	}
	// First after 150/2 ms, then each 150, none in the last 150: 75, 225, 375; on
	// a busy machine the last may come too late.
	if r.Broadcast == 0 || r.Broadcast > 3 || r.Messages != r.Broadcast*39 || r.Lost != 0 || r.Unanswered != 0 {
		t.Errorf("report %+v", r)
	}
	// Each of 40 pings each 100 ms for 650 ms.
	if got := r.Traffic.PongFrames; got < 40*2 || got > 40*7 || got != r.Traffic.JSONPongs {
		t.Errorf("%d pong frames, %d JSON pongs", got, r.Traffic.JSONPongs)
	}
	if r.RSSPeak <= 0 || r.ServerPercent <= 0 {
		t.Errorf("report %+v", r)
	}
}

func TestPublishedAnswered(t *testing.T) {
	s := &testServer{forward: true, answer: true, piece: 7}
	addr := s.start(t, "unix")
	args := []string{"-c", "40", "-keepalive", "400ms", "-duration", "600ms", "-send-every", "150ms", "-first-send", "20ms", "published"}
	r, err := load(t, addr, append([]string{"-answered"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	// After 20 ms, then each 150, none in the last 150: 20, 170, 320.
	if r.Broadcast != 3 || r.Messages != 3*39 || r.Answers != 3 || r.AnswersLost != 0 || r.AnswerLatency.P50 <= 0 {
		t.Errorf("report %+v", r)
	}
	if r.RSSSteady <= 0 || r.RSSSteady > r.RSSPeak {
		t.Errorf("%d B steady, %d B at the peak", r.RSSSteady, r.RSSPeak)
	}
	// Who expects no answer takes it for noise.
	if _, err := load(t, addr, args...); !errors.Is(err, errUnknown) {
		t.Errorf("answers nobody expects: %v", err)
	}
}

// TestPublishedGoesOn proves that what is lost or repeated is counted and does not end
// the load.
func TestPublishedGoesOn(t *testing.T) {
	const each = 10 // 9 deliveries and an answer
	for name, c := range map[string]struct {
		n                           int // which message is mangled
		with                        func([]byte) []byte
		lost, answersLost, repeated uint64
		want                        error
	}{
		"delivery lost":   {5, func([]byte) []byte { return nil }, 1, 0, 0, errLost},
		"delivery twice":  {5, func(b []byte) []byte { return append(b, b...) }, 0, 0, 1, errRepeated},
		"answer lost":     {each, func([]byte) []byte { return nil }, 0, 1, 0, errLost},
		"answer twice":    {each, func(b []byte) []byte { return append(b, b...) }, 0, 0, 1, errRepeated},
		"answer to none":  {each, func([]byte) []byte { return encode(0x81, []byte(`{"answer":"000000000000000000000077"}`)) }, 0, 1, 0, errUnknown},
		"answer, no such": {each, func([]byte) []byte { return encode(0x81, []byte(`{"answer":"no"}`)) }, 0, 1, 0, errCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &testServer{forward: true, answer: true, mangle: func(n int, frame []byte) []byte {
				if n == c.n {
					return c.with(frame)
				}
				return frame
			}}
			r, err := loadQuietly(t, s.start(t, "unix"), "published", "-answered")
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if r.Lost != c.lost || r.AnswersLost != c.answersLost || r.Repeated != c.repeated {
				t.Errorf("%d lost, %d answers lost, %d repeated: %+v", r.Lost, r.AnswersLost, r.Repeated, r)
			}
			if c.want == errLost && (r.Broadcast < 2 || r.Answers+r.AnswersLost != r.Broadcast) {
				t.Errorf("it did not go on: %+v", r)
			}
		})
	}
}

// TestGate proves that a load says when it is ready, and begins when it is let.
func TestGate(t *testing.T) {
	s := &testServer{forward: true}
	o, err := parseOptions([]string{"-addr", s.start(t, "unix"), "-pid", strconv.Itoa(os.Getpid()), "-c", "10", "-gate",
		"-warmup", "20ms", "-duration", "100ms", "-send-every", "30ms", "published"}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	gate, opener, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	said, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	o.begin, o.log = gate, log
	ended := make(chan error, 1)
	go func() { ended <- published(context.Background(), o, &result{}) }()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || line != readyLine+"\n" {
		t.Errorf("said %q, %v", line, err)
	}
	select {
	case err := <-ended:
		t.Errorf("it began with the gate shut: %v", err)
	case <-time.After(200 * time.Millisecond): // longer than the load takes
	}
	opener.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	log.Close()

	// A load that is called off at the gate goes.
	shut, never, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	defer shut.Close()
	o.begin, o.log = shut, &bytes.Buffer{}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := published(ctx, o, &result{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("called off: %v", err)
	}
}

func TestIdle(t *testing.T) {
	s := &testServer{pings: 20 * time.Millisecond}
	r, err := load(t, s.start(t, "unix"), "-c", "50", "-settle", "50ms", "-watch", "100ms", "idle")
	if err != nil {
		t.Fatal(err)
	}
	if r.RSSBefore <= 0 || r.RSSAfter <= 0 || r.RSSWatched <= 0 || r.OpenMicros <= 0 || r.Traffic.Cfg != 50 || r.Traffic.JSONPings < 50 {
		t.Errorf("report %+v", r)
	}
}

func TestHandshake(t *testing.T) {
	for _, more := range [][]string{nil, {"-closing-handshake"}} {
		args := append(more, "-total", "300", "-parallel", "20", "handshake")
		r, err := load(t, (&testServer{}).start(t, "unix"), args...)
		if err != nil {
			t.Fatal(err)
		}
		if r.Handshakes != 300 || r.HandshakeMicros <= 0 {
			t.Errorf("report %+v", r)
		}
	}
}

// TestCaught proves that a server at fault has no figure.
func TestCaught(t *testing.T) {
	at := func(n int, f func([]byte) []byte) func(int, []byte) []byte {
		return func(i int, frame []byte) []byte {
			if i == n {
				return f(frame)
			}
			return frame
		}
	}
	drop := func([]byte) []byte { return nil }
	flip := func(b []byte) []byte { b[len(b)-5] ^= 1; return b }
	twice := func(b []byte) []byte { return append(b, b...) }
	for name, c := range map[string]struct {
		server   *testServer
		scenario string
		want     error
	}{
		"echo lost":             {&testServer{mangle: at(50, drop)}, "echo", errLost},
		"echo flipped bit":      {&testServer{mangle: at(50, flip)}, "echo", errCorrupt},
		"echo repeated":         {&testServer{mangle: at(50, twice)}, "echo", errRepeated},
		"echo all lost":         {&testServer{mangle: func(int, []byte) []byte { return nil }}, "echo", errStalled},
		"echo cut short":        {&testServer{mangle: at(50, func(b []byte) []byte { b[3]--; return b[:len(b)-1] })}, "echo", errCorrupt},
		"echo other opcode":     {&testServer{mangle: at(50, func(b []byte) []byte { b[0] = 0x82; return b })}, "echo", errCorrupt},
		"echo masked":           {&testServer{mangle: at(50, func(b []byte) []byte { b[1] |= 0x80; return b })}, "echo", wire.ErrProtocol},
		"echo closed":           {&testServer{mangle: at(50, func([]byte) []byte { return encode(0x88, []byte{3, 0xe9}) })}, "echo", errDropped},
		"echo noise":            {&testServer{mangle: at(50, func([]byte) []byte { return encode(0x81, []byte("hello")) })}, "echo", errUnknown},
		"fanout lost":           {&testServer{forward: true, mangle: at(70, drop)}, "fanout", errStalled},
		"fanout flipped bit":    {&testServer{forward: true, mangle: at(70, flip)}, "fanout", errCorrupt},
		"fanout repeated":       {&testServer{forward: true, mangle: at(70, twice)}, "fanout", errRepeated},
		"fanout to sender":      {&testServer{}, "fanout", errRepeated},
		"published lost":        {&testServer{forward: true, mangle: at(5, drop)}, "published", errLost},
		"published repeated":    {&testServer{forward: true, mangle: at(5, twice)}, "published", errRepeated},
		"published flipped bit": {&testServer{forward: true, mangle: at(5, flip)}, "published", errCorrupt},
		"published to sender":   {&testServer{}, "published", errRepeated},
		"refused":               {&testServer{accept: func(string) string { return "no" }}, "idle", errRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := loadQuietly(t, c.server.start(t, "unix"), c.scenario)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if errors.Is(c.want, errStalled) && r.Lost == 0 {
				t.Errorf("nothing reported lost: %+v", r)
			}
		})
	}
}

// loadQuietly is load without the count of descriptors, for tests in parallel.
func loadQuietly(t *testing.T, addr, scenario string, more ...string) (result, error) {
	t.Helper()
	args := append([]string{"-addr", addr, "-pid", strconv.Itoa(os.Getpid()), "-c", "10", "-warmup", "20ms", "-stall", "200ms",
		"-duration", "400ms", "-keepalive", "400ms", "-send-every", "100ms", "-settle", "1ms", "-watch", "0"}, more...)
	o, err := parseOptions(append(args, scenario), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.limit())
	defer cancel()
	r := o.result()
	err = scenarios[scenario](ctx, o, r)
	return *r, errors.Join(err, r.print(&bytes.Buffer{}, false))
}

func TestUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-addr unix:/x -pid 1 nothing", "echo, fanout, idle, handshake, published"},
		{"echo", "-addr and -pid"},
		{"-addr /x -pid 1 echo", "unix:/path or tcp:host:port"},
		{"-addr unix:/x -pid 1 -bytes 10 echo", "the least is"},
		{"-addr unix:/x -pid 1 -payload xml echo", "json, text, binary"},
		{"-addr unix:/nonexistent/socket -pid 1 echo", "no such file"},
	} {
		err := run(context.Background(), strings.Fields(c.args), nil, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.args, err, c.want)
		}
	}
}
