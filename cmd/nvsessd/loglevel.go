package main

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// levelled is a core that writes everything, with the level that can be changed
// before it.
type levelled struct {
	zapcore.Core
	level zap.AtomicLevel
}

func (c levelled) Enabled(l zapcore.Level) bool { return c.level.Enabled(l) }

func (c levelled) With(fields []zapcore.Field) zapcore.Core {
	return levelled{c.Core.With(fields), c.level}
}

func (c levelled) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// withoutLevel writes to where log does, whatever its level: what a single
// session is debugged with.
func withoutLevel(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		if l, ok := c.(levelled); ok {
			return l.Core
		}
		return c
	}))
}
