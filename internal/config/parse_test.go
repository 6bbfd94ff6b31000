package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func TestParseNothing(t *testing.T) {
	c, err := Parse("empty.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("got %+v", c)
	}
}

func TestParseReportsEverythingWithItsLine(t *testing.T) {
	for name, tt := range map[string]struct {
		doc  string
		want []string // prefixes, one a line
	}{
		"several at once, in order": {
			"loops = -1\nmodus = \"echo\"\n\n[keepalive]\ninterval = 20\n[log]\nlevel = \"loud\"\n",
			[]string{
				`f:1: loops: -1 is out of range; allowed: 0 to 1024`,
				`f:2: modus: unknown key; allowed: listen, mode, subprotocols, paths, tls_cert, tls_key, loops, compression, handlers, webhook, [socket], [admin], `,
				`f:5: keepalive.interval: must be a duration in quotes, such as "20s", not 20; allowed: "100ms" to "24h"`,
				`f:7: log.level: "loud" is not one of them; allowed: "debug", "info", "warn", "error"`,
			},
		},
		"unknown key in a table":  {"[close]\n\ntimeout_ms = 5", []string{`f:3: close.timeout_ms: unknown key; allowed: timeout`}},
		"wrong case":              {"\n[close]\nTimeout = \"5s\"", []string{`f:3: close.Timeout: unknown key; allowed: timeout`}},
		"unknown table, once":     {"[sockets]\nmode = \"0660\"\n[sockets.x]\ny = 1", []string{`f:1: sockets: unknown key; allowed: listen, `}},
		"unknown table below":     {"\n[admin.allow.users]\na = 1", []string{`f:2: admin.allow.users: unknown key; allowed: listen, mode, `}},
		"dotted":                  {"\nkeepalive.intervall = \"20s\"\n", []string{`f:2: keepalive.intervall: unknown key; allowed: enabled, interval, drop, grace, native_pings`}},
		"quoted key":              {"\"a key\" = 1", []string{`f:1: "a key": unknown key; allowed: `}},
		"inline table":            {"\n\nclose = { timeout = 5 }", []string{`f:3: close.timeout: must be a duration`}},
		"a table that is not one": {"close = \"5s\"", []string{`f:1: close: must be a table, not "5s"; allowed: timeout`}},
		"a list of tables":        {"\n[[close]]\ntimeout = \"5s\"\n[[close]]\ntimeout = \"6s\"", []string{`f:4: close: must be a table, not a list of tables; allowed: timeout`}},
		"a key that is a table":   {"[mode]\nx = 1", []string{`f:1: mode: must be text in quotes, not a table; allowed: "handlers", "forward", "echo"`}},
		"look-alikes": {
			"listen = [\n  \"tcp::1\",\n]\n# rate = 1\npaths = ['''\n[handshake]\nrate = -5''']\n[handshake] # [x]\nrate = -5",
			[]string{`f:5: paths: "[handshake]\nrate = -5" does not begin with "/"; allowed: `, `f:9: handshake.rate: -5 is out of range; allowed: 0 to 1000000`},
		},
		"crlf":                     {"[log]\r\n\r\nlevel = 1\r\n", []string{`f:3: log.level: must be text in quotes, not 1`}},
		"syntax":                   {"mode = \"echo\"\nloops = \n", []string{`f:2: `}},
		"twice":                    {"loops = 1\n\nloops = 2\n", []string{`f:3: Key 'loops' has already been defined.`}},
		"not UTF-8":                {"mode = \"\xff\"", []string{`f:1: invalid UTF-8`}},
		"context and drop_oldest":  {"compression = \"on\"\n[deflate]\nserver_context_takeover = true\n[outbound]\npolicy = \"drop_oldest\"", []string{`f:1: compression: with deflate.server_context_takeover a message that was compressed must be sent, but outbound.policy is drop_oldest; allowed: outbound.policy close or drop_newest with a context that is kept`}},
		"a mount's context":        {"[deflate]\nserver_context_takeover = true\n[outbound]\npolicy = \"drop_oldest\"\n[[mount]]\npaths = [\"/a\"]\ncompression = \"on\"", []string{`f:2: deflate.server_context_takeover: with deflate.server_context_takeover a message that was compressed must be sent, but outbound.policy is drop_oldest; allowed: outbound.policy close or drop_newest with a context that is kept`}},
		"cert without key":         {"\ntls_cert = \"/c\"", []string{`f:2: tls_cert: tls_cert and tls_key need each other; allowed: both or neither`}},
		"key without cert":         {"\n\ntls_key = \"/c\"", []string{`f:3: tls_key: tls_cert and tls_key need each other; allowed: both or neither`}},
		"message below the frames": {"[message]\nmax_message_bytes = 65536", []string{`f:2: message.max_message_bytes: a message is at least one frame, but message.max_message_bytes is 65536 and message.max_frame_bytes is 1048576; allowed: `}},
		"frame above the message":  {"[message]\nmax_frame_bytes = 1048577", []string{`f:2: message.max_frame_bytes: a message is at least one frame, but`}},
		"no rule about the broken": {"[message]\nmax_frame_bytes = 1048577\nmax_message_bytes = \"x\"", []string{`f:3: message.max_message_bytes: must be an integer, not "x"; allowed: 125 to 1073741824`}},
	} {
		t.Run(name, func(t *testing.T) { isRefused(t, tt.doc, tt.want) })
	}
}

// isRefused wants problems that begin so.
func isRefused(t *testing.T, doc string, want []string) {
	t.Helper()
	_, err := Parse("f", []byte(doc))
	if err == nil {
		t.Fatal("accepted")
	}
	if ps := (Problems{}); !errors.As(err, &ps) || len(ps) != len(want) {
		t.Errorf("%d problems wanted, got %#v", len(want), err)
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("got\n%s", err)
	}
	for i := range got {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got\n%s, want\n%s", got[i], want[i])
		}
	}
}

