package main

import (
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/nvsess/nvsess/internal/config"
)

// newLogger writes to stderr: for people on a terminal, as JSON elsewhere
// ("auto"). Its level can be changed while it runs. What a peer sent never
// reaches a terminal raw: the encodings escape the C0 controls, and printableLog
// the rest. In the journal each line has its priority. The queue is to be closed
// at the end.
func newLogger(c *config.Log, stderr io.Writer) (*zap.Logger, zap.AtomicLevel, *logQueue, error) {
	level, err := zap.ParseAtomicLevel(c.Level)
	if err != nil {
		return nil, level, nil, err
	}
	format := c.Format
	if format == "auto" {
		format = "json"
		if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			format = "console"
		}
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.ISO8601TimeEncoder
	ec.EncodeDuration = zapcore.StringDurationEncoder
	ec.TimeKey = "time"
	enc := zapcore.NewJSONEncoder(ec)
	if format == "console" {
		ec.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		ec.EncodeLevel = zapcore.CapitalLevelEncoder
		enc = zapcore.NewConsoleEncoder(ec)
	}
	if journaled(stderr) {
		enc = withPriority{enc}
	}
	queue := newLogQueue(stderr, func(n uint64) []byte {
		e := zapcore.Entry{Level: zap.WarnLevel, Time: time.Now(), Message: "lines of the log were lost before this one"}
		line, err := enc.Clone().EncodeEntry(e, []zap.Field{zap.Uint64("lines", n)})
		if err != nil {
			return nil
		}
		defer line.Free()
		return append([]byte(nil), line.Bytes()...)
	})
	return zap.New(levelled{zapcore.NewCore(enc, printableLog{queue}, zap.DebugLevel), level}), level, queue, nil
}
