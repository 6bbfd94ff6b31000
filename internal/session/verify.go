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

// maxVerifying bounds the handshakes that are being decided about.
const maxVerifying = 4096

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

// A Handshake is a request for a session that is being decided about. Its
// methods are safe for concurrent use.
type Handshake struct {
	srv  *Server
	conn *ws.Conn
	head string
	left []namedVerifier // to be asked; used by whoever has the turn
	stop func() bool     // of the deadline
	over atomic.Bool
}

// Request reads the request record.
func (h *Handshake) Request() *RequestRecord { return h.srv.record(h.head, h.conn.Peer()) }

// Accept lets the handshake pass.
func (h *Handshake) Accept() {
	if len(h.left) > 1 && !h.over.Load() {
		h.left = h.left[1:]
		h.left[0].Verify(h)
		return
	}
	h.decide(nil)
}

// Refuse answers the handshake with an HTTP status (0, or what is none: 403) and
// a sentence for a person, which must be one line.
func (h *Handshake) Refuse(status int, detail string) {
	if status < 400 || status > 599 {
		status = http.StatusForbidden
	}
	if detail == "" {
		detail = http.StatusText(status)
	}
	h.decide(&ws.Response{Status: status, Detail: detail})
}

func (h *Handshake) decide(resp *ws.Response) {
	if h.over.Swap(true) {
		return
	}
	h.stop()
	h.srv.verify.pending.Add(-1)
	h.conn.Answer(resp)
}

// Check asks the verifiers about a handshake that the transport's Policy lets
// pass.
func (r receiver) Check(c *ws.Conn, req *ws.Request) *ws.Response {
	list := r.verify.list.Load()
	if list == nil || len(*list) == 0 {
		return nil
	}
	if r.verify.pending.Add(1) > maxVerifying {
		r.verify.pending.Add(-1)
		return &ws.Response{Status: http.StatusServiceUnavailable, Detail: "too many handshakes at once", Header: "Retry-After: 1\r\n"}
	}
	h := &Handshake{srv: r.Server, conn: c, head: string(req.Head), left: *list}
	armed := make(chan struct{})
	timer := time.AfterFunc(r.opt.VerifyTimeout, func() {
		<-armed
		if !h.over.Load() {
			r.log.Warn("nobody decided about a handshake in time", zap.Duration("after", r.opt.VerifyTimeout))
		}
		h.Refuse(http.StatusServiceUnavailable, "it could not be decided in time whether to accept")
	})
	h.stop = timer.Stop
	close(armed)
	h.left[0].Verify(h)
	return ws.Deferred
}
