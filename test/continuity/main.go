// Command continuity has thousands of checked sessions on a running daemon while
// a command does something to it:
//
//	go run ./test/continuity -addr unix:/run/nvsess/nvsess.sock -admin /run/nvsess/admin.sock \
//	    -sessions 15000 -do 'systemctl reload nvsessd' -times 50
//
// The daemon has mode "echo", a keepalive interval of a minute or more, and an
// outbound.queue_bytes of -slow and some. What is checked is in package swarm;
// what is not as -expect says makes it exit with 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/nvsess/nvsess/test/continuity/swarm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "continuity:", err)
		os.Exit(1)
	}
}

var (
	errUsage  = errors.New("-addr is required, and no other arguments")
	errFailed = errors.New("not what was expected")
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o swarm.Options
	fs := flag.NewFlagSet("continuity", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Addr, "addr", "", "`address` of the daemon, unix:/path or tcp:HOST:PORT")
	fs.StringVar(&o.Admin, "admin", "", "`path` of the operators' socket; none: no operator does anything")
	fs.IntVar(&o.Sessions, "sessions", 200, "sessions that talk (four of five) or are idle")
	fs.IntVar(&o.Odd, "odd", 5, "further sessions in each odd state: within a frame, between fragments, not reading, ...")
	fs.IntVar(&o.Compressed, "compressed", 0, "sessions that compress, of those that talk; the daemon needs compression = \"on\"")
	fs.IntVar(&o.SlowBytes, "slow", 3<<20, "`bytes` that wait for each session that does not read")
	fs.Float64Var(&o.Rate, "rate", 500, "messages per second that sessions send, all together; each comes back")
	fs.DurationVar(&o.BroadcastEvery, "broadcast", 2*time.Second, "time between two broadcasts of an operator, 0 for none")
	fs.DurationVar(&o.AskEvery, "ask", 100*time.Millisecond, "time between two requests of an operator, 0 for none")
	do := fs.String("do", "", "shell `command` that does it")
	fs.IntVar(&o.Times, "times", 1, "how often")
	fs.DurationVar(&o.EveryMin, "every", 2*time.Second, "time of traffic before each, at least")
	fs.DurationVar(&o.EveryMax, "every-max", 0, "and at most; drawn at random")
	fs.DurationVar(&o.After, "after", time.Second, "time of traffic after each, at least")
	fs.DurationVar(&o.Patience, "patience", time.Minute, "how long whatever has to happen may take")
	expect := fs.String("expect", string(swarm.None), "what may happen: none (nothing), crash (who had something under way may be closed with 1012), stop (all are closed with 1001)")
	fs.DurationVar(&o.MaxPause, "max-pause", 0, "the longest nothing may come back, 0 for any")
	fs.BoolVar(&o.LenientOperators, "lenient-operators", false, "operators' calls that are under way may break")
	log := fs.String("log", "", "shell `command` that prints the daemon's log, to compare what it says it lost")
	fs.Uint64Var(&o.Seed, "seed", 1, "what is drawn at random depends on it")
	asJSON := fs.Bool("json", false, "print the report as JSON")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.Expect = swarm.Expect(*expect)
	if o.Addr == "" || fs.NArg() > 0 {
		return errUsage
	}
	if !slices.Contains(swarm.Expects, o.Expect) {
		return fmt.Errorf("-expect is one of %v", swarm.Expects)
	}
	o.Log = stderr
	if *do != "" {
		o.Do = func(ctx context.Context, _ int) error {
			cmd := exec.CommandContext(ctx, "sh", "-c", *do)
			cmd.Stdout, cmd.Stderr = stderr, stderr
			cmd.WaitDelay = time.Second // what it leaves running may keep them open
			if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
				return fmt.Errorf("%s: %w", *do, err)
			}
			return nil
		}
	}
	if *log != "" {
		o.DaemonLog = func() (string, error) {
			out, err := exec.CommandContext(ctx, "sh", "-c", *log).Output()
			return string(out), err
		}
	}
	r, err := swarm.Run(ctx, o)
	if err != nil {
		return err
	}
	if *asJSON {
		err = r.JSON(stdout)
	} else {
		r.Print(stdout)
	}
	if !r.OK {
		err = errors.Join(errFailed, err)
	}
	return err
}
