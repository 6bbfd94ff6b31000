package swarm

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Messages counts a kind of message.
type Messages struct {
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
	Lost     uint64 `json:"lost"`      // by sessions that go on
	UnderWay uint64 `json:"under_way"` // when their session was closed
}

// Broadcasts counts them, and what came of them to sessions.
type Broadcasts struct {
	Sent     uint64 `json:"sent"`
	Accepted uint64 `json:"accepted"` // the daemon said so
	Received uint64 `json:"received"`
	Lost     uint64 `json:"lost"` // accepted ones, by sessions that go on
}

// Requests counts what must be answered.
type Requests struct {
	Asked    uint64 `json:"asked"`
	Answered uint64 `json:"answered"`
	Lost     uint64 `json:"lost"`
	Closed   uint64 `json:"closed"` // their session was closed
	Broken   uint64 `json:"broken"` // the operator's call was
}

// Report is what a run saw.
type Report struct {
	Expect  Expect `json:"expect"`
	OK      bool   `json:"ok"`
	Verdict string `json:"verdict"`

	Sessions int            `json:"sessions"`
	Opened   int            `json:"opened"`          // connections in all
	Asked    int            `json:"closed_as_asked"` // by one who was to
	Closed   map[string]int `json:"closed"`          // by code
	Quiet    uint64         `json:"closed_quiet"`    // with nothing under way
	Abrupt   uint64         `json:"closed_abruptly"` // without a close frame, though one could be sent
	InFrame  uint64         `json:"closed_in_frame"` // while the daemon was sending one
	Deaf     uint64         `json:"deaf"`            // open, and lack something

	Messages   Messages   `json:"messages"`
	Broadcasts Broadcasts `json:"broadcasts"`
	Requests   Requests   `json:"requests"`  // of sessions
	Questions  Requests   `json:"questions"` // of operators
	Duplicated uint64     `json:"duplicated"`
	Reordered  uint64     `json:"reordered"`
	Corrupted  uint64     `json:"corrupted"`
	Regreeted  uint64     `json:"greeted_again"`

	CallsBroken uint64          `json:"calls_broken"`
	Odd         map[string]*Odd `json:"odd"`

	Events      int             `json:"events"`
	EventErrors int             `json:"event_errors"`
	Pauses      []time.Duration `json:"pauses_ns"` // the longest of each event
	MaxPause    time.Duration   `json:"max_pause_ns"`
	BasePause   time.Duration   `json:"base_pause_ns"` // the longest outside of events
	OwnPause    time.Duration   `json:"own_pause_ns"`  // the longest this program has not looked
	P50         time.Duration   `json:"p50_ns"`        // of echoes
	P99         time.Duration   `json:"p99_ns"`
	Longest     time.Duration   `json:"longest_ns"`

	Resumed  []resumption `json:"resumed"` // the daemon's own account
	Seconds  float64      `json:"seconds"`
	CPU      float64      `json:"cpu_seconds"` // this program's
	Problems []string     `json:"problems"`
	Samples  []string     `json:"samples"` // the first of what was seen, faults or not
}

func newReport(o Options) *Report {
	return &Report{Expect: o.Expect, Sessions: o.Sessions, Closed: map[string]int{}, Odd: map[string]*Odd{}}
}

func (r *Report) odd(k role) *Odd {
	o := r.Odd[k.String()]
	if o == nil {
		o = new(Odd)
		r.Odd[k.String()] = o
	}
	return o
}

// closed counts the sessions that were closed and were not to be.
func (r *Report) closed() (n int) {
	for _, m := range r.Closed {
		n += m
	}
	return n
}

// mostSamples of each run are kept.
const mostSamples = 30

// fault counts what no daemon may do.
func (s *Swarm) fault(count *uint64, format string, args ...any) {
	*count++
	s.sample(format, args...)
}

func (s *Swarm) sample(format string, args ...any) {
	if len(s.r.Samples) >= mostSamples {
		return
	}
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.r.Samples, text) {
		s.r.Samples = append(s.r.Samples, text)
	}
}

// problem is a fault that has no count of its own.
func (s *Swarm) problem(format string, args ...any) {
	s.problems++
	if len(s.r.Problems) < mostSamples {
		s.r.Problems = append(s.r.Problems, fmt.Sprintf(format, args...))
	}
}

func (s *Swarm) problemOnce(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.r.Problems, text) {
		s.problem("%s", text)
	}
}

// noteEnd sorts the end of a session.
func (s *Swarm) noteEnd(c *conn) {
	s.settle(c)
	s.r.Messages.UnderWay += c.sent - c.echoes.next
	s.r.Requests.Closed += uint64(len(c.unanswered))
	c.cut = c.role == roleClosed && c.heldBytes != nil
	if c.expected != 0 && c.code == c.expected {
		s.r.Asked++
		return
	}
	s.r.Closed[fmt.Sprint(c.code)]++
	switch {
	case c.code == noCode && c.in.InFrame():
		s.r.InFrame++
	case c.code == noCode:
		s.fault(&s.r.Abrupt, "session %d, %v, ended without a close frame", c.id, c.role)
	}
	if c.quiet && s.opt.Expect == Crash {
		s.fault(&s.r.Quiet, "session %d, %v, was closed with %d, and nothing of it was under way", c.id, c.role, c.code)
	} else if s.opt.Expect == None {
		s.sample("session %d, %v, was closed with %d", c.id, c.role, c.code)
	}
}

