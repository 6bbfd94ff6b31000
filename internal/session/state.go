package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/fdstore"
	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

// What a session is outlives the process: its id, its place in the order, the
// request it came with, who it is, what waits for its handlers, and the requests
// that it has not answered yet. What handlers in JavaScript have attached to it
// does not.

// backendPatience is how long handlers may take to end what they have begun,
// while nothing is read: the less is handled twice.
const backendPatience = 500 * time.Millisecond

// Suspend makes the sessions stand still, to be exported: nothing is read or
// accepted, and handlers elsewhere have ended what they had begun, or
// backendPatience is over. An error means that all goes on.
func (s *Server) Suspend() error {
	if err := s.ws.Suspend(); err != nil {
		return err
	}
	s.inboxes.stalls.hold()
	late := time.NewTimer(backendPatience)
	defer late.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.inboxes.running.Load() > 0 {
		select {
		case <-tick.C:
			s.ws.Settle()
		case <-late.C:
			s.log.Warn("handlers did not end in time: what they are at is handled again by the next process", zap.Int64("calls", s.inboxes.running.Load()))
			return nil
		}
	}
	return nil
}

// EndTLS is ws.Server.EndTLS.
func (s *Server) EndTLS() { s.ws.EndTLS() }

// TellTLS is ws.Server.TellTLS.
func (s *Server) TellTLS() { s.ws.TellTLS() }

// Resume lets suspended sessions go on.
func (s *Server) Resume() {
	s.ws.Resume()
	s.inboxes.stalls.release()
}

// Export writes everything down; Suspend came before. Nobody can send until
// Resume. It returns the descriptors that the next process needs.
func (s *Server) Export(w *snapshot.Writer) (fds []int) {
	s.ws.Settle()
	s.ws.Hold()
	w.Record(func() { s.exportServer(w) })
	return s.ws.Export(w)
}

// totals are the counters that go on in the next process.
func (s *Server) totals() map[string]interface {
	Load() uint64
	Add(uint64) uint64
} {
	type counter = interface {
		Load() uint64
		Add(uint64) uint64
	}
	m := map[string]counter{
		"wrong_way": &s.wrongWay, "unknown_id": &s.unknownID, "timed_out": &s.timedOut, "pending": &s.limited.requests,
		"verifying": &s.limited.verifying, "idle": &s.limited.idle,
		"inbox_dropped": &s.inboxes.dropped, "inbox_closed": &s.inboxes.closed,
		"drained": &s.drain.closed, "drained_cut": &s.drain.unanswered,
	}
	for i := range s.requests.fates {
		m["requests."+fateNames[i]] = &s.requests.fates[i]
	}
	for k := range s.handlers.calls {
		m["calls."+Kind(k).String()] = &s.handlers.calls[k]
	}
	for r := range s.unauthenticated {
		m["auth."+AuthReason(r).String()] = &s.unauthenticated[r]
	}
	return m
}

func (s *Server) exportServer(w *snapshot.Writer) {
	w.Duration(time.Since(s.since))
	set, _ := json.Marshal(s.Settings()) // it is of strings and numbers
	w.Bytes(set)
	all := s.totals()
	w.Uint(uint64(len(all)))
	for name, n := range all {
		w.String(name)
		w.Uint(n.Load())
	}
	list := s.inboxes.over.list()
	w.Uint(uint64(len(list)))
	for _, x := range list {
		peer := x.conn.Peer()
		addr, _ := peer.Addr.MarshalBinary()
		w.String(peer.Network)
		w.Bytes(addr)
		w.String(x.Protocol())
		w.Record(func() { receiver{s}.Save(x.conn, w, false) })
	}
}

// Import takes over the sessions of an earlier process. It comes after the
// backends were added and before Start; descriptor is as for ws.Server.Import.
func (s *Server) Import(r *snapshot.Reader, descriptor func(fd int, key uint64) int) (ws.Imported, error) {
	own := r.Record()
	if err := r.Err(); err != nil {
		return ws.Imported{}, err
	}
	s.arriving = &arriving{}
	s.importServer(own)
	if err := own.Err(); err != nil {
		return ws.Imported{}, err
	}
	done, err := s.ws.Import(r, descriptor)
	s.settleArriving()
	return done, err
}

// ImportKept takes over the sessions of a process that has crashed; see Import.
func (s *Server) ImportKept(list []fdstore.Conn) (ws.Crashed, error) {
	s.noteConfigured()
	s.arriving = &arriving{}
	done, err := s.ws.ImportKept(list)
	s.settleArriving()
	return done, err
}

// KeepAll is ws.Server.KeepAll.
func (s *Server) KeepAll() { s.ws.KeepAll() }

func (s *Server) importServer(r *snapshot.Reader) {
	s.since = time.Now().Add(-r.Duration())
	var set Settings
	if err := json.Unmarshal(r.Bytes(), &set); err != nil {
		r.Fail(err)
		return
	}
	s.ApplySettings(set)
	all := s.totals()
	for range r.Count() {
		name, n := r.String(), r.Uint()
		if c := all[name]; c != nil {
			c.Add(n)
		}
	}
	for range r.Count() {
		peer := ws.Peer{Network: r.String()}
		if err := peer.Addr.UnmarshalBinary(r.Bytes()); err != nil {
			r.Fail(err)
			return
		}
		c, err := s.ws.Ended(peer, r.String())
		if err != nil {
			r.Fail(err)
			return
		}
		if _, err := (receiver{s}).Restore(c, r.Record()); err != nil {
			s.log.Warn("what a session has left to its handlers is lost", zap.Error(err))
			continue
		}
		x := c.Data().(*Session)
		x.gone, x.ended = true, true
		if x.inbox != nil {
			x.inbox.end(x)
		}
	}
}

// arriving is the sessions that are being imported, and where they stood in the
// order.
type arriving struct {
	requests sync.Pool // of *ws.Request, to be used again

	mu     sync.Mutex
	list   []arrived
	ending []*Session // closed by a drain, and not gone yet
}

type arrived struct {
	*Session
	at uint64
}

// settleArriving enters the imported sessions into the registry, in the order in
// which they came once.
func (s *Server) settleArriving() {
	a := s.arriving
	s.arriving = nil
	slices.SortFunc(a.list, func(x, y arrived) int {
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.openedAt, y.openedAt), cmp.Compare(x.conn.Key(), y.conn.Key()))
	})
	for _, x := range a.list {
		if !x.isGone() {
			s.registry.readmit(x.Session)
		}
	}
	s.drain.ending = a.ending
}

func (s *Session) isGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// StartHandlers lets the backends go on with what waited for them. It comes after
// Start.
func (s *Server) StartHandlers() { s.inboxes.stalls.release() }

// ErrSuspend is the cause with which a context is cancelled when this process
// ends and the next one goes on.
var ErrSuspend = errors.New("session: the daemon is being replaced")

// Suspended is the error of a call whose context was cancelled with ErrSuspend:
// what it waits for is waited for still, by whoever goes on with it in the next
// process.
type Suspended struct {
	Request string           `json:"request"`           // its id
	Waiting []string         `json:"waiting,omitempty"` // of a broadcast: the sessions that have not answered
	Result  *BroadcastResult `json:"result,omitempty"`  // of a broadcast: what there is so far
}

func (e *Suspended) Error() string { return ErrSuspend.Error() }

func suspended(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrSuspend) }
