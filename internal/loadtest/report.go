package loadtest

import (
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"time"
)

// Report is what a test has found so far. Its JSON is documented in the help of nvsessctl tst.
type Report struct {
	URL       string         `json:"url"` // without a password
	Clients   ClientCounts   `json:"clients"`
	Opening   OpeningReport  `json:"opening"`
	Held      Seconds        `json:"held_seconds"`
	Errors    map[string]int `json:"errors"` // of connecting, by kind
	Closed    map[string]int `json:"closed"` // sessions that the test did not close, by code
	Messages  int64          `json:"messages_received"`
	Broadcast *SendReport    `json:"broadcast,omitempty"`
	Echo      *SendReport    `json:"echo,omitempty"`
	Ended     string         `json:"ended"`
	OK        bool           `json:"ok"`
	Problems  []string       `json:"problems"`

	Phase        Phase         `json:"-"`
	PhaseElapsed time.Duration `json:"-"`
}

// ClientCounts tells what became of the clients.
type ClientCounts struct {
	Asked   int `json:"asked"`
	Begun   int `json:"begun"` // handshakes
	Opened  int `json:"opened"`
	Failed  int `json:"failed"`
	Early   int `json:"closed_early"` // before the test closed them
	Open    int `json:"open_at_end"`  // when the test began to close them; before that, now
	Dropped int `json:"dropped"`      // that did not answer the close frame
	Now     int `json:"-"`            // open at the moment
}

// OpeningReport is of the first phase.
type OpeningReport struct {
	Took    Seconds `json:"seconds"`
	Rate    float64 `json:"per_second"`
	Latency Latency `json:"latency"` // from connecting to the answer that upgrades
}

// SendReport is of broadcasts or echoes.
type SendReport struct {
	Sent       int64   `json:"sent"`
	Skipped    int64   `json:"skipped,omitempty"` // that could not be sent in time
	Expected   int64   `json:"expected"`          // copies
	Received   int64   `json:"received"`          // copies, duplicates apart
	Missed     int64   `json:"missed"`            // by clients that ended before the test did
	Lost       int64   `json:"lost"`              // expected, neither received nor missed; while the test runs, under way
	Duplicates int64   `json:"duplicates"`
	Latency    Latency `json:"latency"`
}

// Seconds is a duration that JSON has in seconds.
type Seconds time.Duration

// MarshalJSON writes seconds to the millisecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(time.Duration(s).Seconds()*1000) / 1000)
}

// MarshalJSON writes milliseconds to the microsecond.
func (l Latency) MarshalJSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / float64(time.Millisecond) }
	return json.Marshal(struct {
		Count uint64  `json:"count"`
		P50   float64 `json:"p50_ms"`
		P90   float64 `json:"p90_ms"`
		P99   float64 `json:"p99_ms"`
		Max   float64 `json:"max_ms"`
	}{l.Count, ms(l.P50), ms(l.P90), ms(l.P99), ms(l.Max)})
}

// Report tells what is known by now.
func (t *Test) Report() *Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Report{
		URL: t.cfg.URL,
		Clients: ClientCounts{
			Asked: t.cfg.Count, Begun: t.begun, Opened: len(t.members), Failed: t.failed,
			Early: t.early, Open: t.open, Dropped: t.dropped, Now: t.open,
		},
		Opening:      OpeningReport{Took: t.spentLocked(Opening, Holding), Latency: t.connect.Latency()},
		Held:         t.spentLocked(Holding, Settling),
		Errors:       maps.Clone(t.errors),
		Closed:       maps.Clone(t.closed),
		Messages:     t.messages.Load(),
		Ended:        t.ended,
		Phase:        t.phase,
		PhaseElapsed: time.Since(t.phases[t.phase]),
	}
	if u, err := url.Parse(t.cfg.URL); err == nil {
		r.URL = u.Redacted()
	}
	if t.phase >= Closing {
		r.Clients.Open = t.openAtEnd
	}
	if took := time.Duration(r.Opening.Took).Seconds(); took > 0 {
		r.Opening.Rate = math.Round(float64(len(t.members))/took*10) / 10
	}
	if t.cfg.Broadcast != "" {
		r.Broadcast = &SendReport{
			Sent: int64(t.broadcasts.Load()), Expected: t.expected, Received: t.copies.Load(), Missed: t.missed,
			Duplicates: t.duplicates.Load(), Latency: t.delivery.Latency(),
		}
	}
	if t.cfg.Echo != "" {
		r.Echo = &SendReport{
			Sent: t.echoesSent, Skipped: t.echoesSkipped, Expected: t.echoesSent, Received: t.echoes.Load(), Missed: t.echoesMissed,
			Duplicates: t.duplicates.Load(), Latency: t.roundTrip.Latency(),
		}
	}
	for _, s := range []*SendReport{r.Broadcast, r.Echo} {
		if s != nil {
			s.Lost = max(s.Expected-s.Received-s.Missed, 0)
		}
	}
	if t.phase == Done {
		r.Problems = t.problemsLocked(r)
		r.OK = len(r.Problems) == 0
	}
	return r
}

// spentLocked is the time from one phase to the next, or as yet.
func (t *Test) spentLocked(from, to Phase) Seconds {
	switch {
	case t.phases[from].IsZero():
		return 0
	case t.phases[to].IsZero():
		return Seconds(time.Since(t.phases[from]))
	}
	return Seconds(t.phases[to].Sub(t.phases[from]))
}
