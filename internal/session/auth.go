package session

import (
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// An Authenticator finds out who asks for a session.
type Authenticator interface {
	// Authenticate judges the token that a handshake brings. Exactly one of its
	// results is nil, and they do not alias the request. It is called by several
	// goroutines at once, and does not block.
	Authenticate(r *ws.Request) (*Identity, *AuthRefusal)

	// Slow reports whether that takes longer than an event loop's other sessions
	// should have to wait. It does not take long itself.
	Slow(r *ws.Request) bool
}

// An Identity is who has opened a session, for as long as that lives. It is
// immutable.
type Identity struct {
	Name   string          `json:"name"`   // the token's name, or the subject of a JWT; may be empty there
	Method string          `json:"method"` // AuthToken or AuthJWT
	Claims json.RawMessage `json:"claims"` // of a JWT: an object, as it was signed; null for a token
}

// Methods of an Identity.
const (
	AuthToken = "token"
	AuthJWT   = "jwt"
)

// AuthMode says which handshakes need a token.
type AuthMode uint8

// The modes.
const (
	AuthOff      AuthMode = iota // no token is looked at
	AuthOptional                 // a handshake without one passes, and has no Identity; one with a wrong one does not
	AuthRequired
)

// An AuthRefusal is why a handshake is answered 401. The client is not told.
type AuthRefusal struct {
	Reason AuthReason
	Detail string // for the log; what the client sent is quoted in it, but never the token
}

// AuthReason is what a refusal is counted as.
type AuthReason uint8

// The reasons.
const (
	AuthMissing AuthReason = iota
	AuthMalformed
	AuthAmbiguous // two different tokens
	AuthUnknownToken
	AuthAlgorithm
	AuthUnknownKey
	AuthSignature
	AuthExpired
	AuthNotYetValid
	AuthAudience
	AuthIssuer
	AuthClaims // one is missing, or of the wrong type
	authReasons
)

// String is the reason's name in Stats.
func (r AuthReason) String() string {
	return [authReasons]string{"missing", "malformed", "ambiguous", "unknown_token", "algorithm", "unknown_key", "signature",
		"expired", "not_yet_valid", "audience", "issuer", "claims"}[r]
}

// authCounts counts refusals by reason.
type authCounts [authReasons]atomic.Uint64

func (c *authCounts) byReason() map[string]uint64 {
	m := map[string]uint64{}
	for i := range c {
		if n := c[i].Load(); n > 0 {
			m[AuthReason(i).String()] = n
		}
	}
	return m
}

// refuseAuth is the answer for all reasons, which are no business of who guesses
// (RFC 6750, section 3: a challenge without an error code).
var refuseAuth = &ws.Response{Status: http.StatusUnauthorized, Detail: "authentication is required", Header: "WWW-Authenticate: Bearer\r\n"}

var errNoAuthenticator = errors.New("session: there is nothing to authenticate by")

// authenticate finds out who a handshake comes from; both results may be nil.
func (srv *Server) authenticate(c *ws.Conn, req *ws.Request) (*Identity, *ws.Response) {
	mode := authMode(c)
	if mode == AuthOff {
		return nil, nil
	}
	id, refusal := srv.now().Auth.Authenticate(req)
	switch {
	case refusal == nil:
		return id, nil
	case refusal.Reason == AuthMissing && mode == AuthOptional:
		return nil, nil
	}
	srv.unauthenticated[refusal.Reason].Add(1)
	if ce := srv.log.Check(zap.DebugLevel, "not authenticated"); ce != nil {
		peer := c.Peer()
		ce.Write(zap.Stringer("reason", refusal.Reason), zap.String("detail", printable(refusal.Detail)), zap.String("peer", peer.String()))
	}
	return nil, refuseAuth
}

func authMode(c *ws.Conn) AuthMode { return AuthMode(c.Mount().Data.(*mount).auth.Load()) }

// Identity is who has opened the session, or nil if that is not known.
func (s *Session) Identity() *Identity { return s.identity }

// identityOf is what was found out about a connection that is not a session yet.
func identityOf(c *ws.Conn) *Identity {
	id, _ := c.Data().(*Identity)
	return id
}

// authQueue is the handshakes whose tokens are slow to judge: a signature takes
// up to milliseconds, and anybody can send one. Goroutines that are half as many
// as processors, and end when there is nothing to do, leave the other half to the
// event loops.
type authQueue struct {
	mu      sync.Mutex // guards what follows
	waiting []*Handshake
	workers int
	ended   bool           // nothing is judged any more
	done    sync.WaitGroup // of the workers
}

// add queues a handshake, of which there are no more than Options.MaxVerifying.
func (q *authQueue) add(h *Handshake) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return // its connection is cut
	}
	q.waiting = append(q.waiting, h)
	if q.workers < max(1, runtime.GOMAXPROCS(0)/2) {
		q.workers++
		q.done.Go(q.work)
	}
}

// end waits for the workers. Who waits in the queue is cut off with the server.
func (q *authQueue) end() {
	q.mu.Lock()
	q.ended = true
	q.waiting = nil
	q.mu.Unlock()
	q.done.Wait()
}

func (q *authQueue) work() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.waiting = nil
			q.workers--
			q.mu.Unlock()
			return
		}
		h := q.waiting[0]
		q.waiting[0], q.waiting = nil, q.waiting[1:]
		q.mu.Unlock()
		h.authenticate()
	}
}

// authenticate is the first turn of a handshake whose token is slow to judge.
func (h *Handshake) authenticate() {
	if h.over.Load() {
		return
	}
	var req ws.Request
	_ = req.Parse([]byte(h.head), 0) // it was parsed before
	id, resp := h.srv.authenticate(h.conn, &req)
	if resp != nil {
		h.decide(resp)
		return
	}
	h.id = id
	h.turn()
}
