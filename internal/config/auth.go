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

// authRules are what no key of [auth] can tell alone.
var authRules = []rule{{
	keys:    []string{"auth.mode", "auth.tokens", "auth.tokens_file", "auth.jwt_secret_file", "auth.jwt_keys_file"},
	allowed: "auth.tokens, auth.tokens_file, auth.jwt_secret_file or auth.jwt_keys_file, if and only if tokens are looked at",
	check: func(c *Config) error {
		switch on := c.Auth.Mode != AuthOff; {
		case on && !c.Auth.Believes():
			return fmt.Errorf("auth.mode is %q, but there is no token that would be believed", c.Auth.Mode)
		case !on && c.Auth.Believes():
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
}, {
	keys:    []string{"auth.sources", "auth.mode", "handshake.origins"},
	allowed: "the origins of your own pages, in place of \"*\"",
	check: func(c *Config) error {
		cookie := slices.ContainsFunc(c.Auth.Sources, func(s string) bool { return strings.HasPrefix(s, "cookie:") })
		if cookie && c.Auth.Mode != AuthOff && slices.Contains(c.Handshake.Origins, OriginAny) {
			return errors.New("a browser sends its cookies along for any page, so any page could connect in the name of its user")
		}
		return nil
	},
}, {
	keys:    []string{"auth.sources", "auth.mode", "subprotocols"},
	allowed: "in subprotocols what pages offer besides the token",
	check: func(c *Config) error {
		for _, s := range c.Auth.Sources {
			prefix, ok := strings.CutPrefix(s, "protocol:")
			if !ok || c.Auth.Mode == AuthOff {
				continue
			}
			if len(c.Subprotocols) == 0 {
				return fmt.Errorf("%q: a browser fails unless one of the subprotocols it offers is chosen, and a token is never chosen", s)
			}
			if i := slices.IndexFunc(c.Subprotocols, func(p string) bool { return strings.HasPrefix(p, prefix) }); i >= 0 {
				return fmt.Errorf("the subprotocol %q would be taken for a token (%q)", c.Subprotocols[i], s)
			}
		}
		return nil
	},
}}
