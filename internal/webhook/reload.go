package webhook

import (
	"cmp"
	"net/http"
	"time"
)

// settings are a hook's Options as they hold at the moment, and what is made of
// them. They are immutable.
type settings struct {
	Options
	to     address
	client *http.Client
}

func (o Options) settings() (*settings, error) {
	to, err := parseAddress(o.URL)
	if err != nil {
		return nil, err
	}
	o.Timeout = cmp.Or(max(o.Timeout, 0), 5*time.Second)
	o.Backoff = cmp.Or(max(o.Backoff, 0), 200*time.Millisecond)
	o.MaxBackoff = max(cmp.Or(max(o.MaxBackoff, 0), 5*time.Second), o.Backoff)
	o.Concurrency = cmp.Or(max(o.Concurrency, 0), 64)
	o.OpenAfter = cmp.Or(max(o.OpenAfter, 0), 10)
	o.OpenFor = cmp.Or(max(o.OpenFor, 0), 10*time.Second)
	o.VerifyTimeout = cmp.Or(max(o.VerifyTimeout, 0), 5*time.Second)
	return &settings{Options: o, to: to, client: newClient(to, &o)}, nil
}

// Reload prepares other options for a hook; Log is that of the beginning. Nothing
// changes unless commit is called, which cannot fail. Attempts that are under way
// end as they began; what waits goes out by the new options, to a new address,
// too. At another address the circuit is closed.
func (h *Hook) Reload(o Options) (commit func(), err error) {
	s, err := o.settings()
	if err != nil {
		return nil, err
	}
	return func() {
		h.mu.Lock()
		old := h.set.Swap(s)
		if old.URL != s.URL {
			h.circuit = new(circuit)
		}
		h.circuit.after, h.circuit.pause = s.OpenAfter, s.OpenFor
		for range min(len(h.queue), max(0, s.Concurrency-h.workers)) {
			if !h.closed {
				h.staffLocked()
			}
		}
		h.mu.Unlock()
		old.client.CloseIdleConnections()
	}, nil
}
