package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/timing"
)

// Options configures a [Hook]. Zero means the default, except for Retries.
type Options struct {
	URL           string          // see ErrAddress
	Sessions      *session.Server // where broadcasts go
	Log           *zap.Logger
	Version       string // for the User-Agent field
	Timeout       time.Duration
	Retries       int           // further attempts; 0: none
	Backoff       time.Duration // before the first retry; doubled each time; 200 ms
	MaxBackoff    time.Duration // 5 s
	Concurrency   int           // requests under way; 64
	OpenAfter     int           // failed events in a row that open the circuit; 10
	OpenFor       time.Duration // 10 s
	VerifyTimeout time.Duration // for all attempts to decide about a handshake; 5 s
	TLS           *tls.Config   // for https; nil: the system's authorities
}

// A Hook calls a web server. All its methods are safe for concurrent use.
type Hook struct {
	set      atomic.Pointer[settings]
	log      *zap.Logger
	failures *zap.Logger     // log, with a limit to the lines per second
	ctx      context.Context // of all requests
	cancel   context.CancelFunc

	attempts timing.Histogram

	mu       sync.Mutex // guards what follows
	queue    []*event
	workers  int
	sleeping map[*event]*time.Timer // they are tried again later
	ending   bool                   // Close has been called
	closed   bool                   // nothing is sent any more
	quiet    chan struct{}          // closed when ending and nothing is left
	circuit  *circuit
	kinds    map[string]*session.Report // by the event's name
	stats    Stats
	before   uint64 // of stats.Dropped: those of earlier processes
}

// Stats are a hook's totals, with those of earlier processes.
type Stats struct {
	Waiting  int    `json:"waiting"`  // events: in the queue, or until they are tried again
	UnderWay int    `json:"underway"` // events being worked on
	Handled  uint64 `json:"handled"`  // events
	Failed   uint64 `json:"failed"`   // events
	Retries  uint64 `json:"retries"`  // attempts after the first
	Dropped  uint64 `json:"dropped"`  // events that failed because the daemon ended
	Gone     uint64 `json:"gone"`     // messages for sessions that had closed meanwhile
	Slow     uint64 `json:"slow"`     // messages for sessions that did not keep up
	Open     bool   `json:"open"`     // the circuit: the server is left alone
}

// name is the handler's name, and the verifier's.
const name = "webhook"

// verify is the event that is no session's.
const verify = "verify"

// New prepares a hook. Close ends it.
func New(o Options) (*Hook, error) {
	if o.Sessions == nil {
		return nil, errors.New("webhook: no session server")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	s, err := o.settings()
	if err != nil {
		return nil, err
	}
	h := &Hook{
		log: o.Log, quiet: make(chan struct{}),
		// A server that answers nonsense does so for each message.
		failures: o.Log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(c, time.Second, 10, 0)
		})),
		sleeping: make(map[*event]*time.Timer),
		circuit:  &circuit{after: s.OpenAfter, pause: s.OpenFor},
		kinds:    map[string]*session.Report{verify: {}},
	}
	for _, k := range session.Kinds {
		h.kinds[k.String()] = new(session.Report)
	}
	h.set.Store(s)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// Name is "webhook".
func (h *Hook) Name() string { return name }

// Handle queues an event of a session.
func (h *Hook) Handle(c *session.Call) { h.push(&event{call: c, name: c.Kind.String()}) }

// Verify queues a handshake to be decided about.
func (h *Hook) Verify(s *session.Handshake) {
	h.push(&event{shake: s, name: verify, deadline: time.Now().Add(h.set.Load().VerifyTimeout)})
}

// Report tells of the events of a kind. While the circuit is open, that is what
// failed last.
func (h *Hook) Report(k session.Kind) session.Report { return h.report(k.String()) }

// VerifyReport tells of the handshakes.
func (h *Hook) VerifyReport() session.Report { return h.report(verify) }

func (h *Hook) report(event string) session.Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := session.Report{}
	if of := h.kinds[event]; of != nil {
		r = *of
	}
	r.Source = h.set.Load().URL
	if h.circuit.open {
		r.Last = "left alone until " + h.circuit.until.UTC().Format(time.RFC3339) + ": " + h.circuit.why
	}
	return r
}

// Attempts is how long each attempt took, whatever came of it.
func (h *Hook) Attempts() timing.Snapshot { return h.attempts.Snapshot() }

// Stats returns the totals.
func (h *Hook) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Waiting, s.UnderWay, s.Open = len(h.queue)+len(h.sleeping), h.workers, h.circuit.open
	return s
}

// countsLocked are what goes on in the next process, by name.
func (h *Hook) countsLocked() map[string]*uint64 {
	s := &h.stats
	m := map[string]*uint64{
		"handled": &s.Handled, "failed": &s.Failed, "retries": &s.Retries, "dropped": &s.Dropped, "gone": &s.Gone, "slow": &s.Slow,
	}
	for event, r := range h.kinds {
		m["errors."+event], m["timeouts."+event] = &r.Errors, &r.Timeouts
	}
	return m
}

// Counts is what of Stats and the reports goes on in the next process, by name.
func (h *Hook) Counts() map[string]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := map[string]uint64{}
	for name, n := range h.countsLocked() {
		m[name] = *n
	}
	return m
}

// AddCounts adds that of an earlier process.
func (h *Hook) AddCounts(m map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, n := range h.countsLocked() {
		*n += m[name]
	}
	h.before += m["dropped"]
}

// dropped is how many events this hook itself has dropped.
func (h *Hook) dropped() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats.Dropped - h.before
}
