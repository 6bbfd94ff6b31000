package auth

import (
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	all := []string{"header", "query:access_token", "cookie:sid", "protocol:nvsess.bearer."}
	for _, tt := range []struct {
		sources []string
		target  string
		lines   []string
		want    string // a token, or why there is none
	}{
		{nil, "/", nil, "no: missing"},
		{nil, "/", []string{"Authorization: Bearer abc"}, "abc"},
		{nil, "/", []string{"aUTHORIZATION:bEARER   abc"}, "abc"},
		{nil, "/", []string{"Authorization: Bearer a.B-c_d~e+f/g=="}, "a.B-c_d~e+f/g=="},
		{nil, "/", []string{"Authorization: Basic abc"}, "no: missing"},
		{nil, "/", []string{"Authorization: abc"}, "no: missing"},
		{nil, "/", []string{"Authorization: Basic abc", "Authorization: Bearer abc"}, "abc"},
		{nil, "/", []string{"Authorization: Bearer"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer a b"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer a,b"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer a, Bearer a"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer a=b"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer ==="}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer \"abc\""}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer ab\xffc"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer ab\tc"}, "no: malformed"},
		{nil, "/", []string{"Authorization: Bearer abc", "Authorization: Bearer abc"}, "abc"},
		{nil, "/", []string{"Authorization: Bearer abc", "Authorization: Bearer abd"}, "no: ambiguous"},
		{nil, "/", []string{"Authorization: Bearer " + strings.Repeat("a", maxToken)}, strings.Repeat("a", maxToken)},
		{nil, "/", []string{"Authorization: Bearer " + strings.Repeat("a", maxToken+1)}, "no: malformed"},

		// What is not a source is not looked at.
		{nil, "/?access_token=abc", []string{"Cookie: sid=abc", "Sec-WebSocket-Protocol: nvsess.bearer.abc"}, "no: missing"},
		{all[1:], "/", []string{"Authorization: Bearer abc"}, "no: missing"},

		{all, "/?access_token=abc", nil, "abc"},
		{all, "/?a&b=c&access%5Ftoken=a%2Bb%3D", nil, "a+b="},
		{all, "/?access_token=a+b", nil, "no: malformed"}, // a blank
		{all, "/?access_token=a%0ab", nil, "no: malformed"},
		{all, "/?access_token=a%00", nil, "no: malformed"},
		{all, "/?access_token=a%1b%5b2J", nil, "no: malformed"},
		{all, "/?access_token=%zz", nil, "no: malformed"},
		{all, "/?access_token=", nil, "no: malformed"},
		{all, "/?access_token", nil, "no: malformed"},
		{all, "/?Access_token=abc&access_tokens=abc", nil, "no: missing"},
		{all, "/?access_token=abc&access_token=abc", nil, "abc"},
		{all, "/?access_token=abc&access_token=abd", nil, "no: ambiguous"},
		{all, "/access_token=abc", nil, "no: missing"},
		{all, "/?a?access_token=abc", nil, "no: missing"},

		{all, "/", []string{"Cookie: a=b; sid=abc;c=d"}, "abc"},
		{all, "/", []string{"Cookie: sid=\"abc\""}, "abc"},
		{all, "/", []string{"Cookie: sid=a%2Bb%3d"}, "a+b="},
		{all, "/", []string{"Cookie: sid="}, "no: missing"},
		{all, "/", []string{"Cookie: sid"}, "no: missing"},
		{all, "/", []string{"Cookie: SID=abc; sidx=abc; x=sid=abc"}, "no: missing"},
		{all, "/", []string{"Cookie: sid=abc; sid=abd"}, "no: ambiguous"}, // one set for a parent domain, say
		{all, "/", []string{"Cookie: sid=abc", "Cookie: sid=abd"}, "no: ambiguous"},
		{all, "/", []string{"Cookie: sid=\""}, "no: malformed"},
		{all, "/", []string{"Cookie: sid=a%00"}, "no: malformed"},

		{all, "/", []string{"Sec-WebSocket-Protocol: chat, nvsess.bearer.abc"}, "abc"},
		{all, "/", []string{"Sec-WebSocket-Protocol: chat", "sec-websocket-protocol: nvsess.bearer.abc"}, "abc"},
		{all, "/", []string{"Sec-WebSocket-Protocol: nvsess.bearer"}, "no: missing"},
		{all, "/", []string{"Sec-WebSocket-Protocol: nvsess.bearer."}, "no: malformed"},
		{all, "/", []string{"Sec-WebSocket-Protocol: nvsess.bearer.abc, nvsess.bearer.abd"}, "no: ambiguous"},

		{all, "/?access_token=abc", []string{"Authorization: Bearer abc", "Cookie: sid=abc", "Sec-WebSocket-Protocol: nvsess.bearer.abc"}, "abc"},
		{all, "/?access_token=abc", []string{"Authorization: Bearer abd"}, "no: ambiguous"},
		{all, "/", []string{"Authorization: Bearer abc", "Cookie: sid=abd"}, "no: ambiguous"},
		{all, "/", []string{"Cookie: sid=abc", "Sec-WebSocket-Protocol: nvsess.bearer.abd"}, "no: ambiguous"},
		{all, "/?access_token=abc", []string{"Authorization: Bearer"}, "no: malformed"},
	} {
		a := authenticator(t, Options{Sources: tt.sources, Tokens: []string{"x sha256:" + strings.Repeat("00", 32)}})
		r := request(t, tt.target, tt.lines...)
		got, refusal := findToken(a.sources, r)
		if refusal != nil {
			got = "no: " + refusal.Reason.String()
			if strings.Contains(refusal.Detail, "ab") {
				t.Errorf("the detail has the token: %s", refusal.Detail)
			}
		}
		if got != tt.want {
			t.Errorf("%q %s %q: %q, want %q", tt.sources, tt.target, tt.lines, got, tt.want)
		}
	}
}

func TestWrongSources(t *testing.T) {
	for _, s := range []string{"", "Header", "header:", "header:X", "query", "query:", "cookie", "cookie:", "protocol:", "body:x"} {
		if _, err := New(Options{Sources: []string{s}, Tokens: []string{"x sha256:" + strings.Repeat("00", 32)}}); err == nil {
			t.Errorf("%q is taken for a source", s)
		}
	}
}
