package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/hostile"
)

// says is what errors of some cases must name.
var says = map[string]string{
	"4.1 another key's Sec-WebSocket-Accept":           "Sec-WebSocket-Accept",
	"4.1 another Upgrade":                              "Upgrade is",
	"4.1 another Connection":                           "Connection is",
	"4.1 HTTP/1.0":                                     "HTTP/1.0",
	"4.1 a subprotocol that was not offered":           "not offered",
	"4.1 compression that was not offered":             "not offered",
	"4.1 status 302, not followed":                     "not followed",
	"not HTTP: control bytes":                          `\x1b`,
	"not HTTP: a greeting of SMTP":                     "not HTTP",
	"endless fields":                                   "larger than",
	"no answer":                                        "no answer within",
	"5.1 a masked frame":                               "masked",
	"5.2 a length of 125 in three bytes":               "three bytes",
	"5.2 a length of 2^63":                             "top bit",
	"5.2 the opcode 3":                                 "op code",
	"10.4 a frame of 2^62 bytes":                       "4611686018427387904",
	"10.4 endless fragments of nothing":                "frames",
	"8.1 a surrogate":                                  "UTF-8",
	"5.5.1 a close frame of one byte":                  "one byte",
	"5.5.1 a reason that is not UTF-8":                 "reason",
	"7.4 the code 1005, which is none":                 "1005",
	"7.1.5 the server hangs up after 134 of 158 bytes": "hung up",
	"RFC 7692, 7.2.2: garbage":                         "deflate",
	"RFC 7692, 7.1: the answer \"permessage-bzip2\"":   "not offered",
}

// TestConformance: whatever a server does, the client delivers what is whole,
// tells the server the right code, and reports what was wrong.
func TestConformance(t *testing.T) {
	s, err := hostile.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	named := 0
	for i, c := range hostile.Cases() {
		if says[c.Name] != "" {
			named++
		}
		splits := []int{0, 1}
		if c.Whole {
			splits = splits[:1]
		}
		for _, split := range splits {
			name := c.Name
			if split > 0 {
				name += ", byte by byte"
			}
			t.Run(name, func(t *testing.T) { conform(t, s, i, c, split) })
		}
	}
	if named != len(says) {
		t.Errorf("%d of %d errors belong to a case", named, len(says))
	}
}

func conform(t *testing.T, s *hostile.Server, index int, c hostile.Case, split int) {
	id := fmt.Sprintf("go-%d-%d", index, split)
	got := make(chan string, 100)
	closed := make(chan *CloseError, 1)
	opts := []Option{
		WithMaxMessage(hostile.MaxMessage),
		WithHandlers(Handlers{
			String: func(_ *Conn, s string) { got <- s },
			JSON:   func(_ *Conn, j json.RawMessage) { got <- string(j) },
			Binary: func(_ *Conn, b []byte) { got <- fmt.Sprintf("binary %d", len(b)) },
			Close:  func(_ *Conn, why *CloseError) { closed <- why },
		}),
	}
	if c.Compression {
		// Threshold: the client's own messages leave plain, as the server wants them.
		opts = append(opts, WithCompression(Compression{Threshold: 1 << 30}))
	}
	if c.Hurry {
		opts = append(opts, WithCloseTimeout(250*time.Millisecond))
	}
	if c.End == hostile.Timeout {
		opts = append(opts, WithHandshakeTimeout(250*time.Millisecond))
	}
	end, code, why := "", 0, error(nil)
	conn, err := Dial(within(t), s.URL(index, id, split), opts...)
	if err != nil {
		end, why = dialEnd(err), err
		if end == hostile.Refused && c.End == hostile.Unconnected {
			end = hostile.Unconnected // a refusal is one, and net/http may find fault first
		}
	} else {
		t.Cleanup(func() { conn.CloseNow(); wait(t, conn.Done()) })
		reported := recv(t, closed)
		end, code, why = closeEnd(reported), reported.Code, reported
		wait(t, conn.Done())
	}
	close(got)
	messages := []string{}
	for m := range got {
		messages = append(messages, m)
	}
	or := c.Or != "" && end == c.Or
	if end != c.End && !or || !or && code != c.Code {
		t.Errorf("ended %q with %d, want %q with %d: %v", end, code, c.End, c.Code, why)
	}
	if most := c.Messages[:min(len(messages), len(c.Messages))]; !slices.Equal(messages, most) || c.Or == "" && len(messages) < len(c.Messages) {
		t.Errorf("delivered %.100q, want %.100q", messages, c.Messages)
	}
	if text := why.Error(); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(text) > 1200 {
		t.Errorf("an error of %d bytes, with control characters or too long: %.300q", len(text), text)
	}
	if !strings.Contains(why.Error(), says[c.Name]) {
		t.Errorf("%v does not say %q", why, says[c.Name])
	}
	judge(t, s, id, c)
}

// judge compares with what the server saw.
func judge(t *testing.T, s *hostile.Server, id string, c hostile.Case) {
	t.Helper()
	v, err := s.Verdict(within(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if v.Illegal != "" {
		t.Errorf("the client sent %s", v.Illegal)
	}
	told := c.Code
	if c.End == hostile.Broken {
		told = 0
	}
	if v.Told != told && c.Or == "" {
		t.Errorf("the server was told %d, want %d", v.Told, told)
	}
}

func dialEnd(err error) string {
	var refused *HandshakeError
	switch {
	case strings.Contains(err.Error(), "no answer within"), errors.Is(err, context.DeadlineExceeded):
		return hostile.Timeout
	case errors.As(err, &refused), errors.Is(err, ErrHandshake):
		return hostile.Refused
	}
	return hostile.Unconnected
}

func closeEnd(why *CloseError) string {
	switch {
	case errors.Is(why, ErrTooBig):
		return hostile.TooBig
	case errors.Is(why, ErrProtocol):
		return hostile.Violation
	case why.Remote:
		return hostile.Closed
	case why.Code == CloseAbnormal:
		return hostile.Broken
	}
	return why.Error()
}
