package auth

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// trusting makes an authenticator that trusts an issuer's key for an algorithm.
func trusting(t testing.TB, is issuer, alg string, change ...func(*Options)) *Authenticator {
	t.Helper()
	o := Options{RequireExp: true}
	if alg[:2] == "HS" {
		o.SecretFile = file(t, string(is.secret)+"\n")
	} else {
		o.KeysFile = file(t, pemOf(t, is.public(alg)))
	}
	for _, f := range change {
		f(&o)
	}
	return authenticator(t, o)
}

// Each algorithm's tokens are taken from who has the key, and from nobody else;
// nothing in them can be changed.
func TestSignatures(t *testing.T) {
	ours, theirs := issuers()[0], issuers()[1]
	for _, alg := range Algorithms {
		a := trusting(t, ours, alg)
		token := sign(t, alg, ours.key(alg), good())
		if got := shows(t, a, token); got != "jwt ada" {
			t.Errorf("%s: %s", alg, got)
		}
		if got := shows(t, a, sign(t, alg, theirs.key(alg), good())); got != "no: signature" {
			t.Errorf("%s, another's key: %s", alg, got)
		}
		// Other claims with this signature.
		other := good()
		other["sub"] = "eve"
		parts := strings.Split(token, ".")
		forged := strings.Split(sign(t, alg, theirs.key(alg), other), ".")
		if got := shows(t, a, parts[0]+"."+forged[1]+"."+parts[2]); got != "no: signature" {
			t.Errorf("%s, other claims: %s", alg, got)
		}
		sig, err := base64url.DecodeString(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, len(sig) / 2, len(sig) - 1} {
			bad := append([]byte(nil), sig...)
			bad[i] ^= 1
			if got := shows(t, a, parts[0]+"."+parts[1]+"."+base64url.EncodeToString(bad)); got != "no: signature" {
				t.Errorf("%s, byte %d of the signature changed: %s", alg, i, got)
			}
		}
		for _, bad := range [][]byte{{}, sig[:len(sig)-1], append(sig[:len(sig):len(sig)], 0), make([]byte, len(sig)), make([]byte, 2*len(sig))} {
			if got := shows(t, a, parts[0]+"."+parts[1]+"."+base64url.EncodeToString(bad)); got != "no: signature" {
				t.Errorf("%s, a signature of %d bytes: %s", alg, len(bad), got)
			}
		}
	}
}

