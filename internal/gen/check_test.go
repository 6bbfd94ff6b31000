package gen

import (
	"strings"
	"testing"
)

func TestChecks(t *testing.T) {
	host := func(s string) error { _, err := checkHost(s); return err }
	port := func(s string) error { _, err := checkPort(s); return err }
	route := func(s string) error { _, err := checkRoute(s); return err }
	protocols := func(s string) error { _, err := checkSubprotocols(s); return err }
	function := func(s string) error { _, err := checkFunction(s); return err }
	user := func(s string) error { _, err := checkAccount(s); return err }
	socket := func(s string) error { _, err := checkSocket(s); return err }
	file := func(s string) error { _, err := checkNginxFile(s); return err }
	version := func(s string) error { _, err := checkNginxVersion(s); return err }
	for _, test := range []struct {
		what      string
		check     func(string) error
		good, bad []string
	}{
		{"host", host,
			[]string{"192.168.1.103", "0.0.0.0", "::1", "[::1]", "fe80::1", "localhost", "a.example.com", "x1", "example.com.", "3com.example"},
			[]string{"256.1.1.1", "1.2.3", "1.2.3.4:80", "[::1]:80", "[1.2.3.4]", "fe80::1%eth0", "a b", "a;b", "-a", "a_b", "a..b", "http://a", "a/b",
				"ä.example", "", ".", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", "a\n", "12"}},
		{"port", port, []string{"1", "80", "65535"}, []string{"0", "65536", "-1", "+80", "080", "8O", "", " 80", "99999999999999999999"}},
		{"route", route, []string{"/", "/a", "/a/b/", "/a-b_c.d~e", "/@:!&'()*+,=", "/..a"},
			[]string{"", "a", "a/b", "/a b", "/a;b", "/a\"b", "/a\nb", "/$x", "/a%20b", "/a?b", "/a#b", "/{", "/ä", "/a//b", "/../b", "/a/.", "/\x00"}},
		{"subprotocols", protocols, []string{"chat", "v1.chat", "a,b", "a, b"}, []string{"a b", "a;b", `a"b`, "a\nb", "a,,b", ",", "a,a", "ä", "a\x00"}},
		{"function", function, []string{"bwsess_connect", "$", "_a", "a1", "größe", "connect2"},
			[]string{"", "1a", "a-b", "a b", "a.b", "a(", "class", "await", "eval", "Bwsess", "tst", "count", "i", "ⸯ", "aⸯ", "c0", "c17", "a\n", "a;b", "a/*"}},
		{"user", user, []string{"www-data", "nginx", "_www", "a.b", "x$"}, []string{"", "-a", "a b", "a:b", "a/b", "a\nb", `a"b`}},
		{"socket", socket, []string{"/tmp/a", "a", "___usock___", "/tmp/a'b", `/tmp/a"b`, "/tmp/a;b", `/tmp/a\b`, "/tmp/a b?c#d%t"},
			[]string{"/tmp/", "/tmp/a:b", "/tmp/a\nb", "/tmp/$a", "/tmp/\xff", "/" + strings.Repeat("a", 107)}},
		{"file", file, []string{"/etc/ssl/a.crt", "a b.crt", "a;b", `a"b`}, []string{"a\nb", "$a", "\xff", "/etc/", "\x00"}},
		{"version", version, []string{"1.22.1", "1.27", "nginx/1.25.1"}, []string{"", "x", "1", "v1"}},
	} {
		for _, s := range test.good {
			if err := test.check(s); err != nil {
				t.Errorf("%s %q is refused: %v", test.what, s, err)
			}
		}
		for _, s := range test.bad {
			err := test.check(s)
			if err == nil {
				t.Errorf("%s %q is taken", test.what, s)
			} else if strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Errorf("%s %q: not one line: %q", test.what, s, err)
			}
		}
	}
}
