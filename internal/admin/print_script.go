package admin

import (
	"encoding/json"
	"strings"
)

// printValue shows the value of js as Node.js does.
func printValue(p *Printer, _ *Invocation, result json.RawMessage) error {
	var v Value
	if err := json.Unmarshal(result, &v); err != nil {
		return err
	}
	p.Printf("%s\n", withoutTabs(v.Text))
	return p.Err()
}

func printOutput(p *Printer, _ *Invocation, l *Line) error {
	p.ScriptLine(l)
	return p.Err()
}

// ScriptLine shows a line of js or js_output: what a script has written, or that some of it was lost.
func (p *Printer) ScriptLine(l *Line) {
	if l.Dropped > 0 {
		p.Printf("%s\n", p.style(Yellow, sprintf("... %s lost here: more than could be shown", plural(int(l.Dropped), "line was", "lines were"))))
	}
	if l.Output == nil {
		return
	}
	style := map[string]Style{"warn": Yellow, "error": Red, "debug": Dim}[l.Output.Level]
	for line := range strings.SplitSeq(withoutTabs(l.Output.Text), "\n") {
		p.Printf("%s\n", p.Styled(style, line))
	}
}

// withoutTabs puts blanks in the place of tabs, up to the next stop.
func withoutTabs(s string) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		column := 0
		for j, part := range strings.Split(line, "\t") {
			if j > 0 {
				n := 8 - column%8
				b.WriteString(strings.Repeat(" ", n))
				column += n
			}
			b.WriteString(part)
			column += TextWidth(sgr.ReplaceAllString(part, ""))
		}
	}
	return b.String()
}

// scriptError shows what was thrown, as Node.js does: the message stands out, the stack does not.
func (p *Printer) scriptError(e *Error) {
	stack := e.Stack
	if stack == "" {
		stack = e.Message
	}
	message, frames := stack, ""
	if i := strings.Index(stack, "\n    at "); i >= 0 {
		message, frames = stack[:i], stack[i+1:]
	}
	for line := range strings.SplitSeq(withoutTabs(message), "\n") {
		p.Printf("%s\n", p.Styled(Red, line))
	}
	for line := range strings.SplitSeq(frames, "\n") {
		if line != "" {
			p.Printf("%s\n", p.Styled(Dim, line))
		}
	}
}

var printReloaded = shows(func(p *Printer, r *reloaded) {
	p.Printf("%s is loaded\n", Escape(r.File))
	for _, h := range r.Handlers {
		p.Printf("  %s  %s\n", pad(Escape(h.Kind), 12, false), Escape(h.Source))
	}
	for _, h := range r.Hooks {
		p.Printf("  %s  %s\n", pad(Escape(h.Name), 12, false), Escape(h.Source))
	}
	if len(r.Handlers)+len(r.Hooks) == 0 {
		p.Printf("  it registers no handler\n")
	}
})

var printHandlers = shows(func(p *Printer, l *handlerList) {
	p.Printf("mode: %s\n", Escape(l.Mode))
	from, kind := len("FROM"), len("KIND  ")
	for _, h := range l.Handlers {
		from = max(from, TextWidth(dash(h.Source)))
	}
	for _, h := range l.Hooks {
		from, kind = max(from, TextWidth(dash(h.Source))), max(kind, TextWidth(Escape(h.Name)))
	}
	row := func(name, handler, calls, errs, timeouts, source, allowed string) string {
		return strings.TrimRight(strings.Join([]string{pad(name, kind, false), pad(handler, 8, false), pad(calls, 8, true),
			pad(errs, 6, true), pad(timeouts, 8, true), pad(source, from, false), allowed}, "  "), " ")
	}
	number := func(n uint64) string { return sprintf("%d", n) }
	last := func(text string) {
		if text != "" {
			p.Printf("%s  %s\n", strings.Repeat(" ", kind), p.Styled(Red, "last error: "+clip(text, 300)))
		}
	}
	p.Printf("%s\n", p.style(Bold, row("KIND", "HANDLER", "CALLS", "ERRORS", "TIMEOUTS", "FROM", "MAY BE")))
	for _, h := range l.Handlers {
		p.Printf("%s\n", row(Escape(h.Kind), Escape(h.Name), number(h.Calls), number(h.Errors), number(h.Timeouts), dash(h.Source), Escape(strings.Join(h.Allowed, " "))))
		last(h.LastError)
	}
	for _, h := range l.Hooks {
		p.Printf("%s\n", row(Escape(h.Name), "hook", "-", number(h.Errors), number(h.Timeouts), dash(h.Source), ""))
		last(h.LastError)
	}
	if l.Waiting > 0 || l.Dropped > 0 || l.Closed > 0 {
		p.Printf("%s for handlers; %s because they came faster than they were handled, and %s for that\n",
			plural(int(l.Waiting), "message waits", "messages wait"), plural(int(l.Dropped), "was dropped", "were dropped"),
			plural(int(l.Closed), "session was closed", "sessions were closed"))
	}
})
