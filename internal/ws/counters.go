package ws

import (
	"maps"
	"sync"
	"sync/atomic"
)

// counters are the server's totals. The hot ones are atomics without a lock;
// the maps have few keys and rare changes.
type counters struct {
	opens        atomic.Uint64
	messagesIn   [2]atomic.Uint64 // text, binary
	bytesIn      atomic.Uint64
	dropped      atomic.Uint64
	slow         atomic.Uint64
	acceptFailed atomic.Uint64

	mu         sync.Mutex // guards the maps
	byCode     map[int]uint64
	byStatus   map[int]uint64
	violations map[int]uint64
}

// Totals counts since the server was made.
type Totals struct {
	Opens        uint64
	Closes       map[int]uint64 // by close code
	Refused      map[int]uint64 // handshakes, by HTTP status
	Violations   map[int]uint64 // connections failed for what the peer sent, by close code
	TextIn       uint64
	BinaryIn     uint64
	BytesIn      uint64 // payload
	Dropped      uint64 // messages not delivered for a full queue
	SlowClosed   uint64 // connections closed for a full queue
	AcceptFailed uint64
}

func (t *counters) message(op OpCode, n int) {
	t.messagesIn[op-OpText].Add(1)
	t.bytesIn.Add(uint64(n))
}

func bump(mu *sync.Mutex, m *map[int]uint64, key int) {
	mu.Lock()
	defer mu.Unlock()
	if *m == nil {
		*m = make(map[int]uint64)
	}
	(*m)[key]++
}

func (t *counters) closed(code int)    { bump(&t.mu, &t.byCode, code) }
func (t *counters) refused(status int) { bump(&t.mu, &t.byStatus, status) }
func (t *counters) failed(code int)    { bump(&t.mu, &t.violations, code) }

// Totals returns the server's counters.
func (s *Server) Totals() Totals {
	t := &s.count
	t.mu.Lock()
	defer t.mu.Unlock()
	return Totals{
		Opens:  t.opens.Load(),
		Closes: maps.Clone(t.byCode), Refused: maps.Clone(t.byStatus), Violations: maps.Clone(t.violations),
		TextIn: t.messagesIn[0].Load(), BinaryIn: t.messagesIn[1].Load(), BytesIn: t.bytesIn.Load(),
		Dropped: t.dropped.Load(), SlowClosed: t.slow.Load(), AcceptFailed: t.acceptFailed.Load(),
	}
}
