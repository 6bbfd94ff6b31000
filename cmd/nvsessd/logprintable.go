package main

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"
)

// printableLog spells out, as JSON does, what zap's encodings let through though
// a terminal takes it for a command or shows it as something else: DEL, the C1
// controls, the marks that reorder text. It sees every line, whoever made it.
type printableLog struct{ zapcore.WriteSyncer }

func (p printableLog) Write(line []byte) (int, error) {
	if bytes.IndexFunc(line, unprintable) < 0 {
		return p.WriteSyncer.Write(line)
	}
	out := make([]byte, 0, len(line)+64)
	for b := line; len(b) > 0; {
		r, n := utf8.DecodeRune(b)
		switch {
		case !unprintable(r):
			out = append(out, b[:n]...)
		case r > 0xffff:
			hi, lo := 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	if _, err := p.WriteSyncer.Write(out); err != nil {
		return 0, err
	}
	return len(line), nil
}

func unprintable(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) || r == utf8.RuneError }
