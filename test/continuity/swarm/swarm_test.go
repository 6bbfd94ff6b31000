package swarm

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// small is a run that is soon over.
func small(addr string, expect Expect) Options {
	return Options{
		Addr: addr, Sessions: 10, Odd: 1, SlowBytes: 1 << 20, Rate: 400, EveryMin: 200 * time.Millisecond, After: 100 * time.Millisecond,
		Patience: 20 * time.Second, Expect: expect, Seed: 1,
	}
}

func TestNothingIsWrong(t *testing.T) {
	r, err := Run(t.Context(), small((&faulty{}).serve(t), None))
	if err != nil || !r.OK {
		t.Fatalf("%v\n%s", err, printed(r))
	}
	if r.Messages.Sent < 50 || r.Messages.Sent != r.Messages.Received || r.Requests.Asked == 0 || r.Requests.Asked != r.Requests.Answered {
		t.Errorf("%s", printed(r))
	}
	for k := roleHeader; k < numRoles; k++ {
		if o := r.odd(k); !k.operated() && (o.Entered != 1 || o.Finished != 1) {
			t.Errorf("%v: %+v", k, *o)
		}
	}
}

// A session that is asked for a sign of life within a frame ends that frame first.
func TestPingsWithinFrames(t *testing.T) {
	r, err := Run(t.Context(), small((&faulty{pings: true}).serve(t), None))
	if err != nil || !r.OK {
		t.Fatalf("%v\n%s", err, printed(r))
	}
}

func printed(r *Report) string {
	var b bytes.Buffer
	if r != nil {
		r.Print(&b)
	}
	return b.String()
}

// Each thing that can be wrong is found, and nothing else is said to be wrong.
func TestFaultsAreFound(t *testing.T) {
	one := func(b []byte) [][]byte { return [][]byte{b} }
	var held []byte
	for name, c := range map[string]struct {
		server *faulty
		expect Expect
		count  func(*Report) uint64
		want   string // of a problem
	}{
		"lost": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return nil
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Messages.Lost }, "1 messages lost"},
		"duplicated": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return [][]byte{b, b}
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Duplicated }, "1 duplicated"},
		"reordered": {&faulty{change: func(n int, b []byte) [][]byte {
			switch n {
			case 3:
				held = b
				return nil
			case 4:
				return [][]byte{b, held}
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Reordered }, "1 out of order"},
		"corrupted": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				b[len(b)-1] ^= 1
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Corrupted }, "1 corrupted"},
		"cut short": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return one(b[:len(b)-1])
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Corrupted }, "1 corrupted"},
		"from nowhere": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return [][]byte{[]byte("hello"), b}
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Corrupted }, "1 corrupted"},
		"another's": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return [][]byte{appendMessage(nil, 1, 77, 0, 60), b}
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Corrupted }, "1 corrupted"},
		"from the future": {&faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return [][]byte{appendMessage(nil, 1, 1, 1000, 60), b}
			}
			return one(b)
		}}, None, func(r *Report) uint64 { return r.Corrupted }, "1 corrupted"},
		"answered twice": {&faulty{answer: func(b []byte) [][]byte { return [][]byte{b, b} }}, None,
			func(r *Report) uint64 { return min(r.Duplicated, 1) }, "duplicated"},
		"greeted again":       {&faulty{greet: 1}, None, func(r *Report) uint64 { return r.Regreeted }, "1 sessions greeted again"},
		"closed":              {&faulty{after: 3, end: closing(1012)}, None, func(r *Report) uint64 { return uint64(r.Closed["1012"]) }, "1 sessions closed with 1012"},
		"closed with another": {&faulty{after: 3, end: closing(1002)}, Crash, func(r *Report) uint64 { return uint64(r.Closed["1002"]) }, "1 sessions closed with 1002"},
		"abrupt":              {&faulty{after: 3, end: abrupt}, Crash, func(r *Report) uint64 { return r.Abrupt }, "1 sessions closed without a close frame"},
		"not stopped":         {&faulty{}, Stop, func(r *Report) uint64 { return 1 }, "sessions to be closed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := small(c.server.serve(t), c.expect)
			if c.expect == Stop {
				o.Patience = time.Second
			}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.OK || c.count(r) != 1 || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("not found, %s:\n%s", c.want, printed(r))
			}
			if n := len(r.Problems); n > 1+int(min(r.Corrupted, r.Messages.Lost)) && c.expect != Stop {
				t.Errorf("%d problems for one:\n%s", n, printed(r))
			}
		})
	}
}

// A session that is open and gets nothing.
func TestSilenceIsFound(t *testing.T) {
	o := small((&faulty{after: 3, end: silent}).serve(t), None)
	o.Patience = 2 * time.Second
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.OK || r.Deaf != 1 || r.Messages.Lost == 0 {
		t.Errorf("%s", printed(r))
	}
}

