package main

import (
	"context"
	"errors"
	"os/signal"
	"syscall"

	"github.com/nvsess/nvsess/internal/admin"
)

// script carries out commands, a line each, and JavaScript from standard input. It stops at the first that fails, or with -k goes on and fails as the
// first one did.
func script(ctx context.Context, opts options, std streams) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := dial(opts.socket)
	if err != nil {
		return std.fail(err, opts.json)
	}
	source, failed := readInputs(std.in, maxPayload)
	var first error
	for {
		in, ok := source.next()
		if !ok {
			break
		}
		err := scriptInput(ctx, c, opts, in, std)
		if errors.Is(err, errLeave) {
			return first
		}
		if err == nil {
			continue
		}
		if !opts.json && ctx.Err() == nil {
			newPrinter(std.err).Printf("line %d: ", in.line)
		}
		err = std.fail(err, opts.json)
		if !opts.keepGoing || ctx.Err() != nil {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if err := failed(); err != nil {
		return std.fail(err, opts.json)
	}
	return first
}

// errLeave is the command exit.
var errLeave = errors.New("leave")

func scriptInput(ctx context.Context, c *admin.Client, opts options, in input, std streams) error {
	switch {
	case in.err != nil:
		return in.err
	case in.more && !in.command:
		return checkCode(forced(in.text)) // it ends too early
	case !in.command:
		inv, err := jsInvocation(forced(in.text))
		if err != nil {
			return err
		}
		inv.JSON = opts.json
		return hinted(runJS(ctx, c, inv, std), in.text)
	}
	if word := firstWord(in.text); isOutside(word) {
		return outsideError(word)
	}
	inv, err := admin.ParseLine(in.text)
	if err != nil || inv == nil {
		return err
	}
	if inv.Command.Name == "exit" && !inv.Help {
		return errLeave
	}
	inv.JSON = inv.JSON || opts.json
	if err := readPayload(inv, nil); err != nil {
		return err
	}
	if inv.Command.Name == "js" {
		return runJS(ctx, c, inv, std)
	}
	_, err = c.Do(ctx, inv, newPrinter(std.out), nil)
	return err
}
