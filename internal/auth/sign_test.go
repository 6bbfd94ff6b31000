package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// An issuer has a key of each kind.
type issuer struct {
	secret []byte
	rsa    *rsa.PrivateKey
	ec     map[string]*ecdsa.PrivateKey // by algorithm
	ed     ed25519.PrivateKey
}

// issuers are two of them, that know nothing of each other.
var issuers = sync.OnceValue(func() [2]issuer {
	var both [2]issuer
	for i := range both {
		is := issuer{secret: []byte(strings.Repeat(fmt.Sprint("secret of ", i, "! "), 6)), ec: map[string]*ecdsa.PrivateKey{}}
		is.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
		for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
			is.ec[alg], _ = ecdsa.GenerateKey(curve, rand.Reader)
		}
		_, is.ed, _ = ed25519.GenerateKey(rand.Reader)
		both[i] = is
	}
	return both
})

// key is what the issuer signs with.
func (is issuer) key(alg string) any {
	switch alg[:2] {
	case "HS":
		return is.secret
	case "RS", "PS":
		return is.rsa
	case "ES":
		return is.ec[alg]
	}
	return is.ed
}

// public is what others verify with.
func (is issuer) public(alg string) any {
	if k, ok := is.key(alg).(crypto.Signer); ok {
		return k.Public()
	}
	return is.secret
}

// claims is a set of claims that are good at the time.
type claims = jwt.MapClaims

func good() claims { return claims{"sub": "ada", "exp": noon.Add(time.Hour).Unix()} }

// noon is when the tests take place.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// sign makes a token. Header members come in pairs.
func sign(t testing.TB, alg string, key any, c claims, header ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), c)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signRaw makes a token of a header and claims as they are.
func signRaw(t testing.TB, alg string, key any, header, claims string) string {
	t.Helper()
	text := base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString([]byte(claims))
	sig, err := jwt.GetSigningMethod(alg).Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64url.EncodeToString(sig)
}

// file writes a file that only its owner can read.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pemOf(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func jwks(t testing.TB, keys ...jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// authenticator makes one that lives at noon, unless it is told otherwise.
func authenticator(t testing.TB, o Options) *Authenticator {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// request is a handshake with these header lines.
func request(t testing.TB, target string, lines ...string) *ws.Request {
	t.Helper()
	r := new(ws.Request)
	if resp := r.Parse([]byte("GET "+target+" HTTP/1.1\r\n"+strings.Join(append(lines, "", ""), "\r\n")), 0); resp != nil {
		t.Fatalf("%s %q: %v", target, lines, resp)
	}
	return r
}

// shows gives what an authenticator says to a token: who, or why not.
func shows(t testing.TB, a *Authenticator, token string) string {
	t.Helper()
	id, refusal := a.Authenticate(request(t, "/", "Authorization: Bearer "+token))
	return outcome(t, id, refusal)
}

func outcome(t testing.TB, id *session.Identity, refusal *session.AuthRefusal) string {
	t.Helper()
	switch {
	case (id == nil) == (refusal == nil):
		t.Fatalf("%v, %v", id, refusal)
	case id == nil:
		return "no: " + refusal.Reason.String()
	}
	return id.Method + " " + id.Name
}
