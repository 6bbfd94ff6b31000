package webhook

import (
	"testing"
	"time"
)

// At another address nothing is held against the server there, not even an
// attempt at the old one that fails later; at the same one the circuit stays.
func TestReloadOfTheAddress(t *testing.T) {
	h := start(t, "http://127.0.0.1:1/", nil, func(o *Options) { o.OpenAfter, o.OpenFor = 1, time.Hour })
	old := h.hook.circuit
	h.hook.leave(old, &failure{what: "away", away: true}, false, false)
	if !h.hook.Stats().Open {
		t.Fatal("the circuit is closed")
	}
	reload := func(url string) {
		t.Helper()
		o := h.hook.set.Load().Options
		o.URL = url
		commit, err := h.hook.Reload(o)
		if err != nil {
			t.Fatal(err)
		}
		commit()
	}
	reload("http://127.0.0.1:1/")
	if !h.hook.Stats().Open {
		t.Error("the same address is believed again")
	}
	reload("http://127.0.0.1:2/")
	h.hook.leave(old, &failure{what: "away", away: true}, false, false)
	if h.hook.Stats().Open {
		t.Error("another address is left alone")
	}
	h.hook.leave(h.hook.circuit, &failure{what: "away", away: true}, false, false)
	if !h.hook.Stats().Open {
		t.Error("the new circuit has no bound")
	}
	if _, err := h.hook.Reload(Options{URL: "ftp://x"}); err == nil || h.hook.set.Load().URL != "http://127.0.0.1:2/" {
		t.Error("an address that is none is taken")
	}
}
