package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

// scenario runs one measurement and fills in the result.
type scenario func(ctx context.Context, o *options, r *result) error

var scenarios = map[string]scenario{
	"echo":      echo,
	"fanout":    fanout,
	"idle":      idle,
	"handshake": handshake,
	"published": published,
}

// run does one scenario and prints its report, also of one that failed. Standard
// input is the gate, if there is one.
func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	o.begin, o.log = stdin, stderr
	// epoll has one thread to come back to.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, o.limit())
	defer cancel()
	r := o.result()
	if err = scenarios[o.scenario](ctx, o, r); err != nil {
		err = fmt.Errorf("%s: %w", o.scenario, err)
		r.Error = err.Error()
	}
	r.OK = err == nil
	return errors.Join(err, r.print(stdout, o.json))
}
