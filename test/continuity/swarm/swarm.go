package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/bench/wire"
	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/loadtest"
)

// ErrGone is a daemon that does not take sessions any more.
var ErrGone = errors.New("the daemon is gone")

// codeRestart is what sessions are closed with that cannot be continued.
const codeRestart = 1012

// Options say what is done.
type Options struct {
	Addr  string // of the daemon: unix:/path or tcp:HOST:PORT
	Admin string // the operators' socket; "": there are none

	Enter func() error // puts the calling thread where the addresses are; it stays there

	Sessions   int     // that talk or are idle
	Odd        int     // more sessions of each odd kind
	Compressed int     // of those that talk, so many offer permessage-deflate
	SlowBytes  int     // what waits for each that does not read; it has to fit into outbound.queue_bytes
	Rate       float64 // messages per second that sessions send, all together

	BroadcastEvery time.Duration // 0: nothing is broadcast
	AskEvery       time.Duration // an operator asks a session; 0: never

	Times              int           // how often Do is done
	EveryMin, EveryMax time.Duration // the time before each, drawn at random
	After              time.Duration // and the least after it
	Do                 func(ctx context.Context, n int) error
	DoLimit            time.Duration // how long Do may take
	Patience           time.Duration // how long anything else may take

	Expect           Expect
	MaxPause         time.Duration // 0: any
	CutInSend        int           // sessions that may end without a close frame at each crash: each thread may be in send(2), and nobody knows whether it was done
	LenientOperators bool          // calls under way may break, as they do when a process is replaced
	DaemonLog        func() (string, error)

	Seed uint64
	Log  io.Writer // progress
}

// Swarm is a run.
type Swarm struct {
	opt    Options
	target wire.Address
	admin  *admin.Client
	life   context.Context
	calls  sync.WaitGroup
	rng    *rand.Rand

	epfd    int
	buf     []byte
	scratch []byte
	epolled [512]unix.EpollEvent
	started time.Time
	now     int64 // nanoseconds since started, taken for each event
	current *conn // the one deliver works for
	deliver func(opcode byte, b []byte) error
	reports chan func()

	conns              []conn
	sessions, odd      []*conn
	talkers            []*conn
	keys, compressing  wire.Keys
	ids                uint32
	pending            int // connections being opened
	again              []*conn
	lastRefusal        error
	quiet              bool // nothing is sent of its own accord
	talked             int64
	turn               int
	castings           []*casting
	casting, noCasts   bool
	stopping           bool // the daemon ends for good, so nobody calls it
	castBegan          int64
	castEnded          int64
	nextCast, nextAsk  int64
	numbers            uint64 // of questions
	questions          map[uint64]bool
	asking, unanswered int

	owed                int // echoes
	owedSince, lastEcho int64
	pause, ownPause     time.Duration
	eventBegan          int64
	times               loadtest.Histogram

	r        *Report
	problems int
}

// Run opens the sessions, does what is to be done to the daemon, and reports. An
// error is one of the run itself: what the daemon did wrong is in the report.
func Run(ctx context.Context, opt Options) (*Report, error) {
	opt.defaults()
	runtime.LockOSThread() // epoll has one thread to come back to
	if opt.Enter == nil {
		defer runtime.UnlockOSThread()
	} else if err := opt.Enter(); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(ctx)
	s := &Swarm{
		opt: opt, life: life, rng: rand.New(rand.NewPCG(opt.Seed, 7)), buf: make([]byte, 256<<10), started: time.Now(),
		reports: make(chan func()), questions: map[uint64]bool{}, r: newReport(opt),
	}
	defer s.calls.Wait()
	defer end()
	s.deliver = func(opcode byte, b []byte) error { return s.message(s.current, opcode, b) }
	var err error
	if s.target, err = wire.ParseAddress(opt.Addr); err != nil {
		return nil, err
	}
	if opt.Admin != "" {
		s.admin = admin.NewClient(opt.Admin)
	}
	if s.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	defer s.close()
	s.enlist()
	cpu := cpuTime()
	err = s.run(ctx)
	s.r.CPU = (cpuTime() - cpu).Seconds()
	s.finish()
	if err != nil {
		s.problem("%v", err)
	}
	s.r.judge(s)
	if errors.Is(err, ErrGone) || errors.Is(err, errUnopened) {
		err = nil // it is in the report
	}
	return s.r, err
}

