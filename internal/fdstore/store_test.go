package fdstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// whole checks that exactly these came back, each with its own record, and connected to its own peer. The pairs have the new descriptors then.
func whole(t *testing.T, r *Restored, pairs map[uint64]*pair) {
	t.Helper()
	if r == nil {
		t.Fatal("nothing was kept")
	}
	if len(r.Conns) != len(pairs) || r.Lost != 0 {
		t.Errorf("%d connections came back and %d were lost, want %d", len(r.Conns), r.Lost, len(pairs))
	}
	seen := map[uint64]bool{}
	for _, c := range r.Conns {
		p := pairs[c.Key]
		if p == nil || seen[c.Key] {
			t.Errorf("connection %d came back, twice: %v", c.Key, p != nil)
			continue
		}
		seen[c.Key] = true
		if string(c.Data) != p.data() {
			t.Errorf("connection %d has data %.40q", c.Key, c.Data)
		}
		p.fd = c.FD
		var b [16]byte
		word := fmt.Sprintf("%016d", c.Key)
		if _, err := unix.Write(c.FD, []byte(word)); err != nil {
			t.Errorf("connection %d: %v", c.Key, err)
		}
		if n, err := unix.Read(p.peer, b[:]); err != nil || string(b[:n]) != word {
			t.Errorf("the peer of %d reads %q, %v", c.Key, b[:max(n, 0)], err)
		}
	}
}

func addAll(k *Keeper, pairs map[uint64]*pair) {
	for _, p := range pairs {
		k.Add(int32(p.fd), p.key, []byte(p.data()))
	}
}

func somePairs(t *testing.T, from, to uint64) map[uint64]*pair {
	pairs := map[uint64]*pair{}
	for key := from; key < to; key++ {
		pairs[key] = newPair(t, key)
	}
	return pairs
}

func TestConnectionsOutliveAStore(t *testing.T) {
	m := startManager(t, 64)
	s, r, _ := opened(t, Options{})
	if r != nil {
		t.Errorf("restored from nothing: %v", r)
	}
	pairs := somePairs(t, 1, 1000)
	k := s.Keeper()
	n := 0
	for _, p := range pairs {
		k.Add(int32(p.fd), p.key, []byte(p.data()))
		if n++; n%7 == 0 {
			k.Flush(0)
		}
	}
	k.Flush(0)
	s.SetIn(int32(pairs[5].fd), 1)
	s.SetOut(int32(pairs[6].fd), 1)
	s.SetQueued(int32(pairs[7].fd), 70000)
	s.Counter("messages").Add(12)
	for key := uint64(10); key < 1000; key += 10 { // closed ones do not come back
		k.Drop(int32(pairs[key].fd))
		pairs[key].close()
		delete(pairs, key)
	}
	for round := range 3 {
		crash(s)
		for _, p := range pairs {
			p.close()
		}
		told := m.messages()
		s, r, _ = opened(t, Options{Files: m.files(t)})
		whole(t, r, pairs)
		if m.messages() != told {
			t.Errorf("round %d: systemd was told something: %q", round, m.heard[told:])
		}
		for _, c := range r.Conns {
			if c.In != (c.Key == 5) || c.Out != (c.Key == 6) || c.Queued != map[bool]uint32{true: 70000}[c.Key == 7] {
				t.Errorf("flags of %d: %v %v %d", c.Key, c.In, c.Out, c.Queued)
			}
		}
		if r.Counters["messages"] != 12 || r.State != nil || r.Sealed {
			t.Errorf("counters %v, state %v, sealed %v", r.Counters, r.State, r.Sealed)
		}
	}
	// What is added to a restored store is kept, too.
	more := somePairs(t, 1000, 1100)
	k = s.Keeper()
	addAll(k, more)
	k.Flush(0)
	crash(s)
	for key, p := range more {
		pairs[key] = p
	}
	for _, p := range pairs {
		p.close()
	}
	_, r, _ = opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
	if got := len(m.names()); got != 5 {
		t.Errorf("systemd has %d descriptors: %q", got, m.names())
	}
}

// A closed connection's descriptor is nowhere after a while.
func TestClosedOnesDoNotLinger(t *testing.T) {
	startManager(t, 64)
	linger(t, 8*time.Second)
	s, _, _ := opened(t, Options{})
	pairs := somePairs(t, 1, 600)
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	gone := pairs[300]
	k.Drop(int32(gone.fd))
	gone.close()
	start := time.Now()
	if gone.hungUp() {
		t.Fatal("the descriptor was not in flight")
	}
	eventually(t, "the peer's end of a closed connection", gone.hungUp)
	t.Logf("after %v", time.Since(start))
	delete(pairs, 300)
	for key, p := range pairs {
		if p.hungUp() {
			t.Fatalf("connection %d ended, too", key)
		}
	}
	eventually(t, "no garbage", func() bool { return s.Stats().Garbage == 0 })
	if st := s.Stats(); st.Kept != 598 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

func TestNames(t *testing.T) {
	m := startManager(t, 64)
	s, _, _ := opened(t, Options{})
	settle(t, s)
	if got, want := strings.Join(m.names(), " "), "nvsess-memory.1 nvsess-hot.1.1.w nvsess-hot.1.1.r nvsess-cold.1.2.w nvsess-cold.1.2.r"; got != want {
		t.Errorf("systemd has %s, want %s", got, want)
	}
	for _, name := range append(s.Names(), nameProbe, "nvsess-state.1.2") {
		if !Ours(name) {
			t.Errorf("%s is not ours", name)
		}
	}
	for _, name := range []string{"nvsess", "nvsess-admin", ""} {
		if Ours(name) {
			t.Errorf("%q is ours", name)
		}
	}
}
