package ws

import "testing"

// A page of another origin does not get in, however its origin is written.
func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		allowed      []string
		origin, host string
		ok           bool
	}{
		{nil, "https://a.com", "a.com", false},
		{[]string{"same"}, "https://a.com", "a.com", true},
		{[]string{"same"}, "https://A.com", "a.COM:8080", true},
		{[]string{"same"}, "https://a.com:8443", "a.com", true},
		{[]string{"same"}, "https://b.com", "a.com", false},
		{[]string{"same"}, "https://a.com.evil.com", "a.com", false},
		{[]string{"same"}, "https://evil.com/a.com", "a.com", false},
		{[]string{"same"}, "https://a.com@evil.com", "evil.com", false},
		{[]string{"same"}, "null", "null", false},
		{[]string{"same"}, "", "a.com", false},
		{[]string{"same"}, "https://", "a.com", false},
		{[]string{"same"}, "https://:80", ":80", false},
		{[]string{"same"}, "a.com", "a.com", false},
		{[]string{"same"}, "https://a.com:0", "a.com", false},
		{[]string{"same"}, "https://a.com:", "a.com", false},
		{[]string{"same"}, "https://a.com:080", "a.com", false},
		{[]string{"same"}, "https://a.com:65536", "a.com", false},
		{[]string{"same"}, "https://a.com:8x", "a.com", false},
		{[]string{"same"}, "https://a.com:80:80", "a.com", false},
		{[]string{"same"}, "https://user:pw@a.com", "a.com", false},
		{[]string{"same"}, "https://a.com\\@b.com", "a.com", false},
		{[]string{"same"}, "https://a.com https://b.com", "a.com", false},
		{[]string{"same"}, "https://b.com, https://a.com", "a.com", false},
		{[]string{"same"}, "https://a.com/", "a.com", false},
		{[]string{"same"}, " https://a.com", "a.com", false},
		{[]string{"same"}, "https://a..com", "a..com", false},
		{[]string{"same"}, "https://a.com.", "a.com", false},
		{[]string{"same"}, "https://a.com", "a.com.", false},
		{[]string{"same"}, "https://a.com.", "a.com.", true},
		{[]string{"same"}, "https://a%2ecom", "a%2ecom", false},
		{[]string{"same"}, "chrome-extension://a", "a", false},
		{[]string{"same"}, "ftp://a.com", "a.com", false},
		{[]string{"same"}, "file://a.com", "a.com", false},
		{[]string{"same"}, "file://", "a.com", false},
		{[]string{"same"}, "//a.com", "a.com", false},
		{[]string{"same"}, "://a.com", "a.com", false},
		{[]string{"same"}, "1http://a.com", "a.com", false},
		{[]string{"same"}, "https://\u212a.com", "k.com", false}, // the Kelvin sign, a k to strings.EqualFold
		{[]string{"same"}, "https://\u212a.com", "\u212a.com", false},
		{[]string{"same"}, "https://xn--mnchen-3ya.de", "xn--mnchen-3ya.de", true},
		{[]string{"same"}, "http://[::1]:3000", "[::1]:8080", true},
		{[]string{"same"}, "http://[::1]", "[::1]", true},
		{[]string{"same"}, "http://[::1]", "[::2]", false},
		{[]string{"same"}, "http://[::1]", "[::1:8080]", false},
		{[]string{"same"}, "http://[0:0::0:1]", "[::1]", true},
		{[]string{"same"}, "http://[::1%25eth0]", "[::1%25eth0]", false},
		{[]string{"same"}, "http://[::1", "[::1", false},
		{[]string{"same"}, "http://::1]", "::1]", false},
		{[]string{"same"}, "http://[::1]evil", "[::1]", false},
		{[]string{"same"}, "http://[127.0.0.1]", "127.0.0.1", false},
		{[]string{"same"}, "http://127.0.0.1:3000", "127.0.0.1", true},
		{[]string{"*"}, "null", "a.com", true},
		{[]string{"*"}, "", "a.com", true},
		{[]string{"https://a.com"}, "https://a.com", "x", true},
		{[]string{"https://a.com"}, "HTTPS://A.COM", "x", true},
		{[]string{"https://a.com"}, "http://a.com", "x", false},
		{[]string{"https://a.com"}, "https://a.com:444", "x", false},
		{[]string{"https://a.com:444"}, "https://a.com:444", "x", true},
		{[]string{"https://a.com"}, "https://a.com:443", "x", true},
		{[]string{"https://a.com:443"}, "https://a.com", "x", true},
		{[]string{"http://a.com"}, "http://a.com:80", "x", true},
		{[]string{"http://a.com"}, "http://a.com:443", "x", false},
		{[]string{"https://a.com"}, "https://a.com.evil.com", "x", false},
		{[]string{"https://a.com"}, "https://a.comevil", "x", false},
		{[]string{"https://a.com"}, "https://a.com.", "x", false},
		{[]string{"https://a.com"}, "https://u@a.com", "x", false},
		{[]string{"https://a.com"}, "https://a.com/", "x", false},
		{[]string{"https://a.com"}, "https://a.com\x00", "x", false},
		{[]string{"https://a.com"}, "null", "x", false},
		{[]string{"https://k.com"}, "https://\u212a.com", "x", false},
		{[]string{"https://[::1]:8443"}, "https://[0::1]:8443", "x", true},
		{[]string{"chrome-extension://abc"}, "chrome-extension://abc", "x", true},
		{[]string{"chrome-extension://abc"}, "chrome-extension://abd", "x", false},
		{[]string{"https://*.a.com"}, "https://b.a.com:443", "x", true},
		{[]string{"https://*.a.com"}, "https://b.a.com.", "x", false},
		{[]string{"https://*.a.com"}, "https://b.a.com.evil.com", "x", false},
		{[]string{"https://*.a.com"}, "https://b..a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://B.A.COM", "x", true},
		{[]string{"https://*.a.com"}, "https://*.a.com", "x", false},
		{[]string{"https://*.a.com"}, "null", "x", false},
		{[]string{"https://*.a.com"}, "https://b.a.com", "x", true},
		{[]string{"https://*.a.com"}, "https://c.b.a.com", "x", true},
		{[]string{"https://*.a.com"}, "https://a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://.a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://eviла.com", "x", false},
		{[]string{"https://*.a.com"}, "https://evila.com", "x", false},
		{[]string{"https://*.a.com"}, "http://b.a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://b.a.com:444", "x", false},
		{[]string{"https://*.a.com:444"}, "https://b.a.com:444", "x", true},
		{[]string{"https://*.a.com"}, "https://evil.com/.a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://evil.com?.a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://evil.com#.a.com", "x", false},
		{[]string{"https://*.a.com"}, "https://b@evil.a.com", "x", false},
		{[]string{"same", "https://b.com"}, "https://b.com", "a.com", true},
	} {
		p := Mount{Origins: tt.allowed}
		if err := p.readOrigins(); err != nil {
			t.Fatal(err)
		}
		if p.allowsOrigin(tt.origin, tt.host) != tt.ok {
			t.Errorf("%q for %q at %q: %v", tt.allowed, tt.origin, tt.host, !tt.ok)
		}
	}
	s := serve(t, "unix", newRecorder(t), Options{Mounts: []*Mount{{Origins: []string{"same"}}}})
	for origin, ok := range map[string]bool{
		"":                                     true, // no field: not a page in a browser
		"Origin: https://example.com\r\n":      true,
		"oRIGIN: https://example.com:8443\r\n": true,
		"Origin: https://example.org\r\n":      false,
		"Origin: null\r\n":                     false,
		"Origin:\r\n":                          false,
		// Of several fields, none is the origin.
		"Origin: https://example.com\r\nOrigin: https://example.com\r\n":  false,
		"Origin: https://example.com\r\norigin: https://evil.example\r\n": false,
		"Origin: https://evil.example\r\nOrigin: https://example.com\r\n": false,
	} {
		c := s.dialRaw()
		c.write([]byte(requestWith("", origin)))
		if ok {
			c.upgraded()
		} else {
			c.refused(403)
		}
		c.Close()
	}
}

// An entry that can match nothing, or more than it seems to, is an error.
func TestOriginRules(t *testing.T) {
	for _, s := range []string{
		"", "null", "Same", "a.com", "*.a.com", "https://*", "https://*.", "https://a.*.com", "https://*a.com", "https://a.com/", "https://a.com/*",
		"https://a.com:*", "https://u@a.com", "https://m\u00fcnchen.de", "https://*.[::1]", "https://a.com https://b.com", "://a.com",
	} {
		if _, err := NewServer(Options{Handler: newRecorder(t), Mounts: []*Mount{{Origins: []string{"same", s}}}}); err == nil {
			t.Errorf("%q is taken for an origin", s)
		}
	}
}
