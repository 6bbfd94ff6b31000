package ws

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// FuzzOrigin: an origin passes when, as net/url reads it, it has the scheme,
// host and port of a rule, and nothing more than those.
func FuzzOrigin(f *testing.F) {
	for _, from := range []string{"https://example.com", "https://a.b.example.com", "https://example.com.evil.test", "https://evilexample.com", "null", "https://example.com:8443",
		"https://u@a.example.com", "https://a.example.com/x", "http://a.example.com:8080", "https://EXAMPLE.com", "https://[::1]:8080", "https://.example.com", "https://", "://",
		"https://a?.example.com", "https://a\\.example.com", "https://example.com:443", "https://example.com:", "https://example.com.", "https://[::ffff:1.2.3.4]"} {
		f.Add(from, "example.com:8080", "https://*.example.com")
		f.Add(from, "[::1]", "https://example.com")
		f.Add(from, "[0:0::1]", "http://*.example.com:8080")
		f.Add(from, "example.com", "same")
	}
	f.Fuzz(func(t *testing.T, from, host, rule string) {
		m := &Mount{Origins: []string{rule}}
		if m.readOrigins() != nil || rule == "*" {
			return
		}
		got := m.allowsOrigin(from, host)
		want := false
		is, ok := readOrigin(from)
		_, below, wild := strings.Cut(rule, "://*.")
		switch {
		case !ok:
		case rule == "same":
			at, valid := readOrigin("any://" + host)
			want = valid && at.host == is.host && (is.scheme == "http" || is.scheme == "https")
		case wild:
			ruled, valid := readOrigin(strings.Replace(rule, "://*.", "://", 1))
			if !valid {
				t.Fatalf("%q is a rule", rule)
			}
			_, suffix := strings.CutSuffix(is.host, "."+strings.ToLower(ruled.host))
			want = suffix && is.host[0] != '.' && is.scheme == ruled.scheme && is.port == ruled.port
			if below == "" {
				t.Fatalf("%q is a rule", rule)
			}
		default:
			ruled, valid := readOrigin(rule)
			if !valid {
				t.Fatalf("%q is a rule", rule)
			}
			want = ruled == is
		}
		if got != want {
			t.Errorf("origin %q at host %q, by %q: %v, want %v", from, host, rule, got, want)
		}
	})
}

// readOrigin is parseOrigin by net/url.
func readOrigin(s string) (o origin, ok bool) {
	if strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return o, false // some of these are ASCII in lower case
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.ToLower(s) != u.Scheme+"://"+strings.ToLower(u.Host) {
		return o, false
	}
	o = origin{u.Scheme, strings.ToLower(u.Hostname()), u.Port()}
	if addr, err := netip.ParseAddr(o.host); u.Host[0] == '[' {
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return o, false
		}
		o.host = "[" + addr.String() + "]"
	} else if !nameOfLabels.MatchString(o.host) {
		return o, false
	}
	if strings.HasSuffix(u.Host, ":") || o.port != "" && !portNumber.MatchString(o.port) || len(o.port) == 5 && o.port > "65535" {
		return o, false
	}
	if o.scheme == "http" && o.port == "80" || o.scheme == "https" && o.port == "443" {
		o.port = ""
	}
	return o, true
}

var (
	nameOfLabels = regexp.MustCompile(`^([a-z0-9_-]+\.)*[a-z0-9_-]+\.?$`)
	portNumber   = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
)

// FuzzSubprotocol: what is chosen is the client's first that is spoken.
func FuzzSubprotocol(f *testing.F) {
	f.Add("chat, superchat", "v2")
	f.Add(" v2 ,chat", ",")
	f.Add("Chat,\tv2\t", "chat")
	f.Fuzz(func(t *testing.T, first, second string) {
		r, refused := parseAndCheck([]byte(requestWith("", "Sec-WebSocket-Protocol: "+first+"\r\nSec-WebSocket-Protocol: "+second+"\r\n")))
		if refused != nil || len(r.Fields) != strings.Count(requestWith("", ""), "\r\n") {
			return
		}
		spoken := []string{"v2", "chat", ""}
		want := ""
		for item := range strings.SplitSeq(first+","+second, ",") {
			if item = strings.Trim(item, " \t"); item != "" && slices.Contains(spoken, item) {
				want = item
				break
			}
		}
		if got := (&Mount{Subprotocols: spoken[:2]}).subprotocol(r); got != want {
			t.Errorf("%q, then %q: chose %q, want %q", first, second, got, want)
		}
	})
}
