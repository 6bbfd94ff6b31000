package session

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
)

// maxLogged bounds what the log handler shows of a message, in bytes.
const maxLogged = 1024

func (srv *Server) logMessage(s *Session, k Kind, payload []byte) {
	fields := []zap.Field{zap.String("kind", k.String()), zap.String("session", s.ID()), zap.Int("bytes", len(payload))}
	shown := payload[:min(len(payload), maxLogged)]
	if k == KindBinary {
		fields = append(fields, zap.Binary("data", shown))
	} else {
		for len(shown) < len(payload) && !utf8.RuneStart(payload[len(shown)]) {
			shown = shown[:len(shown)-1]
		}
		fields = append(fields, zap.String("data", printable(string(shown))))
	}
	srv.log.Info("message", fields...)
}

// printable spells out what zap's encoders let through though a terminal takes
// it for a command or shows it as something else: DEL, the C1 controls, the
// marks that reorder text and what else has no shape. The C0 controls they
// escape themselves.
func printable(s string) string {
	escaped := func(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
	if strings.IndexFunc(s, escaped) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if escaped(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
