package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const shipped = "../../configs/nvsess.toml"

// values has, for each key, another good value than the default, and bad ones besides those of the wrong type.
var values = []struct {
	key  string
	good string
	bad  []string
}{
	{"listen", `["tcp::8080", "unix:/run/a.sock"]`, []string{`[]`, `["/run/a.sock"]`, `["unix:a.sock"]`, `["unix:%x/a.sock"]`, `["tcp:8080"]`, `["tcp:h:70000"]`, `["tcp:h:http"]`, `["tcp::1", "tcp::1"]`, `[1]`, `"tcp::1"`}},
	{"mode", `"echo"`, []string{`"Echo"`, `""`}},
	{"subprotocols", `["a", "b.v1"]`, []string{`[""]`, `["a b"]`, `["a,b"]`, `["a", "a"]`}},
	{"paths", `["/a", "/b/*", "/*"]`, []string{`["a"]`, `[""]`, `["/a*"]`, `["/*/b"]`, `["/a?b"]`, `["/a b"]`, `["/a\u0000"]`}},
	{"tls_cert", `"/etc/c.pem"`, []string{`"c.pem"`}},
	{"tls_key", `"/etc/k.pem"`, []string{`"k.pem"`}},
	{"loops", `4`, []string{`-1`, `1025`, `"4"`}},
	{"compression", `"receive_only"`, []string{`"gzip"`, `""`, `true`}},
	{"handlers", `"handlers.js"`, []string{`"a\u0000b"`, `"a\nb"`, `["a.js"]`}},
	{"webhook", `"http+unix:///run/app.sock:/hook"`, []string{`"app.sock"`, `"http:///hook"`, `"ftp://x/"`, `"http+unix://host/run/a.sock"`, `"http+unix:///run/a.sock:hook"`, `"http://u:p@x/"`, `"http://x/#a"`, `"://"`, `"http://a b/"`}},
	{"socket.mode", `"0666"`, []string{`"0999"`, `"00660"`, `"4755"`, `"0060"`, `"66"`, `"-77"`, `432`, `0o660`}},
	{"socket.owner", `"www-data"`, []string{`"www data"`, `"a:b"`}},
	{"socket.group", `"33"`, []string{`"-1"`, `"4294967296"`}},
	{"admin.listen", `"unix:/run/x.sock"`, []string{`""`, `"tcp::80"`, `"unix:%t/"`, `["unix:/a"]`}},
	{"admin.mode", `"0660"`, []string{`""`, `"0400"`}},
	{"admin.owner", `"root"`, []string{`"/"`}},
	{"admin.group", `"nvsess"`, []string{`"*"`}},
	{"admin.allow_users", `["deploy", "1000"]`, []string{`[""]`, `["deploy", "deploy"]`}},
	{"admin.allow_groups", `["adm"]`, []string{`["a b"]`}},
	{"handshake.timeout", `"3s"`, []string{`"0s"`, `"11m"`, `"3"`, `"fast"`, `"-3s"`, `3`}},
	{"handshake.max_bytes", `4096`, []string{`1023`, `1048577`, `"4k"`}},
	{"handshake.max_headers", `50`, []string{`0`, `1001`}},
	{"handshake.rate", `1000`, []string{`-1`, `1000001`, `1.5`}},
	{"handshake.origins", `["https://example.com", "http://*.example.com:8080", "https://*.internal", "https://*.localhost", "https://[::1]:8443", "https://xn--mnchen-3ya.de", "chrome-extension://abcdef", "*"]`, []string{
		`["example.com"]`, `["*.example.com"]`, `["https://example.com/"]`, `["https://Example.com"]`, `["https://*"]`, `["https://*."]`, `["https://a.*.com"]`, `["https://*a.com"]`, `["https://*.*.a.com"]`, `["https://u@example.com"]`,
		`[""]`, `["https://a b"]`, `["null"]`, `["https://münchen.de"]`, `["https://a.com:0443"]`, `["https://a.com:99999"]`, `["https://a.com:*"]`, `["https://[::1"]`, `["https://[::g]"]`, `["https://a..com"]`,
		`["https://*.com"]`, `["https://*.co.uk"]`, `["https://*.github.io"]`, `["https://*.0.0.1"]`, `["https://*.[::1]"]`, `["chrome-extension://*.abc"]`, `["https://*.com."]`}},
	{"handshake.trusted_proxies", `["unix", "::1", "10.0.0.0/8"]`, []string{`["10.0.0.1/8"]`, `["localhost"]`, `["10.0.0.0/33"]`, `["tcp"]`}},
	{"handshake.headers", `["X-Frame-Options: DENY", "Set-Cookie: a=b"]`, []string{`["X"]`, `[": x"]`, `["a b: c"]`, `["X: a\r\nY: b"]`, `["Upgrade: x"]`, `["Sec-WebSocket-Protocol: x"]`, `["content-length: 1"]`, `["X: é"]`}},
	{"auth.mode", `"required"`, []string{`"on"`, `true`, `""`}},
	{"auth.sources", `["header", "query:access_token", "cookie:__Host-sid", "protocol:nvsess.bearer."]`, []string{`[]`, `["Header"]`, `["header:x"]`, `["query:"]`, `["query:a b"]`, `["cookie:a=b"]`, `["cookie:"]`, `["protocol:a,b"]`, `["body:x"]`, `["header", "header"]`}},
	{"auth.tokens", `["ci sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"]`, []string{`["ci"]`, `["ci secret-0123456789abcdef"]`, `["ci sha256:00"]`, `["c/i sha256:0000000000000000000000000000000000000000000000000000000000000000"]`, `{}`}},
	{"auth.tokens_file", `"/etc/nvsess/tokens"`, []string{`"tokens"`}},
	{"auth.jwt_secret_file", `"/run/credentials/secret"`, []string{`"secret"`}},
	{"auth.jwt_keys_file", `"/etc/nvsess/jwks.json"`, []string{`"jwks.json"`}},
	{"auth.jwt_algorithms", `["ES256", "EdDSA"]`, []string{`["none"]`, `["es256"]`, `["ES256", "ES256"]`, `["ES256K"]`}},
	{"auth.jwt_audience", `["chat", "https://chat.example"]`, []string{`[""]`, `["a\u0000"]`, `"chat"`}},
	{"auth.jwt_issuer", `"https://id.example"`, []string{`["https://id.example"]`, `"a\n"`}},
	{"auth.jwt_leeway", `"0s"`, []string{`"-1s"`, `"11m"`, `30`}},
	{"auth.jwt_require_exp", `false`, []string{`"yes"`}},
	{"message.max_frame_bytes", `125`, []string{`124`, `1073741825`}},
	{"message.max_message_bytes", `1073741824`, []string{`124`, `1073741825`}},
	{"message.max_fragments", `1`, []string{`0`, `1048577`}},
	{"message.timeout", `"0s"`, []string{`"99ms"`, `"61m"`, `"-1s"`, `0`}},
	{"message.fragment_outgoing", `false`, []string{`"no"`, `0`}},
	{"message.fragment_threshold_bytes", `125`, []string{`124`, `1073741825`}},
	{"deflate.threshold_bytes", `0`, []string{`-1`, `1073741825`}},
	{"deflate.server_context_takeover", `true`, []string{`1`}},
	{"deflate.client_context_takeover", `true`, []string{`"yes"`}},
	{"deflate.server_max_window_bits", `8`, []string{`7`, `16`}},
	{"deflate.client_max_window_bits", `8`, []string{`7`, `16`}},
	{"limits.sessions", `5`, []string{`-1`, `10000001`, `"5"`}},
	{"limits.sessions_per_address", `5`, []string{`-1`, `10000001`}},
	{"limits.connections_per_address", `5`, []string{`-1`, `10000001`}},
	{"limits.handshakes_per_address", `0`, []string{`-1`, `1000001`, `0.5`}},
	{"limits.handshakes_burst", `1`, []string{`0`, `1000001`}},
	{"limits.messages_per_second", `0`, []string{`-1`, `1000000001`}},
	{"limits.messages_burst", `1`, []string{`0`, `1000000001`}},
	{"limits.bytes_per_second", `0`, []string{`-1`, `1099511627777`}},
	{"limits.bytes_burst", `65536`, []string{`65535`, `1099511627777`}},
	{"limits.policy", `"drop"`, []string{`"drop_newest"`, `""`}},
	{"limits.memory_bytes", `1048576`, []string{`-1`, `1099511627777`}},
	{"limits.idle", `"1h"`, []string{`"999ms"`, `"721h"`, `60`}},
	{"keepalive.enabled", `false`, []string{`1`}},
	{"keepalive.interval", `"2500ms"`, []string{`"99ms"`, `"25h"`}},
	{"keepalive.drop", `false`, []string{`"false"`}},
	{"keepalive.grace", `"10ms"`, []string{`"9ms"`, `"25h"`}},
	{"keepalive.native_pings", `true`, []string{`"true"`}},
	{"close.timeout", `"1s"`, []string{`"0s"`, `"11m"`}},
	{"outbound.queue_bytes", `4096`, []string{`4095`, `1073741825`}},
	{"outbound.policy", `"drop_oldest"`, []string{`"drop"`}},
	{"requests.timeout", `"1h"`, []string{`"0s"`, `"25h"`}},
	{"requests.max_pending", `1`, []string{`0`, `1048577`}},
	{"script.console", `false`, []string{`"no"`}},
	{"script.cpu_limit", `"50ms"`, []string{`"0s"`, `"2m"`, `50`}},
	{"script.timeout", `"5s"`, []string{`"9ms"`, `"25h"`}},
	{"script.max_heap_bytes", `1048576`, []string{`1048575`, `1099511627777`}},
	{"script.fetch", `["example.com", "api.example.com:8443", "*.example.com", "10.0.0.1", "[::1]:80"]`, []string{`[""]`, `["http://x"]`, `["a b"]`, `["*"]`, `["a", "a"]`, `["x:y"]`}},
	{"script.listen", `true`, []string{`1`}},
	{"webhooks.events", `["verify", "json"]`, []string{`[]`, `["text"]`, `["json", "json"]`}},
	{"webhooks.timeout", `"1s"`, []string{`"9ms"`, `"11m"`}},
	{"webhooks.retries", `0`, []string{`-1`, `101`}},
	{"webhooks.backoff", `"1ms"`, []string{`"0s"`, `"11m"`}},
	{"webhooks.max_backoff", `"1m"`, []string{`"0s"`, `"61m"`}},
	{"webhooks.concurrency", `1`, []string{`0`, `10001`}},
	{"webhooks.open_after", `1`, []string{`0`, `1000001`}},
	{"webhooks.open_for", `"1m"`, []string{`"9ms"`, `"61m"`}},
	{"inbox.messages", `1`, []string{`0`, `1048577`}},
	{"inbox.queue_bytes", `1024`, []string{`1023`, `1073741825`}},
	{"inbox.total_bytes", `2097152`, []string{`1023`, `1099511627777`}},
	{"inbox.policy", `"drop_newest"`, []string{`"drop"`, `""`}},
	{"verify.timeout", `"1s"`, []string{`"9ms"`, `"11m"`}},
	{"verify.max_pending", `1`, []string{`0`, `1048577`}},
	{"http.health_path", `"/up"`, []string{`"up"`, `"/up/*"`, `"/a?b"`}},
	{"http.max_requests", `1`, []string{`0`, `100001`}},
	{"http.max_body_bytes", `0`, []string{`-1`, `1099511627777`}},
	{"http.idle_timeout", `"1s"`, []string{`"99ms"`, `"61m"`}},
	{"http.stall_timeout", `"1s"`, []string{`"99ms"`, `"61m"`}},
	{"http.proxy_timeout", `"1s"`, []string{`"9ms"`, `"61m"`}},
	{"web.client_path", `"/"`, []string{`"nvsess/"`, `"/nvsess"`, `"/a?b/"`}},
	{"web.demo_path", `"/demo/"`, []string{`"demo"`, `"/*/"`}},
	{"shutdown.delay", `"1s"`, []string{`"9ms"`, `"11m"`, `5`}},
	{"shutdown.deadline", `"1s"`, []string{`"9ms"`, `"11m"`}},
	{"metrics.listen", `"tcp:127.0.0.1:9464"`, []string{`"127.0.0.1:9464"`, `"unix:/run/m.sock"`, `"tcp:9464"`, `"tcp::70000"`, `["tcp::9464"]`}},
	{"log.level", `"debug"`, []string{`"trace"`, `"INFO"`}},
	{"log.format", `"json"`, []string{`"text"`}},
}

