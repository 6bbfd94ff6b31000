package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/config"
)

// toJournal makes the daemon believe that its standard error is the journal's.
const toJournal = `export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2)`

// Each line of the log has its priority if, and only if, it goes to the journal.
func TestPriorities(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, inShell(toJournal))
	p.Until("ready", func() bool {
		return strings.Contains(p.Said(), `<6>{"level":"info"`) && strings.Contains(p.Said(), `"msg":"ready"`)
	})
	p.call("loglevel", map[string]any{"level": "debug"}, nil)
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	p.Until("a line for debugging", func() bool { return strings.Contains(p.Said(), "\n<7>{\"level\":\"debug\"") })
	if err := os.Remove(p.socket("nvsess.sock")); err != nil {
		t.Fatal(err)
	}
	p.Until("a warning", func() bool { return strings.Contains(p.Said(), "\n<4>{\"level\":\"warn\"") })
	_ = g
	for l := range strings.SplitSeq(p.Said(), "\n") {
		want := map[string]string{"debug": "<7>", "info": "<6>", "warn": "<4>", "error": "<3>"}
		for level, mark := range want {
			if strings.Contains(l, `{"level":"`+level+`"`) && !strings.HasPrefix(l, mark+"{") {
				t.Error(l)
			}
		}
	}

	q := launch(t, nil, withEnv("JOURNAL_STREAM=1:2"))
	q.Logged("ready") // as JSON by itself
}

func TestPriorityOfLevels(t *testing.T) {
	for level, want := range map[zapcore.Level]string{
		zapcore.DebugLevel: "<7>", zapcore.InfoLevel: "<6>", zapcore.WarnLevel: "<4>", zapcore.ErrorLevel: "<3>", zapcore.DPanicLevel: "<2>", zapcore.FatalLevel: "<2>",
	} {
		if got := priority(level); got != want {
			t.Errorf("%v is %s", level, got)
		}
	}
}

// A line is one line, with its priority, whatever is in it and whichever the
// format; what With has added is there.
func TestPriorityOfEachLine(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if journaled(w) || journaled(new(bytes.Buffer)) {
		t.Error("a pipe is taken for the journal")
	}
	for _, enc := range []zapcore.Encoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig())} {
		var out bytes.Buffer
		log := zap.New(zapcore.NewCore(withPriority{enc}, zapcore.AddSync(&out), zap.DebugLevel)).With(zap.String("with", "a\n<0>b"))
		log.Error("message", zap.Error(errors.New("x\n<1>y")), zap.String("peer", "\n<0>forged"))
		log.Info("message")
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "<3>") || !strings.HasPrefix(lines[1], "<6>") || !strings.Contains(lines[1], "with") {
			t.Errorf("%q", lines)
		}
	}
}

// What one session is debugged with is written whatever the level, with what is
// the logger's own; all else is not.
func TestWithoutLevel(t *testing.T) {
	var out bytes.Buffer
	log, level, queue, err := newLogger(&config.Log{Level: "info", Format: "json"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	named := log.With(zap.Int("n", 1))
	log.Debug("no")
	named.Debug("no")
	withoutLevel(named).Debug("yes")
	withoutLevel(log).With(zap.Int("m", 2)).Debug("yes")
	level.SetLevel(zap.ErrorLevel)
	named.Warn("no")
	withoutLevel(log).Debug("yes")
	if withoutLevel(zap.NewNop()) == nil {
		t.Error("a logger that is not ours")
	}
	queue.close()
	if got := out.String(); strings.Count(got, `"yes"`) != 3 || strings.Contains(got, `"no"`) || !strings.Contains(got, `"n":1`) || !strings.Contains(got, `"m":2`) {
		t.Error(got)
	}
}

// One session's messages are in the log of a daemon whose level is info, for as
// long as an operator has said.
func TestDebugOneSession(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "forward"})
	p.Logged("ready")
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	p.call("debug", map[string]any{"session": a.SessionID(), "for": "1h"}, nil)
	a.say(t, "from a")
	b.hears(t, "from a")
	b.say(t, "from b")
	a.hears(t, "from b")
	p.Until("both messages are logged", func() bool {
		return strings.Contains(p.Said(), `"kind":"string","bytes":6,"data":"from a"`) && strings.Contains(p.Said(), `"bytes":6,"data":"from b"`)
	})
	p.call("debug", map[string]any{"session": a.SessionID(), "state": "off"}, nil)
	b.say(t, "unseen")
	a.hears(t, "unseen")
	if strings.Contains(p.Said(), "unseen") || strings.Contains(p.Said(), `"debug: message","session":"`+b.SessionID()) {
		t.Error(p.Said())
	}
}
