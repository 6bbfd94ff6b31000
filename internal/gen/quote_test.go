package gen

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/dop251/goja"
)

// nasty is what would break out of a language, or be taken for something else in it.
var nasty = []string{
	"", "plain", "a b", "a\tb", `a"b`, `a'b`, `a\b`, `a\`, `\"`, `\n`, "a;b", "a}b", "{", "#c", "${x}", "$x", "a\nb", "a\r\nb", "\x00", "\x7f",
	`";}evil{"`, `"); process.exit(); ("`, "</script>", "`${x}`", "//", "/*", "*/", "ä", "\u2028", "\u2029", "\ufeff", "\u202e", "\U0001F600", "\U000e0001", "\xff", "a\xc3",
	"/x; return 200", `\u0022`, `\U00000022`, "\u0085", "%t", "~ .", "= /", "a:b", "unix:/x",
}

// nginxTokens reads a directive as nginx does (ngx_conf_read_token), up to its semicolon.
func nginxTokens(s string) ([]string, error) {
	var tokens []string
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return nil, errors.New("no semicolon")
		}
		switch s[0] {
		case ';':
			if s != ";" {
				return nil, errors.New("more after the semicolon: " + s)
			}
			return tokens, nil
		case '{', '}', '#':
			return nil, errors.New("unexpected " + s[:1])
		}
		quote := byte(0)
		if s[0] == '"' || s[0] == '\'' {
			quote, s = s[0], s[1:]
		}
		var token []byte
		i := 0
		for ; ; i++ {
			if i == len(s) {
				return nil, errors.New("unexpected end of file")
			}
			c := s[i]
			if c == '$' {
				return nil, errors.New("a variable")
			}
			if quote != 0 && c == quote || quote == 0 && strings.IndexByte(" \t\r\n;{", c) >= 0 {
				break
			}
			if c == '\\' && i+1 < len(s) {
				switch n := s[i+1]; n {
				case '"', '\'', '\\':
					c = n
					i++
				case 't', 'r', 'n':
					c = map[byte]byte{'t': '\t', 'r': '\r', 'n': '\n'}[n]
					i++
				}
			}
			token = append(token, c)
		}
		s = s[i:]
		if quote != 0 {
			if s = s[1:]; s == "" || strings.IndexByte(" \t\r\n;{)", s[0]) < 0 {
				return nil, errors.New("unexpected character after a quote")
			}
		}
		tokens = append(tokens, string(token))
	}
}

// FuzzQuote: what is quoted for a language is read by it as it was, or refused.
func FuzzQuote(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkQuoteNginx(t, s)
		checkQuoteJS(t, s)
		checkQuoteTOML(t, s)
	})
}

func checkQuoteNginx(t *testing.T, s string) {
	q, err := QuoteNginx(s)
	if refuse := plain(s) != nil || strings.Contains(s, "$"); refuse != (err != nil) {
		t.Fatalf("%q: %v", s, err)
	}
	if err != nil {
		return
	}
	got, err := nginxTokens("x " + q + ";")
	if err != nil || !slices.Equal(got, []string{"x", s}) {
		t.Errorf("%q is written %s, which nginx reads as %q, %v", s, q, got, err)
	}
}

func checkQuoteJS(t *testing.T, s string) {
	q, err := QuoteJS(s)
	if (err == nil) != utf8.ValidString(s) {
		t.Fatalf("%q: %v", s, err)
	}
	if err != nil {
		return
	}
	if strings.ContainsAny(q, "<\n\r\u2028\u2029") {
		t.Errorf("%q is written %s, which does not stand on one line of a page", s, q)
	}
	v, err := goja.New().RunString("[" + q + "]")
	if err != nil {
		t.Fatalf("%q is written %s: %v", s, q, err)
	}
	if got, ok := v.Export().([]any); !ok || len(got) != 1 || got[0] != s {
		t.Errorf("%q is written %s, which is %q", s, q, v.Export())
	}
}

func checkQuoteTOML(t *testing.T, s string) {
	q, err := QuoteTOML(s)
	if (err == nil) != utf8.ValidString(s) {
		t.Fatalf("%q: %v", s, err)
	}
	if err != nil {
		return
	}
	var got map[string]any
	if _, err := toml.Decode("k = "+q+"\n", &got); err != nil || len(got) != 1 || got["k"] != s {
		t.Errorf("%q is written %s, which is %q, %v", s, q, got, err)
	}
}

func TestQuoteShell(t *testing.T) {
	for _, s := range nasty {
		if strings.Contains(s, "\x00") {
			continue // no argument can have it
		}
		out, err := exec.Command("sh", "-c", "printf '%s.' "+QuoteShell(s)).Output()
		if got := string(out); err != nil || got != s+"." {
			t.Errorf("%q is written %s, which is %q, %v", s, QuoteShell(s), got, err)
		}
	}
	if got := QuoteShell("/opt/x/nvsess.toml"); got != "/opt/x/nvsess.toml" {
		t.Errorf("an ordinary path is quoted: %s", got)
	}
}
