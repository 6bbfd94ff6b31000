package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/loadtest"
)

// The bounds of what tst takes.
const (
	tstMaxClients  = 1_000_000
	tstMaxParallel = 4096
	tstMaxHold     = 24 * time.Hour
	tstMaxSize     = 1024
	tstMaxMessage  = 16 << 10
	tstHoldUnseen  = 30 * time.Second // when no terminal is there for Ctrl-C
)

// runTst is the tst command: a load test. A nil error means that every client opened and stayed.
func runTst(ctx context.Context, args []string, asJSON bool, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parseTst(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, tstUsage)
		return err
	}
	if err != nil {
		return err
	}
	o.json = o.json || asJSON
	cfg := o.config()
	if cfg.Hold == 0 && !(isTerminal(stdin) && isTerminal(stderr)) {
		cfg.Hold = tstHoldUnseen
	}
	if err := o.room(stderr); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // the second one kills
	view := newTstView(stdout, stderr, o)
	if o.verbose {
		cfg.Received = view.received
	}
	test := loadtest.New(cfg)
	stopView := view.follow(test, cfg.Hold)
	report, err := test.Run(ctx)
	stopView()
	if err != nil {
		return tstDialError(o.dial.url, err)
	}
	if err := o.print(stdout, report); err != nil {
		return fmt.Errorf("tst: %w", err)
	}
	return tstVerdict(report)
}

// tstVerdict is the exit status: what is wrong stands in the report already.
func tstVerdict(r *loadtest.Report) error {
	switch {
	case r.Ended == loadtest.EndedInterrupted:
		return reported{context.Canceled}
	case !r.OK:
		return reported{errors.New("tst: " + strings.Join(r.Problems, "; "))}
	}
	return nil
}

// config is what the options mean to the test.
func (o *tstOptions) config() loadtest.Config {
	return loadtest.Config{
		URL: o.dial.url, Count: o.count, Wait: o.wait, Parallel: o.parallel, Timeout: o.dial.timeout, Hold: o.hold,
		Broadcast: o.ctrl, Echo: o.echo, Every: o.every, Size: o.size,
		FailOnLoss: o.failOnLoss, Options: o.dial.dialOptions(),
	}
}

// room makes room for the clients, or says that there is none.
func (o *tstOptions) room(notes io.Writer) error {
	limit, clients, err := loadtest.RaiseDescriptors()
	if err != nil {
		return fmt.Errorf("tst: the limit of descriptors: %w", err)
	}
	if uint64(o.count) > clients {
		return fmt.Errorf("tst: the limit of %s descriptors allows %s clients, not %s; ulimit -n raises it",
			tstNumber(limit), tstNumber(clients), tstNumber(uint64(o.count)))
	}
	if ports := loadtest.LocalPorts(); ports > 0 && o.count > ports && !strings.HasPrefix(o.dial.url, "ws+unix:") {
		fmt.Fprintf(notes, "tst: this machine has %s local ports (net.ipv4.ip_local_port_range), so no more clients than that reach one address\n",
			tstNumber(uint64(ports)))
	}
	return nil
}

// tstDialError is why the first client could not connect.
func tstDialError(rawURL string, err error) error {
	err = connectDialError(rawURL, err)
	text := strings.TrimPrefix(err.Error(), "connect: ")
	var usage *connectUsageError
	if errors.As(err, &usage) {
		return tstUsagef("%s", strings.TrimPrefix(usage.err.Error(), "connect: "))
	}
	e := &tstError{text: "tst: " + text, err: err, code: exitCode(err)}
	if errors.Is(err, context.DeadlineExceeded) {
		e.text = strings.TrimSuffix(e.text, ": "+context.DeadlineExceeded.Error())
	}
	return e
}

// tstError is an error with its exit status.
type tstError struct {
	text string
	err  error
	code int
}

func (e *tstError) Error() string { return e.text }
func (e *tstError) Unwrap() error { return e.err }

// ExitCode is the exit status for the error.
func (e *tstError) ExitCode() int { return e.code }

// print writes the report.
func (o *tstOptions) print(w io.Writer, r *loadtest.Report) error {
	used := tstProcess()
	if !o.json {
		return printTst(newPrinter(w), r, used)
	}
	text, err := json.MarshalIndent(struct {
		*loadtest.Report
		Process tstUsed `json:"process"`
	}{r, used}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(admin.EscapeJSON(text), '\n'))
	return err
}

// tstUsed is what this process took.
type tstUsed struct {
	CPU float64 `json:"cpu_seconds"`
	RSS int64   `json:"max_rss_bytes"`
}

func tstProcess() tstUsed {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return tstUsed{}
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return tstUsed{CPU: cpu.Round(time.Millisecond).Seconds(), RSS: u.Maxrss << 10}
}

// tstTerminal is whether w shows a block that is drawn again and again.
func tstTerminal(w io.Writer) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }
