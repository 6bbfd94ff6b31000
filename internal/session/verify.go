package session

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// A Verifier decides about handshakes before the upgrade: nv-session-simple's
// verify hooks, or a webhook.
type Verifier interface {
	// Verify is called on event loops and returns at once. It or what it starts
	// calls h.Accept or h.Refuse; only the first counts, and none after
	// Options.VerifyTimeout.
	Verify(h *Handshake)
}

// verifiers are asked one after the other; all must accept.
type verifiers struct {
	mu      sync.Mutex // serialises changes
	list    atomic.Pointer[[]namedVerifier]
	pending atomic.Int64
}

type namedVerifier struct {
	name string
	Verifier
}

// SetVerifier sets, or with nil removes, the verifier of that name. Those under
// way are not asked again.
func (s *Server) SetVerifier(name string, v Verifier) {
	s.verify.mu.Lock()
	defer s.verify.mu.Unlock()
	var list []namedVerifier
	if old := s.verify.list.Load(); old != nil {
		list = slices.DeleteFunc(slices.Clone(*old), func(x namedVerifier) bool { return x.name == name })
	}
	if v != nil {
		list = append(list, namedVerifier{name, v})
	}
	s.verify.list.Store(&list)
}

// A Handshake is a request for a session, as one verifier decides about it. Its
// methods are safe for concurrent use.
type Handshake struct {
	*deciding
	left []namedVerifier // whose turn it is, and those to be asked then
	said atomic.Bool     // its verifier has decided
}

// deciding is what the turns of all verifiers share.
type deciding struct {
	srv  *Server
	conn *ws.Conn
	head string
	id   *Identity   // set before the first verifier's turn
	stop func() bool // of the deadline
	over atomic.Bool
}

// Request reads the request record.
func (h *Handshake) Request() *RequestRecord { return h.srv.record(h.head, h.conn.Peer(), h.id) }

// Accept lets the handshake pass, to the next verifier if there is one.
func (h *Handshake) Accept() {
	switch {
	case h.said.Swap(true) || h.over.Load():
	case len(h.left) > 1:
		next := &Handshake{deciding: h.deciding, left: h.left[1:]}
		next.turn()
	default:
		h.decide(nil)
	}
}

// turn asks the verifier whose turn it is, if there is one.
func (h *Handshake) turn() {
	if len(h.left) == 0 {
		h.decide(nil)
		return
	}
	h.left[0].Verify(h)
}

// Refuse answers the handshake with an HTTP status (0, or what is none: 403) and
// a sentence for a person, which must be one line.
func (h *Handshake) Refuse(status int, detail string) {
	if h.said.Swap(true) {
		return
	}
	h.refuse(status, detail)
}

func (h *deciding) refuse(status int, detail string) {
	if status < 400 || status > 599 {
		status = http.StatusForbidden
	}
	if detail == "" {
		detail = http.StatusText(status)
	}
	h.decide(&ws.Response{Status: status, Detail: detail})
}

func (h *deciding) decide(resp *ws.Response) {
	if h.over.Swap(true) {
		return
	}
	h.stop()
	h.srv.verify.pending.Add(-1)
	if resp == nil && h.id != nil {
		h.conn.AnswerWith(h.id)
		return
	}
	h.conn.Answer(resp)
}

// Check authenticates a handshake that the transport lets pass, and then asks
// the verifiers about it.
func (r receiver) Check(c *ws.Conn, req *ws.Request) *ws.Response {
	if r.routed(req.Path()) {
		return refuseRoute
	}
	var list []namedVerifier
	if l := r.verify.list.Load(); l != nil {
		list = *l
	}
	var id *Identity
	opt := r.now()
	slow := authMode(c) != AuthOff && opt.Auth.Slow(req)
	if !slow {
		var resp *ws.Response
		if id, resp = r.authenticate(c, req); resp != nil {
			return resp
		}
		if len(list) == 0 {
			if id != nil {
				c.SetData(id)
			}
			return nil
		}
	}
	if r.verify.pending.Add(1) > int64(opt.MaxVerifying) {
		r.verify.pending.Add(-1)
		r.limited.verifying.Add(1)
		return &ws.Response{Status: http.StatusServiceUnavailable, Detail: "too many handshakes at once", Header: "Retry-After: 1\r\n"}
	}
	d := &deciding{srv: r.Server, conn: c, head: string(req.Head), id: id}
	armed := make(chan struct{})
	timer := time.AfterFunc(opt.VerifyTimeout, func() {
		<-armed
		if !d.over.Load() {
			r.log.Warn("nobody decided about a handshake in time", zap.Duration("after", opt.VerifyTimeout))
		}
		d.refuse(http.StatusServiceUnavailable, "it could not be decided in time whether to accept")
	})
	d.stop = timer.Stop
	close(armed)
	h := &Handshake{deciding: d, left: list}
	if slow {
		r.slowAuth.add(h)
	} else {
		h.turn()
	}
	return ws.Deferred
}
