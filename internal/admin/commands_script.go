package admin

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"
)

// outputBuffer is how many lines that scripts write wait for a reader before some are lost.
const outputBuffer = 256

func scriptCommands() []*Command {
	const group = "JavaScript"
	return []*Command{
		{
			Name: "js", Group: group, Stream: true,
			Summary: "run JavaScript in the daemon, and show its value",
			Help: "At the console's prompt no js is needed: a line that begins with none of the commands is JavaScript, and one that begins with ; always is. " +
				"It may go on over several lines; Ctrl-C drops what was typed, or interrupts what runs.\n\n" +
				"srv is the server of nv-session-simple. await may stand anywhere, variables stay, _ is the last value, and what scripts write with " +
				"console.log is shown above the prompt.\n\n" +
				"In a shell, - or no CODE reads it from standard input. What is written with console.log meanwhile comes first, warnings and errors on standard error; " +
				"then the value, unless it is undefined. With --json the value comes as JSON, null where JSON has no such value, and all that is written goes to standard error. " +
				"What is thrown makes the exit code 1; what does not parse 2.",
			Args: []Arg{
				{Name: "timeout", Short: "t", Type: TypeDuration, Option: true, Default: "none", Help: "interrupt it after this time, such as 500ms, 15s or 2m"},
				{Name: "colors", Type: TypeBool, Option: true, Help: "show the value in colours"},
				{Name: "width", Type: TypeInt, Option: true, Max: 10_000, Default: "80", Help: "break the lines of the value at this column"},
				{Name: "quiet", Type: TypeBool, Option: true, Help: "leave out what scripts write meanwhile"},
				{Name: "code", Type: TypeText, Required: true, Help: "the JavaScript; on a command line, the rest of the line, or - for standard input"},
			},
			Examples: []Example{
				{"js srv.sesses_.size", "how many sessions there are"},
				{"js srv.fst_sess()", ""},
				{"js await srv.lst_sess().conn_.send_jrr_sreq({hi: 'you must reply'})", ""},
				{"js srv.rgx_sess_filter(/chrome/)", "the sessions whose requests match"},
				{"js srv.regis_$json_handle$(async (j, conn, sess, self) => { console.log(j); await conn.ajsend({got: j}); })", "handle JSON messages"},
				{"js var t = setInterval(() => console.log(srv.sesses_.size), 1000)", "clearInterval(t) ends it"},
			},
			Run:       runJS,
			Print:     printValue,
			PrintLine: printOutput,
		},
		{
			Name: "js_output", Group: group, ReadOnly: true, Stream: true, Endless: true,
			Summary: "show what scripts write with console.log, as it happens",
			Help: "It runs until Ctrl-C. The console shows these lines above its prompt anyway. Errors of handlers are among them. " +
				"Lines that come faster than they are read are left out, and how many is said.",
			Examples:  []Example{{"js_output", ""}},
			Run:       runOutput,
			PrintLine: printOutput,
		},
		{
			Name: "js_complete", Group: group, ReadOnly: true, Hidden: true,
			Summary: "list the members of a JavaScript value",
			Help:    "The console completes JavaScript with it. Getters may run, and nothing else.",
			Args: []Arg{
				{Name: "expr", Type: TypeString, Help: "what has the members, such as srv.cfg_; without it, the global names"},
				{Name: "prefix", Type: TypeString, Help: "what the names begin with"},
			},
			Run: func(ctx context.Context, c *Call) (any, error) {
				s, err := c.script(true)
				if err != nil {
					return nil, err
				}
				ctx, cancel := context.WithTimeout(ctx, completionTimeout)
				defer cancel()
				names := s.Complete(ctx, c.Args.String("expr"), c.Args.String("prefix"))
				if names == nil {
					names = []string{}
				}
				return members{names}, nil
			},
		},
	}
}

type members struct {
	Names []string `json:"names"`
}

// Value is the answer of js.
type Value struct {
	Text  string          `json:"text"`
	Value json.RawMessage `json:"value"` // null also when JSON has no such value
	Took  string          `json:"took"`
}

