package gen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/dop251/goja"
)

func (out *Output) find(t *testing.T, name string) string {
	t.Helper()
	for _, f := range out.Files {
		if filepath.Base(f.Path) == name {
			return string(f.Data)
		}
	}
	t.Fatalf("no %s", name)
	return ""
}

func (out *Output) names() []string {
	var names []string
	for _, f := range out.Files {
		names = append(names, filepath.Base(f.Path))
	}
	slices.Sort(names)
	return names
}

func TestFilesOfEachCommand(t *testing.T) {
	dir := t.TempDir()
	for line, want := range map[string]string{
		"gen server":                           "nvsess.toml srv.js",
		"nv_sess_internal_srv":                 "nvsess.toml srv.js",
		"gen server -k false -S --self_signed": "nvsess.toml srv.js ssl.crt ssl.key",
		"gen internal-client":                  "bwcls.js iclient.js",
		"nv_sess_internal_client":              "bwcls.js iclient.js",
		"gen external-client":                  "bwcls.js eclient.js",
		"nv_sess_external_client":              "bwcls.js eclient.js",
		"gen bclient":                          "bclient.js",
		"nv_sess_bclient":                      "bclient.js",
		"gen app":                              "bclient.js bwcls.js eclient.js iclient.js nginx.conf.part nvsess.toml srv.js tst-browser.js tst-eclient.js tst-server-and-iclient.js",
		"nv_sess_app --self_signed":            "bclient.js bwcls.js eclient.js iclient.js nginx.conf.part nvsess.toml srv.js ssl.crt ssl.key tst-browser.js tst-eclient.js tst-server-and-iclient.js",
		"gen_app":                              "bclient.js bwcls.js eclient.js iclient.js nginx.conf.part nvsess.toml srv.js tst-browser.js tst-eclient.js tst-server-and-iclient.js",
		"gen iclient":                          "bwcls.js iclient.js",
	} {
		out := run(t, append(strings.Fields(line), "-d", dir)...)
		if got := strings.Join(out.names(), " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		for _, f := range out.Files {
			if filepath.Dir(f.Path) != dir || len(f.Data) == 0 || !bytes.HasSuffix(f.Data, []byte("\n")) {
				t.Errorf("%s: %s has %d bytes", line, f.Path, len(f.Data))
			}
		}
	}
	if left := list(t, dir); left != nil {
		t.Errorf("Run wrote %v", left)
	}
}

func TestAddressesOfClients(t *testing.T) {
	dir := t.TempDir()
	for line, want := range map[string]string{
		"gen external-client -I 192.168.1.103 -P 18889":            `c.start("wss://192.168.1.103:18889/", undefined)`,
		"gen external-client -I 192.168.1.103":                     `c.start("wss://192.168.1.103/", undefined)`,
		"gen external-client -I ::1 -S false -R /a/b -c chat":      `c.start("ws://[::1]/a/b", "chat")`,
		"gen bclient -I a.example.com -R /a'(b) -c a,b -n connect": `c.start("wss://a.example.com/a'(b)", ["a", "b"])`,
		"gen bclient -n connect":                                   `async function connect() {`,
		"gen internal-client":                                      `c.start("ws+unix://` + dir + `/___usock___", undefined)`,
		"gen internal-client -u /a;b\"c?d":                         `c.start("ws+unix:///a;b%22c%3Fd", undefined)`,
		"gen internal-client -k false -p 18889":                    `c.start("ws://127.0.0.1:18889/", undefined)`,
		"gen internal-client -k false -S":                          `c.start("wss://127.0.0.1:65512/", undefined)`,
	} {
		out := run(t, append(strings.Fields(line), "-d", dir)...)
		if text := string(out.Files[0].Data); !strings.Contains(text, want) {
			t.Errorf("%s has no %s\n%s", line, want, text)
		}
	}
	out := run(t, "gen", "external-client", "-I", "0.0.0.0", "-d", dir)
	if text := string(out.Files[0].Data); !strings.Contains(text, "wss://"+PrimaryAddress()+"/") || len(out.Warnings) != 1 {
		t.Errorf("%s\n%q", text, out.Warnings)
	}
}

// daemonToml is what of the configuration is looked at here. That nvsessd takes all of it is tested where there is one.
type daemonToml struct {
	Listen         []string
	Mode, Handlers string
	Subprotocols   []string
	TLSCert        string `toml:"tls_cert"`
	TLSKey         string `toml:"tls_key"`
	Socket         map[string]string
	Admin          map[string]string
	Handshake      map[string][]string
}

func TestDaemonConfiguration(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, `%t "q" ä`)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	load := func(line ...string) (c daemonToml) {
		t.Helper()
		out := run(t, append(line, "-d", dir)...)
		meta, err := toml.Decode(out.find(t, "nvsess.toml"), &c)
		if err != nil || len(meta.Undecoded()) > 0 {
			t.Fatalf("%v %v", err, meta.Undecoded())
		}
		return c
	}
	escaped := strings.ReplaceAll(dir, "%", "%%")
	c := load("gen", "server", "-c", "chat")
	if c.Listen[0] != "unix:"+escaped+"/___usock___" || c.Mode != "handlers" || c.Handlers != dir+"/srv.js" || c.Subprotocols[0] != "chat" ||
		c.Admin["listen"] != "unix:"+escaped+"/admin.sock" || c.Socket["mode"] != "0660" || c.TLSCert != "" {
		t.Errorf("%+v", c)
	}
	c = load("gen", "server", "-F", "-k", "false", "-p", "18889", "-S", "-C", "my.crt", "-K", "/my.key")
	here, err := filepath.Abs("my.crt")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen[0] != "tcp:127.0.0.1:18889" || c.Mode != "forward" || c.TLSCert != here || c.TLSKey != "/my.key" || c.Socket != nil ||
		!slices.Contains(c.Handshake["trusted_proxies"], "127.0.0.1") {
		t.Errorf("%+v", c)
	}
}

