package ws

import (
	"maps"
	"sync"
	"sync/atomic"
)

// traffic counts what one loop's goroutine, and senders to its connections,
// have moved. Each loop has its own, so that no cache line is fought over.
type traffic struct {
	in, out            moved
	inflated, deflated atomic.Uint64
	_                  [64]byte
}

// moved counts messages in one direction.
type moved struct {
	text, binary           atomic.Uint64
	textBytes, binaryBytes atomic.Uint64
}

func (m *moved) count(op OpCode, n int) {
	if op == OpText {
		m.text.Add(1)
		m.textBytes.Add(uint64(n))
	} else {
		m.binary.Add(1)
		m.binaryBytes.Add(uint64(n))
	}
}

// counters are the server's totals of rarer things.
type counters struct {
	opens        atomic.Uint64
	lent         atomic.Uint64
	dropped      atomic.Uint64
	slow         atomic.Uint64
	acceptFailed atomic.Uint64
	starved      atomic.Uint64
	sacrificed   atomic.Uint64
	limited      limited

	mu         sync.Mutex // guards the maps
	byCode     map[int]uint64
	byStatus   map[int]uint64
	violations map[int]uint64
}

// Totals counts since the server was made. Bytes are payload coming in and
// frames going out.
type Totals struct {
	Opens                     uint64
	Lent                      uint64         // requests that others have answered
	Closes                    map[int]uint64 // by close code
	Refused                   map[int]uint64 // handshakes, by HTTP status
	Violations                map[int]uint64 // connections failed for what the peer sent, by close code
	TextIn, BinaryIn, BytesIn uint64
	MessagesOut, BytesOut     uint64
	TextOut, BinaryOut        uint64 // of MessagesOut
	BinaryBytesIn             uint64 // of BytesIn
	BinaryBytesOut            uint64 // of BytesOut
	Inflated, Deflated        uint64 // messages that came, and went, compressed
	Dropped                   uint64 // messages not delivered for a full queue
	SlowClosed                uint64 // connections closed for a full queue
	AcceptFailed              uint64
	Starved                   uint64            // times that a connection met the kernel short of memory
	Memory                    int64             // what connections hold of messages, in bytes, see Options.Memory
	MemoryClosed              uint64            // connections closed for holding most of it
	Limited                   map[string]uint64 // who ran into which limit, by its name
	Addresses                 int               // kept in mind at the moment, for limits
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
	sum := Totals{
		Opens: t.opens.Load(), Lent: t.lent.Load(),
		Closes: maps.Clone(t.byCode), Refused: maps.Clone(t.byStatus), Violations: maps.Clone(t.violations),
		Dropped: t.dropped.Load(), SlowClosed: t.slow.Load(), AcceptFailed: t.acceptFailed.Load(),
		Starved: t.starved.Load(), Memory: inUse.Load(), MemoryClosed: t.sacrificed.Load(),
		Limited: t.limited.totals(), Addresses: s.admission.table.tracked(s.clock()),
	}
	for _, l := range s.loops {
		in, out := &l.traffic.in, &l.traffic.out
		sum.TextIn += in.text.Load()
		sum.BinaryIn += in.binary.Load()
		sum.BytesIn += in.textBytes.Load()
		sum.BinaryBytesIn += in.binaryBytes.Load()
		sum.TextOut += out.text.Load()
		sum.BinaryOut += out.binary.Load()
		sum.BytesOut += out.textBytes.Load()
		sum.BinaryBytesOut += out.binaryBytes.Load()
		sum.Inflated += l.traffic.inflated.Load()
		sum.Deflated += l.traffic.deflated.Load()
	}
	sum.BytesIn += sum.BinaryBytesIn
	sum.BytesOut += sum.BinaryBytesOut
	sum.MessagesOut = sum.TextOut + sum.BinaryOut
	return sum
}
