package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/chzyer/readline"
	"github.com/nvsess/nvsess/internal/admin"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// prompt has no session count in it: it would be right only for a moment. The line the console begins with has one, and version.
const prompt = "nvsess> "

// repl is the console. One goroutine reads a line and carries it out; the line editor has its own, which read keys only while a line is
// being edited.
type repl struct {
	std     streams
	out     *os.File
	client  *admin.Client
	editor  *readline.Instance
	view    *lineView
	tty     *keyReader
	keys    *readline.CancelableStdin       // what the editor reads; closing it ends the editing
	edit    func([]rune, int) ([]rune, int) // what the key that was pressed last does to the line; nil: nothing
	output  *follower
	history *history
	json    bool
	signals chan os.Signal // SIGINT; while a line is edited Ctrl-C is a key

	found   *unix.Termios // the terminal's settings before the line editor's
	terse   bool          // undefined is not worth a line: more of what was pasted follows
	started string        // the run of the daemon that answered last
	down    bool          // the last command found no daemon
}

// console runs the console until the user leaves.
func console(ctx context.Context, opts options, std streams) error {
	in, out := std.in.(*os.File), std.out.(*os.File) // run has looked
	c, err := dial(opts.socket)
	if err != nil {
		return std.fail(err, false)
	}
	r := &repl{std: std, out: out, client: c, json: opts.json, history: openHistory(historyPath()), signals: make(chan os.Signal, 1)}
	signal.Notify(r.signals, syscall.SIGINT)
	defer signal.Stop(r.signals)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := r.greet(ctx); err != nil {
		return std.fail(err, false)
	}
	if err := r.openEditor(in, out); err != nil {
		return std.fail(err, false)
	}
	// The terminal is given back as it was found, whatever ends the console.
	defer r.editor.Close()
	following, unfollow := context.WithCancel(ctx)
	defer func() { unfollow(); r.output.wait() }()
	r.output = &follower{client: c, view: r.view, like: newPrinter(out)}
	r.output.attach(following, r.started)
	defer context.AfterFunc(ctx, func() { r.keys.Close() })()
	return r.loop(ctx, following)
}

// greet says what the console is connected to.
func (r *repl) greet(ctx context.Context) error {
	inv, err := admin.ParseLine("version")
	if err != nil {
		return err
	}
	p := newPrinter(r.out)
	answer, err := r.client.Do(ctx, inv, p, nil)
	if err != nil {
		return err
	}
	r.started = answer.Started
	p.Printf("%s\n", p.Styled(admin.Dim, "at "+r.client.Path()+"; help lists the commands, the rest is JavaScript"))
	return nil
}

func (r *repl) openEditor(in, out *os.File) error {
	size := func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(out.Fd()))
		if err != nil || columns <= 0 {
			columns = 80
		}
		if err != nil || rows <= 0 {
			rows = 24
		}
		return columns, rows
	}
	r.view = &lineView{
		out: out, prompt: prompt, window: -1,
		width:  func() int { columns, _ := size(); return columns },
		height: func() int { _, rows := size(); return rows },
	}
	r.tty = &keyReader{in: in}
	r.keys = readline.NewCancelableStdin(r.tty)
	cfg := &readline.Config{
		Prompt: prompt, Painter: r.view, Stdin: r.keys, Stdout: r.view, Stderr: r.view, Listener: r,
		AutoComplete:           &completer{repl: r},
		HistoryLimit:           historyLimit,
		HistorySearchFold:      true,
		DisableAutoSaveHistory: true,
		InterruptPrompt:        "^C",
		EOFPrompt:              "^D",
		FuncFilterInputRune:    r.key,
		// The view breaks lines itself, so the editor is told that they are never long enough to be broken.
		FuncGetWidth:       func() int { return 1 << 30 },
		FuncOnWidthChanged: func(func()) {},
		FuncIsTerminal:     func() bool { return true },
		FuncMakeRaw:        func() error { return r.raw(in) },
		FuncExitRaw:        func() error { return r.cooked(in) },
	}
	var err error
	if r.editor, err = readline.NewEx(cfg); err != nil {
		return err
	}
	for _, line := range r.history.lines {
		if err := r.editor.SaveHistory(line); err != nil {
			return err
		}
	}
	return nil
}

