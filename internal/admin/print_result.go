package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// PrintResult shows a result as the command has it.
func PrintResult(p *Printer, inv *Invocation, result json.RawMessage) error {
	if inv.Command.Print == nil {
		p.JSON(result)
		return p.Err()
	}
	if err := inv.Command.Print(p, inv, result); err != nil {
		return err
	}
	return p.Err()
}

// shows makes a Print of a function that shows a decoded result.
func shows[T any](show func(p *Printer, v *T)) func(*Printer, *Invocation, json.RawMessage) error {
	return func(p *Printer, _ *Invocation, result json.RawMessage) error {
		var v T
		if err := json.Unmarshal(result, &v); err != nil {
			return err
		}
		show(p, &v)
		return nil
	}
}

var (
	printSent = shows(func(p *Printer, s *sent) {
		note := ""
		if s.Result == "queued" {
			note = ", behind what it has not read yet"
		}
		p.Printf("%s %s to %s%s\n", s.Result, plural(s.Bytes, "byte", "bytes"), ShortID(s.Session), note)
	})
	printPing = shows(func(p *Printer, r *pong) {
		p.Printf("pong from %s in %s\n", ShortID(r.Session), millis(r.Millis))
	})
	printClosed = shows(func(p *Printer, c *closed) {
		reason := ""
		if c.Reason != "" {
			reason = " " + Quote(c.Reason)
		}
		p.Printf("closing %s with %d%s\n", ShortID(c.Session), c.Code, reason)
	})
	printMode = shows(func(p *Printer, m *mode) { p.Printf("mode: %s\n", Escape(m.Mode)) })

	printLogLevel = shows(func(p *Printer, l *logLevel) { p.Printf("%s\n", Escape(l.Level)) })

	printRestarted = shows(func(p *Printer, r *restarted) {
		p.Printf("closed %s with 1012; still listening\n", plural(r.Closed, "session", "sessions"))
	})
	printVersion = shows(func(p *Printer, v *Version) {
		p.Printf("nvsessd %s, pid %d, up %s, %s, mode %s\n",
			Escape(v.Version), v.PID, uptime(p.Now().Sub(v.Started)), plural(v.Sessions, "session", "sessions"), Escape(v.Mode))
	})
	printOutcome = shows(func(p *Printer, o *Outcome) {
		if o.Targets == 0 {
			p.Printf("no session to send to\n")
			return
		}
		parts := []string{sprintf("sent to %d of %s", o.Sent, plural(o.Targets, "session", "sessions"))}
		for _, part := range []struct {
			n    int
			what string
		}{{o.Queued, "queued"}, {o.Slow, "slow"}, {o.Gone, "gone"}} {
			if part.n > 0 {
				parts = append(parts, sprintf("%d %s", part.n, part.what))
			}
		}
		if o.Awaited {
			parts = append(parts, sprintf("%d answered", o.Answered))
		}
		p.Printf("%s\n", strings.Join(parts, ", "))
	})
)

func printReply(p *Printer, _ *Invocation, l *Line) error {
	r := l.Reply
	switch {
	case r == nil:
	case r.Error != "":
		p.Printf("%s  %s\n", p.style(Cyan, ShortID(r.Session)), p.Styled(Red, r.Error))
	default:
		p.Printf("%s  %s\n", p.style(Cyan, ShortID(r.Session)), oneLine(dataOf(r.Envelope)))
	}
	return p.Err()
}

// dataOf is what an answer says: the rest of its envelope is the same in all answers.
func dataOf(envelope json.RawMessage) json.RawMessage {
	var e struct {
		Data json.RawMessage `json:"___data___"`
	}
	if json.Unmarshal(envelope, &e) != nil || len(e.Data) == 0 {
		return envelope
	}
	return e.Data
}

// oneLine writes JSON on one line, safe to show.
func oneLine(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return Quote(string(raw))
	}
	return string(EscapeJSON(b.Bytes()))
}

func printEvent(p *Printer, _ *Invocation, l *Line) error {
	if l.Dropped > 0 {
		p.Printf("%s\n", p.style(Yellow, sprintf("... %s left out here: more than could be shown", plural(int(l.Dropped), "event was", "events were"))))
	}
	e := l.Event
	if e == nil {
		return p.Err()
	}
	head := p.style(Dim, e.Time.Local().Format("15:04:05.000")) + "  "
	id := p.style(Cyan, ShortID(e.Session))
	switch e.Type {
	case "open":
		p.Printf("%s%s   %s  from %s\n", head, p.style(Green, "open"), id, dash(e.Remote))
	case "close":
		reason := ""
		if e.Reason != "" {
			reason = " " + Quote(e.Reason)
		}
		p.Printf("%s%s  %s  %d%s\n", head, p.style(Red, "close"), id, e.Code, reason)
	default:
		p.Printf("%s%s  %s  %s %s  %s\n", head, pad(Escape(e.Direction), 5, false), id,
			pad(Escape(e.Kind), 6, false), pad(size(uint64(e.Size)), 5, true), e.data())
	}
	return p.Err()
}

// data shows what there is of a message: JSON as it is, text in quotes, bytes in hexadecimal.
func (e *Event) data() string {
	more := ""
	if e.Truncated {
		more = " …"
	}
	switch {
	case e.Base64 != "":
		b, err := base64.StdEncoding.DecodeString(e.Base64)
		if err != nil {
			return Quote(e.Base64)
		}
		return hex.EncodeToString(b) + more
	case e.Kind == "string":
		return Quote(e.Text) + more
	case !e.Truncated && json.Valid([]byte(e.Text)):
		return oneLine(json.RawMessage(e.Text))
	}
	return Escape(e.Text) + more
}

// printStats prints a JSON object as lines of name and value, whatever is in it.
func printStats(p *Printer, _ *Invocation, result json.RawMessage) error {
	type stat struct{ name, value string }
	var stats []stat
	widest := 0
	var walk func(prefix string, raw json.RawMessage) error
	walk = func(prefix string, raw json.RawMessage) error {
		dec := json.NewDecoder(bytes.NewReader(raw))
		if t, err := dec.Token(); err != nil || t != json.Delim('{') {
			value := oneLine(raw)
			if s := ""; json.Unmarshal(raw, &s) == nil {
				value = dash(s)
			}
			stats = append(stats, stat{prefix, value})
			widest = max(widest, TextWidth(prefix))
			return nil
		}
		if !dec.More() && prefix != "" {
			stats = append(stats, stat{prefix, "none"})
			widest = max(widest, TextWidth(prefix))
		}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				return err
			}
			name := Escape(sprintf("%v", key))
			if prefix != "" {
				name = prefix + "." + name
			}
			if err := walk(name, v); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk("", result); err != nil {
		return err
	}
	for _, s := range stats {
		p.Printf("%s  %s\n", pad(s.name, widest, false), s.value)
	}
	return nil
}

func millis(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Microsecond).String()
}

// uptime is a duration in whole seconds.
func uptime(d time.Duration) string { return d.Round(time.Second).String() }