// assign is a document that sets one key, on line 3.
func assign(key, value string) string {
	table, name, dotted := strings.Cut(key, ".")
	if !dotted {
		return fmt.Sprintf("# first\n\n%s = %s\n", key, value)
	}
	return fmt.Sprintf("# first\n[%s]\n%s = %s\n", table, name, value)
}

func TestValuesCoverTheKeys(t *testing.T) {
	var have, want []string
	for _, v := range values {
		have = append(have, v.key)
	}
	for _, k := range keys {
		want = append(want, k.name)
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("the table has\n%q, the package\n%q", have, want)
	}
}

func TestEveryKeyIsRefusedWhenWrong(t *testing.T) {
	allowed := map[string]string{}
	for _, k := range keys {
		allowed[k.name] = k.allowed
	}
	for _, v := range values {
		for _, bad := range append(v.bad, `{a = 1}`, `1979-05-27`, `[[1]]`) {
			c, err := Parse("x.toml", []byte(assign(v.key, bad)))
			if err == nil {
				t.Errorf("%s = %s: accepted", v.key, bad)
				continue
			}
			prefix, suffix := "x.toml:3: "+v.key+": ", "; allowed: "+allowed[v.key]
			got := err.Error()
			if !strings.HasPrefix(got, prefix) || !strings.HasSuffix(got, suffix) || len(got) <= len(prefix)+len(suffix) || strings.Contains(got, "\n") {
				t.Errorf("%s = %s: %q\nwant %q ... %q", v.key, bad, got, prefix, suffix)
			}
			if !reflect.DeepEqual(c, Config{}) {
				t.Errorf("%s = %s: a configuration came with the error", v.key, bad)
			}
		}
	}
}

