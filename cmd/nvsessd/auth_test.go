package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/test/nvsessd"
)

// A signer is who issues tokens, and the file in which the daemon has its key.
type signer struct {
	key  ed25519.PrivateKey
	file string
}

func newSigner(t *testing.T, path string) signer {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return signer{key, path}
}

func (s signer) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func bearer(token string) client.Option {
	return client.WithHeader(http.Header{"Authorization": {"Bearer " + token}})
}

// refused dials and gives the status that it gets.
func (p *process) refused(target string, opts ...client.Option) int {
	p.t.Helper()
	c, err := client.Dial(p.t.Context(), "ws+unix://"+p.socket("nvsess.sock")+":"+target, opts...)
	var refused *client.HandshakeError
	if !errors.As(err, &refused) {
		if err == nil {
			_ = c.CloseNow()
		}
		p.t.Errorf("%s: %v", target, err)
		return 0
	}
	return refused.Status
}

// Who shows a token that is believed gets a session, operators see who it is, and
// the key's change counts from SIGHUP on, for who connects then. No token is ever
// in the log.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctl := filepath.Join(nvsessd.Programs(t), "nvsessctl")
	first := newSigner(t, filepath.Join(dir, "keys.pem"))
	static := "ci-0123456789abcdef"
	p := launch(t, configured(t, fmt.Sprintf(`subprotocols = ["chat"]
paths = ["/", "/chat"]
[auth]
mode = "required"
sources = ["header", "query:access_token", "cookie:sid", "protocol:nvsess.bearer."]
tokens = ["ci sha256:%x"]
jwt_keys_file = %q
jwt_audience = ["chat"]
[[mount]]
paths = ["/open"]
auth = "off"
[log]
level = "debug"
`, sha256.Sum256([]byte(static)), first.file)))
	p.Logged("ready")
	url := "ws+unix://" + p.socket("nvsess.sock")
	claims := jwt.MapClaims{"sub": "ada\x1b[2J", "aud": "chat", "roles": []string{"admin"}, "exp": time.Now().Add(time.Hour).Unix()}
	token := first.token(t, claims)
	var secrets []string

	g := visit(t, url, bearer(token))
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(ctl, append([]string{"-s", p.socket("admin.sock")}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := strings.Join(strings.Fields(run("--json", "get_sess", "fst", "--request")), ""); !strings.Contains(out, `"auth":{"name":"ada\u001b[2J","method":"jwt","claims":{`) ||
		!strings.Contains(out, `"roles":["admin"]`) {
		t.Errorf("the record is %s", out)
	}
	if out := run("get_sess", "fst", "--request"); strings.Contains(out, "\x1b[2J") || !strings.Contains(out, "roles") {
		t.Errorf("the record is shown as %q", out)
	}
	if out := run("sess_filter", `auth~^ada`, "--count"); strings.TrimSpace(out) != "1" {
		t.Errorf("a filter finds %s", out)
	}
	visit(t, url, bearer(static))
	if out := run("sess_filter", "auth=ci", "--count"); strings.TrimSpace(out) != "1" {
		t.Errorf("a filter finds %s", out)
	}
	visit(t, url+":/chat?access_token="+token)
	visit(t, url, client.WithHeader(http.Header{"Cookie": {"sid=" + token}}))
	if c := visit(t, url, client.WithSubprotocols("nvsess.bearer."+token, "chat")); c.Subprotocol() != "chat" {
		t.Errorf("the subprotocol is %q", c.Subprotocol())
	}

	visit(t, url+":/open")
	if out := strings.Join(strings.Fields(run("--json", "get_sess", "lst", "--request")), ""); !strings.Contains(out, `"auth":null`) {
		t.Errorf("the record is %s", out)
	}

	// None, a wrong one, an old one, another's, two of them.
	if status := p.refused("/"); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	claims["exp"] = time.Now().Add(-time.Hour).Unix()
	old := first.token(t, claims)
	secrets = append(secrets, token, old, static, "wrong-0123456789")
	for _, s := range []string{"wrong-0123456789", old} {
		if status := p.refused("/?a=b&access_token=" + s); status != 401 {
			t.Errorf("%s: %d", s, status)
		}
	}
	if status := p.refused("/?access_token="+static, bearer(token)); status != 401 {
		t.Errorf("two tokens: %d", status)
	}
	if status := p.refused("/nowhere?access_token="+token, client.WithOrigin("https://evil.example")); status != 404 {
		t.Errorf("no such path: %d", status)
	}
	if status := p.refused("/?access_token="+token, client.WithOrigin("https://evil.example")); status != 403 {
		t.Errorf("another origin: %d", status)
	}
	stats := run("stats")
	for _, want := range []string{"auth_refused.missing 1", "auth_refused.unknown_token 1", "auth_refused.expired 1", "auth_refused.ambiguous 1"} {
		if !strings.Contains(strings.Join(strings.Fields(stats), " "), want) {
			t.Errorf("the stats lack %s:\n%s", want, stats)
		}
	}

	// The key changes: first to what cannot be read, then to another's.
	if err := os.WriteFile(first.file, []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	if l := p.Logged("the configuration is as it was: it cannot be read again"); !strings.Contains(l.Error, "auth.jwt_keys_file: "+first.file+": ") {
		t.Errorf("%+v", l)
	}
	visit(t, url, bearer(token))
	second := newSigner(t, first.file)
	p.Signal(syscall.SIGHUP)
	p.Logged("the configuration was read again")
	if status := p.refused("/", bearer(token)); status != 401 {
		t.Errorf("a token of the old key: %d", status)
	}
	claims["exp"] = time.Now().Add(time.Hour).Unix()
	fresh := second.token(t, claims)
	visit(t, url, bearer(fresh))
	g.say(t, "still there")
	if out := run("sess_filter", "auth~^ada", "--count"); strings.TrimSpace(out) != "6" {
		t.Errorf("%s sessions are ada's", out)
	}

	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	for _, s := range append(secrets, fresh) {
		if strings.Contains(p.Said(), s) {
			t.Errorf("%s is in the log", s)
		}
	}
	if !strings.Contains(p.Said(), `"target":"\"/?a=b&access_token=...\""`) || !strings.Contains(p.Said(), `"reason":"expired"`) {
		t.Errorf("the log does not say what was refused")
	}
}

// Wrong files of tokens and keys are found by -check, too, and nothing is opened.
func TestAuthFilesAreChecked(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"short": "secret", "open": strings.Repeat("s", 64), "tokens": "ci 0123456789abcdef"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	for conf, want := range map[string]string{
		"jwt_secret_file = \"" + dir + "/short\"": "auth.jwt_secret_file: " + dir + "/short: a secret must have at least 32 bytes; this one has 6",
		"jwt_secret_file = \"" + dir + "/open\"":  "auth.jwt_secret_file: " + dir + "/open: anybody on this machine can read it (chmod o-rwx)",
		"jwt_keys_file = \"" + dir + "/none\"":    "auth.jwt_keys_file: open " + dir + "/none: no such file or directory",
		"jwt_keys_file = \"" + dir + "/short\"":   "there are no keys in it",
		"tokens_file = \"" + dir + "/tokens\"":    "",
	} {
		args := configured(t, "[auth]\nmode = \"required\"\n"+conf)
		var out bytes.Buffer
		err := run(t.Context(), append(args, "-check"), &out, &out)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", conf, err, want)
		}
		if want != "" {
			if err := run(t.Context(), args, &out, &out); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, started: %v, want %q", conf, err, want)
			}
		}
	}
}
