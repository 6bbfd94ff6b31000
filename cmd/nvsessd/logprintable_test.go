package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
)

// Whatever is logged, by whomever and in whichever field, is fit for a terminal,
// and in JSON still says the same.
func TestLogIsPrintable(t *testing.T) {
	const evil = "\x1b]0;x\x07\x00\n\x7f\u009b2J\u202etxt\u2066\U000e0041 ä 日本 \ufffd"
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		log, _, queue, err := newLogger(&config.Log{Level: "debug", Format: format}, &out)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("a message of ours", zap.String("field", evil), zap.Error(errors.New(evil)), zap.Any(evil, []string{evil}), zap.ByteString("bytes", []byte(evil+"\xff\x9b")))
		queue.close()
		for i, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if i > 0 && format == "json" {
				t.Errorf("%s: a second line: %q", format, line)
			}
			for _, r := range line {
				if r != '\t' && !unicode.IsPrint(r) {
					t.Errorf("%s: %q in %q", format, r, line)
					break
				}
			}
		}
		var said struct{ Field, Error string }
		if format == "json" && (json.Unmarshal(out.Bytes(), &said) != nil || said.Field != evil || said.Error != evil) {
			t.Errorf("it says %q, %q: %s", said.Field, said.Error, out.String())
		}
	}
}
