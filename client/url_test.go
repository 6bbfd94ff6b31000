package client

import (
	"errors"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]target{
		"ws://h":                       {network: "tcp", addr: "h:80", host: "h", hostname: "h", resource: "/"},
		"ws://h:":                      {network: "tcp", addr: "h:80", host: "h", hostname: "h", resource: "/"},
		"wss://h/a?b=c":                {network: "tcp", addr: "h:443", tls: true, host: "h", hostname: "h", resource: "/a?b=c"},
		"ws://h:81?":                   {network: "tcp", addr: "h:81", host: "h:81", hostname: "h", resource: "/?"},
		"ws://[::1]:81/":               {network: "tcp", addr: "[::1]:81", host: "[::1]:81", hostname: "::1", resource: "/"},
		"ws+unix:///run/a.sock":        {network: "unix", addr: "/run/a.sock", host: "localhost", resource: "/"},
		"ws+unix:///run/a.sock?x=1":    {network: "unix", addr: "/run/a.sock", host: "localhost", resource: "/?x=1"},
		"ws+unix:///a.sock:/b/c?d":     {network: "unix", addr: "/a.sock", host: "localhost", resource: "/b/c?d"},
		"ws+unix:///a%3Ab%20c:/b%2F:c": {network: "unix", addr: "/a:b c", host: "localhost", resource: "/b%2F:c"},
		// What has to be escaped leaves what is escaped as it is.
		"ws+unix:///a%3Ab c/ö:/d%2Fe f": {network: "unix", addr: "/a:b c/ö", host: "localhost", resource: "/d%2Fe%20f"},
		"ws://h/a%2Fb ö?c=%26 ü|\"":     {network: "tcp", addr: "h:80", host: "h", hostname: "h", resource: "/a%2Fb%20%C3%B6?c=%26%20%C3%BC%7C%22"},
		// A zone is for dialing only.
		"wss://[fe80::1%25eth0]/":   {network: "tcp", addr: "[fe80::1%eth0]:443", tls: true, host: "[fe80::1]", hostname: "fe80::1", resource: "/"},
		"ws://[fe80::1%25eth0]:81/": {network: "tcp", addr: "[fe80::1%eth0]:81", host: "[fe80::1]:81", hostname: "fe80::1", resource: "/"},
	} {
		if got, err := parseURL(raw); err != nil || got != want {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{
		"", "h", "h:80", "http://h", "ws:h", "ws://", "ws:///a", "ws://:80", "ws://h:x", "ws://h:99999", "ws://h/#a", "ws://h/#",
		"ws://h/\x00", "ws://h/%zz", "ws+unix://", "ws+unix:///", "ws+unix://a.sock", "ws+unix://./a.sock", "ws+unix:a.sock",
		"ws://::1", "ws://::1:80/", "ws+unix:///a.sock:b", "ws+unix:///a%00b", "ws+unix://me@/a.sock",
		"ws+unix:///" + strings.Repeat("x", maxSocketPath), "http://" + strings.Repeat("é", 10_000),
	} {
		if err := CheckURL(raw); !errors.Is(err, ErrURL) || strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 600 {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// An error shows no password.
func TestURLErrorsAreRedacted(t *testing.T) {
	for raw, shown := range map[string]string{
		"http://me:secret@h/":      `"http://me:xxxxx@h/"`,
		"ws://me:se@cret@h:x/?a=b": `"ws://me:xxxxx@h:x/?a=b"`,
		"ws://me:se%zzcret@h/#":    `"ws://me:xxxxx@h/#"`,
		"http://h:80/@":            `"http://h:80/@"`,
		"http://me@h:80":           `"http://me@h:80"`,
		"a//":                      `"a//"`,
	} {
		err := CheckURL(raw)
		if err == nil || !strings.Contains(err.Error(), shown) || strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for name, opt := range map[string]Option{
		"header name":        WithHeader(map[string][]string{"a b": {"c"}}),
		"header value":       WithHeader(map[string][]string{"a": {"b\r\nc: d"}}),
		"handshake header":   WithHeader(map[string][]string{"sec-websocket-key": {"x"}}),
		"upgrade header":     WithHeader(map[string][]string{"Upgrade": {"h2c"}}),
		"origin":             WithOrigin("a\nb"),
		"host":               WithHeader(map[string][]string{"Host": {"a\nb"}}),
		"subprotocol":        WithSubprotocols("a,b"),
		"subprotocol twice":  WithSubprotocols("a", "a"),
		"keepalive":          WithKeepalive(1),
		"negative keepalive": WithKeepalive(-1),
		"frame":              WithMaxFrame(0),
		"message":            WithMaxMessage(-1),
		"fragment":           WithFragment(-1),
		"pending":            WithMaxPending(0),
		"write timeout":      WithWriteTimeout(0),
		"request timeout":    WithRequestTimeout(-1),
	} {
		if _, err := Dial(t.Context(), "ws://127.0.0.1:1/", opt); !errors.Is(err, ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
