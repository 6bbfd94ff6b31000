package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a peer sent may hold anything: escape sequences that move the cursor, retitle the window or answer a query as if typed; C1 controls,
// which some terminals obey in UTF-8; marks that turn the direction of writing. These functions are the only way text gets to a
// terminal or a log.

// harmless reports whether a rune may be shown as it is.
func harmless(r rune) bool {
	return r < utf8.RuneSelf && r >= ' ' && r != 0x7f || r > 0x9f && (unicode.IsGraphic(r) || isJoiner(r))
}

// isJoiner allows what joins emoji and what many scripts need; both are invisible but move nothing.
func isJoiner(r rune) bool { return r == 0x200c || r == 0x200d }

// Escape makes text safe to show on one line. A backslash stays as it is: use Quote where it must be told apart.
func Escape(s string) string {
	if isHarmless(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmless(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

func isHarmless(s string) bool {
	for i, r := range s {
		if !harmless(r) || r == utf8.RuneError && s[i] != "\uFFFD"[0] {
			return false
		}
	}
	return true
}

// Quote shows text between double quotes, as a JSON string would be written, and safe to print.
func Quote(s string) string {
	b, err := marshal(s)
	if err != nil {
		return `"` + Escape(s) + `"`
	}
	return string(EscapeJSON(b))
}

// EscapeJSON makes a JSON text safe to show and leaves its value as it is: what is not harmless can only stand inside a string, where
// \uXXXX means the same. Line breaks between tokens stay.
func EscapeJSON(text []byte) []byte {
	if isHarmlessJSON(text) {
		return text
	}
	out := make([]byte, 0, len(text)+32)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case harmless(r) || r == '\n' || r == '\t':
			out = utf8.AppendRune(out, r) // a byte that is not UTF-8 becomes U+FFFD, as any JSON parser reads it
		case r == '\r':
			out = append(out, ' ') // between tokens: in a string it would be \r
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			hi, lo := 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		}
		i += n
	}
	return out
}

func isHarmlessJSON(text []byte) bool {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 || !harmless(r) && r != '\n' {
			return false
		}
		i += n
	}
	return true
}

// clip shortens text that came from outside to at most max characters before it goes into a message or a log.
func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return string([]rune(s)[:max]) + "…"
}

// IndentJSON lays a JSON text out as JSON.stringify(value, null, 2) does, safe to show.
func IndentJSON(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return Escape(string(raw))
	}
	return string(EscapeJSON(b.Bytes()))
}

// sprintf is fmt.Sprintf; its name says that what it makes still has to be escaped before it is shown.
func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
