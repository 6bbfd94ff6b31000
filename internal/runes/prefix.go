// Package runes judges texts that come in pieces.
package runes

import "unicode/utf8"

// ValidPrefix returns how many bytes of b are whole characters in UTF-8; ok is false
// when some of them are none, or what follows them cannot become one (RFC 6455,
// section 8.1).
func ValidPrefix(b []byte) (n int, ok bool) {
	n = len(b)
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				n = len(b) - i
			}
			break
		}
	}
	return n, utf8.Valid(b[:n])
}