// Undefined reports whether there is nothing to show to a shell.
func (v *Value) Undefined() bool { return sgr.ReplaceAllString(v.Text, "") == "undefined" }

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func runJS(ctx context.Context, c *Call) (any, error) {
	s, err := c.script(true)
	if err != nil {
		return nil, err
	}
	caller := ctx
	if d := c.Args.Duration("timeout", 0); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errorf(CodeNoReply, "the script did not end within %s", d))
		defer cancel()
	}
	out := s.Output(outputBuffer)
	defer out.Stop()
	if err := c.flush(); err != nil {
		return nil, err
	}
	begin := time.Now()
	running, ended := context.WithCancel(ctx) // also ends what runs when the caller no longer reads
	defer ended()
	var got EvalResult
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ended()
		got, err = s.Eval(running, c.Args.String("code"), EvalOptions{Colors: c.Args.Bool("colors"), Width: c.Args.Int("width")})
	}()
	lines := outputTo{c: c, out: out, quiet: c.Args.Bool("quiet")}
	lines.failed = lines.follow(running)
	ended()
	<-done
	if lines.failed == nil {
		lines.failed = lines.drain()
	}
	if lines.failed == nil && lines.quiet && lines.seq > 0 {
		lines.failed = c.send(&Line{Seq: lines.seq}) // for who follows js_output: so much comes before the result
	}
	switch {
	case lines.failed != nil:
		return nil, lines.failed
	case err != nil && ctx.Err() != nil && caller.Err() == nil:
		return nil, context.Cause(ctx) // the timeout
	case err != nil:
		return nil, err
	}
	if got.JSON == nil {
		got.JSON = json.RawMessage("null")
	}
	return Value{Text: got.Text, Value: got.JSON, Took: time.Since(begin).Round(time.Microsecond).String()}, nil
}

func runOutput(ctx context.Context, c *Call) (any, error) {
	s, err := c.script(true)
	if err != nil {
		return nil, err
	}
	out := s.Output(outputBuffer)
	defer out.Stop()
	if err := c.flush(); err != nil {
		return nil, err
	}
	lines := outputTo{c: c, out: out}
	if err := lines.follow(ctx); err != nil {
		return nil, err
	}
	return nil, ctx.Err()
}

// outputTo writes what scripts write to the caller.
type outputTo struct {
	c      *Call
	out    Output
	quiet  bool
	seq    uint64 // of the last line
	told   uint64 // lines said to be lost
	failed error
}

// follow goes on until ctx ends. Its error is the caller's, who does not read.
func (o *outputTo) follow(ctx context.Context) error {
	for {
		line, err := o.out.Next(ctx)
		if err != nil {
			return nil //nolint:nilerr // the end
		}
		if err := o.pass(line); err != nil {
			return err
		}
	}
}

// drain passes on what is there.
func (o *outputTo) drain() error {
	for o.out.Waiting() > 0 {
		line, err := o.out.Next(context.Background())
		if err != nil {
			return err
		}
		if err := o.pass(line); err != nil {
			return err
		}
	}
	return nil
}

func (o *outputTo) pass(line OutputLine) error {
	o.seq = line.Seq
	if o.quiet {
		return nil
	}
	if lost := o.out.Dropped(); lost > o.told {
		if err := o.c.send(&Line{Dropped: lost - o.told}); err != nil {
			return err
		}
		o.told = lost
	}
	if err := o.c.send(&Line{Output: &line}); err != nil {
		return err
	}
	if o.out.Waiting() > 0 {
		return nil
	}
	return o.c.flush()
}

// reloaded is the answer of reload_handlers.
type reloaded struct {
	File     string        `json:"file"`
	Handlers []HandlerInfo `json:"handlers"` // those that are JavaScript
	Hooks    []HookInfo    `json:"hooks"`
}

func runReload(ctx context.Context, c *Call) (any, error) {
	s, err := c.script(false)
	if err != nil {
		return nil, err
	}
	if err := s.Reload(ctx); errors.Is(err, ErrNoHandlersFile) {
		return nil, errorf(CodeNotAvailable, "%s", err)
	} else if err != nil {
		if e := (*ScriptError)(nil); errors.As(err, &e) {
			out := e.error()
			if e.Line > 0 {
				out.Message = sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Error())
			}
			return nil, out
		}
		return nil, errorf(CodeJS, "%s", err)
	}
	all := c.handlerList("")
	r := reloaded{File: s.File(), Handlers: []HandlerInfo{}, Hooks: all.Hooks}
	for _, h := range all.Handlers {
		if h.Source != "" {
			r.Handlers = append(r.Handlers, h)
		}
	}
	return r, nil
}