// A token does not choose how it is verified.
func TestAlgorithmConfusion(t *testing.T) {
	ours := issuers()[0]
	public := pemOf(t, ours.rsa.Public())
	der, _ := pem.Decode([]byte(public))
	rsaOnly := trusting(t, ours, "RS256")
	all := authenticator(t, Options{SecretFile: file(t, string(ours.secret)), KeysFile: file(t, public)})
	edOnly := trusting(t, ours, "EdDSA")
	pinned := authenticator(t, Options{KeysFile: file(t, jwks(t, jose.JSONWebKey{Key: ours.rsa.Public(), Algorithm: "RS512", KeyID: "r"}))})
	limited := trusting(t, ours, "RS256", func(o *Options) { o.Algorithms = []string{"PS256"} })
	plain := base64url.EncodeToString([]byte(`{"sub":"ada","exp":99999999999}`)) + "."
	none := func(alg string) string {
		return base64url.EncodeToString([]byte(`{"alg":"`+alg+`"}`)) + "." + plain
	}
	for name, tt := range map[string]struct {
		a           *Authenticator
		token, want string
	}{
		"none":                           {rsaOnly, none("none"), "no: algorithm"},
		"None":                           {rsaOnly, none("None"), "no: algorithm"},
		"nOnE":                           {all, none("nOnE"), "no: algorithm"},
		"NONE with a signature":          {all, none("NONE") + "AAAA", "no: algorithm"},
		"no alg":                         {all, none(""), "no: malformed"},
		"rs256 in lower case":            {rsaOnly, none("rs256"), "no: algorithm"},
		"RS256 and no signature":         {rsaOnly, none("RS256"), "no: signature"},
		"HS256 by the public PEM":        {rsaOnly, sign(t, "HS256", []byte(public), good()), "no: algorithm"},
		"HS256 by the PEM, trimmed":      {all, sign(t, "HS256", []byte(strings.TrimSpace(public)), good()), "no: signature"},
		"HS256 by the public PEM, mixed": {all, sign(t, "HS256", []byte(public), good()), "no: signature"},
		"HS256 by the public DER":        {all, sign(t, "HS256", der.Bytes, good()), "no: signature"},
		"HS256 by PKCS 1":                {all, sign(t, "HS256", x509.MarshalPKCS1PublicKey(&ours.rsa.PublicKey), good()), "no: signature"},
		"HS256 by the modulus":           {all, sign(t, "HS256", ours.rsa.N.Bytes(), good()), "no: signature"},
		"HS256 by an Ed25519 key":        {edOnly, sign(t, "HS256", []byte(ours.public("EdDSA").(ed25519.PublicKey)), good()), "no: algorithm"},
		"RS256 for HS256":                {trusting(t, ours, "HS256"), sign(t, "RS256", ours.rsa, good()), "no: algorithm"},
		"RS256 where RS512 is said":      {pinned, sign(t, "RS256", ours.rsa, good(), "kid", "r"), "no: algorithm"},
		"PS512 where RS512 is said":      {pinned, sign(t, "PS512", ours.rsa, good(), "kid", "r"), "no: algorithm"},
		"RS512 where RS512 is said":      {pinned, sign(t, "RS512", ours.rsa, good(), "kid", "r"), "jwt ada"},
		"RS256 where PS256 is allowed":   {limited, sign(t, "RS256", ours.rsa, good()), "no: algorithm"},
		"PS256 where PS256 is allowed":   {limited, sign(t, "PS256", ours.rsa, good()), "jwt ada"},
		"both kinds of key, HS":          {all, sign(t, "HS384", ours.secret, good()), "jwt ada"},
		"both kinds of key, RS":          {all, sign(t, "RS384", ours.rsa, good()), "jwt ada"},
	} {
		if got := shows(t, tt.a, tt.token); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Keys that come with a token, or that it points at, are nobody's; an id is
// looked up and nothing else.
func TestKeyChoice(t *testing.T) {
	ours, theirs := issuers()[0], issuers()[1]
	set := authenticator(t, Options{KeysFile: file(t, jwks(t,
		jose.JSONWebKey{Key: ours.ec["ES256"].Public(), KeyID: "a", Use: "sig", Algorithm: "ES256"},
		jose.JSONWebKey{Key: theirs.ec["ES256"].Public(), KeyID: "b"},
		jose.JSONWebKey{Key: ours.rsa.Public(), KeyID: "a"}, // the same id for another kind
		jose.JSONWebKey{Key: theirs.rsa.Public(), KeyID: "enc", Use: "enc"},
		jose.JSONWebKey{Key: ours.ec["ES384"].Public()}, // no id
	))})
	one := authenticator(t, Options{KeysFile: file(t, jwks(t, jose.JSONWebKey{Key: ours.ed.Public(), KeyID: "only"}))})
	pems := authenticator(t, Options{KeysFile: file(t, pemOf(t, ours.ed.Public())+"\n"+pemOf(t, theirs.ed.Public()))})
	own, err := jose.JSONWebKey{Key: theirs.ec["ES256"].Public(), KeyID: "b"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	es := func(is issuer, header ...any) string { return sign(t, "ES256", is.ec["ES256"], good(), header...) }
	for name, tt := range map[string]struct {
		a           *Authenticator
		token, want string
	}{
		"by id":                     {set, es(ours, "kid", "a"), "jwt ada"},
		"by another id":             {set, es(theirs, "kid", "b"), "jwt ada"},
		"by the id of another":      {set, es(ours, "kid", "b"), "no: signature"},
		"by an unknown id":          {set, es(ours, "kid", "c"), "no: unknown_key"},
		"by no id, several keys":    {set, es(ours), "no: unknown_key"},
		"by an empty id":            {set, es(ours, "kid", ""), "no: unknown_key"},
		"one id, two kinds":         {set, sign(t, "RS256", ours.rsa, good(), "kid", "a"), "jwt ada"},
		"a key for encryption":      {set, sign(t, "RS256", theirs.rsa, good(), "kid", "enc"), "no: unknown_key"},
		"a key without an id":       {set, sign(t, "ES384", ours.ec["ES384"], good(), "kid", "whatever"), "jwt ada"},
		"a file as an id":           {set, es(ours, "kid", "../../../../dev/null"), "no: unknown_key"},
		"SQL as an id":              {set, es(ours, "kid", "a' OR '1'='1"), "no: unknown_key"},
		"a control in an id":        {set, es(ours, "kid", "a\x00\x1b[2J"), "no: unknown_key"},
		"a number as an id":         {set, es(ours, "kid", 1), "no: malformed"},
		"a list as an id":           {set, es(ours, "kid", []string{"a"}), "no: malformed"},
		"its own key (jwk)":         {set, es(theirs, "kid", "a", "jwk", json.RawMessage(own)), "no: signature"},
		"a URL of keys (jku)":       {set, es(theirs, "kid", "a", "jku", "http://127.0.0.1:1/"), "no: signature"},
		"a certificate (x5u)":       {set, es(theirs, "kid", "a", "x5u", "http://127.0.0.1:1/"), "no: signature"},
		"critical extensions":       {set, es(ours, "kid", "a", "crit", []string{"b64"}, "b64", false), "no: malformed"},
		"no critical extensions":    {set, es(ours, "kid", "a", "crit", []string{}), "no: malformed"},
		"the only key, its id":      {one, sign(t, "EdDSA", ours.ed, good(), "kid", "only"), "jwt ada"},
		"the only key, no id":       {one, sign(t, "EdDSA", ours.ed, good()), "jwt ada"},
		"the only key, another id":  {one, sign(t, "EdDSA", ours.ed, good(), "kid", "other"), "no: unknown_key"},
		"the first of two in PEM":   {pems, sign(t, "EdDSA", ours.ed, good(), "kid", "x"), "jwt ada"},
		"the second of two in PEM":  {pems, sign(t, "EdDSA", theirs.ed, good()), "jwt ada"},
		"a type that is JWT":        {one, sign(t, "EdDSA", ours.ed, good(), "typ", "application/at+JWT"), "jwt ada"},
		"a type of its own":         {one, sign(t, "EdDSA", ours.ed, good(), "typ", "logout+jwt"), "no: malformed"},
		"a type that is no text":    {one, sign(t, "EdDSA", ours.ed, good(), "typ", nil), "no: malformed"},
		"an algorithm that is none": {one, sign(t, "EdDSA", ours.ed, good(), "alg", []string{"EdDSA"}), "no: malformed"},
	} {
		if got := shows(t, tt.a, tt.token); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestClaims(t *testing.T) {
	ours := issuers()[0]
	at := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	strict := func(o *Options) { o.Leeway = 30 * time.Second }
	aud := func(o *Options) { o.Audience = []string{"chat", "chat.example"} }
	iss := func(o *Options) { o.Issuer = "https://id.example" }
	free := func(o *Options) { o.RequireExp = false }
	with := func(pairs ...any) claims {
		c := good()
		for i := 0; i < len(pairs); i += 2 {
			if c[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == "absent" {
				delete(c, pairs[i].(string))
			}
		}
		return c
	}
	for name, tt := range map[string]struct {
		change func(*Options)
		c      claims
		want   string
	}{
		"good":                        {strict, with(), "jwt ada"},
		"expired":                     {strict, with("exp", at(-time.Hour)), "no: expired"},
		"expired within the leeway":   {strict, with("exp", at(-29*time.Second)), "jwt ada"},
		"expired with the leeway":     {strict, with("exp", at(-30*time.Second)), "no: expired"},
		"expires now":                 {free, with("exp", at(0)), "no: expired"},
		"expires in a second":         {free, with("exp", at(time.Second)), "jwt ada"},
		"expired in 1970":             {free, with("exp", 0), "no: expired"},
		"no exp":                      {strict, with("exp", "absent"), "no: claims"},
		"no exp, and none is needed":  {free, with("exp", "absent"), "jwt ada"},
		"exp as text":                 {free, with("exp", "2099-01-01"), "no: claims"},
		"exp as null":                 {free, with("exp", nil), "no: claims"},
		"exp as a list":               {free, with("exp", []int64{at(time.Hour)}), "no: claims"},
		"exp beyond all":              {free, with("exp", 1e300), "no: claims"},
		"exp beyond floating point":   {free, with("exp", json.RawMessage("1e999")), "no: claims"},
		"exp below zero":              {free, with("exp", -1), "no: claims"},
		"exp with a fraction":         {free, with("exp", float64(at(time.Hour))+0.5), "jwt ada"},
		"not yet":                     {strict, with("nbf", at(time.Hour)), "no: not_yet_valid"},
		"not yet within the leeway":   {strict, with("nbf", at(30*time.Second)), "jwt ada"},
		"not yet beyond the leeway":   {strict, with("nbf", at(31*time.Second)), "no: not_yet_valid"},
		"nbf is zero":                 {strict, with("nbf", 0), "jwt ada"},
		"nbf as text":                 {strict, with("nbf", "soon"), "no: claims"},
		"issued in the future":        {strict, with("iat", at(time.Hour)), "no: not_yet_valid"},
		"issued before":               {strict, with("iat", at(-time.Hour)), "jwt ada"},
		"the audience":                {aud, with("aud", "chat"), "jwt ada"},
		"one of the audiences":        {aud, with("aud", []string{"x", "chat.example"}), "jwt ada"},
		"another audience":            {aud, with("aud", "chat.evil"), "no: audience"},
		"the audience in other case":  {aud, with("aud", "Chat"), "no: audience"},
		"no audience":                 {aud, with(), "no: audience"},
		"an empty audience":           {aud, with("aud", ""), "no: audience"},
		"no audience in the list":     {aud, with("aud", []string{}), "no: audience"},
		"an audience that is none":    {aud, with("aud", 1), "no: audience"},
		"a list with such a one":      {aud, with("aud", []any{"chat", 1}), "no: claims"},
		"an audience nobody asked of": {strict, with("aud", "chat"), "no: audience"},
		"the issuer":                  {iss, with("iss", "https://id.example"), "jwt ada"},
		"another issuer":              {iss, with("iss", "https://id.example/"), "no: issuer"},
		"no issuer":                   {iss, with(), "no: issuer"},
		"an issuer that is none":      {iss, with("iss", []string{"https://id.example"}), "no: claims"},
		"no subject":                  {strict, with("sub", "absent"), "jwt "},
		"a subject that is none":      {strict, with("sub", 7), "no: claims"},
		"expired, another audience":   {aud, with("exp", at(-time.Hour), "aud", "x"), "no: expired"},
	} {
		a := trusting(t, ours, "EdDSA", tt.change)
		if got := shows(t, a, sign(t, "EdDSA", ours.ed, tt.c)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// The clock counts when a token is shown, and it may jump.
func TestClockJumps(t *testing.T) {
	now := noon
	ours := issuers()[0]
	a := trusting(t, ours, "EdDSA", func(o *Options) { o.Now = func() time.Time { return now } })
	token := sign(t, "EdDSA", ours.ed, claims{"sub": "ada", "nbf": noon.Unix(), "exp": noon.Add(time.Hour).Unix()})
	for _, step := range []struct {
		jump time.Duration
		want string
	}{
		{0, "jwt ada"}, {2 * time.Hour, "no: expired"}, {-2 * time.Hour, "jwt ada"}, {-time.Hour, "no: not_yet_valid"},
		{100 * 365 * 24 * time.Hour, "no: expired"}, {-200 * 365 * 24 * time.Hour, "no: not_yet_valid"},
	} {
		now = now.Add(step.jump)
		if got := shows(t, a, token); got != step.want {
			t.Errorf("at %v: %s, want %s", now, got, step.want)
		}
	}
}

// What can be read in two ways is not read at all, signed or not.
func TestMalformed(t *testing.T) {
	ours := issuers()[0]
	a := trusting(t, ours, "EdDSA")
	const header, body = `{"alg":"EdDSA"}`, `{"sub":"ada","exp":1780400000}`
	raw := func(header, body string) string { return signRaw(t, "EdDSA", ours.ed, header, body) }
	nested := func(n int) string {
		return `{"sub":"ada","exp":1780400000,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	if got := shows(t, a, raw(header, body)); got != "jwt ada" {
		t.Fatal(got)
	}
	if got := shows(t, a, raw(header, nested(maxDepth-1))); got != "jwt ada" {
		t.Error(got)
	}
	whole := raw(header, body)
	for name, token := range map[string]string{
		"a claim twice":              raw(header, `{"sub":"ada","exp":1780400000,"sub":"eve"}`),
		"a claim twice, escaped":     raw(header, `{"sub":"ada","exp":1780400000,"s\u0075b":"eve"}`),
		"a date twice":               raw(header, `{"sub":"ada","exp":1,"exp":1780400000}`),
		"a name twice, further down": raw(header, `{"sub":"ada","exp":1780400000,"x":[{"y":{"z":1,"z":2}}]}`),
		"alg twice":                  raw(`{"alg":"none","alg":"EdDSA"}`, body),
		"kid twice":                  raw(`{"alg":"EdDSA","kid":"a","kid":"b"}`, body),
		"too deep":                   raw(header, nested(maxDepth)),
		"far too deep":               raw(header, nested(2500)),
		"claims that are a list":     raw(header, `[]`),
		"claims that are null":       raw(header, `null`),
		"claims that are text":       raw(header, `"sub"`),
		"no claims":                  raw(header, ``),
		"something after the claims": raw(header, body+`{}`),
		"claims cut off":             raw(header, body[:len(body)-1]),
		"claims with a comma":        raw(header, `{"sub":"ada","exp":1780400000,}`),
		"claims not in UTF-8":        raw(header, `{"sub":"`+"\xff"+`","exp":1780400000}`),
		"claims in UTF-16":           raw(header, "\xff\xfe{\x00}\x00"),
		"a mark before the claims":   raw(header, "\ufeff"+body),
		"a header that is a list":    raw(`["EdDSA"]`, body),
		"a header that is null":      raw(`null`, body),
		"ALG for alg":                raw(`{"ALG":"EdDSA"}`, body),
		"two parts":                  whole[:strings.LastIndexByte(whole, '.')],
		"four parts":                 whole + ".",
		"five parts":                 "a.b.c.d.e",
		"a part that is empty":       "." + strings.SplitN(whole, ".", 2)[1],
		"only dots":                  "..",
		"padding":                    whole + "==",
		"base64 of the other kind":   strings.Replace(whole, ".", "+/.", 1),
		"bits after the end":         strings.Replace(whole, ".", "B.", 1),
		"a JWT in a JWT":             raw(`{"alg":"EdDSA","cty":"JWT"}`, whole),
		"no JWT":                     "0123456789abcdef",
	} {
		if got := shows(t, a, token); got != "no: malformed" {
			t.Errorf("%s: %s", name, got)
		}
	}
	// One that is too long is refused though it is signed, and costs no reading.
	long := good()
	long["x"] = strings.Repeat("x", maxToken)
	if got := shows(t, a, sign(t, "EdDSA", ours.ed, long)); got != "no: malformed" {
		t.Error(got)
	}
}

// The claims are the token's own, as they were written, less the blanks.
func TestClaimsAreKept(t *testing.T) {
	ours := issuers()[0]
	a := trusting(t, ours, "EdDSA")
	token := signRaw(t, "EdDSA", ours.ed, `{"alg":"EdDSA"}`, `{ "sub" : "ada\u001b[2J", "exp":1780400000,
		"n": 12345678901234567890.10, "roles":["a", "b"], "html":"<&>", "sur":"\ud800" }`)
	id, refusal := a.Authenticate(request(t, "/", "Authorization: Bearer "+token))
	if refusal != nil {
		t.Fatal(refusal)
	}
	if want := `{"sub":"ada\u001b[2J","exp":1780400000,"n":12345678901234567890.10,"roles":["a","b"],"html":"<&>","sur":"\ud800"}`; string(id.Claims) != want {
		t.Errorf("%s, want %s", id.Claims, want)
	}
	if id.Name != "ada\x1b[2J" {
		t.Errorf("%q", id.Name)
	}
}

// The log is told which key and algorithm a token names, shortened and in ASCII,
// and nothing else of it.
func TestDetails(t *testing.T) {
	ours := issuers()[0]
	a := trusting(t, ours, "EdDSA")
	for _, token := range []string{
		sign(t, "HS256", ours.secret, good(), "kid", "\x1b[2J\u202e"+strings.Repeat("k", 1000)),
		sign(t, "EdDSA", issuers()[1].ed, good(), "kid", "\x1b[2J\u202e"+strings.Repeat("k", 1000)),
	} {
		_, refusal := a.Authenticate(request(t, "/", "Authorization: Bearer "+token))
		if refusal == nil || !strings.Contains(refusal.Detail, `kid "\x1b[2J\u202ekkkk`) || len(refusal.Detail) > 200 || strings.Contains(refusal.Detail, "ada") ||
			strings.Contains(refusal.Detail, token[len(token)-20:]) {
			t.Errorf("%+v", refusal)
		}
	}
}

// What an event loop may judge itself is everything but signatures by public
// keys that there are.
func TestSlow(t *testing.T) {
	ours := issuers()[0]
	a := authenticator(t, Options{
		Sources: []string{"header", "cookie:sid"}, SecretFile: file(t, string(ours.secret)),
		KeysFile: file(t, jwks(t, jose.JSONWebKey{Key: ours.ed.Public(), KeyID: "a"})), Tokens: []string{"ci " + hashed("0123456789abcdef")},
	})
	signed := sign(t, "EdDSA", ours.ed, good(), "kid", "a")
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{"Authorization: Bearer " + signed}, true},
		{[]string{"Cookie: sid=" + signed}, true},
		{[]string{"Authorization: Bearer " + signed[:len(signed)-3] + "AAA"}, true},
		{[]string{"Authorization: Bearer " + signed, "Cookie: sid=other"}, false},
		{[]string{"Authorization: Bearer " + sign(t, "EdDSA", ours.ed, good(), "kid", "b")}, false},
		{[]string{"Authorization: Bearer " + sign(t, "ES512", ours.ec["ES512"], good(), "kid", "a")}, false},
		{[]string{"Authorization: Bearer " + sign(t, "HS256", ours.secret, good())}, false},
		{[]string{"Authorization: Bearer 0123456789abcdef"}, false},
		{[]string{"Authorization: Bearer ..."}, false},
	} {
		if got := a.Slow(request(t, "/", tt.lines...)); got != tt.want {
			t.Errorf("%.80q: %v", tt.lines, got)
		}
	}
	if trusting(t, ours, "HS256").Slow(request(t, "/", "Authorization: Bearer "+signed)) {
		t.Error("it is slow without public keys")
	}
}
