package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/route"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/webhook"
	"github.com/nvsess/nvsess/internal/ws"
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

// daemon is the running process.
type daemon struct {
	flags    flags
	cfg      atomic.Pointer[config.Config] // in effect, see config
	log      *zap.Logger
	lines    *logQueue
	level    zap.AtomicLevel
	sockets  *sockets
	sessions *session.Server
	cert     currentCert
	routes   *route.Server // nil: none; like webhook changed by reloads
	webhook  *webhook.Hook // nil: none
	reloads  reloads
	script   *script.Engine
	admin    *admin.Server
	adminErr chan error
	serving  sync.WaitGroup // what feeds adminErr
	telling  telling
	missing  map[string]string // what is wrong with sockets that are gone, by address
	byHand   bool              // started from a terminal
	keeping  *keeping          // nil: sessions end with the process

	configuredLevel zap.AtomicLevel // of the log
	started         time.Time       // the first of the processes
	upgrades        chan upgradeRequest
	upgradeCount    uint64 // so far
	outcome         atomic.Pointer[upgradeOutcome]
	upgradesFailed  atomic.Uint64
	tookOver        atomic.Pointer[tookOver]
}

// start makes everything, and takes over what the process before has left; nil:
// there was none.
func (d *daemon) start(from *takenState) (err error) {
	defer func() {
		if err != nil && d.script != nil {
			err = errors.Join(err, d.script.Close(context.Background()))
		}
		if err != nil {
			stopRoutes(context.Background(), d.routes, d.log)
			d.stopMetrics(context.Background())
		}
	}()
	cfg := d.config()
	d.reloads.begin(cfg)
	pair, err := loadPair(cfg)
	if err != nil {
		return err
	}
	d.cert.pair.Store(pair)
	listeners := d.sockets.listeners(d.cert.config())
	opt, err := sessionOptions(cfg, d.log)
	if err != nil {
		return err
	}
	if d.routes, err = newRoutes(cfg, d.log, nil); err != nil {
		return err
	}
	addRoutes(&opt, d.routes)
	if d.keeping != nil {
		opt.WS.Store = d.keeping.store
	}
	if d.sessions, err = session.NewServer(opt); err != nil {
		return err
	}
	if d.webhook, err = startWebhook(cfg, d.sessions, d.log); err != nil {
		return err
	}
	if err := d.startScript(from); err != nil {
		return err
	}
	if err := without(from, d.log, "the address for metrics", d.startMetrics()); err != nil {
		return err
	}
	uids, gids, err := d.operators(cfg)
	if err != nil {
		return err
	}
	d.admin = admin.NewServer(admin.Options{
		Sessions: d.sessions, Log: d.log, Version: versionString(),
		Config:     func() any { return d.effective() },
		LogLost:    d.lines.Lost,
		Metrics:    d.telling.handler,
		DrainDelay: func() time.Duration { return d.config().Shutdown.Delay.Std() },
		LogLevel:   func() string { return d.level.String() },
		SetLogLevel: func(s string) error {
			defer d.keeping.note()
			return d.level.UnmarshalText([]byte(s))
		},
		Script: newConsole(d.script), NoConsole: !cfg.Script.Console,
		Reload:  d.reload,
		Upgrade: d.askUpgrade, Upgraded: d.lastUpgrade,
		AllowUIDs: uids, AllowGIDs: gids,
	})
	d.adminErr, d.missing = make(chan error, 1), map[string]string{}
	var operators []net.Listener
	for _, s := range d.sockets.admin {
		ln, err := s.NetListener()
		if err != nil {
			closeAll(operators)
			return err
		}
		operators = append(operators, ln)
	}
	calls, callers, err := d.takeOver(from)
	if err != nil {
		closeAll(operators)
		return err
	}
	if d.keeping != nil {
		d.keeping.store.DropState() // which is untrue from here on
	}
	if err := d.sessions.Start(append(listeners, d.sockets.takeEarly()...)); err != nil {
		closeAll(operators)
		return fmt.Errorf("cannot start the event loops: %w", err)
	}
	d.sockets.closeSpare(d.log)
	d.sessions.StartHandlers()
	d.goOnWithCalls(calls)
	d.goOnWithCallers(callers)
	d.watchSettings()
	for i, ln := range operators {
		d.serveOperators(d.sockets.admin[i], ln)
	}
	return nil
}

// operators are who may call, by number.
func (d *daemon) operators(c *config.Config) (uids, gids []uint32, err error) {
	if uids, gids, err = c.Admin.Allowed(); err != nil {
		return nil, nil, err
	}
	// Whom the socket's group lets in by its mode, the daemon lets in, too.
	groups, err := d.sockets.adminGroups()
	return uids, append(gids, groups...), err
}

