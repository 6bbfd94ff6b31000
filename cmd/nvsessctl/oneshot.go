package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/nvsess/nvsess/internal/admin"
)

// oneShot carries out the command on the command line.
func oneShot(ctx context.Context, opts options, args []string, std streams) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	inv, err := admin.ParseArgs(args)
	if err != nil {
		var j *admin.JSONError
		if err = std.fail(err, opts.json); errors.As(err, &j) && !opts.json {
			newPrinter(std.err).Printf("in a shell, put JSON between single quotes: '{\"a\": 1}'\n")
		}
		return err
	}
	inv.JSON = inv.JSON || opts.json
	if inv.Command.Run == nil || inv.Help {
		_, err := (*admin.Client)(nil).Do(ctx, inv, newPrinter(std.out), nil) // help needs no daemon
		return std.fail(err, inv.JSON)
	}
	if err := readPayload(inv, std.in); err != nil {
		return std.fail(err, inv.JSON)
	}
	if inv.Command.Name == "js" {
		if err := checkCode(inv.Args.String("code")); err != nil {
			return std.fail(err, inv.JSON)
		}
	}
	c, err := dial(opts.socket)
	if err != nil {
		return std.fail(err, inv.JSON)
	}
	if inv.Command.Name == "top" {
		return std.fail(runTop(ctx, c, inv, std), inv.JSON)
	}
	if inv.Command.Name == "js" {
		return std.fail(runJS(ctx, c, inv, std), inv.JSON)
	}
	if watchesDrain(inv, std.out) {
		_, err = runDrain(ctx, c, inv, std.out.(*os.File))
		return std.fail(err, inv.JSON)
	}
	p := newPrinter(std.out)
	_, err = c.Do(ctx, inv, p, func() {
		if inv.Command.Name == "watch" && isTerminal(std.out) {
			newPrinter(std.err).Printf("watching; Ctrl-C ends it\n")
		}
	})
	if inv.Command.Name == "drain" && ctx.Err() != nil && !inv.JSON {
		newPrinter(std.err).Printf("%s\n", drainGoesOn)
	}
	return std.fail(err, inv.JSON)
}
