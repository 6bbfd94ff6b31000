package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/nvsess/nvsess/internal/session"
)

const (
	maxKeys      = 100
	maxNameless  = 8 // keys that have to be tried, for they have no id
	minSecret    = 32
	minRSABits   = 2048
	maxRSABits   = 8192 // more costs the loops too much
	minRSAExpont = 3
)

// Algorithms are those that a configuration may name (RFC 7518, RFC 8037).
var Algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// A key verifies signatures. What it is decides about the algorithms it is for:
// a token has no say, so that an RSA key is never taken for a secret.
type key struct {
	id       string // "": none
	algs     []string
	material any // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or []byte
}

// newKey judges a key. use, if not empty, is the one algorithm that it is said to
// be for.
func newKey(material any, id, use string) (key, error) {
	k := key{id: id, material: material}
	switch m := material.(type) {
	case []byte:
		// RFC 7518, section 3.2: at least as long as the hash.
		if len(m) < minSecret {
			return k, fmt.Errorf("a secret must have at least %d bytes; this one has %d", minSecret, len(m))
		}
		k.algs = []string{"HS256", "HS384", "HS512"}[:min(3, len(m)/16-1)]
	case *rsa.PublicKey:
		if bits := m.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return k, fmt.Errorf("an RSA key must have %d to %d bits; this one has %d", minRSABits, maxRSABits, bits)
		}
		if m.E < minRSAExpont || m.E%2 == 0 {
			return k, fmt.Errorf("%d is no exponent of an RSA key", m.E)
		}
		k.algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch m.Curve {
		case elliptic.P256():
			k.algs = []string{"ES256"}
		case elliptic.P384():
			k.algs = []string{"ES384"}
		case elliptic.P521():
			k.algs = []string{"ES512"}
		default:
			return k, errUnsupported
		}
	case ed25519.PublicKey:
		k.algs = []string{"EdDSA"}
	default:
		return k, errUnsupported
	}
	if use != "" {
		if !slices.Contains(k.algs, use) {
			return k, fmt.Errorf("it cannot be for %q", use)
		}
		k.algs = []string{use}
	}
	return k, nil
}

var errUnsupported = errors.New("it is of no kind that signs tokens here (RSA; EC with P-256, P-384 or P-521; Ed25519; a secret)")

// keys are all that may have signed a JWT.
type keys struct {
	list []key
	algs []string // what they are for together
}

// newKeys keeps of each key the algorithms that are allowed; none: all.
func newKeys(list []key, allowed []string) (keys, error) {
	var ks keys
	nameless := 0
	for _, k := range list {
		if len(allowed) > 0 {
			k.algs = slices.DeleteFunc(slices.Clone(k.algs), func(a string) bool { return !slices.Contains(allowed, a) })
		}
		if len(k.algs) == 0 {
			continue
		}
		if k.id == "" {
			nameless++
		}
		ks.list = append(ks.list, k)
		for _, a := range k.algs {
			if !slices.Contains(ks.algs, a) {
				ks.algs = append(ks.algs, a)
			}
		}
	}
	for _, a := range allowed {
		if !slices.Contains(ks.algs, a) {
			return ks, fmt.Errorf("auth.jwt_algorithms: there is no key for %s (a secret for HS384 has 48 bytes, for HS512 64)", a)
		}
	}
	switch {
	case len(ks.list) > maxKeys:
		return ks, fmt.Errorf("auth: there are more than %d keys", maxKeys)
	case nameless > maxNameless:
		return ks, fmt.Errorf("auth: there are more than %d keys without an id; each would be tried", maxNameless)
	}
	return ks, nil
}

// candidates are the keys that a token with this header may have been signed
// with. A key with an id is for tokens that name it, or, if it is the only key,
// for those that name none; a key without one, as in a PEM file, is for any.
func (ks *keys) candidates(alg, kid string) (found []any, refused session.AuthReason) {
	if !slices.Contains(ks.algs, alg) {
		return nil, session.AuthAlgorithm
	}
	for _, k := range ks.list {
		named := k.id == "" || k.id == kid || kid == "" && len(ks.list) == 1
		if named && slices.Contains(k.algs, alg) {
			found = append(found, k.material)
		}
	}
	return found, session.AuthUnknownKey
}
