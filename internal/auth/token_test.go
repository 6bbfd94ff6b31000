package auth

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

func hashed(token string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(token))) }

func TestStaticTokens(t *testing.T) {
	path := file(t, "# who may\n\n  ci\t0123456789abcdef  \r\nada@example.org "+hashed("ada-0123456789abcdef")+"\nci ci-0123456789abcdef")
	a := authenticator(t, Options{TokensFile: path, Tokens: []string{"ops " + hashed("ops-0123456789abcdef")}})
	for token, want := range map[string]string{
		"0123456789abcdef":                 "token ci",
		"ci-0123456789abcdef":              "token ci",
		"ada-0123456789abcdef":             "token ada@example.org",
		"ops-0123456789abcdef":             "token ops",
		"0123456789abcdeF":                 "no: unknown_token",
		"0123456789abcde":                  "no: unknown_token",
		"0123456789abcdef0":                "no: unknown_token",
		"ci":                               "no: unknown_token",
		hashed("ops-0123456789abcdef")[7:]: "no: unknown_token", // to have read the file is not enough
		"a.b.c":                            "no: unknown_token",
	} {
		if got := shows(t, a, token); got != want {
			t.Errorf("%s: %s, want %s", token, got, want)
		}
	}
}

// A mistake in a file of tokens is named, and no token is.
func TestTokenFiles(t *testing.T) {
	for text, want := range map[string]string{
		"ci":                           "f:1: it must be a name",
		"ci a b":                       "f:1: it must be a name",
		"c/i 0123456789abcdef":         "f:1: it must be a name",
		"# x\nci short-s3cret":         "f:2: the token of ci has less than 16 characters",
		"ci s3cret-0123456789;abc":     "f:1: the token of ci has characters other than",
		"ci s3cret=0123456789abcdef":   "f:1: the token of ci has characters other than",
		"ci sha256:s3cret":             "f:1: the hash of ci is not 64 hexadecimal digits",
		"ci " + hashed("x")[:70]:       "f:1: the hash of ci is not 64 hexadecimal digits",
		"ci " + hashed("x") + "00":     "f:1: the hash of ci is not 64 hexadecimal digits",
		"ci " + hashed("x")[:70] + "é": "f:1: the hash of ci is not 64 hexadecimal digits",
		"ci s3cret-0123456789abcdef\nada s3cret-0123456789abcdef":              "f:2: ada has the token of ci",
		"ci s3cret-0123456789abcdef\nada " + hashed("s3cret-0123456789abcdef"): "f:2: ada has the token of ci",
		strings.Repeat("x", maxFileBytes+1):                                    "it has more than",
	} {
		_, err := New(Options{TokensFile: file(t, text)})
		if err == nil || !strings.HasPrefix(err.Error(), "auth.tokens_file: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.50q: %v, want %s", text, err, want)
		}
	}
	if _, err := New(Options{Tokens: []string{"ci s3cret-0123456789abcdef"}}); err == nil || !strings.HasPrefix(err.Error(), "auth.tokens: the token of ci must be given as sha256:HEX") {
		t.Error(err)
	}
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "no token is believed") {
		t.Error(err)
	}
	var many strings.Builder
	for i := range maxTokens {
		fmt.Fprintf(&many, "x %s\n", hashed(fmt.Sprint(i)))
	}
	authenticator(t, Options{TokensFile: file(t, many.String())})
	if _, err := New(Options{TokensFile: file(t, many.String()+"y "+hashed("y"))}); err == nil || !strings.Contains(err.Error(), ":10001: there are more than 10000 tokens") {
		t.Error(err)
	}
}

// Files that everybody on the machine can read or change keep the daemon from
// starting: secrets for the one, keys for the other.
func TestFileModes(t *testing.T) {
	is := issuers()[0]
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o640: "", 0o660: "", 0o400: "",
		0o644: "chmod o-rwx", 0o604: "chmod o-rwx", 0o666: "chmod o-w", 0o602: "chmod o-w",
	} {
		for key, o := range map[string]Options{
			"auth.tokens_file":     {TokensFile: file(t, "ci 0123456789abcdef")},
			"auth.jwt_secret_file": {SecretFile: file(t, string(is.secret))},
			"auth.jwt_keys_file":   {KeysFile: file(t, `{"kty":"oct","k":"`+base64url.EncodeToString(is.secret)+`"}`)},
			"public":               {KeysFile: file(t, pemOf(t, is.ed.Public()))},
		} {
			want := want
			if key == "public" {
				key = "auth.jwt_keys_file"
				if want == "chmod o-rwx" {
					want = ""
				}
			}
			if err := os.Chmod(o.TokensFile+o.SecretFile+o.KeysFile, mode); err != nil {
				t.Fatal(err)
			}
			_, err := New(o)
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), key+": ") || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s with %v: %v, want %q", key, mode, err, want)
			}
		}
	}
	dir := t.TempDir()
	fifo := dir + "/fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, dir + "/none", ""} {
		for _, o := range []Options{{TokensFile: path}, {SecretFile: path}, {KeysFile: path}} {
			if _, err := New(o); err == nil {
				t.Errorf("%q is a file", path)
			}
		}
	}
}
