package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each key of the file has an effect, and docs/reload.md has the same.
func TestEveryKeyHasAnEffect(t *testing.T) {
	var want []string
	for _, k := range keys {
		want = append(want, k.name)
	}
	for _, k := range mountKeys {
		want = append(want, "mount."+k.name)
	}
	for _, k := range routeKeys {
		want = append(want, "route."+k.name)
	}
	if len(lists) != 2 {
		t.Errorf("there are %d lists of tables; this test knows 2", len(lists))
	}
	for _, name := range want {
		if e := effects[name]; e != Live && e != NewSessions && e != Restart {
			t.Errorf("%s has the effect %q", name, e)
		}
	}
	for name := range effects {
		if !slices.Contains(want, name) {
			t.Errorf("%s has an effect, and is no key", name)
		}
	}
	doc, err := os.ReadFile("../../docs/reload.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.0-9]+)` \\| ([a-z ]+) \\|").FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, m[1])
		if e := effects[m[1]]; string(e) != m[2] {
			t.Errorf("docs/reload.md: %s is %q there, and %q", m[1], m[2], e)
		}
	}
	if !slices.Equal(documented, want) {
		t.Errorf("docs/reload.md has\n%q\nin place of\n%q", documented, want)
	}
}

// Every key, changed alone, is told as a change with its effect, and is in effect
// afterwards unless it needs a restart: then it is told again.
func TestReloadTellsEveryKey(t *testing.T) {
	unchanged := func(string, string) bool { return false }
	for _, v := range values {
		old := Default()
		next := old
		i := slices.IndexFunc(keys, func(k key[Config]) bool { return k.name == v.key })
		d, err := decode("", []byte(assign(v.key, v.good)))
		if err != nil {
			t.Fatal(err)
		}
		if err := keys[i].set(&next, d.values[v.key]); err != nil {
			t.Fatalf("%s: %v", v.key, err)
		}
		effect, changes := old.Reload(&next, unchanged)
		want := effects[v.key]
		if v.key == "tls_cert" {
			want = Restart // there was none
		}
		if len(changes) != 1 || changes[0].Key != v.key || changes[0].Effect != want && v.key != "tls_key" || changes[0].Content {
			t.Errorf("%s: %+v", v.key, changes)
			continue
		}
		if c := changes[0]; secrets[v.key] == nil && (c.Old != keys[i].format(&old) || c.New != keys[i].format(&next)) {
			t.Errorf("%s: %+v", v.key, c)
		}
		wanted := next
		if want == Restart {
			wanted = old
		}
		if !reflect.DeepEqual(effect, wanted) {
			t.Errorf("%s: in effect is %+v", v.key, effect)
		}
		_, again := effect.Reload(&next, unchanged)
		if told := len(again) == 1; told != (want == Restart) {
			t.Errorf("%s: the next reload tells %+v", v.key, again)
		}
	}
}

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestReloadOfTables(t *testing.T) {
	const before = `
[[mount]]
paths = ["/gone"]
[[mount]]
paths = ["/a", "/b"]
origins = ["https://a.example"]
headers = ["Set-Cookie: s=1"]
[[mount]]
paths = ["/c"]
[[route]]
path = "/x"
redirect = "/y"
[[route]]
path = "/z/*"
proxy = "http://127.0.0.1:1"
`
	const after = `
mode = "forward"
[[mount]]
paths = ["/new"]
mode = "echo"
[[mount]]
paths = ["/a"]
max_frame_bytes = 125
headers = ["Set-Cookie: s=2"]
sessions = 3
[[mount]]
paths = ["/c"]
[[route]]
path = "/z/*"
proxy = "http://127.0.0.1:2"
[[route]]
path = "/w"
redirect = "/y"
`
	_, changes := parsed(t, before).Reload(parsed(t, after), func(string, string) bool { return false })
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s: %s -> %s, %s", c.Key, c.Old, c.New, c.Effect))
	}
	want := []string{
		`mode: "handlers" -> "forward", live`,
		`mount[0]:  -> ["/new"], live`,
		`mount[1].paths: ["/a", "/b"] -> ["/a"], new sessions`,
		`mount[1].origins: ["https://a.example"] -> ["same"], new sessions`,
		`mount[1].max_frame_bytes: 1048576 -> 125, live`,
		`mount[1].headers: ["Set-Cookie: ***"] -> ["Set-Cookie: ***"] (not shown: another), new sessions`,
		`mount[1].sessions: 0 -> 3, new sessions`,
		`mount[0]: ["/gone"] -> , live`,
		`route[0].proxy: "http://127.0.0.1:1" -> "http://127.0.0.1:2", live`,
		`route[1]:  -> "/w", live`,
		`route[0]: "/x" -> , live`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestReloadHidesSecrets(t *testing.T) {
	hash := func(c string) string { return strings.Repeat(c, 64) }
	text := func(token, webhook, header string) string {
		return fmt.Sprintf("webhook = %q\n[auth]\nmode = \"optional\"\ntokens = [\"ci sha256:%s\"]\n[handshake]\nheaders = [\"X-Api-Key: %s\", \"X-A: b\"]\n", webhook, token, header)
	}
	_, changes := parsed(t, text(hash("a"), "http://h/p?token=hush&x", "hush1")).Reload(parsed(t, text(hash("b"), "http://h/p?token=still&x", "hush2")), nil)
	if len(changes) != 3 {
		t.Fatalf("%+v", changes)
	}
	for _, c := range changes {
		for _, secret := range []string{"hush", "still", hash("a"), hash("b")} {
			if strings.Contains(c.Old+c.New, secret) {
				t.Errorf("%+v", c)
			}
		}
		if !strings.HasSuffix(c.New, " (not shown: another)") {
			t.Errorf("%+v", c)
		}
	}
	if c := changes[0]; c.Key != "webhook" || c.Old != `"http://h/p?token=***&x=***"` {
		t.Errorf("%+v", c)
	}
}

// A file that is named as before is asked for, and only such a one.
func TestReloadLooksAtFiles(t *testing.T) {
	old := parsed(t, "handlers = \"/h.js\"\ntls_cert = \"/c\"\ntls_key = \"/k\"\n[auth]\nmode = \"required\"\ntokens_file = \"/t\"\n")
	next := parsed(t, "handlers = \"/other.js\"\ntls_cert = \"/c\"\ntls_key = \"/k\"\n[auth]\nmode = \"required\"\ntokens_file = \"/t\"\n")
	var asked []string
	_, changes := old.Reload(next, func(key, path string) bool {
		asked = append(asked, key+" "+path)
		return key != "tls_key"
	})
	if want := []string{"tls_cert /c", "tls_key /k", "auth.tokens_file /t"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
	if len(changes) != 3 || changes[0].Key != "tls_cert" || !changes[0].Content || changes[0].Effect != NewSessions ||
		changes[1].Key != "handlers" || changes[1].Content || changes[2].Key != "auth.tokens_file" || !changes[2].Content {
		t.Errorf("%+v", changes)
	}
	if files := next.Files(); len(files) != 4 || files["handlers"] != "/other.js" {
		t.Errorf("%v", files)
	}
}
