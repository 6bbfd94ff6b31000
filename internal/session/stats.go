package session

import (
	"strconv"
	"time"
)

// Stats are the server's totals since it was made.
type Stats struct {
	Sessions       int               `json:"sessions"` // open now
	Connections    int64             `json:"connections"`
	Opens          uint64            `json:"opens"`
	Closes         map[string]uint64 `json:"closes"`       // by close code
	Refused        map[string]uint64 `json:"refused"`      // handshakes, by HTTP status
	AuthRefused    map[string]uint64 `json:"auth_refused"` // those of them with 401, by what was wrong with the token
	Violations     map[string]uint64 `json:"violations"`   // connections failed, by close code
	TextIn         uint64            `json:"text_in"`
	BinaryIn       uint64            `json:"binary_in"`
	BytesIn        uint64            `json:"bytes_in"`
	MessagesOut    uint64            `json:"messages_out"`
	BytesOut       uint64            `json:"bytes_out"`
	TextOut        uint64            `json:"text_out"`
	BinaryOut      uint64            `json:"binary_out"`
	BinaryBytesIn  uint64            `json:"binary_bytes_in"`
	BinaryBytesOut uint64            `json:"binary_bytes_out"`
	Inflated       uint64            `json:"inflated"` // messages that came compressed
	Deflated       uint64            `json:"deflated"` // messages sent compressed
	Dropped        uint64            `json:"dropped"`
	SlowClosed     uint64            `json:"slow_closed"`
	KeepaliveLost  uint64            `json:"keepalive_timeouts"`
	Pending        int64             `json:"pending"`
	Requests       map[string]uint64 `json:"requests"` // those that were pending, by what became of them
	Calls          map[string]uint64 `json:"calls"`    // of handlers, by kind
	WrongDirection uint64            `json:"wrong_direction"`
	UnknownReplies uint64            `json:"unknown_replies"`
	AcceptFailed   uint64            `json:"accept_failed"`
	Limited        map[string]uint64 `json:"limited"`         // how often somebody ran into a limit, by its name
	HTTP           map[string]uint64 `json:"http"`            // requests to routes, by what became of them
	Addresses      int               `json:"addresses"`       // of clients, kept in mind for limits
	Starved        uint64            `json:"kernel_memory"`   // times that the kernel was short of memory for a connection
	Memory         int64             `json:"message_memory"`  // bytes that connections hold of messages
	MemoryClosed   uint64            `json:"memory_closed"`   // connections closed for holding most of it
	HandlerWaiting int64             `json:"handler_waiting"` // messages that handlers have not done with
	HandlerDropped uint64            `json:"handler_dropped"` // messages that came faster than they were handled
	HandlerClosed  uint64            `json:"handler_closed"`  // sessions closed for that
	Drained        uint64            `json:"drained"`         // sessions closed by drains
	DrainCut       uint64            `json:"drained_cut"`     // of these, cut because their peers did not answer
	Drain          DrainState        `json:"drain"`
	Loops          int               `json:"loops"`
	Mode           string            `json:"mode"` // of the top level's mount
	UptimeSeconds  float64           `json:"uptime_seconds"`

	Mounts map[string]MountStats `json:"mounts"` // by name
}

// Stats returns the totals.
func (s *Server) Stats() Stats {
	t := s.ws.Totals()
	return Stats{
		Sessions: s.Len(), Connections: s.ws.Conns(), Opens: t.Opens,
		Closes: byName(t.Closes), Refused: byName(t.Refused), Violations: byName(t.Violations),
		AuthRefused: s.unauthenticated.byReason(),
		TextIn:      t.TextIn, BinaryIn: t.BinaryIn, BytesIn: t.BytesIn, MessagesOut: t.MessagesOut, BytesOut: t.BytesOut,
		TextOut: t.TextOut, BinaryOut: t.BinaryOut, BinaryBytesIn: t.BinaryBytesIn, BinaryBytesOut: t.BinaryBytesOut,
		Inflated: t.Inflated, Deflated: t.Deflated,
		Dropped: t.Dropped, SlowClosed: t.SlowClosed, KeepaliveLost: s.timedOut.Load(), AcceptFailed: t.AcceptFailed,
		HTTP:    s.routeTotals(),
		Limited: s.limited.totals(t.Limited), Addresses: t.Addresses,
		Starved: t.Starved, Memory: t.Memory, MemoryClosed: t.MemoryClosed,
		HandlerWaiting: s.inboxes.waiting.Load(), HandlerDropped: s.inboxes.dropped.Load(), HandlerClosed: s.inboxes.closed.Load(),
		Pending: s.requests.pending.Load(), Requests: s.requests.totals(), Calls: s.handlers.totals(), WrongDirection: s.wrongWay.Load(), UnknownReplies: s.unknownID.Load(),
		Drained: s.drain.closed.Load(), DrainCut: s.drain.unanswered.Load(), Drain: s.DrainState(),
		Loops: s.ws.Loops(), Mode: s.Mode(), UptimeSeconds: time.Since(s.since).Round(100 * time.Millisecond).Seconds(),
		Mounts: s.mountStats(),
	}
}

func byName(m map[int]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(m))
	for k, v := range m {
		out[strconv.Itoa(k)] = v
	}
	return out
}

// routeTotals are empty when there are no routes.
func (s *Server) routeTotals() map[string]uint64 {
	to := s.now().Routes
	if to == nil {
		return map[string]uint64{}
	}
	return to.Totals()
}
