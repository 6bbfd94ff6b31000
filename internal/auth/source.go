package auth

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// maxToken bounds a token, in bytes, before anything looks into it.
const maxToken = 8 << 10

// A source is a place in a request where a token can be.
type source struct {
	kind string // "header", "query", "cookie" or "protocol"
	name string // of the parameter or the cookie; what the subprotocol begins with
}

// parseSource reads "header", "query:NAME", "cookie:NAME" or "protocol:PREFIX".
func parseSource(s string) (source, error) {
	kind, name, named := strings.Cut(s, ":")
	switch kind {
	case "header":
		if !named {
			return source{kind: kind}, nil
		}
	case "query", "cookie", "protocol":
		if name != "" {
			return source{kind, name}, nil
		}
	}
	return source{}, fmt.Errorf("auth: %q is no source of tokens", s)
}

// finding collects the tokens of a request, which must all be one.
type finding struct {
	token   string
	refusal *session.AuthRefusal
}

// findToken looks into every source: which of two tokens counts must not be a
// matter of order, which proxies and servers may see differently.
func findToken(sources []source, r *ws.Request) (string, *session.AuthRefusal) {
	f := &finding{}
	for _, s := range sources {
		switch s.kind {
		case "header":
			f.header(r)
		case "query":
			f.query(r, s.name)
		case "cookie":
			f.cookie(r, s.name)
		case "protocol":
			f.protocol(r, s.name)
		}
	}
	if f.refusal == nil && f.token == "" {
		f.refusal = &session.AuthRefusal{Reason: session.AuthMissing}
	}
	return f.token, f.refusal
}

func (f *finding) add(where, token string) {
	switch {
	case f.refusal != nil:
	case len(token) > maxToken:
		f.refuse(session.AuthMalformed, "the token in the "+where+" is too long")
	case !validToken(token):
		f.refuse(session.AuthMalformed, "the token in the "+where+" has characters that no token has")
	case f.token != "" && f.token != token:
		f.refuse(session.AuthAmbiguous, "the token in the "+where+" is another than the one before")
	default:
		f.token = token
	}
}

func (f *finding) refuse(reason session.AuthReason, detail string) {
	f.refusal = &session.AuthRefusal{Reason: reason, Detail: detail}
}

// header reads Authorization: Bearer TOKEN (RFC 6750, section 2.1). Other
// schemes are somebody else's.
func (f *finding) header(r *ws.Request) {
	for _, field := range r.Fields {
		if !bytes.EqualFold(field.Name, []byte("Authorization")) {
			continue
		}
		scheme, token, _ := strings.Cut(string(field.Value), " ")
		if strings.EqualFold(scheme, "Bearer") {
			f.add("header", strings.TrimLeft(token, " "))
		}
	}
}

func (f *finding) query(r *ws.Request, name string) {
	_, query, _ := strings.Cut(string(r.Target), "?")
	for pair := range strings.SplitSeq(query, "&") {
		n, v, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(n); err != nil || plain != name {
			continue
		}
		token, err := url.QueryUnescape(v)
		if err != nil {
			token = "" // which is none
		}
		f.add("query", token)
	}
}

// cookie reads a cookie. An empty one is none: that is how a page forgets it.
func (f *finding) cookie(r *ws.Request, name string) {
	for _, field := range r.Fields {
		if !bytes.EqualFold(field.Name, []byte("Cookie")) {
			continue
		}
		for part := range strings.SplitSeq(string(field.Value), ";") {
			n, v, _ := strings.Cut(strings.Trim(part, " \t"), "=")
			if n != name || v == "" {
				continue
			}
			if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
				v = v[1 : len(v)-1]
			}
			if plain, err := url.PathUnescape(v); err == nil {
				v = plain
			}
			f.add("cookie", v)
		}
	}
}

// protocol reads an offered subprotocol that is a token with something before
// it: the only field that a page may set.
func (f *finding) protocol(r *ws.Request, prefix string) {
	for _, field := range r.Fields {
		if !bytes.EqualFold(field.Name, []byte("Sec-WebSocket-Protocol")) {
			continue
		}
		for item := range strings.SplitSeq(string(field.Value), ",") {
			if token, ok := strings.CutPrefix(strings.Trim(item, " \t"), prefix); ok {
				f.add("subprotocols", token)
			}
		}
	}
}

// validToken reports whether s is a b64token (RFC 6750, section 2.1), which JWTs
// are, too. Nothing else is ever decoded, compared or written to a log.
func validToken(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
