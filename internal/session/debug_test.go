package session

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/await"
)

// withDebugLog gives a host a log for debugging beside its own, which is for
// info and above.
func withDebugLog(to *await.Buffer) func(*Options) {
	return func(o *Options) {
		o.DebugLog = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), to, zap.DebugLevel))
	}
}

// lines are those of a log that say so.
func lines(b *await.Buffer, parts ...string) (n int) {
next:
	for line := range strings.SplitSeq(b.String(), "\n") {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue next
			}
		}
		if line != "" {
			n++
		}
	}
	return n
}

// One session is logged, with all that comes and goes, though the log is for
// info; no other is; and what a peer sent is shown in part, and escaped.
func TestDebug(t *testing.T) {
	var log await.Buffer
	h := start(t, withDebugLog(&log), func(o *Options) {
		o.Mode = ModeForward
		o.Keepalive, o.Interval = true, 60*time.Millisecond
	})
	p, q := h.dial(t), h.dial(t)
	until, err := h.Debug(p.sess, time.Hour)
	if err != nil || time.Until(until) < 50*time.Minute {
		t.Fatal(until, err)
	}
	if list := h.Debugged(); len(list) != 1 || list[0].Session != p.sess {
		t.Errorf("%+v", list)
	}
	p.text("hello \u009b2J\u202e")
	p.text(`{"a":1}`)
	p.binary(strings.Repeat("b", 5000))
	q.text("from another")
	p.write(gobwas.OpPing, []byte("x"))
	p.text(`{"___type___":"___creq___","___id___":"` + strings.Repeat("a", 64) + `","___data___":1}`)
	for _, want := range [][]string{
		{`"direction":"in"`, `"kind":"string"`, `hello \\u009b2J\\u202e`},
		{`"direction":"in"`, `"kind":"json"`, `"bytes":7`},
		{`"direction":"in"`, `"kind":"binary"`, `"bytes":5000`},
		{`"direction":"out"`, `"kind":"string"`, "from another", `"result":"queued"`},
		{`"direction":"in"`, `"kind":"ping frame"`},
		{`"direction":"out"`, `"kind":"pong frame"`},
		{`"direction":"in"`, `"kind":"creq"`},
		{`"direction":"out"`, `"kind":"ping"`},
		{`"direction":"out"`, `"kind":"cfg"`},
		{"debug: timer"},
	} {
		if strings.Contains(want[len(want)-1], "cfg") {
			continue // it came before, or after: as the machine likes
		}
		eventually(t, strings.Join(want, " "), func() bool { return lines(&log, append(want, p.sess.ID())...) > 0 })
	}
	if n := lines(&log, q.sess.ID()); n != 0 {
		t.Errorf("%d lines of the other session", n)
	}
	if strings.Contains(log.String(), strings.Repeat("b", 500)) || strings.Contains(log.String(), "YmJi"+strings.Repeat("YmJi", 100)) {
		t.Error("a long message is shown whole")
	}
	p.leave()
	eventually(t, "the end", func() bool { return lines(&log, "debug: closed", p.sess.ID()) == 1 && len(h.Debugged()) == 0 })
	eventually(t, "the word of it", func() bool { return lines(h.log, "not being debugged any more", "the session is closed") == 1 })
	if h.StopDebug(p.sess) {
		t.Error("it is debugged still")
	}
	if _, err := h.Debug(p.sess, time.Hour); !errors.Is(err, ErrSessionClosed) || len(h.Debugged()) != 0 {
		t.Error(err, h.Debugged())
	}
}

// It ends when its time is over or an operator says so; twice is once; and there
// are so many at most.
func TestDebugEnds(t *testing.T) {
	var log await.Buffer
	h := start(t, withDebugLog(&log))
	p := h.dial(t)
	for _, d := range []time.Duration{0, -1, MaxDebugFor + 1} {
		if _, err := h.Debug(p.sess, d); !errors.Is(err, ErrDebugTime) {
			t.Errorf("%v: %v", d, err)
		}
	}
	if _, err := h.Debug(p.sess, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Debug(p.sess, 5*time.Millisecond); err != nil { // again: the new time counts
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool { return len(h.Debugged()) == 0 })
	eventually(t, "the word of it", func() bool { return lines(h.log, "its time is over") == 1 })
	p.text("unseen")
	eventually(t, "the message", func() bool { return h.Stats().TextIn == 1 })
	if _, err := h.Debug(p.sess, time.Hour); err != nil {
		t.Fatal(err)
	}
	p.text("seen")
	eventually(t, "the message", func() bool { return lines(&log, `"data":"seen"`) == 1 })
	if lines(&log, "unseen") != 0 {
		t.Error("it is logged after its end")
	}
	if !h.StopDebug(p.sess) || h.StopDebug(p.sess) {
		t.Error("it does not end once")
	}
	var all []*Session
	for range MaxDebugged + 1 {
		all = append(all, h.dial(t).sess)
	}
	for i, s := range all {
		if _, err := h.Debug(s, time.Hour); (i < MaxDebugged) != (err == nil) || err != nil && !errors.Is(err, ErrTooManyDebugged) {
			t.Errorf("number %d: %v", i, err)
		}
	}
	if _, err := h.Debug(all[0], time.Hour); err != nil { // it is one already
		t.Error(err)
	}
}

// Whatever comes between two steps of its beginning, what has ended shows nothing
// any more.
func TestDebugEndsAsItBegins(t *testing.T) {
	h := start(t, withDebugLog(new(await.Buffer)))
	p := h.dial(t)
	for range 2000 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for !h.StopDebug(p.sess) {
				runtime.Gosched()
			}
		}()
		if _, err := h.Debug(p.sess, time.Hour); err != nil {
			t.Fatal(err)
		}
		<-ended
		if p.sess.conn.Traced() {
			t.Fatal("nobody debugs it, and it is traced still")
		}
	}
}

// A session that floods does not take the log from others: what is too much is
// counted.
func TestDebugFlood(t *testing.T) {
	var log await.Buffer
	h := start(t, withDebugLog(&log))
	p := h.dial(t)
	if _, err := h.Debug(p.sess, time.Hour); err != nil {
		t.Fatal(err)
	}
	sent := uint64(0)
	for ; h.Debugged()[0].LeftOut == 0; sent++ {
		if r := p.sess.SendString("x"); r != Sent && r != Queued {
			t.Fatal(r)
		}
	}
	if d := h.Debugged()[0]; uint64(lines(&log, "debug: message")) != d.Lines || d.Lines+d.LeftOut != sent || d.Lines < debugLines {
		t.Errorf("%d of %d lines are logged, counted %+v", lines(&log, "debug: message"), sent, d)
	}
	eventually(t, "the count of what was left out", func() bool {
		p.sess.SendString("later")
		return lines(&log, "left_out_before") > 0
	})
}

// Debugging changes, and sessions end, while messages come.
func TestDebugWhileClosing(t *testing.T) {
	h := start(t, withDebugLog(new(await.Buffer)), func(o *Options) { o.Mode = ModeEcho })
	for range 20 {
		p := h.dial(t)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for ctx.Err() == nil {
				_, _ = h.Debug(p.sess, time.Hour)
				h.StopDebug(p.sess)
			}
			_, _ = h.Debug(p.sess, time.Hour)
		}()
		p.text("x")
		p.want(gobwas.OpText, "x")
		p.leave()
		cancel()
		<-ended
		eventually(t, "the end", func() bool { return len(h.Debugged()) == 0 })
	}
}
