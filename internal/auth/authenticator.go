package auth

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// Options configures an [Authenticator]. At least one kind of token must be
// believed.
type Options struct {
	Sources    []string // see docs/auth.md; none: the header
	Tokens     []string // "NAME sha256:HEX"
	TokensFile string   // lines "NAME TOKEN" or "NAME sha256:HEX"; "": none

	SecretFile string   // for HS256 and its like; "": none
	KeysFile   string   // public keys in PEM, or a JSON Web Key Set; "": none
	Algorithms []string // of Algorithms; none: whatever the keys are for
	Audience   []string // one of them must be in a JWT's aud; none: it must have no aud
	Issuer     string   // iss must be this; "": it is not looked at
	Leeway     time.Duration
	RequireExp bool // a JWT must end

	Now func() time.Time // nil: time.Now
}

// An Authenticator judges tokens. It is safe for concurrent use.
type Authenticator struct {
	opt     Options
	sources []source
	trust   atomic.Pointer[trust]
}

// trust is who is believed: what the files said when they were read last. It is
// immutable.
type trust struct {
	tokens tokens
	jwts   *jwts // nil: none
}

// New makes an authenticator and reads its files.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Sources) == 0 {
		o.Sources = []string{"header"}
	}
	a := &Authenticator{opt: o}
	for _, s := range o.Sources {
		src, err := parseSource(s)
		if err != nil {
			return nil, err
		}
		a.sources = append(a.sources, src)
	}
	return a, a.Reload()
}

// Reload reads the files again. If there is anything wrong with one of them, all
// is as it was.
func (a *Authenticator) Reload() error {
	t, err := a.opt.read()
	if err == nil {
		a.trust.Store(t)
	}
	return err
}

func (o *Options) read() (*trust, error) {
	t := &trust{}
	for _, line := range o.Tokens {
		if err := t.tokens.add(line, false); err != nil {
			return nil, fmt.Errorf("auth.tokens: %w", err)
		}
	}
	if o.TokensFile != "" {
		if err := t.tokens.read(o.TokensFile); err != nil {
			return nil, fmt.Errorf("auth.tokens_file: %w", err)
		}
	}
	var list []key
	if o.SecretFile != "" {
		k, err := readSecretKey(o.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("auth.jwt_secret_file: %w", err)
		}
		list = append(list, k)
	}
	if o.KeysFile != "" {
		more, err := readKeys(o.KeysFile)
		if err != nil {
			return nil, fmt.Errorf("auth.jwt_keys_file: %w", err)
		}
		list = append(list, more...)
	}
	if len(list) > 0 {
		ks, err := newKeys(list, o.Algorithms)
		if err != nil {
			return nil, err
		}
		t.jwts = newJWTs(ks, o)
	}
	if t.jwts == nil && o.TokensFile == "" && len(o.Tokens) == 0 {
		return nil, errors.New("auth: no token is believed: there are neither static ones nor keys")
	}
	return t, nil
}

// Slow implements session.Authenticator: signatures are, but for those by a
// secret.
func (a *Authenticator) Slow(r *ws.Request) bool {
	t := a.trust.Load()
	if t.jwts == nil {
		return false
	}
	token, refusal := findToken(a.sources, r)
	return refusal == nil && t.jwts.slow(token)
}

// Authenticate implements session.Authenticator.
func (a *Authenticator) Authenticate(r *ws.Request) (*session.Identity, *session.AuthRefusal) {
	token, refusal := findToken(a.sources, r)
	if refusal != nil {
		return nil, refusal
	}
	t := a.trust.Load()
	if name, ok := t.tokens.match(token); ok {
		return &session.Identity{Name: name, Method: session.AuthToken}, nil
	}
	if t.jwts == nil {
		return nil, refuse(session.AuthUnknownToken, "")
	}
	id, refusal := t.jwts.judge(token)
	if refusal != nil && refusal.Reason == session.AuthMalformed && len(t.tokens.names) > 0 {
		return nil, refuse(session.AuthUnknownToken, "nor is it a JWT: "+refusal.Detail)
	}
	return id, refusal
}
