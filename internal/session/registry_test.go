package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// come enters a new session.
func (r *registry) come() *Session {
	s := &Session{mount: new(mount)}
	r.add(s)
	return s
}

// Random comings and goings against a slice that does the same.
func TestRegistryAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newRegistry()
		var model, left []*Session
		comeMore := 3
		for step := range 3000 {
			if step%500 == 0 {
				comeMore = 1 + rnd.IntN(4) // of 5: it grows for a while, and shrinks
			}
			if len(model) == 0 || rnd.IntN(5) < comeMore {
				model = append(model, r.come())
			} else {
				i := rnd.IntN(len(model))
				left = append(left, model[i])
				r.remove(model[i])
				model = slices.Delete(model, i, i+1)
			}
			if r.size() != len(model) {
				t.Fatalf("seed %d step %d: size %d, want %d", seed, step, r.size(), len(model))
			}
			if rnd.IntN(10) == 0 && !slices.Equal(r.snapshot(), model) {
				t.Fatalf("seed %d step %d: the order is wrong", seed, step)
			}
			if len(model) > 0 {
				if s := model[rnd.IntN(len(model))]; r.get(s.id) != s {
					t.Fatalf("seed %d step %d: a session is not found", seed, step)
				}
			}
			if len(left) > 0 && r.get(left[rnd.IntN(len(left))].id) != nil {
				t.Fatalf("seed %d step %d: a session that left is found", seed, step)
			}
			if r.holes > 65 && r.holes > len(r.order)/2+1 {
				t.Fatalf("seed %d step %d: %d holes in %d", seed, step, r.holes, len(r.order))
			}
		}
	}
}

// Of many that come and leave nothing stays.
func TestRegistryShrinks(t *testing.T) {
	r := newRegistry()
	keep := r.come()
	for range 10_000 {
		r.remove(r.come())
	}
	if len(r.order) > 200 || len(r.byKey) != 1 || !slices.Equal(r.snapshot(), []*Session{keep}) {
		t.Errorf("order %d, keys %d", len(r.order), len(r.byKey))
	}
}

// An id is compared whole, not by its key alone.
func TestRegistryComparesWholeIDs(t *testing.T) {
	r := newRegistry()
	s := r.come()
	other := s.id
	other[47] ^= 1 // same key, another id
	if r.get(other) != nil {
		t.Error("another id is found")
	}
}

// A snapshot stays as it is while sessions come and go.
func TestSnapshotsDoNotChange(t *testing.T) {
	r := newRegistry()
	for range 100 {
		r.come()
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		mine := []*Session{}
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if mine = append(mine, r.come()); len(mine) > 200 || i%3 == 0 {
				r.remove(mine[0])
				mine = mine[1:]
			}
		}
	})
	for range 4 {
		wg.Go(func() {
			for range 500 {
				list := r.snapshot()
				before := slices.Clone(list)
				_ = append(list, nil) // must not write into what others see
				_, _ = r.size(), r.get(list[0].id)
				if again := list[:len(before)]; !slices.Equal(again, before) || slices.Contains(list, nil) {
					t.Error("a snapshot changed")
				}
			}
		})
	}
	wg.Go(func() { // ends the churn when the readers are likely to have met it
		defer close(stop)
		for range 2000 {
			_ = r.snapshot()
		}
	})
	wg.Wait()
}