// companions are what rules want along with a key.
var companions = map[string]string{
	"tls_cert":             "tls_key = \"/k\"\n",
	"tls_key":              "tls_cert = \"/c\"\n",
	"auth.mode":            "tokens_file = \"/t\"\n",
	"auth.tokens":          "mode = \"optional\"\n",
	"auth.tokens_file":     "mode = \"optional\"\n",
	"auth.jwt_secret_file": "mode = \"optional\"\n",
	"auth.jwt_keys_file":   "mode = \"optional\"\n",
	"auth.jwt_algorithms":  "mode = \"optional\"\njwt_keys_file = \"/k\"\n",
	"auth.jwt_audience":    "mode = \"optional\"\njwt_keys_file = \"/k\"\n",
	"auth.jwt_issuer":      "mode = \"optional\"\njwt_keys_file = \"/k\"\n",
}

// Each key sets the field named like it and no other, and each field has a key.
func TestEveryKeySetsItsField(t *testing.T) {
	def := leaves(reflect.ValueOf(Default()), "")
	seen := map[string]bool{}
	for _, v := range values {
		doc := assign(v.key, v.good) + companions[v.key]
		c, err := Parse("x.toml", []byte(doc))
		if err != nil {
			t.Errorf("%s = %s: %v", v.key, v.good, err)
			continue
		}
		field := strings.ReplaceAll(v.key, "_", "")
		for name, val := range leaves(reflect.ValueOf(c), "") {
			if changed := !reflect.DeepEqual(val, def[name]); changed && name != field && !strings.HasPrefix(name, "tls") && (companions[v.key] == "" || !strings.HasPrefix(name, "auth.")) {
				t.Errorf("%s changed %s", v.key, name)
			} else if name == field && !changed {
				t.Errorf("%s did not change %s", v.key, name)
			}
		}
		seen[field] = true
	}
	for name := range def {
		if !seen[name] {
			t.Errorf("no key sets %s", name)
		}
	}
}

