package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chzyer/readline"
	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// connectSession is one connection and what the user does with it.
type connectSession struct {
	opt         *connectOptions
	print       *connectPrinter
	interactive bool

	conn *client.Conn
	busy sync.WaitGroup // commands that wait for an answer
	full chan struct{}  // closed when opt.count messages have come

	mu       sync.Mutex    // guards what follows
	received int           // messages printed
	pending  []connectSreq // waiting for /reply, oldest first
}

// connectSreq is a request of the server that waits for an answer by hand.
type connectSreq struct {
	req client.Envelope
	at  time.Time
}

// connectMaxPending bounds the requests kept for /reply; a server that asks on
// and on loses the oldest.
const connectMaxPending = 1000

func newConnectSession(opt *connectOptions, out, notes io.Writer) *connectSession {
	return &connectSession{
		opt:   opt,
		print: &connectPrinter{opt: opt, out: out, notes: notes, now: time.Now},
		full:  make(chan struct{}),
	}
}

// openInput edits lines on a terminal, and there prints by way of the editor,
// which keeps the line being typed apart; elsewhere it reads lines as they are.
func (s *connectSession) openInput(stdin io.Reader, stdout io.Writer) (connectInput, error) {
	in, inOK := stdin.(*os.File)
	out, outOK := stdout.(*os.File)
	if !inOK || !outOK || !readline.IsTerminal(int(in.Fd())) || !readline.IsTerminal(int(out.Fd())) {
		return newConnectPipe(stdin), nil
	}
	ed, err := newConnectEditor(in, out, s.pendingIDs)
	if err != nil {
		return nil, err
	}
	s.interactive, s.print.interactive = true, true
	s.print.out, s.print.notes = ed, ed
	return ed, nil
}

func (s *connectSession) dial(ctx context.Context) error {
	opts := append(s.opt.dialOptions(), client.WithHandlers(client.Handlers{
		String: func(_ *client.Conn, text string) { s.arrived(func() { s.print.text(text) }) },
		JSON:   func(_ *client.Conn, j json.RawMessage) { s.arrived(func() { s.print.jsonMessage("json", "", j, "") }) },
		Binary: func(_ *client.Conn, b []byte) { s.arrived(func() { s.print.binary(b) }) },
		Cfg: func(_ *client.Conn, cfg client.Cfg) {
			if s.interactive || s.opt.verbose {
				s.print.cfg(cfg)
			}
		},
		Request: func(c *client.Conn, req client.Envelope) { s.arrived(func() { s.asked(c, req) }) },
	}))
	if s.opt.verbose {
		opts = append(opts, client.WithTrace(func(_ *client.Conn, e client.Trace) { s.print.trace(e) }))
	}
	if s.interactive || s.opt.verbose {
		// Before anything that arrives.
		s.print.mu.Lock()
		defer s.print.mu.Unlock()
	}
	conn, err := client.Dial(ctx, s.opt.url, opts...)
	if err != nil {
		return connectDialError(s.opt.url, err)
	}
	s.conn = conn
	if s.interactive || s.opt.verbose {
		subprotocol := ""
		if p := conn.Subprotocol(); p != "" {
			subprotocol = ", subprotocol " + admin.Escape(p)
		}
		how := ""
		if s.interactive {
			how = "; /help lists the commands, Ctrl-D closes"
		}
		s.print.noteLocked(fmt.Sprintf("connected to %s%s%s\n", admin.Escape(s.opt.url), subprotocol, how))
	}
	return nil
}

// arrived counts a message and prints it, unless enough have come.
func (s *connectSession) arrived(print func()) {
	s.mu.Lock()
	enough := s.opt.count > 0 && s.received >= s.opt.count
	if !enough {
		s.received++
	}
	last := s.opt.count > 0 && s.received == s.opt.count
	s.mu.Unlock()
	if enough {
		return
	}
	print()
	if last {
		close(s.full)
	}
}