func closeAll(list []net.Listener) {
	for _, ln := range list {
		_ = ln.Close()
	}
}

// serveOperators answers on a socket for as long as it is open.
func (d *daemon) serveOperators(sock *listen.Socket, ln net.Listener) {
	d.sockets.operators[sock] = ln
	d.serving.Go(func() {
		if err := d.admin.Serve(ln); err != nil {
			select {
			case d.adminErr <- err:
			default: // another failed already
			}
		}
	})
}

// serve waits for the end.
func (d *daemon) serve(ctx context.Context, signals chan os.Signal) error {
	stopWatchdog := notifyReady(d.sessions, d.log)
	defer stopWatchdog()
	d.log.Info("ready", zap.String("version", versionString()), zap.Int("pid", os.Getpid()),
		zap.Stringers("listen", d.sockets.public), zap.Stringers("admin", d.sockets.admin), zap.String("mode", d.sessions.Mode()))

	stopReloads := d.reloadWhenAsked()
	check := time.NewTicker(socketCheck)
	defer check.Stop()
	var failed error
	for serving := true; serving; {
		select {
		case <-ctx.Done():
			serving = false
		case r := <-d.upgrades:
			err := d.upgrade(r.binary, signals)
			if r.failed != nil {
				r.failed <- err
			}
		case sig := <-signals:
			if sig == syscall.SIGUSR2 {
				if err := d.upgrade("", signals); err != nil {
					d.log.Error("cannot upgrade", zap.Error(err))
				}
				continue
			}
			if sig == syscall.SIGHUP && !d.hungUp() {
				d.reloads.ask()
				d.mendSockets()
				continue
			}
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

// stop closes every session with 1001, within the deadline. A second signal
// cuts it short, which is an error. Until the sessions are gone whoever else
// comes is told so, but at systemd's sockets, where he waits for the next process.
func (d *daemon) stop(signals <-chan os.Signal) error {
	d.sessions.Drain()
	d.sockets.closeInherited(d.log)
	d.delayStop(signals)
	deadline := d.config().Shutdown.Deadline.Std()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	done := make(chan struct{})
	var cut atomic.Bool
	defer close(done)
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig == syscall.SIGUSR2 {
					continue
				}
				if sig == syscall.SIGHUP && !d.hungUp() {
					d.tooLateToReload()
					continue
				}
				d.log.Warn("ending at once", zap.Stringer("signal", sig))
				cut.Store(true)
				cancel()
			case <-done:
			}
			return
		}
	}()
	n, began := d.sessions.Len(), time.Now()
	if err := d.sessions.Shutdown(ctx, ws.CloseGoingAway, "server is shutting down"); err != nil {
		d.log.Warn("some sessions did not close in time and were cut", zap.Error(err))
	}
	d.sockets.closePublic(d.log)
	d.reloads.cutFormer() // the connections are gone
	stopRoutes(ctx, d.routes, d.log)
	d.stopScript(ctx)
	stopWebhook(ctx, d.webhook, d.log)
	adminCtx, cancelAdmin := context.WithTimeout(context.Background(), time.Second)
	defer cancelAdmin()
	d.stopMetrics(adminCtx)
	if err := d.admin.Shutdown(adminCtx); err != nil {
		d.log.Warn("some operators' calls were cut", zap.Error(err))
	}
	d.serving.Wait()
	d.keeping.clear(d.log)
	d.log.Info("stopped", zap.Int("sessions", n), zap.Duration("took", time.Since(began)))
	if cut.Load() {
		return errCutShort
	}
	return nil
}

// delayStop leaves the sessions alone for shutdown.delay, or until a signal. Once
// drained, health has said long ago that there is nobody here.
func (d *daemon) delayStop(signals <-chan os.Signal) {
	delay := d.config().Shutdown.Delay.Std()
	if delay == 0 || d.sessions.DrainState().Phase == session.Drained {
		return
	}
	d.log.Info("draining", zap.Duration("delay", delay), zap.Int("sessions", d.sessions.Len()))
	over := time.NewTimer(delay)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return
		case sig := <-signals:
			if sig == syscall.SIGUSR2 {
				continue
			}
			if sig == syscall.SIGHUP && !d.hungUp() {
				d.tooLateToReload()
				continue
			}
			d.log.Info("closing sessions without further delay", zap.Stringer("signal", sig))
			return
		}
	}
}

// config is the configuration in effect. It is immutable.
func (d *daemon) config() *config.Config { return d.cfg.Load() }

// effective is the configuration as it is in force: with the addresses that are
// listened at.
func (d *daemon) effective() *config.Config {
	c := *d.config()
	c.Listen, c.Admin.Listen = d.sockets.addresses()
	return &c
}

var errCutShort = errors.New("ended at once by a second signal")
