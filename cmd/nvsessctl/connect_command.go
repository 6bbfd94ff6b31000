package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// connectCommands is for completion.
var connectCommands = []string{"/bin", "/close", "/creq", "/help", "/json", "/pending", "/ping", "/reply", "/text"}

// line does what a typed line says. again is false when the connection is over.
func (s *connectSession) line(ctx context.Context, line string) (again bool, err error) {
	if !strings.HasPrefix(line, "/") {
		return true, s.sendLine(ctx, line)
	}
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case "/text":
		return true, s.conn.SendString(ctx, rest)
	case "/json":
		return true, s.sendJSON(ctx, rest)
	case "/bin":
		return true, s.sendHex(ctx, rest)
	case "/creq":
		if err := admin.CheckJSON(rest); err != nil {
			return true, fmt.Errorf("/creq: %v", err)
		}
		return true, s.wait(ctx, func(ctx context.Context) error { return s.creq(ctx, rest) })
	case "/ping":
		return true, s.wait(ctx, s.ping)
	case "/pending":
		s.listPending()
		return true, nil
	case "/reply":
		return true, s.reply(ctx, rest)
	case "/close":
		return s.closeCommand(rest)
	case "/help":
		s.print.note(connectHelp)
		return true, nil
	}
	return true, fmt.Errorf("there is no %s; /help lists the commands, /text sends such a string", admin.Escape(connectClip(name, 40)))
}

// sendLine sends a line without a command: JSON is text like any other, and the
// other side looks at it the same way.
func (s *connectSession) sendLine(ctx context.Context, line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	if t := strings.TrimSpace(line); s.interactive && (t[0] == '{' || t[0] == '[') && !client.IsJSON([]byte(line)) {
		s.print.note(fmt.Sprintf("sent as a string: %v\n", admin.CheckJSON(line)))
	}
	return s.conn.SendString(ctx, line)
}

func (s *connectSession) sendJSON(ctx context.Context, text string) error {
	if err := admin.CheckJSON(text); err != nil {
		return fmt.Errorf("/json: %v", err)
	}
	if !client.IsJSON([]byte(text)) {
		return errors.New("/json: only an object or an array arrives as JSON; /text sends the rest")
	}
	return s.conn.SendString(ctx, text)
}

func (s *connectSession) sendHex(ctx context.Context, text string) error {
	digits := strings.TrimPrefix(strings.Join(strings.Fields(text), ""), "0x")
	b, err := hex.DecodeString(digits)
	if err != nil {
		return fmt.Errorf("/bin: %s; write bytes as 0a 14 1e", admin.Escape(strings.TrimPrefix(err.Error(), "encoding/hex: ")))
	}
	return s.conn.SendBinary(ctx, b)
}

// wait does what waits for an answer: beside the typing if somebody types, else
// before the next line.
func (s *connectSession) wait(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.opt.timeout)
	if !s.interactive {
		defer cancel()
		return f(ctx)
	}
	s.busy.Go(func() {
		defer cancel()
		if err := f(ctx); err != nil && s.conn.Err() == nil {
			s.print.note(connectError(err) + "\n")
		}
	})
	return nil
}

func (s *connectSession) creq(ctx context.Context, text string) error {
	begin := time.Now()
	answer, err := s.conn.Request(ctx, json.RawMessage(text))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("/creq: no answer within %v", s.opt.timeout)
	case err != nil:
		return err
	}
	whole, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	s.print.jsonMessage("sres", "", whole, connectRound(time.Since(begin)).String())
	return nil
}

func (s *connectSession) ping(ctx context.Context) error {
	d, err := s.conn.Ping(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("/ping: no pong within %v", s.opt.timeout)
	case err != nil:
		return err
	}
	s.print.pong(d)
	return nil
}

// connectRound keeps three digits.
func connectRound(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

func (s *connectSession) listPending() {
	s.mu.Lock()
	var b strings.Builder
	for _, p := range s.pending {
		fmt.Fprintf(&b, "%s %s ago %s\n", connectShortID(p.req.ID), connectRound(time.Since(p.at)),
			connectClip(string(admin.EscapeJSON(connectCompact(p.req.Data))), 200))
	}
	s.mu.Unlock()
	if b.Len() == 0 {
		b.WriteString("nothing waits for an answer\n")
	}
	s.print.note(b.String())
}

func (s *connectSession) reply(ctx context.Context, rest string) error {
	prefix, text, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if prefix == "" {
		return errors.New("/reply ID JSON; /pending lists the ids")
	}
	if s.withoutID(rest) {
		prefix, text = "", rest
	}
	if err := admin.CheckJSON(text); err != nil {
		return fmt.Errorf("/reply: %v", err)
	}
	// Take it first: two answers to one request are one too many.
	p, err := s.takePending(prefix)
	if err != nil {
		return err
	}
	if err := s.conn.Reply(ctx, p.req.ID, json.RawMessage(text)); err != nil {
		return err
	}
	s.print.jsonMessage("cres", p.req.ID, []byte(text), "")
	return nil
}

// withoutID reports whether what follows /reply is JSON only: then it answers the one request that waits.
func (s *connectSession) withoutID(rest string) bool {
	rest = strings.TrimSpace(rest)
	if strings.ContainsRune("{[\"", rune(rest[0])) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return admin.CheckJSON(rest) == nil && !slices.ContainsFunc(s.pending, func(p connectSreq) bool { return strings.HasPrefix(p.req.ID, rest) })
}

// takePending takes the request whose id begins so; for "", the only one.
func (s *connectSession) takePending(prefix string) (connectSreq, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case prefix == "" && len(s.pending) == 0:
		return connectSreq{}, errors.New("/reply: nothing waits for an answer")
	case prefix == "" && len(s.pending) > 1:
		return connectSreq{}, fmt.Errorf("/reply: %d requests wait, so an ID is needed before the JSON; /pending lists them", len(s.pending))
	}
	found := -1
	for i, p := range s.pending {
		if p.req.ID == prefix {
			found = i
			break
		}
		if !strings.HasPrefix(p.req.ID, prefix) {
			continue
		}
		if found >= 0 {
			return connectSreq{}, fmt.Errorf("/reply: several pending requests begin with %s", admin.Quote(prefix))
		}
		found = i
	}
	if found < 0 {
		return connectSreq{}, fmt.Errorf("/reply: no pending request begins with %s; /pending lists them", admin.Quote(connectClip(prefix, 64)))
	}
	p := s.pending[found]
	s.pending = append(s.pending[:found:found], s.pending[found+1:]...)
	return p, nil
}

// pendingIDs is for completion.
func (s *connectSession) pendingIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.pending))
	for i, p := range s.pending {
		ids[i] = p.req.ID
	}
	return ids
}

func (s *connectSession) closeCommand(rest string) (again bool, err error) {
	word, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	code := client.CloseNormal
	if word != "" {
		if code, err = strconv.Atoi(word); err != nil {
			return true, fmt.Errorf("/close: %s is not a close code", admin.Quote(connectClip(word, 40)))
		}
	}
	if err := client.CheckClose(code, reason); err != nil {
		return true, fmt.Errorf("/close: %w", err)
	}
	return false, s.close(code, reason)
}
