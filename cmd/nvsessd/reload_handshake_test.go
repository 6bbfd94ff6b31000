package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/selfsigned"
)

func TestReloadOfHandshakes(t *testing.T) {
	t.Parallel()
	origin := func(s string) client.Option { return client.WithOrigin(s) }
	hash := func(token string) string { return fmt.Sprintf("ci sha256:%x", sha256.Sum256([]byte(token))) }
	takesEffect(t, map[string]func(t *testing.T){
		"handshake.origins": func(t *testing.T) {
			c := changing(t, echoing)
			c.opensWith(403, "/", origin("https://a.example"))
			c.becomes(echoing+"[handshake]\norigins = [\"https://a.example\"]\n", "handshake.origins new sessions")
			g := visit(t, c.url("/"), origin("https://a.example"))
			c.becomes(echoing, "handshake.origins new sessions")
			c.opensWith(403, "/", origin("https://a.example"))
			g.say(t, "still there")
			g.hears(t, "still there")
		},
		"handshake.timeout": func(t *testing.T) {
			c := changing(t, "[handshake]\ntimeout = \"10m\"\n")
			c.becomes("[handshake]\ntimeout = \"100ms\"\n", "handshake.timeout new sessions")
			nc, err := net.Dial("unix", c.socket("nvsess.sock"))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(patience))
			if b, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 408") {
				t.Errorf("%q, %v", b, err)
			}
		},
		"handshake.max_headers": func(t *testing.T) {
			many := http.Header{}
			for i := range 40 {
				many.Set(fmt.Sprintf("X-%d", i), "x")
			}
			c := changing(t, "")
			c.opensWith(101, "/", client.WithHeader(many))
			c.becomes("[handshake]\nmax_headers = 20\n", "handshake.max_headers new sessions")
			c.opensWith(431, "/", client.WithHeader(many))
		},
		"auth": func(t *testing.T) {
			c := changing(t, echoing)
			g := visit(t, c.url("/"))
			first, second := "first-0123456789abcdef", "second-0123456789abcdef"
			conf := func(token string) string {
				return fmt.Sprintf("%s[auth]\nmode = \"required\"\ntokens = [%q]\n", echoing, hash(token))
			}
			c.becomes(conf(first), "auth.mode new sessions", "auth.tokens new sessions")
			c.opensWith(401, "/")
			h := visit(t, c.url("/"), bearer(first))
			c.becomes(conf(second), "auth.tokens new sessions")
			c.opensWith(401, "/", bearer(first))
			c.opensWith(101, "/", bearer(second))
			c.becomes(echoing, "auth.mode new sessions", "auth.tokens new sessions")
			c.opensWith(101, "/")
			for _, x := range []*guest{g, h} {
				x.say(t, "still there")
				x.hears(t, "still there")
			}
		},
		"auth.tokens_file": func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tokens")
			write := func(s string) {
				if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("a first-0123456789abcdef\n")
			conf := fmt.Sprintf("[auth]\nmode = \"required\"\ntokens_file = %q\n", file)
			c := changing(t, conf)
			write("a second-0123456789abcdef\n")
			c.opensWith(401, "/", bearer("second-0123456789abcdef"))
			c.becomes(conf, "auth.tokens_file new sessions content")
			c.opensWith(101, "/", bearer("second-0123456789abcdef"))
			c.becomes(conf)
		},
	})
}

// A certificate that was renewed is shown to who connects then.
func TestReloadOfTheCertificate(t *testing.T) {
	t.Parallel()
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	conf := fmt.Sprintf("mode = \"echo\"\nlisten = [\"tcp:127.0.0.1:0\", \"unix:%%t/nvsess.sock\"]\ntls_cert = %q\ntls_key = %q\n", cert, key)
	c := changing(t, conf)
	addr := strings.TrimPrefix(c.Logged("ready").Listen[0], "tcp:")
	shown := func() string {
		t.Helper()
		nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return string(nc.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	}
	before := shown()
	g := visit(t, "wss://"+addr+"/", client.WithTLS(&tls.Config{InsecureSkipVerify: true}), client.WithOrigin("http://127.0.0.1"))
	cert2, key2 := selfsigned.Files(t, t.TempDir(), "localhost")
	if err := os.Rename(cert2, cert); err != nil {
		t.Fatal(err)
	}
	c.refuses(conf, "tls_cert, tls_key")
	if shown() != before {
		t.Error("another certificate, without its key")
	}
	if err := os.Rename(key2, key); err != nil {
		t.Fatal(err)
	}
	c.becomes(conf, "tls_cert new sessions content", "tls_key new sessions content")
	if shown() == before {
		t.Error("the certificate is the old one")
	}
	g.say(t, "still there")
	g.hears(t, "still there")
	c.becomes("mode = \"echo\"\nlisten = [\"tcp:127.0.0.1:0\", \"unix:%t/nvsess.sock\"]\n", "tls_cert restart", "tls_key restart")
	shown() // it is TLS still
}