var errUnopened = errors.New("the sessions cannot be opened")

func (s *Swarm) run(ctx context.Context) error {
	if ok, err := s.open(ctx, s.sessions); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("%w: %v", errUnopened, s.lastRefusal)
	}
	fmt.Fprintf(s.opt.Log, "%d sessions are open after %v\n", len(s.sessions), time.Since(s.started).Round(time.Millisecond))
	s.talked, s.nextCast, s.nextAsk = s.now, s.now, s.now
	if err := s.events(ctx); err != nil || s.opt.Expect == Stop {
		return err
	}
	var all []*conn
	for i := range s.conns {
		if c := &s.conns[i]; c.live() {
			all = append(all, c)
		}
	}
	s.quiet = true
	return s.leave(ctx, all, s.opt.Patience)
}

// enlist gives each slot its role.
func (s *Swarm) enlist() {
	o := s.opt
	s.keys = wire.NewKeys(256, s.target.Host, "")
	s.compressing = wire.NewKeys(16, s.target.Host, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
	odd := 0
	for r := roleHeader; r < numRoles; r++ {
		if s.admin != nil || !r.operated() {
			odd += o.Odd
		}
	}
	s.conns = make([]conn, o.Sessions+odd)
	n := 0
	add := func(r role, compress bool) *conn {
		c := &s.conns[n]
		*c = conn{fd: -1, slot: uint32(n), role: r, compress: compress}
		n++
		return c
	}
	for i := range o.Sessions {
		r := roleTalker
		if i%5 == 4 {
			r = roleIdle
		}
		c := add(r, r == roleTalker && i < o.Compressed*5/4)
		s.sessions = append(s.sessions, c)
		if r == roleTalker {
			s.talkers = append(s.talkers, c)
		}
	}
	s.rng.Shuffle(len(s.talkers), func(i, j int) { s.talkers[i], s.talkers[j] = s.talkers[j], s.talkers[i] })
	for r := roleHeader; r < numRoles; r++ {
		for i := range o.Odd {
			if s.admin != nil || !r.operated() {
				s.odd = append(s.odd, add(r, o.Compressed > 0 && i%3 == 2 && (r == rolePayload || r == roleFragment)))
			}
		}
	}
}

// close ends all that is left without ceremony.
func (s *Swarm) close() {
	for i := range s.conns {
		if s.conns[i].state != stateClosed {
			s.drop(&s.conns[i])
		}
	}
	unix.Close(s.epfd)
}

func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func (o *Options) defaults() {
	or := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	or(&o.After, 500*time.Millisecond)
	or(&o.DoLimit, 2*time.Minute)
	or(&o.Patience, time.Minute)
	or(&o.EveryMin, 500*time.Millisecond)
	o.EveryMax = max(o.EveryMax, o.EveryMin)
	if o.SlowBytes <= 0 {
		o.SlowBytes = 3 << 20
	}
	if o.Rate <= 0 {
		o.Rate = 500
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Do == nil {
		o.Do = func(context.Context, int) error { return nil }
	}
	if o.Times <= 0 {
		o.Times = 1
	}
}

// A resumption is the daemon's own account of what it took over.
type resumption map[string]any

// resumed finds the lines of a log in which the daemon says what it took over.
func resumed(log string) (found []resumption) {
	for line := range linesOf(log) {
		var r resumption
		if json.Unmarshal(line, &r) == nil && r["msg"] == "resumed" {
			found = append(found, r)
		}
	}
	return found
}
