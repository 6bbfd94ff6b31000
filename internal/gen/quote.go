package gen

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Why a text cannot be written in a language.
var (
	errNotUTF8  = errors.New("is not UTF-8")
	errControl  = errors.New("has a control character")
	errVariable = errors.New("has a $, which nginx takes for a variable")
)

// QuoteNginx writes a parameter of nginx's configuration, bare when it can be. nginx has no way to write a dollar sign, nor control characters other than
// three, so these are refused.
func QuoteNginx(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", err
	}
	if strings.Contains(s, "$") {
		return "", errVariable
	}
	if bareNginx.MatchString(s) {
		return s, nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`, nil
}

var bareNginx = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_./:@%+=,~\[\]-]*$`)

// QuoteJS writes a string of JavaScript. It can also stand in a <script> element.
func QuoteJS(s string) (string, error) {
	return quote(s, func(r rune) string {
		switch {
		case r > 0xffff && !unicode.IsPrint(r):
			return fmt.Sprintf(`\u{%x}`, r)
		case r == '<' || !unicode.IsPrint(r): // U+2028 and U+2029 are among these
			return fmt.Sprintf(`\u%04x`, r)
		}
		return string(r)
	})
}

// QuoteTOML writes a basic string of TOML.
func QuoteTOML(s string) (string, error) {
	return quote(s, func(r rune) string {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf(`\U%08x`, r)
		}
		return string(r)
	})
}

// quote puts a string between quotation marks. What is neither one of them nor a
// backslash is written by the language's rule.
func quote(s string, write func(rune) string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errNotUTF8
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
			b.WriteRune(r)
		} else {
			b.WriteString(write(r))
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}

// QuoteShell writes a word of a POSIX shell, bare when it can be.
func QuoteShell(s string) string {
	bare := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= utf8.RuneSelf || !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./:=@%+,", r))
	})
	if bare {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plain refuses what no file name, address or path that is written down should have.
func plain(s string) error {
	if !utf8.ValidString(s) {
		return errNotUTF8
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return errControl
		}
	}
	return nil
}
