package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// fuzzed is what FuzzToken's tokens are judged by. The secret never changes, so
// that the corpus stays worth something.
func fuzzed(t testing.TB) (*Authenticator, []byte) {
	secret := []byte(strings.Repeat("0123456789abcdef", 4))
	return authenticator(t, Options{SecretFile: file(t, string(secret)), RequireExp: true, Audience: []string{"chat"}}), secret
}

// Whatever a token is, it is judged without a panic; and it is accepted only if
// another implementation verifies it, and its claims say what they must.
func FuzzToken(f *testing.F) {
	a, secret := fuzzed(f)
	c := claims{"sub": "ada", "aud": "chat", "exp": noon.Add(time.Hour).Unix()}
	for _, alg := range Algorithms[:3] {
		f.Add(sign(f, alg, secret, c, "kid", "k"))
	}
	f.Add(signRaw(f, "HS256", secret, `{"alg":"HS256"}`, `{"aud":["x","chat"],"exp":1780400000.5,"sub":""}`))
	f.Add(signRaw(f, "HS256", secret, `{"alg":"HS256"}`, `{"aud":"chat","exp":1780400000,"aud":"x"}`))
	f.Add(signRaw(f, "HS256", secret, `{"alg":"HS256","crit":[]}`, `{"aud":"chat","exp":1e300}`))
	f.Add(signRaw(f, "HS256", secret, `{"alg":"none"}`, `[[[[{}]]]]`))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		id, refusal := a.trust.Load().jwts.judge(token)
		if (id == nil) == (refusal == nil) {
			t.Fatalf("%v, %v", id, refusal)
		}
		if refusal != nil {
			_ = refusal.Reason.String()
			return
		}
		signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512})
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		payload, err := signed.Verify(secret)
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		c, err := object(payload)
		if sub, _ := c["sub"].(string); err != nil || !goodClaims(c) || sub != id.Name || id.Method != session.AuthJWT || !json.Valid(id.Claims) {
			t.Fatalf("%s: %+v", payload, id)
		}
	})
}

// FuzzSigned: of what is signed, as FuzzToken's bytes hardly ever are, a token is
// accepted if and only if header and claims say what they must.
func FuzzSigned(f *testing.F) {
	a, secret := fuzzed(f)
	for _, s := range []string{
		`{"aud":"chat","exp":1780400000}`, `{"aud":["x","chat"],"exp":1780400000.5,"sub":"","nbf":1,"iat":1780315200}`, `{"aud":"chat","exp":1780315200.5}`,
		`{"aud":"chat","exp":1780400000,"EXP":1,"AUD":"x","SUB":1}`, `{"aud":"chat","exp":1e300}`, `{"aud":["chat",1],"exp":1780400000}`, `{"aud":"","exp":1780400000}`,
		`{"aud":"chat","exp":"1780400000"}`, `{"aud":"chat","exp":1780400000,"nbf":1780315201}`, `{"aud":"chat","exp":1780400000,"sub":null}`,
		`{"aud":"chat","exp":253402300799}`, `{"aud":"chat","exp":253402300800}`, `{"aud":"chat","exp":1780400000,"iat":1780315201}`,
	} {
		f.Add(`{"alg":"HS256"}`, s)
	}
	for _, s := range []string{`{"alg":"HS256","typ":"JWT","kid":"k"}`, `{"alg":"HS256","typ":"dpop+jwt"}`, `{"alg":"HS384"}`, `{"alg":"none"}`, `{"alg":"HS256","crit":[]}`, `{"ALG":"HS256"}`} {
		f.Add(s, `{"aud":"chat","exp":1780400000,"sub":"ada"}`)
	}
	f.Fuzz(func(t *testing.T, header, claims string) {
		id, refusal := a.trust.Load().jwts.judge(signRaw(t, "HS256", secret, header, claims))
		if (id == nil) == (refusal == nil) {
			t.Fatalf("%v, %v", id, refusal)
		}
		h, err := object([]byte(header)) // see FuzzClaims
		c, err2 := object([]byte(claims))
		if good := err == nil && err2 == nil && goodHeader(h) && goodClaims(c); good != (id != nil) {
			t.Fatalf("%s %s: %+v, %+v", header, claims, id, refusal)
		}
		if id == nil {
			return
		}
		same, err := object(id.Claims)
		if sub, _ := c["sub"].(string); err != nil || id.Name != sub || id.Method != session.AuthJWT || !reflect.DeepEqual(same, c) {
			t.Fatalf("%s: %+v", claims, id)
		}
	})
}

// goodHeader reports whether a header is one of FuzzSigned's tokens.
func goodHeader(h map[string]any) bool {
	for name, v := range h {
		_, text := v.(string)
		switch name {
		case "kid":
			if !text {
				return false
			}
		case "crit":
			return false
		}
	}
	switch typ, there := h["typ"]; {
	case !there:
	case !slices.Contains([]any{"", "jwt", "at+jwt"}, any(strings.TrimPrefix(strings.ToLower(fmt.Sprint(typ)), "application/"))):
		return false
	}
	// golang-jwt reads a header's numbers as encoding/json does, which has none for 1e999.
	raw, err := json.Marshal(h)
	var readable map[string]any
	return err == nil && json.Unmarshal(raw, &readable) == nil && h["alg"] == "HS256"
}

