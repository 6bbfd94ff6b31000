package main

import (
	"context"
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
	keys    *readline.CancelableStdin // what the editor reads; closing it ends the editing
	history *history
	json    bool
	signals chan os.Signal // SIGINT; while a line is edited Ctrl-C is a key

	found   *unix.Termios // the terminal's settings before the line editor's
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
	defer context.AfterFunc(ctx, func() { r.keys.Close() })()
	return r.loop(ctx)
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
	p.Printf("%s\n", p.Styled(admin.Dim, "at "+r.client.Path()+"; help lists the commands, Tab completes, Ctrl-D leaves"))
	return nil
}

func (r *repl) openEditor(in, out *os.File) error {
	view := &lineView{out: out, prompt: prompt, width: func() int {
		if columns, _, err := term.GetSize(int(out.Fd())); err == nil && columns > 0 {
			return columns
		}
		return 80
	}}
	r.keys = readline.NewCancelableStdin(keyReader{in})
	cfg := &readline.Config{
		Prompt: prompt, Painter: view, Stdin: r.keys, Stdout: view, Stderr: view,
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

// loop reads and carries out lines.
func (r *repl) loop(ctx context.Context) error {
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
		inv, err := admin.ParseLine(line)
		if err == nil && inv == nil {
			continue
		}
		if err == nil && inv.Command.Name == "exit" && !inv.Help {
			return nil
		}
		if err == nil {
			err = r.carryOut(ctx, inv)
		}
		r.show(err)
	}
	return nil
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
	out := newPager(ctx, r.out, inv.Command.Stream)
	p := newPrinter(r.out)
	p.W = out
	answer, err := r.client.Do(ctx, inv, p, func() {
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
		admin.Explain(newPrinter(r.std.err), err)
	}
}
