package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nvsess/nvsess/internal/session"
)

// jwts judges JSON Web Tokens.
type jwts struct {
	keys   keys
	parser *jwt.Parser
	opt    *Options
}

func newJWTs(ks keys, o *Options) *jwts {
	opts := []jwt.ParserOption{
		jwt.WithValidMethods(ks.algs), jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithIssuedAt(),
		jwt.WithLeeway(o.Leeway), jwt.WithTimeFunc(o.Now),
	}
	if o.RequireExp {
		opts = append(opts, jwt.WithExpirationRequired())
	}
	if o.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(o.Issuer))
	}
	if len(o.Audience) > 0 {
		opts = append(opts, jwt.WithAudience(o.Audience...))
	}
	return &jwts{keys: ks, parser: jwt.NewParser(opts...), opt: o}
}

var base64url = base64.RawURLEncoding.Strict()

// judge verifies a token, which is a validToken of at most maxToken bytes.
func (j *jwts) judge(token string) (*session.Identity, *session.AuthRefusal) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 { // five: encrypted
		return nil, refuse(session.AuthMalformed, "it is no signed JWT")
	}
	header, _, err := segment(parts[0])
	if err != nil {
		return nil, refuse(session.AuthMalformed, "header: "+err.Error())
	}
	claims, text, err := segment(parts[1])
	if err != nil {
		return nil, refuse(session.AuthMalformed, "claims: "+err.Error())
	}
	alg, kid, err := readHeader(header)
	if err != nil {
		return nil, refuse(session.AuthMalformed, "header: "+err.Error())
	}
	named := "alg " + quoted(alg) + ", kid " + quoted(kid)
	found, reason := j.keys.candidates(alg, kid)
	if len(found) == 0 {
		return nil, refuse(reason, named)
	}
	set := jwt.VerificationKeySet{}
	for _, k := range found {
		set.Keys = append(set.Keys, k)
	}
	_, err = j.parser.Parse(token, func(*jwt.Token) (any, error) { return set, nil })
	if errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return nil, refuse(session.AuthSignature, named)
	}
	if refusal := j.claims(claims, err); refusal != nil {
		refusal.Detail = named + ": " + refusal.Detail
		return nil, refusal
	}
	sub, _ := claims["sub"].(string)
	return &session.Identity{Name: sub, Method: session.AuthJWT, Claims: text}, nil
}

// slow reports whether a token is verified with a public key.
func (j *jwts) slow(token string) bool {
	part, _, _ := strings.Cut(token, ".")
	header, _, err := segment(part)
	if err != nil {
		return false
	}
	alg, kid, err := readHeader(header)
	if err != nil || strings.HasPrefix(alg, "HS") {
		return false
	}
	found, _ := j.keys.candidates(alg, kid)
	return len(found) > 0
}

// segment decodes a part of a token: an object, and its text without blanks.
func segment(part string) (map[string]any, json.RawMessage, error) {
	text, err := base64url.DecodeString(part)
	if err != nil {
		return nil, nil, errors.New("it is not base64url")
	}
	o, err := object(text)
	if err != nil {
		return nil, nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, nil, err
	}
	return o, compact.Bytes(), nil
}

// readHeader reads what counts of a JOSE header. Keys that come with a token
// (jwk, jku, x5c, x5u) do not.
func readHeader(h map[string]any) (alg, kid string, err error) {
	for _, name := range []string{"alg", "kid", "typ"} {
		if v, there := h[name]; there {
			if _, ok := v.(string); !ok {
				return "", "", errors.New(name + " is no string")
			}
		}
	}
	alg, _ = h["alg"].(string)
	kid, _ = h["kid"].(string)
	typ, _ := h["typ"].(string)
	switch _, crit := h["crit"]; {
	case alg == "":
		return "", "", errors.New("there is no alg")
	case crit: // RFC 7515, section 4.1.11: what is critical must be understood
		return "", "", errors.New("it has critical extensions")
	}
	// RFC 8725, section 3.11: a token of a type of its own, such as logout+jwt or
	// dpop+jwt, is not for opening sessions, though the same keys sign it.
	if t := strings.TrimPrefix(strings.ToLower(typ), "application/"); t != "" && t != "jwt" && t != "at+jwt" {
		return "", "", fmt.Errorf("a token of the type %s is for something else", quoted(typ))
	}
	return alg, kid, nil
}

// claims judges those of a token that is signed; err is golang-jwt's opinion.
func (j *jwts) claims(claims map[string]any, err error) *session.AuthRefusal {
	_, hasAud := claims["aud"]
	_, hasExp := claims["exp"]
	sub, hasSub := claims["sub"]
	_, isText := sub.(string)
	missing := errors.Is(err, jwt.ErrTokenRequiredClaimMissing)
	switch dateErr := dates(claims); {
	case dateErr != nil:
		return refuse(session.AuthClaims, dateErr.Error())
	case hasSub && !isText:
		return refuse(session.AuthClaims, "sub is no text")
	case hasAud && len(j.opt.Audience) == 0:
		// RFC 7519, section 4.1.3: who does not find himself in it must refuse.
		return refuse(session.AuthAudience, "the token names an audience, auth.jwt_audience none")
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrInvalidType):
		return refuse(session.AuthClaims, "a claim is of the wrong type")
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(session.AuthExpired, "it has expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refuse(session.AuthNotYetValid, "it is not valid yet")
	case missing && j.opt.RequireExp && !hasExp:
		return refuse(session.AuthClaims, "there is no exp")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), missing && j.opt.Issuer != "" && (claims["iss"] == nil || claims["iss"] == ""):
		return refuse(session.AuthIssuer, "another issuer, or none")
	case errors.Is(err, jwt.ErrTokenInvalidAudience), missing:
		return refuse(session.AuthAudience, "another audience, or none")
	}
	return refuse(session.AuthMalformed, "golang-jwt does not take it")
}

func refuse(reason session.AuthReason, detail string) *session.AuthRefusal {
	return &session.AuthRefusal{Reason: reason, Detail: detail}
}

// quoted is text of a token for the log, as much of it as anybody needs.
func quoted(s string) string { return strconv.QuoteToASCII(s[:min(len(s), 64)]) }