func TestFind(t *testing.T) {
	h := start(t)
	if h.First() != nil || h.Last() != nil || h.At(0) != nil || h.Len() != 0 {
		t.Error("somebody is there")
	}
	for _, ref := range []string{"fst", "lst", "0", "", "a", newID().String()} {
		if s, err := h.Find(ref); s != nil || !errors.Is(err, ErrNoSession) {
			t.Errorf("%q: %v, %v", ref, s, err)
		}
	}
	var peers []*peer
	for i := range 4 {
		if i%2 == 0 {
			peers = append(peers, h.dial(t))
		} else {
			peers = append(peers, h.dial(t, overTCP))
		}
	}
	is := func(what string, got *Session, err error, want *Session) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	is("First", h.First(), nil, peers[0].sess)
	is("Last", h.Last(), nil, peers[3].sess)
	for i, p := range peers {
		is("At", h.At(i), nil, p.sess)
		id := p.sess.ID()
		for _, ref := range []string{id, fmt.Sprint(i), id[:40]} {
			got, err := h.Find(ref)
			is(ref, got, err, p.sess)
		}
		if i%2 == 0 {
			if p.sess.Port() != 0 {
				t.Errorf("port %d on a unix socket", p.sess.Port())
			}
			continue
		}
		var port int
		if _, err := fmt.Sscanf(p.conn.LocalAddr().String(), "127.0.0.1:%d", &port); err != nil {
			t.Fatal(err)
		}
		is("ByPort", h.ByPort(port), nil, p.sess)
	}
	is("ByPort 0", h.ByPort(0), nil, nil)
	is("ByPort 1", h.ByPort(1), nil, nil)
	for _, i := range []int{-1, 4, 1 << 40} {
		is("At", h.At(i), nil, nil)
	}
	got, err := h.Find("fst")
	is("fst", got, err, peers[0].sess)
	got, err = h.Find("lst")
	is("lst", got, err, peers[3].sess)
	for _, ref := range []string{"4", "-1", "*", "é", peers[0].sess.ID() + "x", peers[0].sess.ID()[:63] + "!", newID().String(), "99999999999999999999"} {
		if s, err := h.Find(ref); s != nil || !errors.Is(err, ErrNoSession) {
			t.Errorf("%q: %v, %v", ref, s, err)
		}
	}

	peers[1].leave()
	is("At after leaving", h.At(1), nil, peers[2].sess)
	if _, err := h.Find(peers[1].sess.ID()); !errors.Is(err, ErrNoSession) {
		t.Errorf("after leaving: %v", err)
	}
	if h.Len() != 3 || len(h.Sessions()) != 3 {
		t.Errorf("%d sessions", h.Len())
	}
}

// Prefixes, with ids that are chosen: random ones have few in common.
func TestFindByPrefix(t *testing.T) {
	s := &Server{registry: newRegistry()}
	add := func(id string) *Session {
		x := s.registry.come()
		delete(s.registry.byKey, x.id.key())
		x.id, _ = parseID([]byte(id + strings.Repeat("A", idLen-len(id))))
		s.registry.byKey[x.id.key()] = x
		return x
	}
	ab1, ab2, c := add("ab1xxxxxxxxxxxxx"), add("ab2xxxxxxxxxxxxx"), add("cxxxxxxxxxxxxxxx")
	add("ab3xxxxxxxxxxxxx")
	add("ab4xxxxxxxxxxxxx")
	for ref, want := range map[string]*Session{"ab1": ab1, "ab2x": ab2, "c": c} {
		if got, err := s.Find(ref); got != want || err != nil {
			t.Errorf("%q: %v, %v", ref, got, err)
		}
	}
	var ambiguous *AmbiguousError
	if _, err := s.Find("ab"); !errors.As(err, &ambiguous) || ambiguous.Ref != "ab" || len(ambiguous.IDs) < 2 {
		t.Errorf("%v", err)
	}
	for _, id := range ambiguous.IDs {
		if !strings.HasPrefix(id, "ab") || len(id) != idLen {
			t.Errorf("%q among the ambiguous", id)
		}
	}
	if ids := s.CompleteID("ab", 3); len(ids) != 3 || ids[0] != ab1.ID() {
		t.Errorf("%q", ids)
	}
	if ids := s.CompleteID("", 100); len(ids) != 5 {
		t.Errorf("%q", ids)
	}
	if ids := s.CompleteID("x", 3); len(ids) != 0 {
		t.Errorf("%q", ids)
	}
}

// TestClosingSessionIsNotFound: what refers to sessions by their place must not
// hit one that only waits for its peer's close frame.
func TestClosingSessionIsNotFound(t *testing.T) {
	h := start(t, func(o *Options) { o.WS.CloseTimeout = time.Hour })
	first, second := h.dial(t), h.dial(t) // neither answers a close frame by itself
	if err := first.sess.Close(1000, "enough"); err != nil {
		t.Fatal(err)
	}
	if h.Len() != 1 || h.First() != second.sess || h.At(1) != nil {
		t.Errorf("%d sessions, the first is %v", h.Len(), h.First())
	}
	if _, err := h.Find(first.sess.ID()); !errors.Is(err, ErrNoSession) {
		t.Errorf("found by its id: %v", err)
	}
}