// leaves gives the fields of a struct that are not structs by lower-case dotted name.
func leaves(v reflect.Value, prefix string) map[string]any {
	out := map[string]any{}
	for i := range v.NumField() {
		name := prefix + strings.ToLower(v.Type().Field(i).Name)
		switch f := v.Field(i); {
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct: // a list of tables, see tables_test.go
		case f.Kind() == reflect.Struct:
			for n, x := range leaves(f, name+".") {
				out[n] = x
			}
		default:
			out[name] = f.Interface()
		}
	}
	return out
}

func TestShippedFileIsTheDefault(t *testing.T) {
	c, err := Load(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("the file says\n%+v, the defaults are\n%+v", c, want)
	}
}

// Equal to the defaults is not enough, since a missing key is: each must stand there, in its table and with a comment above.
func TestShippedFileDocumentsEveryKey(t *testing.T) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	def := Default()
	lines := strings.Split(string(data), "\n")
	found := map[string]bool{}
	table := ""
	header := regexp.MustCompile(`^\[(\w+)\]$`)
	for i, line := range lines {
		if len(line) > 132 {
			t.Errorf("line %d is %d wide", i+1, len(line))
		}
		if m := header.FindStringSubmatch(line); m != nil {
			table = m[1] + "."
		}
		for _, k := range keys {
			if line == strings.TrimPrefix(k.name, table)+" = "+k.format(&def) && parent(k.name) == table {
				found[k.name] = true
				if above := lines[i-1]; !strings.HasPrefix(above, "#") && !strings.Contains(above, " = ") {
					t.Errorf("line %d: %s has no comment", i+1, k.name)
				}
			}
		}
	}
	for _, k := range keys {
		if !found[k.name] {
			t.Errorf("%s = %s is not in the file", k.name, k.format(&def))
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
