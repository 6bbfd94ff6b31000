package admin

import (
	"slices"
	"strings"
)

// Invocation is a command with its arguments, read from a line or from the arguments of a process.
type Invocation struct {
	Command *Command
	Args    Args
	JSON    bool // --json: show the answer as the API gives it
	Help    bool // --help: show the help of the command instead

	// File is a file whose content is the payload; "-" is standard input.
	File string
	// NeedsPayload: nothing to send was given. The console may take it from standard input, or call it an error.
	NeedsPayload bool
}

// UsageError is a command that cannot be understood.
type UsageError struct {
	Command *Command // nil when not even that is known
	Reason  string
}

func (e *UsageError) Error() string { return e.Reason }

// ParseLine reads a line of the console. An empty line or a comment (#) gives nil.
func ParseLine(line string) (*Invocation, error) {
	line = strings.TrimRight(line, "\r\n")
	if s := strings.TrimSpace(line); s == "" || s[0] == '#' {
		return nil, nil
	}
	return parse(&lineWords{line: line})
}

// ParseArgs reads the arguments of a process, the first of which is the command.
func ParseArgs(args []string) (*Invocation, error) {
	return parse(&argWords{args: args})
}

func parse(ws words) (*Invocation, error) {
	first, ok, err := ws.peek()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &UsageError{Reason: "a command is missing"}
	}
	ws.advance()
	cmd, err := lookup(first.text)
	if err != nil {
		return nil, err
	}
	p := parser{ws: ws, cmd: cmd, inv: &Invocation{Command: cmd, Args: Args{map[string]any{}}}, todo: cmd.positional(), options: true}
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.inv, nil
}

// lookup finds a command by what was typed for it.
func lookup(typed string) (*Command, error) {
	if c := Lookup(typed); c != nil {
		return c, nil
	}
	reason := "there is no command " + Quote(clip(typed, 40))
	switch near := Nearest(typed); {
	case near != "":
		reason += "; did you mean " + near + "?"
	case strings.ContainsAny(typed, ".(=;"):
		reason += "; the command js runs JavaScript"
	}
	return nil, &UsageError{Reason: reason}
}

type parser struct {
	ws      words
	cmd     *Command
	inv     *Invocation
	todo    []*Arg // arguments by position still to come
	options bool   // words with a dash are options; false after "--"
}

func (p *parser) errorf(format string, args ...any) error {
	return &UsageError{Command: p.cmd, Reason: sprintf(format, args...)}
}

func (p *parser) run() error {
	for {
		w, ok, err := p.ws.peek()
		if err != nil {
			if len(p.todo) > 0 && p.todo[0].Rest() {
				ok = true // what is to be sent may hold any quotes
			} else {
				return err
			}
		}
		if !ok {
			return p.finish()
		}
		switch took, err := p.option(w); {
		case err != nil:
			return err
		case p.inv.Help:
			return nil
		case took:
			continue
		}
		if err := p.positional(w); err != nil {
			return err
		}
	}
}

// option takes the word as an option if it is one.
func (p *parser) option(w word) (bool, error) {
	if !p.options || w.quoted || len(w.text) < 2 || w.text[0] != '-' {
		return false, nil
	}
	if w.text == "--" {
		p.ws.advance()
		p.options = false
		return true, nil
	}
	name, value, hasValue := strings.Cut(strings.TrimPrefix(w.text[1:], "-"), "=")
	switch a := p.cmd.option(name); {
	case a != nil:
		p.ws.advance()
		return true, p.setOption(a, value, hasValue)
	case w.text == "--json":
		p.ws.advance()
		p.inv.JSON = true
		return true, nil
	case w.text == "--help" || w.text == "-h":
		p.ws.advance()
		p.inv.Help = true
		return true, nil
	}
	if len(p.todo) > 0 && (p.todo[0].Type == TypeSession || p.todo[0].Name == "id") {
		return false, nil // an id may begin with a dash
	}
	hint := ""
	if slices.ContainsFunc(p.todo, func(a *Arg) bool { return a.Rest() || a.Type == TypeWords }) {
		hint = "; if it is no option, use -- before it"
	}
	return false, p.errorf("%s has no option %s%s", p.cmd.Name, Quote(clip(w.text, 40)), hint)
}

