package main

import (
	"bufio"
	"context"
	"errors"
	"os/signal"
	"syscall"

	"github.com/nvsess/nvsess/internal/admin"
)

// script carries out commands from standard input, one a line. It stops at the first that fails, or with -k goes on and fails as the
// first one did.
func script(ctx context.Context, opts options, std streams) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := dial(opts.socket)
	if err != nil {
		return std.fail(err, opts.json)
	}
	lines := bufio.NewScanner(std.in)
	lines.Buffer(nil, maxPayload)
	var first error
	for n := 1; lines.Scan(); n++ {
		err := scriptLine(ctx, c, opts, lines.Text(), std)
		if errors.Is(err, errLeave) {
			return first
		}
		if err == nil {
			continue
		}
		if !opts.json && ctx.Err() == nil {
			newPrinter(std.err).Printf("line %d: ", n)
		}
		err = std.fail(err, opts.json)
		if !opts.keepGoing || ctx.Err() != nil {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if err := lines.Err(); err != nil {
		return std.fail(err, opts.json)
	}
	return first
}

// errLeave is the command exit.
var errLeave = errors.New("leave")

func scriptLine(ctx context.Context, c *admin.Client, opts options, line string, std streams) error {
	inv, err := admin.ParseLine(line)
	if err != nil || inv == nil {
		return err
	}
	if inv.Command.Name == "exit" {
		return errLeave
	}
	inv.JSON = inv.JSON || opts.json
	if err := readPayload(inv, nil); err != nil {
		return err
	}
	_, err = c.Do(ctx, inv, newPrinter(std.out), nil)
	return err
}