// asked takes a request of the server. It runs before any later message is
// handled, so that /reply finds what was printed.
func (s *connectSession) asked(c *client.Conn, req client.Envelope) {
	var answer json.RawMessage
	switch {
	case s.opt.auto != "":
		answer = json.RawMessage(s.opt.auto)
	case s.opt.autoEcho:
		if answer = req.Data; answer == nil {
			answer = json.RawMessage("null")
		}
	default:
		s.mu.Lock()
		s.pending = append(s.pending, connectSreq{req, time.Now()})
		if len(s.pending) > connectMaxPending {
			s.pending = slices.Delete(s.pending, 0, 1)
		}
		s.mu.Unlock()
		s.print.sreq(req, s.interactive)
		return
	}
	s.print.sreq(req, false)
	if err := c.Reply(context.Background(), req.ID, answer); err != nil {
		s.print.note("reply failed: " + connectError(err) + "\n")
		return
	}
	s.print.jsonMessage("cres", req.ID, answer, "")
}

// run takes lines until the user, the server or the end of input ends it.
func (s *connectSession) run(ctx context.Context, in connectInput) error {
	in.next()
	for {
		select {
		case <-ctx.Done():
			return s.close(client.CloseNormal, "")
		case <-s.conn.Done():
			return s.closed()
		case <-s.full:
			return s.close(client.CloseNormal, "")
		case line, ok := <-in.lines():
			if !ok {
				return s.inputEnded(ctx, in.err())
			}
			again, err := s.line(ctx, line)
			if !again {
				return err
			}
			if err != nil && !s.interactive {
				s.close(client.CloseNormal, "")
				return fmt.Errorf("connect: %w", err)
			}
			if err != nil {
				s.print.note(connectError(err) + "\n")
			}
			in.next()
		}
	}
}

// inputEnded stays for what --wait and -n ask for.
func (s *connectSession) inputEnded(ctx context.Context, err error) error {
	if err != nil {
		s.close(client.CloseNormal, "")
		return fmt.Errorf("connect: reading input: %w", err)
	}
	if s.interactive || s.opt.wait == 0 && s.opt.count == 0 {
		return s.close(client.CloseNormal, "")
	}
	var over <-chan time.Time
	if s.opt.wait > 0 {
		t := time.NewTimer(s.opt.wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-s.full:
	case <-s.conn.Done():
		return s.closed()
	case <-over:
		s.mu.Lock()
		got := s.received
		s.mu.Unlock()
		if got < s.opt.count {
			s.close(client.CloseNormal, "")
			return fmt.Errorf("connect: %d of %d messages came within %v", got, s.opt.count, s.opt.wait)
		}
	}
	return s.close(client.CloseNormal, "")
}

// close closes from this side.
func (s *connectSession) close(code int, reason string) error {
	// Not the command's context: that may have ended, which is why it closes.
	err := s.conn.Close(context.Background(), code, reason)
	<-s.conn.Done()
	why := &client.CloseError{}
	if errors.As(s.conn.Err(), &why) && why.Remote {
		return s.closed() // the server was faster
	}
	if err != nil {
		return fmt.Errorf("connect: %s", connectError(err))
	}
	if s.interactive {
		says := ""
		if reason != "" {
			says = " " + admin.Quote(reason)
		}
		s.print.note(fmt.Sprintf("closed: %d%s\n", code, says))
	}
	return nil
}

// closed tells how a connection ended that this side did not close.
func (s *connectSession) closed() error {
	why := &client.CloseError{}
	errors.As(s.conn.Err(), &why)
	s.mu.Lock()
	got := s.received
	s.mu.Unlock()
	normal := why.Remote && (why.Code == client.CloseNormal || why.Code == client.CloseGoingAway || why.Code == client.CloseNoStatus)
	switch {
	case s.opt.count > 0 && got >= s.opt.count:
		return nil
	case got < s.opt.count:
		return fmt.Errorf("connect: %s, after %d of %d messages", connectError(why), got, s.opt.count)
	case normal:
		if s.interactive || s.opt.verbose {
			s.print.note(connectError(why) + "\n")
		}
		return nil
	}
	return fmt.Errorf("connect: %s", connectError(why))
}

// finish drops what is left and waits for the commands that wait for answers.
func (s *connectSession) finish() {
	s.conn.CloseNow()
	s.busy.Wait()
	<-s.conn.Done()
}

// connectError puts an error in words, without what the client package says of
// itself and of the address, which the command line says already.
func connectError(err error) string {
	text := strings.TrimPrefix(err.Error(), "client: ")
	if rest, ok := strings.CutPrefix(text, "dial"); ok {
		_, text, _ = strings.Cut(rest, ": ")
	}
	return admin.Escape(text)
}
