package attacks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// An issuer has the key that the daemon trusts, and what anybody knows of it.
type issuer struct {
	key    *rsa.PrivateKey
	public string // PEM
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

func (i *issuer) rs256(t *testing.T, header, claims string) string {
	t.Helper()
	signed := b64(header) + "." + b64(claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(string(sig))
}

func hs256(secret, header, claims string) string {
	signed := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + b64(string(mac.Sum(nil)))
}

// bare is an answer without what differs by itself.
var bare = regexp.MustCompile(`(?m)^Date: .*\r\n`)

// Tokens that are made to be taken for others: none opens a session, each is
// refused with the very same bytes, and nobody without one notices.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	trusted, other := newIssuer(t), newIssuer(t)
	dir := t.TempDir()
	keys, tokens := filepath.Join(dir, "keys.pem"), filepath.Join(dir, "tokens")
	for file, text := range map[string]string{keys: trusted.public, tokens: "ci 0123456789abcdef0123456789abcdef\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf("subprotocols = [\"chat\"]\n[auth]\nmode = \"optional\"\nsources = [\"header\", \"cookie:sid\", \"query:token\", \"protocol:bearer.\"]\n"+
		"tokens_file = %q\njwt_keys_file = %q\njwt_audience = [\"chat\"]\n", tokens, keys)
	attack(t, setting{config: config}, 16*mebi, func(d *daemon) {
		const rs, hs = `{"alg":"RS256","typ":"JWT"}`, `{"alg":"HS256","typ":"JWT"}`
		claims := func(more string) string {
			return fmt.Sprintf(`{"sub":"ada","aud":"chat","exp":%d%s}`, time.Now().Add(time.Hour).Unix(), more)
		}
		good := trusted.rs256(t, rs, claims(""))
		parts := strings.Split(good, ".")
		bearer := func(token string) string { return request("/", "Authorization: Bearer "+token) }
		ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		jwk := fmt.Sprintf(`{"alg":"RS256","jwk":{"kty":"RSA","n":"%s","e":"AQAB"}}`, b64(string(other.key.N.Bytes())))
		ecSigned := b64(`{"alg":"ES256"}`) + "." + b64(claims(""))
		sum := sha256.Sum256([]byte(ecSigned))
		asn1, err := ecdsa.SignASN1(rand.Reader, ec, sum[:])
		if err != nil {
			t.Fatal(err)
		}

		for what, first := range map[string]string{
			"in a header":   bearer(good),
			"in a cookie":   request("/", "Cookie: a=b; sid="+good),
			"in a query":    request("/?token=" + good),
			"in a protocol": request("/", "Sec-WebSocket-Protocol: chat, bearer."+good),
			"a static one":  bearer("0123456789abcdef0123456789abcdef"),
			"twice":         request("/?token="+good, "Authorization: Bearer "+good),
		} {
			p := d.raw("unix")
			p.upgrade(first)
			id, _ := p.id()
			var record struct{ Auth struct{ Name string } }
			d.must("get_sess", map[string]any{"session": id, "request": true}, &record)
			if record.Auth.Name == "" {
				t.Errorf("%s: it is nobody's", what)
			}
			p.Close()
		}

		refusal := ""
		for what, first := range map[string]string{
			"alg none":                        bearer(b64(`{"alg":"none"}`) + "." + parts[1] + "."),
			"alg NoNe":                        bearer(b64(`{"alg":"NoNe"}`) + "." + parts[1] + "." + parts[2]),
			"no alg":                          bearer(b64(`{}`) + "." + parts[1] + "." + parts[2]),
			"alg of two":                      bearer(b64(`{"alg":"none","alg":"RS256"}`) + "." + parts[1] + "." + parts[2]),
			"alg in another case":             bearer(trusted.rs256(t, `{"ALG":"RS256"}`, claims(""))),
			"no signature":                    bearer(parts[0] + "." + parts[1] + "."),
			"no signature, and no dot":        bearer(parts[0] + "." + parts[1]),
			"a public key as a secret":        bearer(hs256(trusted.public, hs, claims(""))),
			"a public key as a secret, DER":   bearer(hs256(string(x509.MarshalPKCS1PublicKey(&trusted.key.PublicKey)), hs, claims(""))),
			"an empty secret":                 bearer(hs256("", hs, claims(""))),
			"a static token as a secret":      bearer(hs256("0123456789abcdef0123456789abcdef", hs, claims(""))),
			"another's key":                   bearer(other.rs256(t, rs, claims(""))),
			"a key that it brings":            bearer(other.rs256(t, jwk, claims(""))),
			"a key that it points to":         bearer(other.rs256(t, `{"alg":"RS256","jku":"http://127.0.0.1:1/keys","x5u":"file:///etc/passwd"}`, claims(""))),
			"a kid that is a path":            bearer(other.rs256(t, `{"alg":"RS256","kid":"../../../../dev/null"}`, claims(""))),
			"a kid that is a query":           bearer(other.rs256(t, `{"alg":"RS256","kid":"' UNION SELECT 'x"}`, claims(""))),
			"a kid that is a list":            bearer(trusted.rs256(t, `{"alg":"RS256","kid":["x"]}`, claims(""))),
			"ECDSA with a key for RSA":        bearer(ecSigned + "." + b64(string(asn1))),
			"ECDSA of zeros":                  bearer(ecSigned + "." + b64(strings.Repeat("\x00", 64))),
			"critical extensions":             bearer(trusted.rs256(t, `{"alg":"RS256","crit":["b64"],"b64":false}`, claims(""))),
			"compression":                     bearer(trusted.rs256(t, `{"alg":"RS256","zip":"DEF"}`, "\x78\x9c")),
			"other claims":                    bearer(parts[0] + "." + b64(claims(`,"admin":true`)) + "." + parts[2]),
			"a bit of the signature":          bearer(good[:len(good)-3] + "AAA"),
			"a signature's padding":           bearer(good + "=="),
			"a fourth part":                   bearer(good + "." + parts[2]),
			"expired":                         bearer(trusted.rs256(t, rs, `{"sub":"ada","aud":"chat","exp":1}`)),
			"no exp":                          bearer(trusted.rs256(t, rs, `{"sub":"ada","aud":"chat"}`)),
			"an exp of text":                  bearer(trusted.rs256(t, rs, `{"sub":"ada","aud":"chat","exp":"9999999999"}`)),
			"an exp beyond all numbers":       bearer(trusted.rs256(t, rs, `{"sub":"ada","aud":"chat","exp":1e999}`)),
			"two exps":                        bearer(trusted.rs256(t, rs, claims(`,"exp":1`))),
			"not yet":                         bearer(trusted.rs256(t, rs, claims(fmt.Sprintf(`,"nbf":%d`, time.Now().Add(time.Hour).Unix())))),
			"for somebody else":               bearer(trusted.rs256(t, rs, strings.Replace(claims(""), `"chat"`, `"bank"`, 1))),
			"for nobody":                      bearer(trusted.rs256(t, rs, strings.Replace(claims(""), `"chat"`, `[]`, 1))),
			"an audience that contains ours":  bearer(trusted.rs256(t, rs, strings.Replace(claims(""), `"chat"`, `"chatter"`, 1))),
			"claims that are a list":          bearer(trusted.rs256(t, rs, `["chat"]`)),
			"claims of two values":            bearer(trusted.rs256(t, rs, claims("")+claims(""))),
			"claims that are deep":            bearer(trusted.rs256(t, rs, claims(`,"x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)))),
			"a token of 15 KiB":               bearer(strings.Repeat("A", 15_000)),
			"a hash of the static one":        bearer(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("0123456789abcdef0123456789abcdef")))),
			"the beginning of the static one": bearer("0123456789abcdef0123456789abcde"),
			"an empty one":                    bearer(""),
			"two fields":                      request("/", "Authorization: Bearer "+good, "Authorization: Bearer "+other.rs256(t, rs, claims(""))),
			"two sources":                     request("/?token="+other.rs256(t, rs, claims("")), "Authorization: Bearer "+good),
			"two in a query":                  request("/?token="+good+"&token=x", "Accept: x"),
			"two cookies":                     request("/", "Cookie: sid="+good+"; sid=x"),
			"two cookies, in two fields":      request("/", "Cookie: sid="+good, "Cookie: sid=x"),
		} {
			p := d.raw("unix")
			p.write([]byte(first))
			_ = p.halfClose()
			got := bare.ReplaceAllString(p.rest(), "")
			p.Close()
			if !strings.HasPrefix(got, "HTTP/1.1 401 ") {
				t.Errorf("%s: %.300q", what, got)
				continue
			}
			if refusal == "" {
				refusal = got
			}
			if got != refusal {
				t.Errorf("%s is told from others: %q, not %q", what, got, refusal)
			}
		}
		for _, secret := range []string{parts[2], "0123456789abcdef0123456789abcdef", b64(claims(`,"admin":true`))} {
			if d.Count(secret) > 0 {
				t.Errorf("the log has %q", secret)
			}
		}

		// A name is what the issuer says, and reaches operators as anything else does.
		quoted, _ := json.Marshal(evilLine + "\x1b[2J\nFORGED")
		p := d.raw("unix")
		p.upgrade(bearer(trusted.rs256(t, rs, strings.Replace(claims(""), `"ada"`, string(quoted), 1))))
		id, _ := p.id()
		r := d.raw("unix")
		r.write([]byte(bearer(other.rs256(t, `{"alg":`+string(quoted)+`,"kid":`+string(quoted)+`}`, claims("")))))
		r.answer()
		r.Close()
		for _, args := range [][]string{{"sesses", "-l"}, {"get_sess", id}, {"get_sess", id, "--request"}, {"stats"}, {"sess_filter", "-l", "auth~FORGED"}, {"js", "srv.lst_sess().req_.auth"}} {
			shown := d.screen(args...).ends()
			harmless(t, strings.Join(args, " "), shown)
			unforged(t, strings.Join(args, " "), shown)
		}
		harmless(t, "the log", d.Said())
		unforged(t, "the log", d.Said())
		p.Close()
	})
}