// After a kill, who had something under way may be closed with 1012, or be cut
// within a frame.
func TestCrashAllows(t *testing.T) {
	for name, end := range map[string]*faulty{"1012": {after: 3, end: closing(1012)}, "a frame that does not end": {after: 3, end: within}} {
		t.Run(name, func(t *testing.T) {
			r, err := Run(t.Context(), small(end.serve(t), Crash))
			if err != nil || !r.OK || r.closed() != 1 {
				t.Errorf("%v\n%s", err, printed(r))
			}
		})
	}
}

// Those that have nothing under way must go on.
func TestClosingTheQuietIsFound(t *testing.T) {
	f := &faulty{}
	o := small(f.serve(t), Crash)
	o.Odd = 0
	o.Times = 2
	o.Do = func(context.Context, int) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, p := range f.peers {
			p.send(ws.OpClose, []byte{1012 >> 8, 1012 & 0xff})
		}
		f.peers = nil
		return nil
	}
	r, err := Run(t.Context(), o)
	if err != nil || r.OK || r.Quiet == 0 || r.Closed["1012"] < o.Sessions {
		t.Errorf("%v\n%s", err, printed(r))
	}
}

// What the daemon says of a crash is compared with what its clients saw.
func TestTheDaemonsAccount(t *testing.T) {
	lossy := func() *faulty {
		return &faulty{change: func(n int, b []byte) [][]byte {
			if n == 3 {
				return nil
			}
			return [][]byte{b}
		}}
	}
	for log, ok := range map[string]bool{
		"": false,
		`{"msg":"resumed","sessions":10,"closed":0,"lost_bytes":0}`:                             false,
		`{"msg":"resumed","sessions":10,"closed":0,"lost_bytes":60}` + "\n" + `{"msg":"ready"}`: true,
	} {
		o := small(lossy().serve(t), Crash)
		o.DaemonLog = func() (string, error) { return log, nil }
		r, err := Run(t.Context(), o)
		if err != nil || r.OK != ok || r.Messages.Lost != 1 {
			t.Errorf("the daemon says %q: %v\n%s", log, err, printed(r))
		}
	}
}

// A run that is interrupted says so.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := small((&faulty{}).serve(t), None)
	o.Do = func(context.Context, int) error { cancel(); return nil }
	r, err := Run(ctx, o)
	if !errors.Is(err, context.Canceled) || r.OK {
		t.Errorf("%v\n%s", err, printed(r))
	}
}

// Nobody listens.
func TestNobodyThere(t *testing.T) {
	o := small("unix:"+t.TempDir()+"/none", None)
	o.Patience = 100 * time.Millisecond
	r, err := Run(t.Context(), o)
	if err != nil || r.OK || r.Opened != 0 {
		t.Errorf("%v\n%s", err, printed(r))
	}
}

func TestStream(t *testing.T) {
	for name, c := range map[string]struct {
		numbers []uint64
		want    []finding
		missing int
	}{
		"in order":  {[]uint64{0, 1, 2}, []finding{inOrder, inOrder, inOrder}, 0},
		"a gap":     {[]uint64{0, 3, 4}, []finding{inOrder, inOrder, inOrder}, 2},
		"late":      {[]uint64{0, 2, 1, 3}, []finding{inOrder, inOrder, tooLate, inOrder}, 0},
		"twice":     {[]uint64{0, 0, 1}, []finding{inOrder, repeated, inOrder}, 0},
		"late once": {[]uint64{1, 0, 0}, []finding{inOrder, tooLate, repeated}, 0},
	} {
		var s stream
		for i, n := range c.numbers {
			if got := s.got(n); got != c.want[i] {
				t.Errorf("%s: number %d is %d, not %d", name, n, got, c.want[i])
			}
		}
		if len(s.missing) != c.missing {
			t.Errorf("%s: %d are missing, not %d", name, len(s.missing), c.missing)
		}
	}
}

// No bit of a message can change unnoticed.
func TestMessageIsChecked(t *testing.T) {
	for _, op := range []byte{1, 2} {
		b := appendMessage(nil, op, 7, 1234567, 120)
		if from, n, err := parseMessage(op, b); from != 7 || n != 1234567 || err != nil || !isMessage(b) {
			t.Fatalf("%d, %d, %v: %q", from, n, err, b)
		}
		for i := range b {
			for bit := range 8 {
				b[i] ^= 1 << bit
				if from, n, err := parseMessage(op, b); err == nil && isMessage(b) {
					t.Errorf("byte %d changed: %d, %d", i, from, n)
				}
				b[i] ^= 1 << bit
			}
		}
	}
}

// What one side compresses the other expands, with context and without.
func TestDeflate(t *testing.T) {
	for _, keep := range []bool{false, true} {
		a, b := newDeflate(keep, keep), newDeflate(keep, keep)
		for n := range uint64(40) {
			want := appendMessage(nil, 1, 1, n, 3000)
			got, err := b.expand(a.compress(want))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("message %d, context %t: %v", n, keep, err)
			}
		}
	}
}
