package ws

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A limit is one that a peer can run into. Its name is that of its counter.
type limit uint8

const (
	limitSessions limit = iota
	limitSessionsPerMount
	limitSessionsPerAddress
	limitConnectionsPerAddress
	limitHandshakesPerAddress
	limitDelayed
	limitDropped
	limitRate
	limitMessageTime
	numLimits
)

var limitNames = [numLimits]string{
	limitSessions:              "sessions",                // handshakes refused: there are too many
	limitSessionsPerMount:      "sessions_per_mount",      // too many at their path
	limitSessionsPerAddress:    "sessions_per_address",    // too many of their address
	limitConnectionsPerAddress: "connections_per_address", // connections not taken
	limitHandshakesPerAddress:  "handshakes_per_address",  // handshakes refused: their address is too fast
	limitDelayed:               "rate_delayed",            // times that a session was made to wait
	limitDropped:               "rate_dropped",            // messages dropped for coming too fast
	limitRate:                  "rate_closed",             // sessions closed for that
	limitMessageTime:           "message_timeouts",        // sessions closed for a message that did not become whole
}

// limited counts who ran into which limit.
type limited struct {
	hits [numLimits]atomic.Uint64
	last [numLimits]atomic.Int64 // when a warned one was hit, on the clock
}

func (x *limited) totals() map[string]uint64 {
	m := make(map[string]uint64, numLimits)
	for i := range x.hits {
		m[limitNames[i]] = x.hits[i].Load()
	}
	return m
}

// refusedBy counts a client of an address (nil: not known) kept out by a limit,
// and warns once a burst.
func (s *Server) refusedBy(what limit, allowed int, a *address) {
	x := &s.count.limited
	x.hits[what].Add(1)
	now := s.clock()
	if last := time.Duration(x.last[what].Swap(int64(now))); last != 0 && now-last <= burstGap {
		return
	}
	addr := "unknown"
	if a != nil {
		addr = a.key.String()
	}
	s.log.Warn("a limit keeps clients out", zap.String("limit", "limits."+limitNames[what]),
		zap.Int("allowed", allowed), zap.String("address", addr), zap.Int64("connections", s.Conns()))
}
