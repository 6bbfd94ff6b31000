package loadtest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/client"
)

// Config is a test. Count, Parallel and Timeout are positive, and Every too if there is something to send.
type Config struct {
	URL      string
	Count    int           // clients
	Wait     time.Duration // between the beginnings of two handshakes
	Parallel int           // handshakes at a time
	Timeout  time.Duration // of each handshake
	Hold     time.Duration // how long to stay once all are open; 0: until the context ends

	Broadcast string        // what the control client sends; "": there is none
	Echo      string        // what each client sends; "": nothing
	Every     time.Duration // how often
	Size      int           // messages are padded to at least so many bytes

	FailOnLoss bool            // a lost or a duplicate copy is a problem
	Options    []client.Option // of each client, handlers apart
	// Received is told of each message; it runs on many goroutines.
	Received func(client int, text string)
}

// How long the end may take.
const (
	dialGrace       = time.Second     // for handshakes under way, when interrupted
	settleTime      = 5 * time.Second // for the last copies
	settleImpatient = time.Second     // for the same, when interrupted
	closeTime       = 10 * time.Second
)

// Phase is what a test is doing.
type Phase int

// The phases in their order.
const (
	Opening Phase = iota
	Holding
	Settling // waiting for the last copies
	Closing
	Done
)

// How a test ended.
const (
	EndedInTime      = "done"
	EndedInterrupted = "interrupted"
	EndedGone        = "all clients gone"
)

// Test is one run. Make it with New and Run it once.
type Test struct {
	cfg   Config
	run   string
	begin time.Time

	connect, delivery, roundTrip Histogram

	messages   atomic.Int64 // of every kind, the protocol's apart
	copies     atomic.Int64 // of broadcasts, each once
	echoes     atomic.Int64 // the same, of echoes
	duplicates atomic.Int64
	broadcasts atomic.Uint64 // sent; written with mu held

	change chan struct{} // one slot: a client ended, or an echo went astray

	mu             sync.Mutex // guards what follows
	phase          Phase
	phases         [Done + 1]time.Time // when each began
	members        []*member           // that opened, in that order
	begun          int                 // handshakes
	failed         int
	open           int
	openAtEnd      int
	early          int // ended before the test did
	failuresInARow int
	gaveUp         bool
	errors         map[string]int
	closed         map[string]int // how clients ended that this side did not close
	expected       int64          // copies of broadcasts
	missed         int64          // copies that clients did not get because they had ended
	echoesSent     int64
	echoesMissed   int64
	echoesSkipped  int64
	control        error // why there is no control client any more
	stray          error // why echoing ended
	dropped        int   // sessions that did not answer the close frame
	ended          string
}

// member is a client.
type member struct {
	index int
	conn  *client.Conn

	// Of the goroutine that calls its handlers.
	copies, echoes       int64
	copiesSeen, echoSeen window

	echoSent atomic.Uint64 // written with the test's mu held

	// Guarded by the test's mu.
	open, gone bool
	joined     uint64 // broadcasts sent before it opened
}

// New prepares a test.
func New(cfg Config) *Test {
	t := &Test{
		cfg:    cfg,
		run:    newRun(),
		begin:  time.Now(),
		change: make(chan struct{}, 1),
		errors: map[string]int{},
		closed: map[string]int{},
	}
	t.phases[Opening] = t.begin
	return t
}

// Run goes through the phases. When not even the first client can connect, it returns why and no report. The end of ctx ends the test early:
// within a bounded time the sessions are closed and the report is made.
func (t *Test) Run(ctx context.Context) (*Report, error) {
	dials, cancelDials := lingering(ctx, dialGrace)
	defer cancelDials()
	if err := t.openOne(dials, 0); err != nil {
		return nil, err
	}
	t.openRest(ctx, dials)
	holding, cancel := context.WithCancel(ctx)
	var senders sync.WaitGroup
	t.enter(Holding)
	control := t.startSenders(holding, &senders)
	ended := t.hold(ctx)
	cancel()
	t.settle(ctx)
	t.closeAll(control)
	senders.Wait()
	t.mu.Lock()
	t.ended = ended
	t.mu.Unlock()
	t.enter(Done)
	return t.Report(), nil
}

// now is the time since the run began.
func (t *Test) now() time.Duration { return time.Since(t.begin) }

func (t *Test) enter(p Phase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = p
	t.phases[p] = time.Now()
	if p == Closing {
		t.openAtEnd = t.open
	}
}

// hold waits for the end of the test, and tells which it is.
func (t *Test) hold(ctx context.Context) string {
	if ctx.Err() != nil {
		return EndedInterrupted // while opening
	}
	var over <-chan time.Time
	if t.cfg.Hold > 0 {
		timer := time.NewTimer(t.cfg.Hold)
		defer timer.Stop()
		over = timer.C
	}
	for {
		t.mu.Lock()
		gone, stray := t.open == 0, t.stray != nil
		t.mu.Unlock()
		switch {
		case gone:
			return EndedGone
		case stray:
			return EndedInTime
		}
		select {
		case <-t.change:
		case <-over:
			return EndedInTime
		case <-ctx.Done():
			if t.cfg.Hold == 0 {
				return EndedInTime // the way to end it
			}
			return EndedInterrupted
		}
	}
}

// settle waits for the last copies, unless they do not come.
func (t *Test) settle(ctx context.Context) {
	t.enter(Settling)
	patience := settleTime
	if ctx.Err() != nil {
		patience = settleImpatient
	}
	over := time.NewTimer(patience)
	defer over.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !t.settled() {
		select {
		case <-look.C:
		case <-over.C:
			return
		}
	}
}

func (t *Test) settled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open == 0 || t.stray != nil ||
		t.copies.Load()+t.missed >= t.expected && t.echoes.Load()+t.echoesMissed >= t.echoesSent
}