func (p *parser) setOption(a *Arg, value string, hasValue bool) error {
	if a.Type == TypeBool && !hasValue {
		value, hasValue = "true", true
	}
	if !hasValue {
		w, ok, err := p.ws.peek()
		if err != nil {
			return err
		}
		if !ok {
			return p.errorf("%s needs a value", a.spelling())
		}
		p.ws.advance()
		value = w.text
	}
	if a.Type == TypeFile {
		p.inv.File = value
		return nil
	}
	return p.set(a, value)
}

func (p *parser) set(a *Arg, text string) error {
	v, err := a.parse(text)
	if err != nil {
		if e, ok := err.(*Error); ok {
			return p.errorf("%s", e.Message)
		}
		return err
	}
	p.inv.Args.values[a.Name] = v
	return nil
}

func (p *parser) positional(w word) error {
	if w.text == "-" && !w.quoted && p.options && p.payloadNext() {
		p.ws.advance()
		p.inv.File = "-"
		p.todo = slices.DeleteFunc(p.todo, func(a *Arg) bool { return a == p.cmd.payload() })
		return nil
	}
	if len(p.todo) == 0 {
		return p.errorf("%s is more than %s takes", Quote(clip(w.text, 40)), p.cmd.Name)
	}
	a := p.todo[0]
	if a.Type == TypeInt && !a.Required && len(p.todo) > 1 && strings.Trim(w.text, "0123456789") != "" {
		p.todo = p.todo[1:] // the optional number was left out
		a = p.todo[0]
	}
	p.todo = p.todo[1:]
	switch a.Type {
	case TypeJSON:
		text, err := p.ws.jsonValue()
		if err != nil {
			return err
		}
		return p.set(a, text)
	case TypeText:
		return p.set(a, p.ws.rest())
	case TypeWords:
		return p.set(a, p.takeWords())
	}
	p.ws.advance()
	return p.set(a, w.text)
}

// payloadNext reports whether what comes now is what gets sent.
func (p *parser) payloadNext() bool {
	payload := p.cmd.payload()
	if payload == nil {
		return false
	}
	return payload.Option && len(p.todo) == 0 || len(p.todo) > 0 && p.todo[0] == payload
}

// takeWords joins words as they were typed, up to the next option.
func (p *parser) takeWords() string {
	var raw []string
	for {
		w, ok, err := p.ws.peek()
		if err != nil {
			return strings.Join(append(raw, p.ws.rest()), " ")
		}
		if !ok || p.isOption(w) {
			return strings.Join(raw, " ")
		}
		p.ws.advance()
		raw = append(raw, w.raw)
	}
}

func (p *parser) isOption(w word) bool {
	if !p.options || w.quoted || len(w.text) < 2 || w.text[0] != '-' {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(w.text[1:], "-"), "=")
	return p.cmd.option(name) != nil || w.text == "--json" || w.text == "--help"
}

// finish checks that nothing is missing.
func (p *parser) finish() error {
	payload := p.cmd.payload()
	var missing []string
	for i := range p.cmd.Args {
		a := &p.cmd.Args[i]
		if !a.Required || p.inv.Args.Has(a.Name) {
			continue
		}
		if a == payload {
			continue
		}
		missing = append(missing, a.metavar())
	}
	if len(missing) > 0 {
		return p.errorf("%s needs %s", p.cmd.Name, strings.Join(missing, " and "))
	}
	p.inv.NeedsPayload = payload != nil && !p.inv.Args.Has(payload.Name) && !p.inv.Args.Has("hex") && p.inv.File == ""
	return nil
}

// PayloadError is what to say when NeedsPayload and there is nothing to read it from.
func (inv *Invocation) PayloadError() error {
	what := inv.Command.payload().metavar()
	if inv.Command.payload().Option {
		what = "--hex, --base64 or --file"
	}
	return &UsageError{Command: inv.Command, Reason: sprintf("%s needs %s", inv.Command.Name, what)}
}

// SetPayload gives what was read for the payload: base64 for bytes, JSON or text as it is.
func (inv *Invocation) SetPayload(text string) error {
	a := inv.Command.payload()
	if a.Type == TypeJSON {
		text = strings.Trim(text, jsonSpace)
	}
	v, err := a.parse(text)
	if err != nil {
		return err
	}
	inv.Args.values[a.Name] = v
	inv.NeedsPayload, inv.File = false, ""
	return nil
}

// Binary reports whether the payload is bytes, to be given to SetPayload in base64.
func (inv *Invocation) Binary() bool {
	p := inv.Command.payload()
	return p != nil && p.Name == "base64"
}
