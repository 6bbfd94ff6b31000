package runes

import (
	"slices"
	"testing"
	"unicode/utf8"
)

// Every sequence of up to two bytes, and those of three and four in which something
// changes, are judged as what can be appended to them says.
func TestValidPrefix(t *testing.T) {
	ends := []string{"", "\x80", "\xbf", "\x80\x80", "\x90\x80", "\xa0\x80", "\xbf\xbf", "\x80\x80\x80", "\x90\x80\x80", "\xbf\xbf\xbf"}
	becomes := func(b []byte) bool {
		return slices.ContainsFunc(ends, func(end string) bool { return utf8.Valid(append(slices.Clip(b), end...)) })
	}
	judge := func(b []byte) {
		n, ok := ValidPrefix(b)
		if ok != becomes(b) {
			t.Errorf("% x: %v", b, ok)
		}
		if ok && (!utf8.Valid(b[:n]) || len(b)-n >= utf8.UTFMax || n < len(b) && utf8.FullRune(b[n:])) {
			t.Errorf("% x: the first %d bytes are whole characters", b, n)
		}
	}
	judge(nil)
	edges := []byte{0, 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	for a := range 256 {
		judge([]byte{byte(a)})
		for b := range 256 {
			judge([]byte{byte(a), byte(b)})
		}
	}
	for _, a := range edges {
		for _, b := range edges {
			for _, c := range edges {
				judge([]byte{a, b, c})
				for _, d := range edges {
					judge([]byte{a, b, c, d})
				}
			}
		}
	}
}