// bracketPastes asks the terminal to say what is pasted, while a line is edited.
func (r *repl) bracketPastes(on bool) {
	switch {
	case os.Getenv("TERM") == "dumb":
	case on:
		_, _ = r.out.WriteString("\x1b[?2004h")
	default:
		_, _ = r.out.WriteString("\x1b[?2004l")
	}
}

// loop reads and carries out inputs. following is how long the output of scripts is followed.
func (r *repl) loop(ctx, following context.Context) error {
	for ctx.Err() == nil {
		line, err := r.editor.Readline()
		switch {
		case ctx.Err() != nil:
			return nil // half a line is not carried out
		case errors.Is(err, readline.ErrInterrupt):
			if line == "" {
				fmt.Fprintln(r.out, "(Ctrl-D or exit leaves)")
			}
			r.forget()
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return r.std.fail(err, false)
		}
		r.remember(line)
		r.output.attach(following, r.started)
		if r.perform(ctx, typed([]rune(line))) {
			return nil
		}
	}
	return nil
}

// perform carries out what was entered: one input, or several that were pasted, up to the first that fails. leave: exit was among them.
func (r *repl) perform(ctx context.Context, text string) (leave bool) {
	list := splitInputs(text)
	for _, in := range list {
		if in.err != nil { // none is carried out: the mistake may be in any of them
			r.show(hinted(in.err, in.text))
			return false
		}
	}
	for i, in := range list {
		r.terse = i < len(list)-1
		leave, err := r.performOne(ctx, in)
		if leave || ctx.Err() != nil {
			return true
		}
		r.show(err)
		if rest := len(list) - i - 1; err != nil && rest > 0 {
			p := newPrinter(r.std.err)
			p.Printf("%s\n", p.Styled(admin.Dim, fmt.Sprintf("(what was pasted after that is not carried out: %d more)", rest)))
			return false
		}
	}
	return false
}

func (r *repl) performOne(ctx context.Context, in input) (leave bool, err error) {
	if !in.command {
		inv, err := jsInvocation(forced(in.text))
		if err != nil {
			return false, err
		}
		return false, hinted(r.carryOut(ctx, inv), in.text)
	}
	if word := firstWord(strings.TrimLeft(in.text, " \t")); isOutside(word) {
		return false, hinted(outsideError(word), in.text)
	}
	inv, err := admin.ParseLine(in.text)
	switch {
	case err != nil || inv == nil:
		return false, hinted(err, in.text)
	case inv.Command.Name == "exit" && !inv.Help:
		return true, nil
	case inv.Command.Name == "js_output" && !inv.Help && !inv.JSON && !r.json:
		p := newPrinter(r.out)
		p.Printf("%s\n", p.Styled(admin.Dim, "what scripts write is shown above this prompt anyway"))
		return false, p.Err()
	case inv.Command.Name == "help" && isOutside(inv.Args.String("command")):
		return false, r.outsideHelp(ctx, inv.Args.String("command"))
	}
	return false, hinted(r.carryOut(ctx, inv), in.text)
}

// outsideHelp explains a command of the shell's.
func (r *repl) outsideHelp(ctx context.Context, word string) error {
	out := newPager(ctx, r.out, false)
	out.hasScreen = r.view.hold
	p := newPrinter(r.out)
	p.W = out
	p.Printf("%s\n\n", p.Styled(admin.Dim, "For a shell, not for this prompt:"))
	switch word {
	case "connect":
		p.Printf("%s", connectUsage)
	case "tst":
		p.Printf("%s", tstUsage)
	default:
		p.Printf("%s", genUsage())
	}
	err := p.Err()
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, errPagerLeft) {
		return nil
	}
	return err
}

