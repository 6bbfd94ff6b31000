package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestParseAddr(t *testing.T) {
	long := "/" + strings.Repeat("a", maxUnixPath-1)
	for in, want := range map[string]string{
		"unix:/run/x.sock":    "unix:/run/x.sock",
		"unix://run/./x.sock": "unix:/run/x.sock",
		"unix:" + long:        "unix:" + long,
		"tcp::80":             "tcp::80",
		"tcp:localhost:0":     "tcp:localhost:0",
		"tcp:127.0.0.1:65535": "tcp:127.0.0.1:65535",
		"tcp:[::1]:80":        "tcp:[::1]:80",
	} {
		a, err := ParseAddr(in)
		if err != nil || a.String() != want {
			t.Errorf("%s: %s, %v", in, a, err)
		}
	}
	for in, want := range map[string]string{
		"":                   "not an address",
		"/run/x.sock":        "not an address",
		"udp::80":            "not an address",
		"unix:":              "the path must be absolute",
		"unix:x.sock":        "the path must be absolute",
		"unix:@x":            "the path must be absolute",
		"unix:/run/":         "the path is a directory's",
		"unix:/a\x00b":       "the path contains a NUL",
		"unix:" + long + "a": "the path has 108 bytes, a unix socket's can have 107",
		"tcp:80":             "missing port in address",
		"tcp:::1:80":         "too many colons in address",
		"tcp:h:":             "the port must be a number from 0 to 65535",
		"tcp:h:080":          "the port must be a number from 0 to 65535",
		"tcp:h:65536":        "the port must be a number from 0 to 65535",
		"tcp:a b:80":         "the host is neither a name nor an IP address",
	} {
		if _, err := ParseAddr(in); err == nil || err.Error() != strconv.Quote(in)+": "+want+"; allowed: "+allowedAddr {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestAddrsOfAConfig(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "/run/one:/run/two")
	c := Default()
	c.Listen = []string{"unix:%t/a%%t.sock", "tcp::80"}
	got, err := c.ListenAddrs()
	if want := []Addr{{"unix", "/run/one/a%t.sock"}, {"tcp", ":80"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if a, err := c.AdminAddr(); err != nil || a.Address != "/run/one/admin.sock" {
		t.Errorf("%v, %v", a, err)
	}
	t.Setenv("RUNTIME_DIRECTORY", "/"+strings.Repeat("d", 100))
	if err := c.Validate(); err != nil {
		t.Errorf("the file is not to blame for the directory: %v", err)
	}
	if _, err := c.ListenAddrs(); err == nil || !strings.Contains(err.Error(), "config: listen: ") {
		t.Errorf("too long: %v", err)
	}
	if _, err := c.AdminAddr(); err == nil || !strings.Contains(err.Error(), "the path has 112 bytes") {
		t.Errorf("too long: %v", err)
	}
}

func TestRuntimeDir(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		euid int
		want string
	}{
		{nil, 0, "/run/nvsess"},
		{nil, 1000, "/tmp/nvsess-1000"},
		{map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000, "/run/user/1000/nvsess"},
		{map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000"}, 0, "/run/nvsess"},
		{map[string]string{"XDG_RUNTIME_DIR": "relative"}, 1000, "/tmp/nvsess-1000"},
		{map[string]string{"RUNTIME_DIRECTORY": "/run/a/:/run/b", "XDG_RUNTIME_DIR": "/x"}, 1000, "/run/a"},
	} {
		if got := runtimeDir(getenv(tt.env), tt.euid); got != tt.want {
			t.Errorf("%v, %d: %s, want %s", tt.env, tt.euid, got, tt.want)
		}
	}
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func TestExpand(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "/r")
	for in, want := range map[string]string{"": "", "a": "a", "%t": "/r", "%t/%%t/%t%%": "/r/%t//r%"} {
		if got, err := Expand(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"%", "a%", "%h", "%%%"} {
		if got, err := Expand(in); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestAdminSockets(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		euid int
		want []string
	}{
		{nil, 0, []string{"/run/nvsess/admin.sock"}},
		{map[string]string{"NVSESS_ADMIN": "/a.sock"}, 0, []string{"/a.sock"}},
		{map[string]string{"NVSESS_ADMIN": "unix:/run/nvsess/admin.sock"}, 0, []string{"/run/nvsess/admin.sock"}},
		{map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, 7, []string{"/run/user/7/nvsess/admin.sock", "/run/nvsess/admin.sock"}},
	} {
		if got := adminSockets(getenv(tt.env), tt.euid); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v, %d: %q, want %q", tt.env, tt.euid, got, tt.want)
		}
	}
}

// A directory in /tmp is anybody's to make.
func TestAdminSocketsOfOthersAreLeftOut(t *testing.T) {
	nobody := 3_000_000_000 + os.Getpid() // no user of this machine, and not that of another run
	dir := runtimeDir(getenv(nil), nobody)
	if got := adminSockets(getenv(nil), nobody); !reflect.DeepEqual(got, []string{filepath.Join(dir, "admin.sock"), "/run/nvsess/admin.sock"}) {
		t.Errorf("before: %q", got)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if got := adminSockets(getenv(nil), nobody); !reflect.DeepEqual(got, []string{"/run/nvsess/admin.sock"}) {
		t.Errorf("after: %q", got)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"90s": "1m30s", "24h": "24h", "60m": "1h", "1h30m": "1h30m", "250ms": "250ms", "0": "0s", "10m": "10m"} {
		var d Duration
		if err := d.UnmarshalText([]byte(in)); err != nil || d.String() != want {
			t.Errorf("%s: %s, %v", in, d, err)
		}
	}
	var m FileMode
	if err := m.UnmarshalText([]byte("750")); err != nil || m.Perm().String() != "-rwxr-x---" {
		t.Errorf("%s, %v", m.Perm(), err)
	}
	b, err := json.Marshal(struct {
		D Duration
		M FileMode
	}{20 * second, 0o660})
	if err != nil || string(b) != `{"D":"20s","M":"0660"}` {
		t.Errorf("%s, %v", b, err)
	}
}
