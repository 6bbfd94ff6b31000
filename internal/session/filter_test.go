package session

import (
	"strings"
	"testing"
	"time"
)

func filterSample() *FilterRecord {
	return &FilterRecord{
		ID: "INvQ9Xzz-RpN", Remote: "10.1.2.3:60614", Port: 60614, Protocol: "chat",
		Age: time.Hour, Idle: 45 * time.Second, MessagesIn: 150, BytesIn: 70000, Queued: 4096,
		Host: "localhost", Origin: "https://example.org", Path: "/a/b", Resource: "/a/b?user=7&user=8",
		Query:  map[string][]string{"user": {"7", "8"}, "name": {"John Smith"}},
		Header: map[string][]string{"user-agent": {"Mozilla/5.0 (X11) Firefox/130"}},
		Cookie: map[string][]string{"sid": {"abc"}},
	}
}

func TestFilterMatch(t *testing.T) {
	for _, c := range []struct {
		expr string
		want bool
	}{
		{"host=localhost", true},
		{"host!=localhost", false},
		{"origin~^https", true},
		{"origin!~^https", false},
		{"id~^INvQ", true},
		{"query.user=7", true},
		{"query.user=8", true},
		{"query.user=9", false},
		{"query.user!=7", false},
		{"query.none=", true},
		{"query.none!=", false},
		{"query.none~.", false},
		{`query.name="John Smith"`, true},
		{`"query.name=John Smith"`, true},
		{`query.name~"^John\s"`, true},
		{"header.User-Agent~Firefox/\\d+", true},
		{"cookie.sid=abc", true},
		{"remote=10.1.2.3", true},
		{"remote=10.1.2.3:60614", true},
		{"remote=10.0.0.0/8", true},
		{"remote!=10.0.0.0/8", false},
		{"remote=192.168.0.0/16", false},
		{"remote=::ffff:10.1.2.3", true},
		{"port=60614", true},
		{"idle>30s", true},
		{"idle>1m", false},
		{"idle<=45s", true},
		{"age>=1h", true},
		{"age<2d", true},
		{"messages_in>100", true},
		{"messages_in<100", false},
		{"bytes_in>64KiB", true},
		{"queued=4KiB", true},
		{"pending=0", true},
		{"resource~user=7", true},
		{"protocol=chat", true},
		{"host=localhost origin~^https query.user=7 remote=10.1.2.3 idle>30s messages_in>100", true},
		{"host=localhost idle>1h", false},
	} {
		f, err := ParseFilter(c.expr)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := f.Match(filterSample()); got != c.want {
			t.Errorf("%s: %v, want %v", c.expr, got, c.want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"":                    "empty",
		"user=7":              "query.NAME",
		"query=7":             "no field",
		"query.=7":            "no field",
		"host.x=7":            "no field",
		"localhost":           "no operator",
		"host!localhost":      "no operator",
		"origin~(":            "missing closing",
		"origin>5":            "is text",
		"idle~5":              "is a number",
		"idle>soon":           "30s",
		"messages_in>many":    "not a number",
		`host="a`:             "not closed",
		"remote=10.0.0.0/99":  "not a network",
		"query.n=John Smith":  "no operator",
		"messages_in>-1":      "not a number",
		"bytes_in>1e9":        "not a number",
		"age>99999999999999d": "2d",
	} {
		_, err := ParseFilter(expr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something about %q", expr, err, want)
		}
	}
}

func TestFilterNeedsRequest(t *testing.T) {
	for expr, want := range map[string]bool{"idle>1s remote=1.2.3.4": false, "idle>1s host=a": true, "query.a=1": true} {
		f, err := ParseFilter(expr)
		if err != nil || f.NeedsRequest() != want {
			t.Errorf("%s: %v, %v", expr, f.NeedsRequest(), err)
		}
	}
}

// FuzzParseFilter: a filter holds when each of its terms does, and a term holds
// when its opposite does not.
func FuzzParseFilter(f *testing.F) {
	f.Add(`host=localhost origin~^https query.user="7 8"`)
	f.Add(`idle>30s remote=10.0.0.0/8`)
	f.Add(`query.user=7 query.user!=9 query.name~Smith`)
	f.Add(`messages_in>=10 age<2d header.user-agent!~"a\\"b" bytes_out<=64KiB`)
	f.Add(`remote!=::ffff:10.1.2.3 id="" cookie.sid~. port<1`)
	f.Fuzz(func(t *testing.T, expr string) {
		filter, err := ParseFilter(expr)
		if err != nil {
			if filter != nil || err.Error() == "" {
				t.Fatalf("%q: %v, %v", expr, filter, err)
			}
			return
		}
		words, err := splitTerms(expr)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*FilterRecord{filterSample(), {}} {
			all := true
			for _, w := range words {
				holds := matches(t, w, r)
				all = all && holds
				at := strings.IndexAny(w, "=!~<>")
				for _, pair := range [][2]string{{"!=", "="}, {"!~", "~"}, {"<=", ">"}, {">=", "<"}} {
					for i, op := range pair {
						if value, ok := strings.CutPrefix(w[at:], op); ok && !(len(op) == 1 && op != "=" && op != "~" && strings.HasPrefix(value, "=")) {
							if opposite := w[:at] + pair[1-i] + value; matches(t, opposite, r) == holds {
								t.Fatalf("%q and %q: both %v", w, opposite, holds)
							}
						}
					}
				}
			}
			if filter.Match(r) != all {
				t.Fatalf("%q: %v, its terms %q: %v", expr, filter.Match(r), words, all)
			}
		}
	})
}

// matches tries one term, whatever blanks and quotes it has.
func matches(t *testing.T, term string, r *FilterRecord) bool {
	t.Helper()
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(term) + `"`
	f, err := ParseFilter(quoted)
	if err != nil || len(f.terms) != 1 {
		t.Fatalf("%q, written %s: %v", term, quoted, err)
	}
	return f.Match(r)
}
