package inspect

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// columns is how many columns a terminal takes for s: two for East Asian wide characters and emoji, none for marks and controls.
func columns(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x7f {
			for _, r := range norm.NFC.String(s[i:]) {
				n += runeColumns(r)
			}
			break
		}
		if s[i] >= ' ' {
			n++
		}
	}
	return n
}

func runeColumns(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianFullwidth, width.EastAsianWide:
		return 2
	}
	switch {
	case r == 0xad: // soft hyphen
		return 1
	case r >= 0x1f1e6 && r <= 0x1f1ff: // flags are written with these
		return 2
	case r >= 0x268a && r <= 0x268f, r >= 0x4dc0 && r <= 0x4dff, r >= 0x1d300 && r <= 0x1d376: // wide since Unicode 16
		return 2
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Me, unicode.Mn):
		return 0
	}
	return 1
}