// settle counts what a session has lost for good.
func (s *Swarm) settle(c *conn) {
	s.r.Messages.Lost += uint64(len(c.echoes.missing))
	s.r.Broadcasts.Lost += s.lostCasts(c)
	c.echoes.missing, c.casts.missing = nil, nil
}

func (s *Swarm) lostCasts(c *conn) (n uint64) {
	for _, k := range c.casts.missing {
		if s.castings[k].accepted && k >= c.member {
			n++
		}
	}
	return n
}

// lost counts what is missing so far.
func (s *Swarm) lost() uint64 {
	n := s.r.Messages.Lost + s.r.Broadcasts.Lost
	for i := range s.conns {
		n += uint64(len(s.conns[i].echoes.missing)) + s.lostCasts(&s.conns[i])
	}
	return n
}

// finish counts what only the end tells.
func (s *Swarm) finish() {
	s.measurePause()
	for i := range s.conns {
		c := &s.conns[i]
		if c.state == stateOpen {
			s.r.Messages.Lost += c.sent - c.echoes.next
			s.r.Requests.Lost += uint64(len(c.unanswered))
		}
		s.settle(c)
	}
	l := s.times.Latency()
	s.r.P50, s.r.P99, s.r.Longest, s.r.OwnPause = l.P50, l.P99, l.Max, s.ownPause
	s.r.Seconds = time.Since(s.started).Seconds()
	if s.opt.DaemonLog != nil {
		log, err := s.opt.DaemonLog()
		if err != nil {
			s.problem("the daemon's log: %v", err)
		}
		s.r.Resumed = resumed(log)
	}
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Print writes it for people.
func (r *Report) Print(w io.Writer) {
	round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond * 10) }
	fmt.Fprintf(w, "%s: %d sessions (%d connections), %d events in %.1f s, closed %s; lost %d, duplicated %d, reordered %d, corrupted %d; longest pause %v (%v without an event)\n",
		r.Verdict, r.Sessions, r.Opened, r.Events, r.Seconds, r.codes(), r.Messages.Lost+r.Broadcasts.Lost, r.Duplicated, r.Reordered, r.Corrupted, round(r.MaxPause), round(r.BasePause))
	fmt.Fprintf(w, "  messages    %d sent, %d came back, %d lost, %d under way when their session was closed\n", r.Messages.Sent, r.Messages.Received, r.Messages.Lost, r.Messages.UnderWay)
	fmt.Fprintf(w, "  broadcasts  %d sent, %d accepted, %d received, %d lost\n", r.Broadcasts.Sent, r.Broadcasts.Accepted, r.Broadcasts.Received, r.Broadcasts.Lost)
	fmt.Fprintf(w, "  requests    %d of sessions, %d answered, %d lost; %d of operators, %d answered, %d lost, %d of closed sessions, %d of broken calls\n",
		r.Requests.Asked, r.Requests.Answered, r.Requests.Lost, r.Questions.Asked, r.Questions.Answered, r.Questions.Lost, r.Questions.Closed, r.Questions.Broken)
	fmt.Fprintf(w, "  closed      %d as asked; of the others %d with nothing under way, %d without a close frame, %d within a frame; %d deaf\n", r.Asked, r.Quiet, r.Abrupt, r.InFrame, r.Deaf)
	for _, k := range slices.Sorted(maps.Keys(r.Odd)) {
		o := r.Odd[k]
		fmt.Fprintf(w, "  odd         %-24s %d, %d went on, %d refused or closed in order, %d failed\n", k, o.Entered, o.Finished, o.Refused, o.Failed)
	}
	if n := len(r.Pauses); n > 1 {
		all := slices.Sorted(slices.Values(r.Pauses))
		fmt.Fprintf(w, "  pauses      p50 %v, p99 %v, longest %v, of %d events\n", round(all[(n-1)/2]), round(all[(n*99+99)/100-1]), round(all[n-1]), n)
	}
	fmt.Fprintf(w, "  echo        p50 %v, p99 %v, longest %v; this program: longest look away %v, %.0f %% of a core\n", round(r.P50), round(r.P99), round(r.Longest), round(r.OwnPause), 100*r.CPU/max(r.Seconds, 0.001))
	for _, x := range r.Resumed {
		b, _ := json.Marshal(x) // it was JSON
		fmt.Fprintf(w, "  daemon      %s\n", b)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "  problem     %s\n", p)
	}
	for _, p := range r.Samples {
		fmt.Fprintf(w, "  seen        %s\n", p)
	}
}

func (r *Report) codes() string {
	if len(r.Closed) == 0 {
		return "none"
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(r.Closed)) {
		fmt.Fprintf(&b, " %d with %s", r.Closed[k], k)
	}
	return b.String()[1:]
}

// linesOf are those of a log.
func linesOf(log string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range strings.Lines(log) {
			if !yield([]byte(line)) {
				return
			}
		}
	}
}
