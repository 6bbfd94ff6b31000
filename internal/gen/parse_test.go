package gen

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// everything is every option, those with the same letter left out.
var everything = []string{"external_ip", "external_port", "external_route", "external_ssl", "external_http2", "internal_is_usock", "internal_usock",
	"internal_port", "forward", "sec_websocket_protocol", "creat_func_name", "self_signed", "dir", "force"}

func TestParseTakesEverySpelling(t *testing.T) {
	for _, line := range []string{
		"-k false -P 80 -F", "-k=false -P=80 -F=true", "-P80 -F -kfalse", "-Fkfalse -P80", "--internal_is_usock false --external_port 80 --forward",
		"--internal-is-usock=false --external-port=80 --forward=true", "--no-internal_is_usock -FP80", "--no_internal-is-usock -F true -P 80",
		"-P 1 -P 80 -k -k false -F false -F", "-k false -FP=80",
	} {
		o, _, err := parse(strings.Fields(line), everything)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if o.InternalIsSocket || o.ExternalPort != 80 || !o.Forward {
			t.Errorf("%s: k %v, P %d, F %v", line, o.InternalIsSocket, o.ExternalPort, o.Forward)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"-x":                                     `there is no option "-x"; -h lists them`,
		"-Fx":                                    `there is no option "-x"; -h lists them`,
		"--frob=1":                               `there is no option "--frob=1"; -h lists them`,
		"--no-external_port":                     `there is no option "--no-external_port"; -h lists them`,
		"-C a":                                   `there is no option "-C"; -h lists them`,
		"--external_ssl_cert a":                  `there is no option "--external_ssl_cert"; -h lists them`,
		"app":                                    `"app" is not an option, and nothing else is expected; -h lists them`,
		"-F yes":                                 `-F (--forward) "yes": neither true nor false`,
		"-F=yes":                                 `-F (--forward) "yes": neither true nor false`,
		"-P":                                     `-P (--external_port) needs a value`,
		"-P -F":                                  `-P (--external_port) needs a value, and "-F" looks like an option; --external_port=VALUE takes any`,
		"-P 65536":                               `-P (--external_port) "65536": a port is a number from 1 to 65535`,
		"-P -1":                                  `-P (--external_port) needs a value, and "-1" looks like an option; --external_port=VALUE takes any`,
		"-P=-1":                                  `-P (--external_port) "-1": a port is a number from 1 to 65535`,
		"-I 300.1.1.1":                           `-I (--external_ip) "300.1.1.1": not an IP address`,
		"-I=":                                    `-I (--external_ip) cannot be empty`,
		"-R chat":                                `-R (--external_route) "chat": a route begins with "/"`,
		"-n 1x":                                  `-n (--creat_func_name) "1x": not the name of a JavaScript function`,
		"-T -S false":                            `-T needs -S: without TLS some nginx speak nothing but HTTP/2 where they speak it, and WebSocket is not spoken over it`,
		"--dir=/tmp/\x01":                        `-d (--dir) "/tmp/\x01": the path has a control character`,
		"-d " + strings.Repeat("/aaaaaaaaa", 11): `"` + strings.Repeat("/aaaaaaaaa", 11) + `/___usock___": the path has 122 bytes, a unix socket's can have 107; -u (--internal_usock) names another`,
		"\x1b[31m":                               `"\x1b[31m" is not an option, and nothing else is expected; -h lists them`,
	} {
		_, _, err := parse(strings.Split(line, " "), everything)
		usage := (*UsageError)(nil)
		if !errors.As(err, &usage) || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", line, err, want)
		}
	}
}

func TestParseEmptyIsDefault(t *testing.T) {
	dir := t.TempDir()
	o, _, err := parse([]string{"-P", "", "-c=", "-u", "", "-R", "", "-d", dir}, everything)
	if err != nil {
		t.Fatal(err)
	}
	if o.ExternalPort != 0 || o.Subprotocols != nil || o.ExternalRoute != "/" || o.InternalSocket != filepath.Join(dir, "___usock___") {
		t.Errorf("%+v", o)
	}
}

// Paths that are not used need not be possible.
func TestParseUnusedPath(t *testing.T) {
	if _, _, err := parse([]string{"-d", "/a:b", "-k", "false"}, everything); err != nil {
		t.Error(err)
	}
	if _, _, err := parse([]string{"-d", "/a:b"}, everything); err == nil {
		t.Error("a socket with a colon in its path is taken")
	}
}

// Two options of a command never have the same letter, and all of a command's options exist.
func TestOptionTable(t *testing.T) {
	used := map[string]bool{"h": true}
	for _, c := range Commands() {
		letters := map[string]string{"h": "help"}
		for _, name := range c.options {
			o := optionTable[name]
			if o == nil {
				t.Fatalf("%s: no option %s", c.Name, name)
			}
			used[name] = true
			if other := letters[o.short]; o.short != "" && other != "" {
				t.Errorf("%s: -%s is %s and %s", c.Name, o.short, other, name)
			}
			letters[o.short] = name
		}
	}
	for name := range optionTable {
		if !used[name] {
			t.Errorf("no command has %s", name)
		}
	}
}