func TestValidateAfterFlags(t *testing.T) {
	c := Default()
	c.Mode, c.TLSCert = "ecko", "/c"
	err := c.Validate()
	want := "mode: \"ecko\" is not one of them; allowed: \"handlers\", \"forward\", \"echo\"\n" +
		"tls_cert: tls_cert and tls_key need each other; allowed: both or neither"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.toml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a directory was accepted")
	}
	for content, want := range map[string]string{
		"mode = \"echo\"":                   "",
		"mode = 1":                          path + `:1: mode: must be text in quotes, not 1; allowed: "handlers", "forward", "echo"`,
		strings.Repeat("#", maxFileBytes+1): "config: " + path + ": more than 1048576 bytes",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if want == "" && (err != nil || c.Mode != ModeEcho) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
}

// A file that was cut is refused at its last line.
func TestParseCutFile(t *testing.T) {
	for data, line := range map[string]int{"\"\\": 1, "mode = \"echo\"\nlog.level = \"in": 2, "mode = \"echo\"\nlog.level = \"in\n": 2, "a = [\n1,\n": 2, "x": 1, "\n\n[a": 3} {
		_, err := Parse("f", []byte(data))
		if ps := (Problems{}); !errors.As(err, &ps) || ps[0].Line != line {
			t.Errorf("%q: %v, want line %d", data, err, line)
		}
	}
}

// A key without a name has a line, too.
func TestParseEmptyKey(t *testing.T) {
	for data, line := range map[string]int{"\"\" = 1": 1, "\n\"\".0.\"\" = 0": 2, "socket.owner = \"\"\n\nlog.'' = 0\nx = \"\"": 3, "\n[\"\".\"\"]\nx = 1": 2} {
		_, err := Parse("f", []byte(data))
		if ps := (Problems{}); !errors.As(err, &ps) || ps[0].Line != line {
			t.Errorf("%q: %v, want line %d", data, err, line)
		}
	}
}

// A table that is there for a key below it only has the line of that.
func TestParseTableOfDottedKey(t *testing.T) {
	for data, line := range map[string]int{"\nmount.x = 1": 2, "\n\n[mount.x]\ny = 1": 3, "\n[[route.x.y]]": 2, "\nroute.x = 1\nroute.y = 1": 2, "\n\n[mount.\"\"]\nx = 1": 3} {
		_, err := Parse("f", []byte(data))
		if ps := (Problems{}); !errors.As(err, &ps) || ps[0].Line != line {
			t.Errorf("%q: %v, want line %d", data, err, line)
		}
	}
}

// FuzzParse: a file is refused at a line it has, for a key that stands there, or
// it gives a configuration that is right, and that written as a file again reads
// the same.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, s := range []string{"[[close]]\n\"\" = 1\na.b.c = [{}]\n[a.\"\"]\nx = 1", "listen = [\"tcp:[::1]:0\", \"unix:/a b\"]\nhandshake.origins = []", "outbound = {policy = \"drop_oldest\"}",
		"[keepalive]\ninterval = \"1h0m0s\"\ngrace = \"1.5s\"", "socket.mode = \"0660\"\nwebhook = \"http+unix:///a:/b\"", "mode = 'echo'\nmode = 'echo'", "x = 0660", "[[mount]]\npaths = [\"/a\"]\nmode = \"echo\"\n[[route]]\npath = \"/b\"\nredirect = \"/c\"\nstatus = 301", "handlers = \"\\u0085.js\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("%q was accepted, but %v", data, err)
		}
		var b strings.Builder
		for _, k := range keys {
			b.WriteString(k.name + " = " + k.format(&c) + "\n")
		}
		for _, m := range c.Mounts {
			b.WriteString("[[mount]]\n")
			for _, k := range mountKeys {
				if k.inherit == nil || m.own[k.name] {
					b.WriteString(k.name + " = " + k.format(&m) + "\n")
				}
			}
		}
		for _, r := range c.Routes {
			b.WriteString("[[route]]\n")
			for _, k := range routeKeys {
				if !reflect.ValueOf(k.value(&r)).IsZero() {
					b.WriteString(k.name + " = " + k.format(&r) + "\n")
				}
			}
		}
		if again, err := Parse("f", []byte(b.String())); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%q was written as\n%s\nwhich is %+v, %v", data, b.String(), again, err)
		}
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	lines := strings.Split(string(data), "\n")
	var ps Problems
	if !errors.As(err, &ps) || len(ps) == 0 {
		t.Fatalf("%q: %T", data, err)
	}
	for _, p := range ps {
		if p.Line < 1 || p.Line > len(lines) || p.What == "" || strings.ContainsFunc(p.String(), unicode.IsControl) {
			t.Fatalf("%q: %#v", data, p)
		}
		last := p.Key[strings.LastIndexByte(p.Key, '.')+1:]
		// What a table lacks is told of its header.
		lacks := listed.MatchString(p.Key) && strings.HasPrefix(strings.TrimLeft(lines[p.Line-1], " \t"), "[[")
		if nameOnly.MatchString(last) && !lacks && !strings.ContainsAny(string(data), "\"'") && !strings.Contains(lines[p.Line-1], last) {
			t.Fatalf("%q: %s is not in line %d", data, last, p.Line)
		}
	}
}

var (
	nameOnly = regexp.MustCompile("^[a-z_]+$")               // a key that is written as it is
	listed   = regexp.MustCompile(`^(mount|route)\[\d+\]\.`) // one in a list of tables
)
