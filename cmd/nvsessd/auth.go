package main

import (
	"strings"

	"github.com/nvsess/nvsess/internal/auth"
	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/session"
)

// authModes are the modes by their names in the file.
var authModes = map[string]session.AuthMode{
	config.AuthOff: session.AuthOff, config.AuthOptional: session.AuthOptional, config.AuthRequired: session.AuthRequired,
}

// newAuthenticator reads the tokens and keys that the configuration names; nil:
// it names none.
func newAuthenticator(c *config.Config) (*auth.Authenticator, error) {
	if !c.Auth.Believes() {
		return nil, nil
	}
	return auth.New(auth.Options{
		Sources: c.Auth.Sources, Tokens: c.Auth.Tokens, TokensFile: c.Auth.TokensFile,
		SecretFile: c.Auth.JWTSecretFile, KeysFile: c.Auth.JWTKeysFile, Algorithms: c.Auth.JWTAlgorithms,
		Audience: c.Auth.JWTAudience, Issuer: c.Auth.JWTIssuer, Leeway: c.Auth.JWTLeeway.Std(), RequireExp: c.Auth.JWTRequireExp,
	})
}

// secretQuery is the parameters that tokens come in.
func secretQuery(c *config.Config) (names []string) {
	for _, s := range c.Auth.Sources {
		if name, ok := strings.CutPrefix(s, "query:"); ok {
			names = append(names, name)
		}
	}
	return names
}
