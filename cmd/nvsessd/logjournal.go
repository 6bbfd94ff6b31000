package main

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
)

// The journal takes a line's priority from "<N>" before it (sd-daemon(3)). Its
// own protocol would take fields, too, but over a datagram socket of its own: the
// log would leave by two ways, whose order is lost, and whose trouble is not the
// one that logQueue knows to survive. The fields are in the line's JSON.

// journaled reports whether w is connected to the journal: systemd says which
// stream is (systemd.exec(5), JOURNAL_STREAM), for a program that inherits the
// variable may have been given another standard error.
func journaled(w io.Writer) bool {
	f, ok := w.(*os.File)
	stream := os.Getenv("JOURNAL_STREAM")
	if !ok || stream == "" {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// withPriority puts its priority before each line.
type withPriority struct{ zapcore.Encoder }

func (e withPriority) Clone() zapcore.Encoder { return withPriority{e.Encoder.Clone()} }

var linePool = buffer.NewPool()

func (e withPriority) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	defer line.Free()
	out := linePool.Get()
	out.AppendString(priority(entry.Level))
	_, _ = out.Write(line.Bytes()) // a buffer's never fails
	return out, nil
}

// priority is a level in syslog's terms (sd-daemon(3)).
func priority(l zapcore.Level) string {
	switch {
	case l <= zapcore.DebugLevel:
		return "<7>"
	case l == zapcore.InfoLevel:
		return "<6>"
	case l == zapcore.WarnLevel:
		return "<4>"
	case l == zapcore.ErrorLevel:
		return "<3>"
	}
	return "<2>"
}
