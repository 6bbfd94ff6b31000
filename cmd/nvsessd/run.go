package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/nvsess/nvsess/internal/admin"
)

// run is the daemon from its command line to its end. It returns when ctx is
// done or a signal has ended it, after everything is closed.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	if f.version {
		fmt.Fprintln(stdout, "nvsessd", versionString())
		return nil
	}
	cfg, err := f.load()
	if err != nil {
		return err
	}
	if f.check || f.checkState != 0 {
		if err := check(&cfg); err != nil {
			return err
		}
		switch f.checkState {
		case 0:
			fmt.Fprintln(stdout, "configuration is valid")
		case readableState():
			fmt.Fprintln(stdout, canTakeOver)
		default:
			return fmt.Errorf("the running daemon's state is of version %d; this one, %s, reads %d", f.checkState, versionString(), readableState())
		}
		return nil
	}
	// Caught from before the first socket exists, so that a stop during the
	// start leaves nothing behind.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, handledSignals...)
	defer signal.Stop(signals)
	// Who reads the log may end first: Ctrl-C ends all of "nvsessd | tee log".
	// A line lost is no reason to drop the sessions.
	signal.Ignore(syscall.SIGPIPE)

	log, level, lines, err := newLogger(&cfg.Log, stderr)
	if err != nil {
		return err
	}
	defer lines.close()
	// Idle sessions dominate the heap and the hot paths do not allocate, so
	// collecting a little more often costs next to nothing and keeps the memory
	// per session near its real size.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := raiseFileLimit(log); err != nil {
		return err
	}

	from, err := inheritState()
	if err != nil {
		return err
	}
	defer from.close()
	socks, kept, err := openSockets(&cfg, log, from)
	if err != nil {
		return err
	}
	defer socks.close(log)
	keeping := openKeeping(kept, from, log)
	defer keeping.close()

	d := &daemon{
		flags: f, log: log, lines: lines, level: level, configuredLevel: zap.NewAtomicLevelAt(level.Level()), sockets: socks,
		keeping: keeping,
		byHand:  term.IsTerminal(int(os.Stdin.Fd())), started: time.Now(), upgrades: make(chan upgradeRequest),
	}
	d.cfg.Store(&cfg)
	if err := d.start(from); err != nil {
		return err
	}
	if from == nil {
		d.announce(stdout)
	}
	from.close()
	return d.serve(ctx, signals)
}

// handledSignals are those that mean something to the daemon.
var handledSignals = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR2}

const gcPercent = 50

// serve waits for the end.
func (d *daemon) serve(ctx context.Context, signals chan os.Signal) error {
	stopWatchdog := notifyReady(d.sessions, d.log)
	defer stopWatchdog()
	d.log.Info("ready", zap.String("version", versionString()), zap.Int("pid", os.Getpid()),
		zap.Stringers("listen", d.sockets.public), zap.Stringers("admin", d.sockets.admin), zap.String("mode", d.sessions.Mode()))

	stopReloads := d.reloadWhenAsked()
	check := time.NewTicker(socketCheck)
	defer check.Stop()
	signalled := make(chan upgradeRequest, 1)
	var next *candidate // nil: no upgrade is under way
	giveUp := func() {
		if next != nil {
			d.log.Warn("an upgrade is given up, for the daemon is to end", zap.String("binary", next.binary))
			next.cancel()
			next.fail(admin.Stopping())
			next = nil
		}
	}
	var failed error
	for serving := true; serving; {
		upgrades, bySignal, answer := d.upgrades, signalled, (<-chan error)(nil)
		if next != nil { // one after the other
			upgrades, bySignal, answer = nil, nil, next.answer
		}
		select {
		case <-ctx.Done():
			serving = false
		case r := <-upgrades:
			next = d.ask(r)
		case r := <-bySignal:
			next = d.ask(r)
		case err := <-answer:
			if err == nil {
				err = d.upgrade(next, signals)
			} else {
				d.upgradesFailed.Add(1)
			}
			d.log.Error("the upgrade failed; everything goes on as before", zap.String("binary", next.binary), zap.Error(err), zap.Duration("took", time.Since(next.began)))
			next.fail(err)
			next = nil
		case sig := <-signals:
			if sig == syscall.SIGUSR2 {
				select {
				case signalled <- upgradeRequest{}:
				default: // that one will find what this one would
				}
				continue
			}
			if sig == syscall.SIGHUP && !d.hungUp() {
				d.reloads.ask()
				d.mendSockets()
				continue
			}
			giveUp()
			if sig == syscall.SIGTERM && d.leave() {
				notifyStopping()
				return nil
			}
			d.log.Info("stopping", zap.Stringer("signal", sig))
			serving = false
		case <-check.C:
			d.mendSockets()
		case failed = <-d.adminErr:
			d.log.Error("the admin socket failed", zap.Error(failed))
			serving = false
		}
	}
	giveUp()
	notifyStopping()
	stopReloads()
	return errors.Join(failed, d.stop(signals))
}

// hungUp reports whether the terminal that the daemon was started from is gone:
// what SIGHUP says then.
func (d *daemon) hungUp() bool {
	_, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	return d.byHand && err != nil
}
