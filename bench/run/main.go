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
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errBroken = errors.New("something broke, see above")

// run measures what the command line asks for. It must be started in the root
// of the repository.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	// A child dies with the thread that started it (Pdeathsig), so it must be
	// one that lives as long as this program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if len(args) > 0 && args[0] == "published" {
		return runPublished(ctx, args[1:], stdout, stderr)
	}
	return runAll(ctx, args, stdout, stderr)
}

// runAll measures all servers in all scenarios, one server at a time.
func runAll(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "small counts, one round: a check that all works, not a measurement to quote")
	rounds := fs.Int("rounds", 0, "rounds of echo, fanout and handshake (3; quick 1)")
	docs := fs.String("docs", "", "write benchmarks.md and benchmarks.svg into this `directory`")
	only := fs.String("servers", "", "comma-separated `names` of servers, all if empty")
	which := fs.String("scenarios", "", "comma-separated `names` of scenarios, all if empty")
	if err := fs.Parse(args); err != nil {
		return err
	}
	kept := ""
	if *docs != "" {
		var err error
		if kept, err = keptSection(*docs); err != nil {
			return err // before ten minutes of measuring and not after them
		}
	}
	dir, err := os.MkdirTemp("", "nvsess-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := fullPlan
	if *quick {
		p = quickPlan
	}
	p = p.limited(*which, *rounds)
	built, err := build(ctx, dir, chosen(allServers, *only), stderr)
	if err != nil {
		return err
	}
	if len(built.servers) == 0 || len(p) == 0 {
		return errors.New("no such server or scenario")
	}
	started := time.Now()
	m := &measurement{dir: dir, loadgen: filepath.Join(dir, "loadgen"), log: stderr}
	if err := m.all(ctx, built.servers, p); err != nil {
		return err
	}
	rep := &report{
		servers: built.servers, skipped: built.skipped, plan: p, data: m.data, failures: m.failures,
		published: kept, quick: *quick, took: time.Since(started), machine: thisMachine(ctx), when: started,
	}
	rep.text(stdout)
	if *docs != "" {
		if err := rep.write(*docs); err != nil {
			return err
		}
	}
	if len(m.failures) > 0 {
		return errBroken
	}
	return nil
}

// chosen keeps what a comma-separated list names, all if it names none.
func chosen(all []server, names string) []server {
	if names == "" {
		return all
	}
	list := strings.Split(names, ",")
	return slices.DeleteFunc(slices.Clone(all), func(s server) bool { return !slices.Contains(list, s.name) })
}
