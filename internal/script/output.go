package script

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"go.uber.org/zap"
)

// A Line is something that a script has written with console.log and its kin.
// It may have several lines, and quote peers: what is not printable is escaped.
type Line struct {
	Seq   uint64 // counts all lines of the engine, from 1
	Level string // debug, log, info, warn or error
	Text  string
}

// maxLine bounds one Line, in bytes.
const maxLine = 64 << 10

// output hands what scripts write to the log and to the consoles that listen.
type output struct {
	log *zap.Logger

	mu      sync.Mutex // guards what follows
	to      []*Output
	seq     uint64 // of the last line told
	tokens  float64
	at      time.Time
	skipped int
}

// Lines that scripts may write to the log in a row, and per second after that.
const (
	logBurst = 200
	logRate  = 50.0
)

func newOutput(log *zap.Logger) *output { return &output{log: log, tokens: logBurst, at: time.Now()} }

// An Output receives what scripts write. A reader that does not keep up loses
// lines, which are counted.
type Output struct {
	from    *output
	lines   chan Line
	dropped atomic.Uint64
}

// Output begins to listen. The caller must call Stop.
func (e *Engine) Output(buffer int) *Output {
	o := &Output{from: e.out, lines: make(chan Line, max(1, buffer))}
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	e.out.to = append(slices.Clone(e.out.to), o)
	return o
}

// Lines is where they arrive. It is never closed.
func (o *Output) Lines() <-chan Line { return o.lines }

// Dropped counts the lines lost because the reader did not keep up.
func (o *Output) Dropped() uint64 { return o.dropped.Load() }

// Stop ends listening.
func (o *Output) Stop() {
	o.from.mu.Lock()
	defer o.from.mu.Unlock()
	o.from.to = slices.DeleteFunc(slices.Clone(o.from.to), func(x *Output) bool { return x == o })
}

// tell gives a line to the consoles.
func (o *output) tell(level, text string) {
	if len(text) > maxLine {
		text = fmt.Sprintf("%s... %d bytes more", strings.ToValidUTF8(text[:maxLine], ""), len(text)-maxLine)
	}
	line := Line{Level: level, Text: printable(text)}
	o.mu.Lock()
	o.seq++
	line.Seq = o.seq
	list := o.to
	o.mu.Unlock()
	for _, x := range list {
		select {
		case x.lines <- line:
		default:
			x.dropped.Add(1)
		}
	}
}

// write is what console.log and its kin come to.
func (o *output) write(level, text string) {
	o.tell(level, text)
	o.mu.Lock()
	now := time.Now()
	o.tokens = min(logBurst, o.tokens+logRate*now.Sub(o.at).Seconds())
	o.at = now
	if o.tokens < 1 {
		o.skipped++
		o.mu.Unlock()
		return
	}
	o.tokens--
	skipped := o.skipped
	o.skipped = 0
	o.mu.Unlock()
	at := map[string]func(string, ...zap.Field){"debug": o.log.Debug, "warn": o.log.Warn, "error": o.log.Error}[level]
	if at == nil {
		at = o.log.Info
	}
	const most = 1024
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	fields := []zap.Field{zap.String("text", printable(text))}
	if skipped > 0 {
		fields = append(fields, zap.Int("not_logged", skipped))
	}
	at("script", fields...)
}

// printable escapes what a terminal would take for a command or show as
// something else; line ends and tabs are left.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	bad := func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !bad(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02X`, r)
		default:
			fmt.Fprintf(&b, `\u{%X}`, r)
		}
	}
	return b.String()
}
