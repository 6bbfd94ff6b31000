package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/session"
)

// When the daemon is replaced by another process, calls that wait (for an answer, for events) go on there: each is written down with the
// descriptor of its caller's connection, and the caller notices nothing. What is quick is waited for; what comes meanwhile waits itself.

// SuspendedCall is a call that another process, or this one after all, goes on with.
type SuspendedCall struct {
	FD      int             `json:"fd"` // of the caller's connection
	Command string          `json:"command"`
	Args    json.RawMessage `json:"args"`
	State   json.RawMessage `json:"state,omitempty"` // how far it has come; none: it has not begun, or has nothing to go on from
	Begun   bool            `json:"begun,omitempty"` // the head of the answer is out, and its body is in chunks
	Since   time.Time       `json:"since"`           // when it began
	Left    time.Duration   `json:"left,omitempty"`  // until its deadline

	conn  net.Conn
	watch *session.Watch // of a call that watches, once it is ready
}

// suspension is what a Command.Run returns when its context ended with session.ErrSuspend: where to go on.
type suspension struct {
	state any
	left  time.Duration
}

func (*suspension) Error() string { return session.ErrSuspend.Error() }

// keep notes a call that is suspended, and takes its connection from the HTTP server.
func (s *Server) keep(w http.ResponseWriter, cmd *Command, args Args, c *Call, why *suspension) {
	raw, err := marshal(args)
	if err != nil {
		return // its connection ends
	}
	call := SuspendedCall{Command: cmd.Name, Args: raw, Since: c.since, Begun: c.stream != nil && c.stream.begun}
	if why != nil {
		call.Left = why.left
		if why.state != nil {
			if call.State, err = marshal(why.state); err != nil {
				return
			}
		}
	}
	if call.Begun && c.stream.flush() != nil {
		return
	}
	if e, ok := w.(*endlessWriter); ok { // suspended before
		call.conn, call.Begun = e.give(), e.begun
	} else {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Time{})
		call.conn = conn
	}
	if call.FD, err = descriptorOf(unwrap(call.conn)); err != nil {
		_ = call.conn.Close()
		return
	}
	s.gate.mu.Lock()
	held := s.gate.held
	if held {
		s.gate.calls = append(s.gate.calls, call)
	}
	s.gate.mu.Unlock()
	if !held { // it was too slow for Suspend, and all goes on
		s.Continue(call)
	}
}

// cutOff ends a caller's connection without another word.
func cutOff(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func unwrap(c net.Conn) net.Conn {
	if p, ok := c.(*peerConn); ok {
		return p.Conn
	}
	return c
}

// Adopt makes the connection of a call that came from another process this process's.
func (c *SuspendedCall) Adopt() error {
	_ = unix.SetNonblock(c.FD, true)
	f := os.NewFile(uintptr(c.FD), "caller")
	defer f.Close()
	conn, err := net.FileConn(f)
	c.conn = conn
	return err
}

// Ready prepares a suspended call, before sessions go on: what happens to them until Continue is told to who watches.
func (s *Server) Ready(call *SuspendedCall) {
	cmd := Lookup(call.Command)
	if cmd == nil || cmd.Ready == nil {
		return
	}
	args, err := call.args(cmd)
	if err == nil {
		err = cmd.Ready(s.options.Sessions, args, call)
	}
	if err != nil {
		s.options.Log.Warn("an operator's call may miss something", zap.String("command", cmd.Name), zap.Error(err))
	}
}

func (c *SuspendedCall) args(cmd *Command) (Args, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(c.Args, &given); err != nil {
		return Args{}, err
	}
	return cmd.decodeArgs(given)
}

// Continue goes on with a suspended call, whose connection is this process's.
func (s *Server) Continue(call SuspendedCall) {
	cmd := Lookup(call.Command)
	conn := call.conn
	_ = conn.SetReadDeadline(time.Time{}) // see give
	peer, err := peerOf(unwrap(conn))
	var args Args
	if cmd == nil {
		err = errorf(CodeNoSuchCommand, "the daemon that has been put in place has no command %s", Quote(call.Command))
	}
	if err == nil && !s.access.Load().permits(peer, s.uid) {
		err = errorf(CodeNotPermitted, "user %d may not command this daemon", peer.UID)
	}
	if err == nil {
		args, err = call.args(cmd)
	}
	w := &endlessWriter{conn: conn, buf: bufio.NewWriterSize(conn, 4<<10), begun: call.Begun, header: http.Header{}}
	w.header.Set(startedHeader, strconv.FormatInt(s.options.started.UnixNano(), 10))
	w.header.Set("Connection", "close")
	s.continued.Go(func() {
		if call.watch != nil {
			defer call.watch.Stop()
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
		defer w.end()
		go w.watch(cancel)
		if err == nil {
			err = s.call(ctx, w, cmd, args, peer, &call)
		}
		if err != nil {
			writeError(w, asError(err))
		}
	})
}

// endlessWriter writes the answer to a call whose connection is not net/http's any more.
type endlessWriter struct {
	conn   net.Conn
	buf    *bufio.Writer
	begun  bool // the head was out before; the body is in chunks
	status bool // the head is out
	header http.Header
	given  bool
}

func (w *endlessWriter) Header() http.Header { return w.header }

func (w *endlessWriter) WriteHeader(status int) {
	if w.begun || w.status {
		return
	}
	w.status = true
	fmt.Fprintf(w.buf, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = w.header.Write(w.buf)
	_, _ = w.buf.WriteString("\r\n")
}

func (w *endlessWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !w.begun {
		w.WriteHeader(http.StatusOK)
		return w.buf.Write(p)
	}
	fmt.Fprintf(w.buf, "%x\r\n", len(p))
	n, err := w.buf.Write(p)
	_, _ = w.buf.WriteString("\r\n")
	return n, err
}

// FlushError is for http.ResponseController.
func (w *endlessWriter) FlushError() error {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.buf.Flush()
}

// SetWriteDeadline is for http.ResponseController.
func (w *endlessWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }

func (w *endlessWriter) end() {
	if w.given {
		return
	}
	if w.begun {
		_, _ = w.buf.WriteString("0\r\n\r\n")
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(bodyTimeout))
	_ = w.buf.Flush()
	_ = w.conn.Close()
}

// give hands the connection on.
func (w *endlessWriter) give() net.Conn {
	_ = w.buf.Flush()
	w.given = true
	_ = w.conn.SetReadDeadline(time.Now()) // ends watch
	return w.conn
}

// watch waits for the caller to leave.
func (w *endlessWriter) watch(cancel context.CancelCauseFunc) {
	var b [1]byte
	for {
		if _, err := w.conn.Read(b[:]); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				cancel(context.Canceled)
			}
			return
		}
	}
}

// suspended is what a command returns whose context has ended: err, or where to go on if that is why.
func (c *Call) suspended(ctx context.Context, err error, state func(*session.Suspended) any) error {
	var left *session.Suspended
	if !errors.As(err, &left) {
		return err
	}
	out := &suspension{state: state(left)}
	if deadline, ok := ctx.Deadline(); ok {
		out.left = max(time.Until(deadline), time.Millisecond)
	}
	return out
}

// resumeInto reads how far a call had come, and reports whether it had.
func (c *Call) resumeInto(state any) (bool, error) {
	if c.resumed == nil || len(c.resumed.State) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(c.resumed.State, state); err != nil {
		return false, fmt.Errorf("the state of the call is damaged: %w", err)
	}
	return true, nil
}
