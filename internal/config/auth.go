package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// SourceHeader is the entry of Auth.Sources that has no name after it.
const SourceHeader = "header"

// jwtAlgorithms are those of the auth package; its tests compare them.
var jwtAlgorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

var (
	parameterName = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)
	hashedToken   = regexp.MustCompile(`^[A-Za-z0-9._@:+-]{1,64} +sha256:[0-9A-Fa-f]{64}$`)
)

func checkSource(s string) error {
	kind, name, _ := strings.Cut(s, ":")
	switch {
	case s == SourceHeader:
		return nil
	case kind == "query" && parameterName.MatchString(name):
		return nil
	case (kind == "cookie" || kind == "protocol") && token.MatchString(name):
		return nil
	}
	return fmt.Errorf("%q is no place for a token", s)
}

// checkHashedToken does not say what it was given: it may be a token in clear.
func checkHashedToken(s string) error {
	if !hashedToken.MatchString(s) {
		return errors.New("an entry is no name with a hash; tokens in clear belong into auth.tokens_file")
	}
	return nil
}

func checkClaim(s string) error {
	if s == "" {
		return errors.New("a name is empty")
	}
	return checkText(s)
}

func authModes() kind[string] { return choice(AuthOff, AuthOptional, AuthRequired) }

// authRules are what no key of [auth] can tell alone.
var authRules = []rule{{
	keys:    []string{"auth.tokens", "auth.tokens_file", "auth.jwt_secret_file", "auth.jwt_keys_file", "auth.mode"},
	allowed: "\"optional\" or \"required\" for auth.mode, or for auth of a mount",
	check: func(c *Config) error {
		if c.Auth.Believes() && !slices.ContainsFunc(c.AllMounts(), func(m Mount) bool { return m.Auth != AuthOff }) {
			return errors.New("there are tokens or keys, but auth.mode is \"off\", so that everybody would get in")
		}
		return nil
	},
}, {
	keys:    []string{"auth.jwt_algorithms", "auth.jwt_audience", "auth.jwt_issuer", "auth.jwt_secret_file", "auth.jwt_keys_file"},
	allowed: "auth.jwt_secret_file or auth.jwt_keys_file along with it",
	check: func(c *Config) error {
		if a := c.Auth; !a.hasKeys() && (len(a.JWTAlgorithms) > 0 || len(a.JWTAudience) > 0 || a.JWTIssuer != "") {
			return errors.New("it is said what a JWT must be, but there is no key to verify one")
		}
		return nil
	},
},
	ofTopMount(tokensRule, "auth.mode", "auth.tokens", "auth.tokens_file", "auth.jwt_secret_file", "auth.jwt_keys_file"),
	ofTopMount(cookieRule, "auth.sources", "auth.mode", "handshake.origins"),
	ofTopMount(protocolRule, "auth.sources", "auth.mode", "subprotocols"),
}

// A mountAuthRule ties a mount's keys to [auth]. It is for mounts that look at
// tokens.
type mountAuthRule struct {
	keys    []string // of the mount: it is judged if its table has one
	allowed string
	judge   func(*Auth, *Mount) error
}

func (r *mountAuthRule) check(a *Auth, m *Mount) error {
	if m.Auth == AuthOff {
		return nil
	}
	return r.judge(a, m)
}

// ofTopMount is the rule for the top level, whose keys have other names.
func ofTopMount(r mountAuthRule, keys ...string) rule {
	return rule{keys: keys, allowed: r.allowed, check: func(c *Config) error {
		top := c.topMount()
		return r.check(&c.Auth, &top)
	}}
}

var mountAuthRules = []mountAuthRule{tokensRule, cookieRule, protocolRule}

var tokensRule = mountAuthRule{
	keys:    []string{"auth"},
	allowed: "auth.tokens, auth.tokens_file, auth.jwt_secret_file or auth.jwt_keys_file along with it",
	judge: func(a *Auth, m *Mount) error {
		if !a.Believes() {
			return fmt.Errorf("it is %q, but there is no token that would be believed", m.Auth)
		}
		return nil
	},
}

var cookieRule = mountAuthRule{
	keys:    []string{"origins", "auth"},
	allowed: "the origins of your own pages, in place of \"*\"",
	judge: func(a *Auth, m *Mount) error {
		cookie := slices.ContainsFunc(a.Sources, func(s string) bool { return strings.HasPrefix(s, "cookie:") })
		if cookie && slices.Contains(m.Origins, OriginAny) {
			return errors.New("a browser sends its cookies along for any page, so any page could connect in the name of its user")
		}
		return nil
	},
}

var protocolRule = mountAuthRule{
	keys:    []string{"subprotocols", "auth"},
	allowed: "in subprotocols what pages offer besides the token",
	judge: func(a *Auth, m *Mount) error {
		for _, s := range a.Sources {
			prefix, ok := strings.CutPrefix(s, "protocol:")
			if !ok {
				continue
			}
			if len(m.Subprotocols) == 0 {
				return fmt.Errorf("%q: a browser fails unless one of the subprotocols it offers is chosen, and a token is never chosen", s)
			}
			if i := slices.IndexFunc(m.Subprotocols, func(p string) bool { return strings.HasPrefix(p, prefix) }); i >= 0 {
				return fmt.Errorf("the subprotocol %q would be taken for a token (%q)", m.Subprotocols[i], s)
			}
		}
		return nil
	},
}
