package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A key that is weak, broken or not for the daemon keeps it from starting, and it
// is said why.
func TestKeyFiles(t *testing.T) {
	is := issuers()[0]
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 9000, 1), E: 65537}
	one := &rsa.PublicKey{N: is.rsa.N, E: 1}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(is.ed)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, is.rsa.Public(), is.rsa)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	good := pemOf(t, is.ed.Public())
	ed := `"kty":"OKP","crv":"Ed25519","x":"` + base64url.EncodeToString(is.ed[32:]) + `"`
	for name, tt := range map[string]struct{ text, want string }{
		"PEM":                     {good, ""},
		"PEM after a comment":     {"# ours\n" + good, ""},
		"PKCS 1":                  {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&is.rsa.PublicKey)), ""},
		"a certificate":           {block("CERTIFICATE", der), ""},
		"nothing":                 {"", "there are no keys in it"},
		"text":                    {"secret", "there are no keys in it"},
		"a PEM cut off":           {good[:len(good)-30], "key 1 is cut off or broken"},
		"a second PEM cut off":    {good + good[:40], "key 2 is cut off or broken"},
		"PEM of nonsense":         {block("PUBLIC KEY", []byte("x")), "key 1: "},
		"a private key":           {good + block("PRIVATE KEY", private), "key 2: it is a private key"},
		"an EC private key":       {block("EC PRIVATE KEY", nil), "key 1: it is a private key"},
		"an OpenSSH private key":  {block("OPENSSH PRIVATE KEY", nil), "key 1: it is a private key"},
		"parameters":              {block("EC PARAMETERS", nil), `"EC PARAMETERS" is no key`},
		"RSA of 1024 bits":        {pemOf(t, weak.Public()), "2048 to 8192 bits; this one has 1024"},
		"RSA of 9001 bits":        {pemOf(t, huge), "this one has 9001"},
		"RSA with exponent 1":     {pemOf(t, one), "1 is no exponent"},
		"P-224":                   {pemOf(t, p224.Public()), "of no kind that signs tokens here"},
		"more than can be tried":  {strings.Repeat(good, maxNameless+1), "more than 8 keys without an id"},
		"a set":                   {jwks(t, jose.JSONWebKey{Key: is.ed.Public(), KeyID: "a"}), ""},
		"a single JWK":            {`{` + ed + `}`, ""},
		"an empty set":            {`{"keys":[]}`, "no key in the set that signs"},
		"no set":                  {`{"a":1}`, "no key in the set that signs"},
		"a set cut off":           {`{"keys":[{`, "it is no JSON Web Key Set"},
		"keys twice":              {`{"keys":[{` + ed + `}],"keys":[{` + ed + `}]}`, "it is no JSON Web Key Set"},
		"a member twice":          {`{"keys":[{` + ed + `,"kid":"a","kid":"b"}]}`, "key 1: "},
		"a private JWK":           {jwks(t, jose.JSONWebKey{Key: is.rsa}), "key 1: it is a private key"},
		"a point off the curve":   {`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, "key 1: "},
		"a short Ed25519 key":     {`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, "key 1: "},
		"RSA without a modulus":   {`{"kty":"RSA","e":"AQAB"}`, "key 1: "},
		"a weak RSA JWK":          {jwks(t, jose.JSONWebKey{Key: weak.Public()}), "this one has 1024"},
		"a weak secret JWK":       {`{"kty":"oct","k":"c2VjcmV0"}`, "at least 32 bytes; this one has 6"},
		"an alg of another kind":  {`{` + ed + `,"alg":"RS256"}`, `it cannot be for "RS256"`},
		"only for encryption":     {`{` + ed + `,"use":"enc"}`, "no key in the set that signs"},
		"only for signing":        {`{` + ed + `,"key_ops":["sign"]}`, "no key in the set that signs"},
		"for verifying":           {`{` + ed + `,"key_ops":["verify"],"use":"sig"}`, ""},
		"an alg of encryption":    {`{"kty":"RSA","alg":"RSA-OAEP","n":"AQAB","e":"AQAB"}`, "no key in the set that signs"},
		"kinds nobody knows":      {`{"keys":[{"kty":"XYZ"},{"kty":"OKP","crv":"X25519","x":"AAAA"},{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}]}`, "no key in the set that signs"},
		"a known one among those": {`{"keys":[{"kty":"XYZ"},{` + ed + `}]}`, ""},
	} {
		_, err := New(Options{KeysFile: file(t, tt.text)})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "auth.jwt_keys_file: /") && !strings.HasPrefix(err.Error(), "auth: ") || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestSecrets(t *testing.T) {
	is := issuers()[0]
	secret := strings.Repeat("s", 64)
	for _, tt := range []struct {
		text  string
		algs  []string
		want  string
		takes string
	}{
		{secret[:31], nil, "at least 32 bytes; this one has 31", ""},
		{secret[:31] + "\n", nil, "at least 32 bytes; this one has 31", ""},
		{secret[:31] + "\r\n", nil, "at least 32 bytes; this one has 31", ""},
		{"", nil, "this one has 0", ""},
		{pemOf(t, is.ed.Public()), nil, "belongs into auth.jwt_keys_file", ""},
		{secret[:32] + "\n", nil, "", "HS256"},
		{secret[:47], nil, "", "HS256"},
		{secret[:48], nil, "", "HS256 HS384"},
		{secret, nil, "", "HS256 HS384 HS512"},
		{secret, []string{"HS512"}, "", "HS512"},
		{secret[:32], []string{"HS512"}, "there is no key for HS512", ""},
		{secret, []string{"HS256", "RS256"}, "there is no key for RS256", ""},
		{secret, []string{"none"}, "there is no key for none", ""},
	} {
		a, err := New(Options{SecretFile: file(t, tt.text), Algorithms: tt.algs, Now: func() time.Time { return noon }})
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.40q: %v, want %s", tt.text, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%.40q: %v", tt.text, err)
			continue
		}
		for _, alg := range Algorithms[:3] {
			got, want := shows(t, a, sign(t, alg, []byte(strings.TrimSpace(tt.text)), good())), "no: algorithm"
			if strings.Contains(tt.takes, alg) {
				want = "jwt ada"
			}
			if got != want {
				t.Errorf("a secret of %d bytes, %s: %s, want %s", len(tt.text), alg, got, want)
			}
		}
	}
}

// New keys and tokens count from the next reading on; files that cannot be read
// change nothing.
func TestReload(t *testing.T) {
	ours, theirs := issuers()[0], issuers()[1]
	keysFile, tokensFile := file(t, pemOf(t, ours.ed.Public())), file(t, "ci 0123456789abcdef")
	a := authenticator(t, Options{KeysFile: keysFile, TokensFile: tokensFile})
	check := func(first, second, static string) {
		t.Helper()
		for token, want := range map[string]string{
			sign(t, "EdDSA", ours.ed, good()): first, sign(t, "EdDSA", theirs.ed, good()): second, "0123456789abcdef": static,
		} {
			if got := shows(t, a, token); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check("jwt ada", "no: signature", "token ci")
	write(tokensFile, "# nobody\n")
	write(keysFile, "broken")
	if err := a.Reload(); err == nil || !strings.HasPrefix(err.Error(), "auth.jwt_keys_file: ") {
		t.Error(err)
	}
	check("jwt ada", "no: signature", "token ci")
	write(keysFile, pemOf(t, theirs.ed.Public()))
	if err := a.Reload(); err != nil {
		t.Error(err)
	}
	check("no: signature", "jwt ada", "no: malformed")
}