// The socket is given to nginx's group where that is possible; else it is said.
func TestSocketGroup(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // or nginx could not come in
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Skip("this user's group has no name")
	}
	out := run(t, "gen", "server", "-U", me.Username, "-d", dir)
	if conf := out.find(t, "nvsess.toml"); !strings.Contains(conf, "\ngroup = \""+group.Name+"\"\n") || len(out.Warnings) > 0 {
		t.Errorf("%s\n%q", conf, out.Warnings)
	}
	out = run(t, "gen", "server", "-U", "nobody-has-this-name", "-d", dir)
	if conf := out.find(t, "nvsess.toml"); strings.Contains(conf, "\ngroup =") || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "this machine has no user nobody-has-this-name") {
		t.Errorf("%s\n%q", conf, out.Warnings)
	}
}

func TestDirectoryClosedToNginx(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can speak for another user")
	}
	if _, err := user.Lookup("www-data"); err != nil {
		t.Skip("no user www-data")
	}
	dir := t.TempDir()
	closed := filepath.Dir(dir)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	out := run(t, "gen", "server", "-d", dir)
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "www-data may not enter "+closed+",") {
		t.Errorf("%q", out.Warnings)
	}
}

func TestSelfSigned(t *testing.T) {
	for _, host := range []string{"192.168.1.103", "::1", "a.example.com", "localhost", "127.0.0.1"} {
		cert, key, err := SelfSigned(host)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(cert)
		for _, name := range []string{host, "localhost", "127.0.0.1"} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
				t.Errorf("made for %s: %s: %v", host, name, err)
			}
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "other.example.com", Roots: roots}); err == nil {
			t.Errorf("made for %s, and good for another", host)
		}
	}
	dir := t.TempDir()
	out := run(t, "gen", "app", "--self-signed", "-d", dir)
	if err := WriteFiles(out.Files, false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "ssl.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if len(out.Warnings) > 0 && strings.Contains(strings.Join(out.Warnings, ""), "ssl") {
		t.Errorf("%q", out.Warnings)
	}
}

// Whatever the options are: they are refused in one line, or the files are what they should be, with the values as they were given.
func FuzzApp(f *testing.F) {
	f.Add("192.168.1.103", "18890", "/", "/tmp/s", "chat", "connect")
	for _, s := range nasty {
		f.Add(s, "1", "/"+s, "/"+s, s, s)
	}
	start := regexp.MustCompile(`(?m)^  await c\.start\(.*\);$`)
	f.Fuzz(func(t *testing.T, host, port, route, socket, protocol, function string) {
		c, _, _ := Find([]string{"gen", "app"})
		out, err := c.Run([]string{"--external_ip=" + host, "--external_port=" + port, "--external_route=" + route, "--internal_usock=" + socket,
			"--sec_websocket_protocol=" + protocol, "--creat_func_name=" + function, "--nginx_version=1.25.1", "--external_ssl_cert=/" + socket})
		if err != nil {
			if usage := (*UsageError)(nil); !errors.As(err, &usage) || strings.ContainsAny(err.Error(), "\n\r\x1b\x00\x7f\u0085\u2028\u202e") {
				t.Errorf("%T %q", err, err)
			}
			return
		}
		for _, file := range out.Files {
			text := string(file.Data)
			switch filepath.Ext(file.Path) {
			case ".js":
				if filepath.Base(file.Path) == "bwcls.js" {
					continue
				}
				if _, err := goja.Compile(file.Path, text, false); err != nil {
					t.Errorf("%s: %v\n%s", file.Path, err, text)
				}
				if strings.Contains(text, "c.start(") && len(start.FindAllString(text, -1)) != 1 {
					t.Errorf("%s starts not once\n%s", file.Path, text)
				}
			case ".toml":
				var conf daemonToml
				if meta, err := toml.Decode(text, &conf); err != nil || len(meta.Undecoded()) > 0 {
					t.Errorf("%v %v\n%s", err, meta.Undecoded(), text)
				}
				if protocol != "" && strings.Join(conf.Subprotocols, ",") != strings.Join(strings.Fields(strings.ReplaceAll(protocol, ",", " , ")), "") {
					t.Errorf("subprotocols %q of %q", conf.Subprotocols, protocol)
				}
			case ".part":
				for _, directive := range []string{"listen", "proxy_pass", "ssl_certificate", "ssl_certificate_key"} {
					line := regexp.MustCompile(`(?m)^ +`+directive+` .*$`).FindAllString(text, -1)
					if len(line) == 0 {
						t.Fatalf("no %s\n%s", directive, text)
					}
					tokens, err := nginxTokens(strings.TrimSpace(line[0]))
					if err != nil || directive != "listen" && len(tokens) != 2 {
						t.Errorf("%s: %q %v", line[0], tokens, err)
					}
				}
				if got, want := strings.Count(text, "\n    location "), 1; got != want {
					t.Errorf("%d locations\n%s", got, text)
				}
			}
		}
	})
}
