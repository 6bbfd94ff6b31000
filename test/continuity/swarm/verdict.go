package swarm

import (
	"fmt"
	"strings"
)

// Expect is what may become of the sessions.
type Expect string

const (
	// None: nothing is closed, lost, repeated, reordered or altered.
	None Expect = "none"
	// Crash: who had something under way may be closed, with 1012, or lose it, as
	// far as the daemon says so; nothing else happens to anybody.
	Crash Expect = "crash"
	// Stop: everybody is closed with 1001.
	Stop Expect = "stop"
)

// Expects are those there are.
var Expects = []Expect{None, Crash, Stop}

// judge decides whether what was seen is what was expected.
func (r *Report) judge(s *Swarm) {
	bad := func(n uint64, what string) {
		if n > 0 {
			s.problem("%d %s", n, what)
		}
	}
	bad(r.Duplicated, "duplicated")
	bad(r.Reordered, "out of order")
	bad(r.Corrupted, "corrupted, or nobody's")
	bad(r.Regreeted, "sessions greeted again")
	bad(r.Deaf, "sessions are open and lack something")
	switch r.Expect {
	case None:
		r.judgeNone(bad, s)
	case Crash:
		r.judgeCrash(bad, s)
	case Stop:
		for code, n := range r.Closed {
			if code != "1001" {
				bad(uint64(n), "sessions closed with "+code)
			}
		}
		if n := r.Closed["1001"]; n < r.Sessions {
			s.problem("of %d sessions %d were closed with 1001", r.Sessions, n)
		}
	}
	if s.opt.MaxPause > 0 && r.MaxPause > s.opt.MaxPause {
		s.problem("nothing came back for %v, and %v is the most", r.MaxPause, s.opt.MaxPause)
	}
	r.OK = s.problems == 0
	r.Verdict = "ok"
	if !r.OK {
		r.Verdict = fmt.Sprintf("FAILED (%d problems)", s.problems)
	}
}

func (r *Report) judgeNone(bad func(uint64, string), s *Swarm) {
	for code, n := range r.Closed {
		bad(uint64(n), "sessions closed with "+code)
	}
	bad(r.Messages.Lost, "messages lost")
	bad(r.Broadcasts.Lost, "broadcasts lost")
	bad(r.Requests.Lost, "requests of sessions without an answer")
	bad(r.Questions.Lost+r.Questions.Closed, "requests of operators without an answer")
	if !s.opt.LenientOperators {
		bad(r.CallsBroken, "calls of operators broken")
	}
	for name, o := range r.Odd {
		bad(uint64(o.Failed), "sessions failed that had "+name)
		if name != roleHandshake.String() && name != roleSilent.String() {
			bad(uint64(o.Refused), "sessions closed that had "+name)
		}
	}
}

func (r *Report) judgeCrash(bad func(uint64, string), s *Swarm) {
	for code, n := range r.Closed {
		if code != "1012" && code != "1006" { // see Abrupt and InFrame
			bad(uint64(n), "sessions closed with "+code)
		}
	}
	if r.Abrupt > uint64(s.opt.CutInSend*r.Events) {
		bad(r.Abrupt, "sessions closed without a close frame")
	}
	bad(r.Quiet, "sessions closed with nothing under way")
	if s.opt.DaemonLog == nil {
		return
	}
	if len(r.Resumed) == 0 && r.Events > 0 {
		s.problem("the daemon's log has no line about what it resumed")
		return
	}
	var closed, lost float64
	for _, x := range r.Resumed {
		for k, v := range x {
			n, _ := v.(float64)
			switch {
			case k == "closed":
				closed += n
			case strings.HasPrefix(k, "lost"):
				lost += n
			}
		}
	}
	if n := r.Closed["1012"]; n > int(closed) {
		s.problem("%d sessions were closed with 1012, and the daemon tells of %v", n, closed)
	}
	if n := r.Messages.Lost + r.Broadcasts.Lost + r.Requests.Lost; n > 0 && lost == 0 {
		s.problem("%d messages were lost, and the daemon tells of none", n)
	}
}