// goodClaims reports whether claims are such as [fuzzed] wants at noon.
func goodClaims(c map[string]any) bool {
	for _, name := range []string{"exp", "nbf", "iat"} {
		v, there := c[name]
		n, _ := v.(json.Number)
		at, err := n.Float64()
		late := int64(at) > noon.Unix() // to the second
		if there && (err != nil || at < 0 || at > lastDate || late != (name == "exp")) || !there && name == "exp" {
			return false
		}
	}
	if sub, there := c["sub"]; there && reflect.TypeOf(sub) != reflect.TypeFor[string]() {
		return false
	}
	list, several := c["aud"].([]any)
	if !several {
		return c["aud"] == "chat"
	}
	return slices.Contains(list, any("chat")) && !slices.ContainsFunc(list, func(v any) bool { _, text := v.(string); return !text })
}

// The reader of JSON objects takes nothing that encoding/json does not, and
// nothing where that reads a name twice.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":{"b":[1,2.5e3,null,true,"\u0061"]}}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[]`, `{"a":` + strings.Repeat("[", 40), `{"a":1} x`, "{\"\xff\":1}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := object(text)
		if err != nil {
			return
		}
		var same map[string]any
		whole := json.NewDecoder(bytes.NewReader(text))
		whole.UseNumber() // a number may be too large for any type
		if err := whole.Decode(&same); err != nil || same == nil {
			t.Fatalf("%q: %v", text, err)
		}
		a, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := object(a); err != nil || len(again) != len(same) {
			t.Fatalf("%q: %v", a, err)
		}
		// What came twice would be there once.
		if n, once := tokenCount(text), tokenCount(a); n != once {
			t.Fatalf("%q has %d tokens, %q %d", text, n, a, once)
		}
	})
}

// tokenCount is how many tokens a JSON text has.
func tokenCount(text []byte) (n int) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		if _, err := d.Token(); err != nil {
			return n
		}
		n++
	}
}

// A token that is found is one that can be compared and logged about, and no
// other is in the request.
func FuzzSources(f *testing.F) {
	for _, s := range []string{
		"/?access_token=abc|Authorization: Bearer abc", "/|Cookie: sid=\"a%20b\"; sid=", "/|Sec-WebSocket-Protocol: chat, t.abc,t.", "/?access%5ftoken=%zz&&=&access_token",
	} {
		target, line, _ := strings.Cut(s, "|")
		f.Add(target, line)
	}
	var sources []source
	for _, s := range []string{"header", "query:access_token", "cookie:sid", "protocol:t."} {
		src, err := parseSource(s)
		if err != nil {
			f.Fatal(err)
		}
		sources = append(sources, src)
	}
	f.Fuzz(func(t *testing.T, target, line string) {
		var r ws.Request
		if r.Parse([]byte("GET "+target+" HTTP/1.1\r\n"+line+"\r\n\r\n"), 0) != nil {
			return
		}
		token, refusal := findToken(sources, &r)
		if refusal != nil {
			return
		}
		if !validToken(token) || len(token) > maxToken {
			t.Fatalf("%q", token)
		}
		for _, s := range sources {
			if other, refusal := findToken([]source{s}, &r); refusal == nil && other != token {
				t.Fatalf("%q and %q", token, other)
			} else if refusal != nil && refusal.Reason != session.AuthMissing {
				t.Fatalf("%s: %v", s.kind, refusal)
			}
		}
	})
}

// Files of keys are the operator's, and may be anything all the same. What is read
// as a key can verify a signature: crypto/ed25519 panics if it is too short, and a
// point may be on no curve.
func FuzzKeys(f *testing.F) {
	is := issuers()[0]
	f.Add([]byte(pemOf(f, is.ed.Public())))
	f.Add([]byte(jwks(f, jose.JSONWebKey{Key: is.ec["ES256"].Public(), KeyID: "a"}, jose.JSONWebKey{Key: is.secret})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","x5c":["AAAA"]}]}`))
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parsePEM(text)
		if err != nil {
			list, err = parseJWKS(text)
		}
		if err != nil {
			return
		}
		for _, k := range list {
			ok := false
			switch m := k.material.(type) {
			case []byte:
				ok = len(m) >= minSecret
			case *rsa.PublicKey:
				ok = m.N.BitLen() >= minRSABits && m.E >= minRSAExpont
			case *ecdsa.PublicKey:
				_, err := m.ECDH()
				ok = err == nil
			case ed25519.PublicKey:
				ok = len(m) == ed25519.PublicKeySize
			}
			if !ok || len(k.algs) == 0 {
				t.Fatalf("%+v", k)
			}
		}
	})
}
