package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nvsess/nvsess/internal/admin"
)

// pprofKinds are what can be asked for, and how the daemon calls them.
var pprofKinds = []struct{ name, path, what string }{
	{"cpu", "profile", "where processor time goes; 30 s unless --seconds says otherwise"},
	{"heap", "heap", "what memory is in use for"},
	{"allocs", "allocs", "what memory was ever taken for"},
	{"goroutine", "goroutine", "what every goroutine is doing"},
	{"trace", "trace", "what happened when, for go tool trace; 1 s unless --seconds says otherwise"},
	{"block", "block", "where goroutines wait; for 10 s unless --seconds says otherwise"},
	{"mutex", "mutex", "who holds locks that others wait for; as long"},
	{"threadcreate", "threadcreate", "what made threads"},
}

func pprofUsage() string {
	var b strings.Builder
	b.WriteString(`Usage: nvsessctl [-s SOCKET] pprof WHAT [--seconds N] [-o FILE]

Takes a profile of the running daemon, for go tool pprof. WHAT is one of

`)
	for _, k := range pprofKinds {
		fmt.Fprintf(&b, "  %-13s  %s\n", k.name, k.what)
	}
	fmt.Fprintf(&b, `
      --seconds N   of so many seconds, at most %d; of heap and the like, what changed in them
  -o, --output FILE   where to; "-" is standard output, which must not be a terminal

A profile of the memory tells of what is in it: the file is for its owner alone.

  nvsessctl pprof cpu --seconds 5 -o cpu.pb && go tool pprof -top cpu.pb
`, int(admin.MaxProfile.Seconds()))
	return b.String()
}

// runPprof is the pprof command.
func runPprof(ctx context.Context, opts options, args []string, std streams) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	f := flag.NewFlagSet("pprof", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	seconds := f.Int("seconds", 0, "")
	output := f.String("o", "", "")
	f.StringVar(output, "output", "", "")
	what := ""
	for len(args) > 0 { // options may stand on both sides
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return std.print([]byte(pprofUsage()))
		} else if err != nil {
			return &admin.UsageError{Reason: "pprof: " + admin.Escape(err.Error())}
		}
		if args = f.Args(); len(args) > 0 {
			if what != "" {
				return &admin.UsageError{Reason: "pprof takes one profile at a time; nvsessctl pprof --help explains it"}
			}
			what, args = args[0], args[1:]
		}
	}
	i := slices.IndexFunc(pprofKinds, func(k struct{ name, path, what string }) bool { return k.name == what })
	switch {
	case what == "":
		return &admin.UsageError{Reason: "pprof needs what to profile: cpu, heap...; nvsessctl pprof --help lists them"}
	case i < 0:
		return &admin.UsageError{Reason: fmt.Sprintf("there is no profile %s; nvsessctl pprof --help lists them", admin.Quote(what))}
	case *seconds < 0 || *seconds > int(admin.MaxProfile.Seconds()):
		return &admin.UsageError{Reason: fmt.Sprintf("--seconds is at most %d", int(admin.MaxProfile.Seconds()))}
	case *output == "" && isTerminal(std.out), *output == "-" && isTerminal(std.out):
		return &admin.UsageError{Reason: "a profile is not for a terminal: -o FILE names where it is to go"}
	}
	if (what == "block" || what == "mutex") && *seconds == 0 {
		*seconds = 10
	}
	c, err := dial(opts.socket)
	if err != nil {
		return err
	}
	if *output == "" || *output == "-" {
		return c.Profile(ctx, pprofKinds[i].path, *seconds, std.out)
	}
	n, err := pprofFile(ctx, c, pprofKinds[i].path, *seconds, *output)
	if err == nil {
		fmt.Fprintf(std.err, "%d bytes in %s\n", n, admin.Escape(*output))
	}
	return err
}

// pprofFile makes a file of a profile, whole or not at all.
func pprofFile(ctx context.Context, c *admin.Client, path string, seconds int, name string) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".nvsessctl-pprof-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := c.Profile(ctx, path, seconds, f); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	fi, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return fi.Size(), os.Rename(f.Name(), name)
}
