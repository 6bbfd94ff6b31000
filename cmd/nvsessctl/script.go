package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
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
		if !placed(err, in.line) && !opts.json && ctx.Err() == nil {
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

// placed tells an error that has a line of its own where in the script its input begins. It reports whether the error has one.
func placed(err error, first int) bool {
	var code *admin.CodeError
	var json *admin.JSONError
	switch {
	case errors.As(err, &code):
		code.First = first
	case errors.As(err, &json):
		json.First = first
	default:
		return false
	}
	return true
}

// errLeave is the command exit.
var errLeave = errors.New("leave")

func scriptInput(ctx context.Context, c *admin.Client, opts options, in input, std streams) error {
	switch {
	case in.err != nil:
		return in.err
	case in.more && !in.command:
		err := checkCode(forced(in.text)) // it ends too early
		if strings.Contains(in.text, "\n") {
			err = &hintedError{err, fmt.Sprintf("what is not complete begins at line %d", in.line)}
		}
		return err
	case !in.command:
		inv, err := jsInvocation(forced(in.text))
		if err != nil {
			return err
		}
		inv.JSON = opts.json
		return hinted(runJS(ctx, c, inv, std), in.text)
	}
	if word := firstWord(in.text); isOutside(word) {
		return hinted(outsideError(word), in.text)
	}
	inv, err := admin.ParseLine(in.text)
	if err != nil || inv == nil {
		return hinted(err, in.text)
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
	return hinted(err, in.text)
}
