package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/nvsess/nvsess/internal/session"
)

// Command is one row of the table. Everything an operator can ask the daemon is one of these.
type Command struct {
	Name     string
	Aliases  []string // other spellings, among them nv-session-simple's
	Group    string   // heading in the help; one of Groups
	Summary  string   // one line, no full stop
	Help     string   // paragraphs, may be empty
	Args     []Arg
	Examples []Example

	// Stream: the answer is a sequence of lines, the last of which is the result.
	Stream bool
	// ReadOnly: it may be called with GET and is not logged, unless an argument with Changes is given.
	ReadOnly bool
	// Suspends: it may wait for long, and goes on in the process that replaces this one. Run returns a suspension then, or starts anew.
	Suspends bool
	// Ready begins what a call that goes on must not miss anything of: see Server.Ready.
	Ready func(s *session.Server, args Args, call *SuspendedCall) error
	// Endless: it goes on until its caller leaves, and has nothing to go on from in another process: its caller is cut off, and calls again.
	Endless bool
	// Hidden: part of the API, but not of the help.
	Hidden bool

	// Run is the daemon's half. It is nil for a command that the console carries out itself (help).
	Run func(ctx context.Context, c *Call) (any, error)
	// Print is the console's half: it shows a result, or one line of a stream. Nil prints the result as JSON.
	Print func(p *Printer, inv *Invocation, result json.RawMessage) error
	// PrintLine shows one line of a stream that is not its result.
	PrintLine func(p *Printer, inv *Invocation, line *Line) error
	// Verdict lets a result that arrived be a failure all the same: a broadcast nobody answered.
	Verdict func(result json.RawMessage) error
	// Pages: the result has "total" and "sessions", and the console fetches page after page.
	Pages bool
}

// Example is a line a user types, and what he may expect of it. The first one is also shown as a call of the API.
type Example struct {
	Line string
	Note string
}

// ArgType says how an argument is written and what the command receives.
type ArgType string

// The types of argument, by the JSON they are in the API.
const (
	TypeSession  ArgType = "session"  // string or number: id, unique prefix, index, fst, lst
	TypeSessions ArgType = "sessions" // array of them; on a line, separated by commas
	TypeJSON     ArgType = "json"     // any JSON value; on a line, the raw rest
	TypeText     ArgType = "text"     // string; on a line, the raw rest
	TypeWords    ArgType = "words"    // string; on a line, everything up to the next option
	TypeString   ArgType = "string"   // string, one word
	TypeList     ArgType = "list"     // array of strings; on a line, separated by commas
	TypeInt      ArgType = "int"      // whole number, not negative
	TypeDuration ArgType = "duration" // string such as "15s"
	TypeBool     ArgType = "bool"
	TypeFile     ArgType = "file" // a file read by the console, never by the daemon
)

// Arg is one argument of a command.
type Arg struct {
	Name     string
	Short    string // one letter, for options
	Type     ArgType
	Option   bool // written --NAME VALUE; otherwise by position
	Required bool
	Default  string   // as shown in the help; the command applies it
	Choices  []string // the only values allowed, if any
	Help     string

	// Changes: given this argument, a ReadOnly command changes something after all.
	Changes bool
	// Local: the console acts on it; the API does not know it.
	Local bool
	// Max is the largest value of a TypeInt; 0 is no limit.
	Max int64
	// Zero: a TypeDuration may be 0s.
	Zero bool
}

// Rest reports whether the argument takes what is left of the line as it stands.
func (a *Arg) Rest() bool { return !a.Option && (a.Type == TypeJSON || a.Type == TypeText) }

// MaxBinary is how many bytes one call can send: the daemon takes them in base64, with a little JSON around.
const MaxBinary = (maxBody - 1024) / 4 * 3

// payload finds the argument that is what gets sent, which the console may also read from standard input; nil if there is none.
func (c *Command) payload() *Arg {
	for _, name := range []string{"data", "base64"} {
		if a := c.Arg(name); a != nil {
			return a
		}
	}
	if a := c.Arg("code"); a != nil && a.Type == TypeText {
		return a
	}
	return nil
}

// Groups are the headings of the help, in its order.
var Groups = []string{"Sessions", "Messages", "Broadcast", "Handlers", "JavaScript", "Daemon", "Console"}

var (
	table  []*Command
	byName = map[string]*Command{}
)

// The table is made here and not in a variable's initialiser because help prints it.
func init() {
	table = slices.Concat(sessionCommands(), messageCommands(), broadcastCommands(), handlerCommands(), scriptCommands(), daemonCommands(), observeCommands(), consoleCommands())
	for _, c := range table {
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			if byName[name] != nil {
				panic("admin: two commands named " + name)
			}
			byName[name] = c
		}
	}
}

// Commands returns the table, in the order of the help. It must not be changed.
func Commands() []*Command { return table }

// Lookup finds a command by its name or an alias; nil when there is none.
func Lookup(name string) *Command { return byName[name] }

// Arg finds an argument by name; nil when there is none.
func (c *Command) Arg(name string) *Arg {
	for i := range c.Args {
		if c.Args[i].Name == name {
			return &c.Args[i]
		}
	}
	return nil
}

// option finds an option as it was typed, without its dashes.
func (c *Command) option(name string) *Arg {
	for i := range c.Args {
		if a := &c.Args[i]; a.Option && (a.Name == name || a.Short != "" && a.Short == name) {
			return a
		}
	}
	return nil
}

// positional returns the arguments that are given by position, in order.
func (c *Command) positional() []*Arg {
	var args []*Arg
	for i := range c.Args {
		if !c.Args[i].Option {
			args = append(args, &c.Args[i])
		}
	}
	return args
}

// Usage is the line that says how to write the command.
func (c *Command) Usage() string {
	parts := []string{c.Name}
	for i := range c.Args {
		if a := &c.Args[i]; a.Option {
			parts = append(parts, "["+a.spelling()+"]")
		}
	}
	for _, a := range c.positional() {
		word := a.metavar()
		if !a.Required {
			word = "[" + word + "]"
		}
		parts = append(parts, word)
	}
	return strings.Join(parts, " ")
}

// spelling is how an option is written: "-l", "--timeout DURATION".
func (a *Arg) spelling() string {
	s := "--" + a.Name
	if a.Short != "" {
		s = "-" + a.Short + "|" + s
	}
	if a.Type != TypeBool {
		s += " " + a.metavar()
	}
	return s
}

func (a *Arg) metavar() string {
	switch a.Type {
	case TypeSession:
		return "SESS"
	case TypeSessions:
		return "SESS,..."
	case TypeJSON:
		return "JSON"
	case TypeText:
		if a.Name == "data" {
			return "TEXT"
		}
		return strings.ToUpper(a.Name)
	case TypeDuration:
		return "DURATION"
	case TypeInt:
		if a.Option {
			return "N"
		}
		return strings.ToUpper(a.Name)
	case TypeFile:
		return "FILE"
	case TypeList:
		return strings.ToUpper(a.Name) + ",..."
	default:
		return strings.ToUpper(a.Name)
	}
}
