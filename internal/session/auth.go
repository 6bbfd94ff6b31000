package session

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// An Authenticator finds out who asks for a session.
type Authenticator interface {
	// Authenticate judges the token that a handshake brings. Exactly one of its
	// results is nil. It is called on event loops, by several at once, and must
	// not block; what it returns must not alias the request.
	Authenticate(r *ws.Request) (*Identity, *AuthRefusal)
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

// authenticate finds out who a handshake comes from. The identity is kept at the
// connection until there is a session.
func (r receiver) authenticate(c *ws.Conn, req *ws.Request) *ws.Response {
	mode := c.Mount().Data.(*mount).auth
	if mode == AuthOff {
		return nil
	}
	id, refusal := r.opt.Auth.Authenticate(req)
	switch {
	case refusal == nil:
		c.SetData(id)
		return nil
	case refusal.Reason == AuthMissing && mode == AuthOptional:
		return nil
	}
	r.unauthenticated[refusal.Reason].Add(1)
	if ce := r.log.Check(zap.DebugLevel, "not authenticated"); ce != nil {
		peer := c.Peer()
		ce.Write(zap.Stringer("reason", refusal.Reason), zap.String("detail", printable(refusal.Detail)), zap.String("peer", peer.String()))
	}
	return refuseAuth
}

// Identity is who has opened the session, or nil if that is not known.
func (s *Session) Identity() *Identity { return s.identity }

// identityOf is what authenticate has found out about a connection that is not a
// session yet.
func identityOf(c *ws.Conn) *Identity {
	id, _ := c.Data().(*Identity)
	return id
}