// remember puts a line into the history. One that begins with a blank is not for it.
func (r *repl) remember(line string) {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, " ") {
		r.forget()
		return
	}
	_ = r.editor.SaveHistory(line) // in memory: the file is ours
	r.history.add(line)
}

// forget makes the editor drop what it keeps of a line that is not remembered.
func (r *repl) forget() { _ = r.editor.SaveHistory("") }

// carryOut runs one command. Ctrl-C ends it and nothing else.
func (r *repl) carryOut(ctx context.Context, inv *admin.Invocation) error {
	if err := readPayload(inv, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for len(r.signals) > 0 {
		<-r.signals // from before
	}
	finished := make(chan struct{})
	watcher := make(chan struct{})
	go func() {
		defer close(watcher)
		select {
		case <-r.signals:
			cancel()
		case <-finished:
		}
	}()
	defer func() { close(finished); <-watcher }()

	inv.JSON = inv.JSON || r.json
	isJS := inv.Command.Name == "js"
	out := newPager(ctx, r.out, inv.Command.Stream && !isJS)
	out.hasScreen = r.view.hold
	p := newPrinter(r.out)
	p.W = out
	do := r.client.Do
	switch {
	case isJS:
		do = r.evaluate
	case watchesDrain(inv, r.out):
		do = func(ctx context.Context, inv *admin.Invocation, _ *admin.Printer, _ func()) (admin.Answer, error) {
			return runDrain(ctx, r.client, inv, r.out)
		}
	}
	answer, err := do(ctx, inv, p, func() {
		if inv.Command.Name == "watch" {
			p.Printf("%s\n", p.Styled(admin.Dim, "watching; Ctrl-C ends it"))
		}
	})
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	r.notice(answer)
	if errors.Is(err, errPagerLeft) {
		return nil
	}
	return err
}

// evaluate runs JavaScript and shows its value, after what was written before it.
func (r *repl) evaluate(ctx context.Context, inv *admin.Invocation, p *admin.Printer, _ func()) (admin.Answer, error) {
	code := inv.Args.String("code")
	if err := checkCode(code); err != nil {
		return admin.Answer{}, err
	}
	call := map[string]any{"code": code, "colors": p.Color && !inv.JSON, "quiet": true}
	if p.Width > 0 {
		call["width"] = p.Width
	}
	if d := inv.Args.Duration("timeout", 0); d > 0 {
		call["timeout"] = d.String()
	}
	answer, err := r.client.Stream(ctx, "js", call, nil, func(l *admin.Line) error {
		if l.Seq > 0 {
			r.output.reach(l.Seq)
		}
		return nil
	})
	if err != nil {
		return answer, err
	}
	var v admin.Value
	if err := json.Unmarshal(answer.Result, &v); err != nil {
		return answer, err
	}
	switch {
	case r.terse && v.Undefined():
		return answer, nil
	case inv.JSON:
		p.Printf("%s\n", admin.EscapeJSON(v.Value))
		return answer, p.Err()
	}
	return answer, admin.PrintResult(p, inv, answer.Result)
}

// notice says once that the daemon is another one than before.
func (r *repl) notice(a admin.Answer) {
	if a.Started == "" {
		return // none of its answers
	}
	if a.Started != r.started {
		p := newPrinter(r.std.err)
		p.Printf("%s\n", p.Styled(admin.Yellow, "nvsessd was restarted since the last command"))
	}
	r.started, r.down = a.Started, false
}

// show tells of an error.
func (r *repl) show(err error) {
	var gone *admin.NotReachableError
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(r.out) // the terminal has written ^C
	case errors.As(err, &gone):
		p := newPrinter(r.std.err)
		again := ""
		if !r.down {
			again = "; the next command tries again"
		}
		p.Printf("%s\n", p.Styled(admin.Red, err.Error()+again))
		r.down = true
	default:
		explain(newPrinter(r.std.err), err)
	}
}
