package session

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// Debugging shows in the log what comes and goes on one session, whatever the
// log's level: messages with their kind, size and beginning, pings, timers, the
// end. It is switched on at run time, and ends by itself. Other sessions pay for
// it with a look at a bit that they load anyway (see ws/trace.go).

// Bounds of debugging.
const (
	MaxDebugged = 16             // sessions at a time
	MaxDebugFor = 24 * time.Hour // for one
	debugData   = 256            // bytes shown of a message
	debugLines  = 500            // per session and second; more are counted
)

// Errors of Debug.
var (
	ErrTooManyDebugged = errors.New("as many sessions as may be are being debugged")
	ErrDebugTime       = errors.New("a session is debugged for more than 0s and at most 24h")
)

// DebuggedSession is a session that is being debugged.
type DebuggedSession struct {
	Session *Session
	Until   time.Time
	Lines   uint64 // logged so far
	LeftOut uint64 // for coming too fast
}

// debugged is who is being debugged.
type debugged struct {
	mu sync.Mutex // guards m
	m  map[*Session]*debugging
}

// debugging is one session's.
type debugging struct {
	log   *zap.Logger
	until time.Time
	stop  func() bool // of its end's timer

	mu      sync.Mutex // guards what follows
	second  int64
	n       int // lines in that second
	lines   uint64
	leftOut uint64
	untold  uint64 // of leftOut
}

// Debug logs what comes and goes on a session for a time, from now.
func (srv *Server) Debug(s *Session, d time.Duration) (time.Time, error) {
	if d <= 0 || d > MaxDebugFor {
		return time.Time{}, ErrDebugTime
	}
	log := srv.now().DebugLog
	if log == nil {
		log = srv.log
	}
	x := &debugging{log: log.With(zap.String("session", s.ID())), until: time.Now().Add(d)}
	all := &srv.debugged
	all.mu.Lock()
	old := all.m[s]
	if old == nil && len(all.m) >= MaxDebugged {
		all.mu.Unlock()
		return time.Time{}, ErrTooManyDebugged
	}
	if all.m == nil {
		all.m = make(map[*Session]*debugging)
	}
	all.m[s] = x
	armed := make(chan struct{})
	timer := time.AfterFunc(d, func() { <-armed; srv.endDebug(s, x, "its time is over") })
	x.stop = timer.Stop
	close(armed)
	s.conn.Trace(x.traced) // with the lock: who ends it ends this, too
	all.mu.Unlock()
	if old != nil {
		old.stop()
	}
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone { // and may have been before it was traced
		srv.endDebug(s, x, "the session is closed")
		return time.Time{}, ErrSessionClosed
	}
	srv.log.Info("a session is being debugged", zap.String("session", s.ID()), zap.Duration("for", d))
	return x.until, nil
}

// StopDebug ends it, and reports whether there was anything to end.
func (srv *Server) StopDebug(s *Session) bool {
	return srv.endDebug(s, nil, "an operator ended it")
}

// endDebug ends x, or with nil whatever debugs the session.
func (srv *Server) endDebug(s *Session, x *debugging, why string) bool {
	all := &srv.debugged
	all.mu.Lock()
	now := all.m[s]
	if now == nil || x != nil && now != x {
		all.mu.Unlock()
		return false
	}
	delete(all.m, s)
	s.conn.Trace(nil)
	all.mu.Unlock()
	now.stop()
	now.mu.Lock()
	lines, leftOut := now.lines, now.leftOut
	now.mu.Unlock()
	srv.log.Info("a session is not being debugged any more", zap.String("session", s.ID()), zap.String("why", why),
		zap.Uint64("lines", lines), zap.Uint64("left_out", leftOut))
	return true
}

// Debugged lists the sessions that are being debugged, who ends first first.
func (srv *Server) Debugged() (list []DebuggedSession) {
	all := &srv.debugged
	all.mu.Lock()
	for s, x := range all.m {
		x.mu.Lock()
		list = append(list, DebuggedSession{s, x.until, x.lines, x.leftOut})
		x.mu.Unlock()
	}
	all.mu.Unlock()
	slices.SortFunc(list, func(a, b DebuggedSession) int { return a.Until.Compare(b.Until) })
	return list
}

// debugging is who debugs the session, or nil.
func (srv *Server) debugging(s *Session) *debugging {
	if !s.conn.Traced() {
		return nil
	}
	srv.debugged.mu.Lock()
	defer srv.debugged.mu.Unlock()
	return srv.debugged.m[s]
}

// debugTimer shows that a session's timer has come.
func (r receiver) debugTimer(s *Session) {
	if x := r.debugging(s); x != nil {
		x.write("debug: timer", zap.Duration("idle", s.conn.IdleFor()))
	}
}

// debugClose shows a session's end, which is that of debugging it.
func (r receiver) debugClose(s *Session, info ws.CloseInfo) {
	if x := r.debugging(s); x != nil {
		x.write("debug: closed", zap.Int("code", info.Code), zap.String("reason", printable(info.Reason)),
			zap.Bool("remote", info.Remote), zap.Bool("clean", info.Clean), zap.Error(info.Err))
		r.endDebug(s, x, "the session is closed")
	}
}

// write logs a line, unless there are too many in this second.
func (x *debugging) write(message string, fields ...zap.Field) {
	ce := x.log.Check(zap.DebugLevel, message)
	if ce == nil {
		return
	}
	now := time.Now().Unix()
	x.mu.Lock()
	if now != x.second {
		x.second, x.n = now, 0
	}
	if x.n++; x.n > debugLines {
		x.leftOut++
		x.untold++
		x.mu.Unlock()
		return
	}
	x.lines++
	untold := x.untold
	x.untold = 0
	x.mu.Unlock()
	if untold > 0 {
		fields = append(fields, zap.Uint64("left_out_before", untold))
	}
	ce.Write(fields...)
}

func (x *debugging) traced(t ws.Traced) {
	way := "in"
	if t.Out {
		way = "out"
	}
	fields := []zap.Field{zap.String("direction", way), zap.String("kind", kindOf(&t)), zap.Int("bytes", t.Size)}
	if shown := t.Payload[:min(len(t.Payload), debugData)]; len(shown) > 0 {
		if t.Op == ws.OpText {
			for len(shown) < len(t.Payload) && len(shown) > 0 && !utf8.RuneStart(t.Payload[len(shown)]) {
				shown = shown[:len(shown)-1]
			}
			fields = append(fields, zap.String("data", printable(string(shown))))
		} else {
			fields = append(fields, zap.Binary("data", shown))
		}
	}
	if t.Out {
		fields = append(fields, zap.Stringer("result", t.Result))
	}
	x.write("debug: message", fields...)
}

// kindOf names what was traced: an envelope by its type, other messages by their
// kind, control frames by what they are.
func kindOf(t *ws.Traced) string {
	switch t.Op {
	case ws.OpBinary:
		return KindBinary.String()
	case ws.OpPing:
		return "ping frame"
	case ws.OpPong:
		return "pong frame"
	case ws.OpClose:
		return "close frame"
	}
	if env, ok := parseEnvelope(t.Payload); ok {
		return strings.Trim(env.typ, "_")
	}
	i := skipBlanks(t.Payload, 0)
	if i < len(t.Payload) && (t.Payload[i] == '{' || t.Payload[i] == '[') && (t.Size > len(t.Payload) || isJSON(t.Payload)) {
		return KindJSON.String()
	}
	return KindString.String()
}
