package fdstore

import (
	"bytes"
	"fmt"
	"sync/atomic"
)

const maxCounters = 64

// counter is a number with a name in shared memory. A name is written before the value of its neighbour is used.
type counter struct {
	name  [24]byte
	value uint64
}

// A Counter is a number that outlives the process. Safe for concurrent use.
type Counter struct{ value *uint64 }

func (c Counter) Set(v uint64) { atomic.StoreUint64(c.value, v) }
func (c Counter) Add(n uint64) { atomic.AddUint64(c.value, n) }
func (c Counter) Load() uint64 { return atomic.LoadUint64(c.value) }

// Counter gives the counter of that name, which has the value it had in the process before. There is room for 64, with names of up to
// 24 bytes; it panics when a program asks for more.
func (s *Store) Counter(name string) Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.mem.h.counters {
		c := &s.mem.h.counters[i]
		if c.label() == "" && name != "" && len(name) <= len(c.name) {
			c.value = 0
			copy(c.name[:], name)
		}
		if c.label() == name {
			return Counter{&c.value}
		}
	}
	panic(fmt.Sprintf("fdstore: no room for a counter %q", name))
}

func (c *counter) label() string {
	name, _, _ := bytes.Cut(c.name[:], []byte{0})
	return string(name)
}

// counters is what the process before left.
func (m *memory) counters() map[string]uint64 {
	all := map[string]uint64{}
	for i := range m.h.counters {
		if name := m.h.counters[i].label(); name != "" {
			all[name] = m.h.counters[i].value
		}
	}
	return all
}
